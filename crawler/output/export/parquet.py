"""Apache Parquet, typed: lists and structs as such, times as timestamps (UTC).

pyarrow writes it, in row groups, so that memory stays flat. It is an extra (`table`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from crawler.model.errors import UsageError
from crawler.output.export.files import draft
from crawler.output.export.rows import Row
from crawler.output.export.selection import Field
from crawler.output.export.writer import Write
from crawler.output.schema_export import TIMES, Column, columns

ROW_GROUP = 50_000


@contextmanager
def open_parquet(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`."""
    pa, pq = _pyarrow()
    schema = pa.schema([(field.name, _type(pa, field.column)) for field in fields])
    with (
        draft(target) as path,
        pq.ParquetWriter(path, schema, compression="zstd") as writer,
    ):
        waiting: list[Any] = []

        def flush() -> None:
            if waiting:
                writer.write_table(pa.Table.from_batches(waiting), ROW_GROUP)
                waiting.clear()

        def write(rows: Sequence[Row]) -> int:
            waiting.append(_batch(pa, schema, fields, rows))
            if sum(map(len, waiting)) >= ROW_GROUP:
                flush()
            return len(rows)

        yield write
        flush()


def _batch(pa: Any, schema: Any, fields: Sequence[Field], rows: Sequence[Row]) -> Any:
    arrays = []
    for field, kind in zip(fields, schema.types, strict=True):
        values = field.values(rows)
        if field.column.kind is dict:
            encode = _json_list if field.column.repeated else _json
            values = [None if one is None else encode(one) for one in values]
        try:
            if pa.types.is_timestamp(kind):
                texts = pa.array([one or None for one in values], pa.string())
                arrays.append(texts.cast(kind))
            else:
                arrays.append(pa.array(values, kind))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise UsageError(
                f"column {field.name}: {error}; leave it out with --columns, or "
                "export to jsonl"
            ) from error
    return pa.record_batch(arrays, schema=schema)


def _type(pa: Any, column: Column) -> Any:
    if column.name in TIMES:
        return pa.timestamp("ms", tz="UTC")
    if issubclass(column.kind, Struct):
        inner = [(one.name, _type(pa, one)) for one in columns(column.kind)]
        one = pa.struct(inner)
    else:
        one = {
            str: pa.string(),
            int: pa.int64(),
            float: pa.float64(),
            bool: pa.bool_(),
            dict: pa.string(),  # JSON
        }[column.kind]
    return pa.list_(one) if column.repeated else one


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _json_list(values: Sequence[Any]) -> list[str]:
    return [_json(one) for one in values]


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow: pip install 'orbweb[table]'"
        ) from error
    return pyarrow, pyarrow.parquet
