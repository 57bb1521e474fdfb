"""CSV as RFC 4180 has it: comma, CRLF, a header line, UTF-8 without a byte order mark.

Lists and objects are JSON text; null is the empty field.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw

from crawler.output.export.files import open_output
from crawler.output.export.lines import Line
from crawler.output.export.selection import Field
from crawler.output.export.table import Table
from crawler.output.export.writer import Write


@contextmanager
def open_csv(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`."""
    table = Table(fields, _text)
    with open_output(target) as out:
        out.write(_encoded([[field.name for field in fields]]))

        def write(lines: Sequence[Line]) -> int:
            out.write(_encoded(table.rows(lines)))
            return len(lines)

        yield write


def _encoded(rows: Iterator[Sequence[Any]] | Sequence[Sequence[Any]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _text(value: Any) -> Any:
    if isinstance(value, Raw):
        return str(value, "utf-8")
    if isinstance(value, (bool, list, dict)):
        return msgspec.json.encode(value).decode()
    return value
