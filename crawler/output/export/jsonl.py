"""JSON Lines: the records again, or some columns of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from crawler.output.export.files import open_output
from crawler.output.export.rows import Row
from crawler.output.export.selection import Field
from crawler.output.export.writer import Write


@contextmanager
def open_jsonl(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`. A key that a record does not have stays absent."""
    encode = msgspec.json.Encoder().encode_lines
    with open_output(target) as out:

        def write(rows: Sequence[Row]) -> int:
            out.write(encode(_chosen(rows, fields)))
            return len(rows)

        yield write


def _chosen(rows: Sequence[Row], fields: Sequence[Field]) -> list[Row]:
    chosen: list[Row] = [{} for _ in rows]
    for field in fields:
        values = field.values(rows)
        for row, source, value in zip(chosen, rows, values, strict=True):
            if value is not None or field.name in source:
                row[field.name] = value
    return chosen
