"""JSON Lines: the records again, or some columns of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.model.records import RECORD_TYPES
from crawler.output.export.files import open_output
from crawler.output.export.lines import Line, Row, decode_all, kind_of, rows
from crawler.output.export.selection import Field
from crawler.output.export.writer import Write
from crawler.output.schema_export import columns


@contextmanager
def open_jsonl(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`. A key that a record does not have stays absent."""
    whole = _whole_types({field.name for field in fields})
    encode = msgspec.json.Encoder().encode_lines
    with open_output(target) as out:

        def write(lines: Sequence[Line]) -> int:
            if whole.issuperset(map(kind_of, lines)):
                decode_all(lines, _check)
                out.writelines(lines)
            else:
                out.write(encode([_chosen(row, fields) for row in rows(lines)]))
            return len(lines)

        yield write


class _Nothing(Struct):
    """Decoding a line as this finds out whether it is JSON."""


_check = msgspec.json.Decoder(_Nothing).decode


def _whole_types(names: set[str]) -> frozenset[str]:
    """The types of records that have no other columns than these."""
    return frozenset(
        kind
        for kind, record in RECORD_TYPES.items()
        if names.issuperset(column.name for column in columns(record))
    )


def _chosen(row: Row, fields: Sequence[Field]) -> Row:
    data = row.get("data") or {}
    chosen: Row = {}
    for field in fields:
        key = field.data_key
        if key is None and field.name in row:
            chosen[field.name] = row[field.name]
        elif key in data:
            chosen[field.name] = data[key]
    return chosen
