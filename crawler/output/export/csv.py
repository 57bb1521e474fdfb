"""CSV as RFC 4180 has it: comma, CRLF, a header line, UTF-8 without a byte order mark.

Lists and objects are JSON text; null is the empty field.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import msgspec

from crawler.output.export.files import open_output
from crawler.output.export.rows import Row
from crawler.output.export.selection import Field
from crawler.output.export.writer import Write


@contextmanager
def open_csv(target: Path, fields: Sequence[Field]) -> Iterator[Write]:
    """See `OpenWriter`."""
    with open_output(target) as raw:
        text = TextIOWrapper(raw, "utf-8", newline="", write_through=False)
        writer = csv.writer(text)
        writer.writerow([field.name for field in fields])

        def write(rows: Sequence[Row]) -> int:
            values = [list(map(_text, field.values(rows))) for field in fields]
            writer.writerows(zip(*values, strict=True))
            return len(rows)

        yield write
        text.flush()
        text.detach()


def _text(value: Any) -> Any:
    if isinstance(value, (bool, list, dict)):
        return msgspec.json.encode(value).decode()
    return value
