"""Reads records as rows: one dict for each line of the record stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from crawler.model.errors import UsageError
from crawler.output.compression import damage, open_unpacked
from crawler.output.sink import compression_of

Row = dict[str, Any]
"""A record as JSON has it."""


def read_rows(files: Iterable[Path]) -> Iterator[Row]:
    """The records in `files`, which are JSON Lines, also as `.gz` or `.zst`.

    The schema lines are left out, and so is a last line that is not whole: a crawl is
    still writing it. Raises UsageError, which names the file and the line.
    """
    for file in files:
        for row in _rows(file):
            if row.get("type") != "schema":
                yield row


def data_fields(files: Iterable[Path]) -> dict[str, Any]:
    """What the schema lines of `files` say about `data`: a typed zero for each field.

    Raises UsageError.
    """
    fields: dict[str, Any] = {}
    for file in files:
        first = next(_rows(file), {})
        if first.get("type") == "schema":
            fields |= first.get("data") or {}
    return fields


def _rows(file: Path) -> Iterator[Row]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    try:
        with _open(file) as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield decode(line)
                except msgspec.DecodeError as error:
                    raise UsageError(
                        f"{file}, line {number}: not a record: {error}"
                    ) from error
    except damage(compression_of(file.name)) as error:
        raise UsageError(f"{file} is damaged: {error}") from error
    except EOFError:  # a compressed file that a crawl is still writing
        return
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror or error}") from error


def _open(file: Path) -> IO[bytes]:
    ending = compression_of(file.name)
    return open_unpacked(file, ending) if ending else file.open("rb")
