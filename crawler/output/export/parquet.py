"""Apache Parquet, typed: lists and structs as such, times as timestamps (UTC).

pyarrow reads the JSON, a batch of lines in each thread, and writes row groups, so that
memory stays flat. Objects of any shape are JSON text, which msgspec cuts out of the
line. pyarrow is an extra (`table`).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from crawler.model.errors import UsageError
from crawler.output.export.files import draft
from crawler.output.export.lines import Line, UnreadableLine, rows
from crawler.output.export.selection import DATA, Field
from crawler.output.export.table import Table
from crawler.output.export.writer import Write
from crawler.output.schema_export import TIMES, Column, columns

ROW_GROUP = 50_000
"""Records of a row group at most."""
ROW_GROUP_BYTES = 128 * 2**20
"""Bytes of JSON that end a row group before."""
MAX_THREADS = 8


@contextmanager
def open_parquet(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`."""
    pa, pq = _pyarrow()
    reader = _Reader(pa, fields)
    threads = min(len(os.sched_getaffinity(0)), MAX_THREADS)
    with (
        draft(target) as path,
        pq.ParquetWriter(path, reader.schema, compression="zstd") as writer,
        ThreadPoolExecutor(threads) as pool,
    ):
        groups = _RowGroups(pa, writer)
        reading: deque[tuple[Future[Any], int]] = deque()

        def take() -> None:
            table, size = reading.popleft()
            groups.add(table.result(), size)

        def write(lines: Sequence[Line]) -> int:
            reading.append((pool.submit(reader.read, lines), sum(map(len, lines))))
            if len(reading) > threads:
                take()
            return len(lines)

        yield write
        while reading:
            take()
        groups.flush()


class _RowGroups:
    """Collects tables, and writes them as row groups."""

    def __init__(self, pa: Any, writer: Any) -> None:
        self._pa = pa
        self._writer = writer
        self._waiting: list[Any] = []
        self._rows = self._size = 0

    def add(self, table: Any, size: int) -> None:
        """Take a table that was made of `size` bytes of JSON."""
        self._waiting.append(table)
        self._rows += table.num_rows
        self._size += size
        if self._rows >= ROW_GROUP or self._size >= ROW_GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            table = self._pa.concat_tables(self._waiting)
            self._writer.write_table(table, row_group_size=table.num_rows)
            self._waiting.clear()
            self._rows = self._size = 0


class _Reader:
    """Makes tables of lines; in several threads at once."""

    def __init__(self, pa: Any, fields: Sequence[Field]) -> None:
        self.schema = pa.schema([(one.name, _type(pa, one.column)) for one in fields])
        self._pa = pa
        self._fields = fields
        self._objects = [one for one in fields if one.column.kind is dict]
        self._texts = Table(self._objects, _json_text)
        typed = [one for one in fields if one.column.kind is not dict]
        self._options = _parse_options(pa, typed)

    def read(self, lines: Sequence[Line]) -> Any:
        """The columns of the lines. Raises UnreadableLine."""
        try:
            return self._read(lines)
        except (self._pa.ArrowException, UnicodeDecodeError) as error:
            raise self._fault(lines, error) from error

    def _read(self, lines: Sequence[Line]) -> Any:
        found = self._typed(lines) | self._json(lines)
        arrays = [
            _as(self._pa, found[field.name], kind)
            for field, kind in zip(self._fields, self.schema.types, strict=True)
        ]
        return self._pa.table(arrays, schema=self.schema)

    def _typed(self, lines: Sequence[Line]) -> dict[str, Any]:
        """The columns of text, numbers, lists and structs, by name."""
        if self._options is None:
            return {}
        from pyarrow.json import ReadOptions, read_json

        block = b"".join(lines)
        str(block, "utf-8")  # pyarrow would write what is not, which no reader takes
        table = read_json(
            self._pa.BufferReader(block),
            read_options=ReadOptions(block_size=len(block) + 1, use_threads=False),
            parse_options=self._options,
        )
        if table.num_rows != len(lines):
            raise self._pa.ArrowInvalid("a line has to be one object")
        columns = dict(zip(table.column_names, table.columns, strict=True))
        if "data" in columns:
            data = columns.pop("data")
            for number, key in enumerate(data.type.names):
                columns[DATA + key] = _part_of(data, number)
        return columns

    def _json(self, lines: Sequence[Line]) -> dict[str, Any]:
        """The columns of objects, as JSON text, by name."""
        if not self._objects:
            return {}
        values = zip(*self._texts.rows(lines), strict=True)
        return {
            field.name: [_items(one) for one in column] if field.column.repeated
            else column
            for field, column in zip(self._objects, values, strict=True)
        }  # fmt: skip

    def _fault(self, lines: Sequence[Line], error: Exception) -> Exception:
        """The error that names the line, and its column where it is that of one."""
        rows(lines)  # finds what is no JSON, and raises
        for line in lines:
            for field in self._fields:
                try:
                    _Reader(self._pa, [field])._read([line])
                except (self._pa.ArrowException, UnicodeDecodeError) as found:
                    problem = str(found).removesuffix(" in row 0")
                    return UnreadableLine(
                        line,
                        f"column {field.name}: {problem}; leave it out with "
                        "--columns, or export to jsonl",
                    )
        return UsageError(f"pyarrow: {error}")


def _parse_options(pa: Any, typed: Sequence[Field]) -> Any:
    """How pyarrow reads these columns; None if there are none."""
    from pyarrow.json import ParseOptions

    own, data = [], []
    for field in typed:
        kind = pa.string() if _is_time(field) else _type(pa, field.column)
        if field.data_key is None:
            own.append((field.name, kind))
        else:
            data.append((field.data_key, kind))
    if data:
        own.append(("data", pa.struct(data)))
    if not own:
        return None
    return ParseOptions(
        explicit_schema=pa.schema(own), unexpected_field_behavior="ignore"
    )


def _part_of(structs: Any, number: int) -> Any:
    import pyarrow.compute

    return pyarrow.compute.struct_field(structs, number)


def _as(pa: Any, values: Any, kind: Any) -> Any:
    """An array of this type; an empty text is no time."""
    if not isinstance(values, pa.ChunkedArray):
        return pa.array(values, kind)
    if not pa.types.is_timestamp(kind):
        return values
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(values, ""), None, values).cast(kind)


def _is_time(field: Field) -> bool:
    return field.column.name in TIMES


def _type(pa: Any, column: Column) -> Any:
    if column.name in TIMES:
        return pa.timestamp("ms", tz="UTC")
    if issubclass(column.kind, Struct):
        one = pa.struct([(one.name, _type(pa, one)) for one in columns(column.kind)])
    else:
        one = {
            str: pa.string(),
            int: pa.int64(),
            float: pa.float64(),
            bool: pa.bool_(),
            dict: pa.string(),  # JSON
        }[column.kind]
    return pa.list_(one) if column.repeated else one


def _json_text(value: Any) -> bytes:
    return bytes(value) if isinstance(value, Raw) else msgspec.json.encode(value)


def _items(text: bytes | None) -> list[bytes] | None:
    """The elements of a JSON list, each as JSON."""
    if text is None:
        return None
    return [bytes(one) for one in msgspec.json.decode(text, type=list[Raw])]


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(
            "Parquet needs pyarrow: pip install 'orbweb[table]'"
        ) from error
    return pyarrow, pyarrow.parquet
