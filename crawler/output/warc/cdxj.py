"""The index of a WARC file in CDXJ: one line for each response, sorted by its key.

    com,example)/page 20261130121500 {"url": ..., "mime": ..., "status": ...,
    "digest": ..., "length": ..., "offset": ..., "filename": ...}

The key is the URL in SURT form (`surt.py`). The order is that of the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from heapq import merge
from pathlib import Path

import msgspec

from crawler.output.warc.surt import surt


class Entry(msgspec.Struct, frozen=True):
    """What a line says of a record. Numbers are text, as pywb writes them."""

    url: str
    mime: str
    status: str
    digest: str
    length: str
    """Size of the record's gzip member (bytes)."""
    offset: str
    filename: str


_BLOCK = 2**16

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


def line(date: str, entry: Entry) -> bytes:
    """The line of a record, with its newline; `date` is its WARC-Date."""
    key = f"{surt(entry.url)} {re.sub(r'[^0-9]', '', date)[:14]} "
    return b"%s%s\n" % (key.encode(), _encode(entry))


def parsed(line: bytes) -> tuple[str, Entry]:
    """The time of a line (14 digits), and its record."""
    _key, date, entry = line.split(b" ", 2)
    return date.decode(), _decode(entry)


def merged(indexes: Iterable[Path]) -> Iterator[bytes]:
    """The lines of sorted `indexes`, sorted. Raises OSError."""
    return merge(*map(_lines, indexes))


def _lines(index: Path) -> Iterator[bytes]:
    """The lines of a file, which is closed meanwhile: an archive may have thousands."""
    position, rest = 0, b""
    while True:
        with index.open("rb") as file:
            file.seek(position)
            block = file.read(_BLOCK)
        position += len(block)
        *whole, rest = (rest + block).split(b"\n")
        yield from (line + b"\n" for line in whole)
        if not block:
            return


def lines_before(offset: int, lines: Iterable[bytes]) -> list[bytes]:
    """The whole lines of records that begin before `offset`."""
    return [line for line in lines if _offset(line) < offset]


def _offset(line: bytes) -> float:
    """The offset of a line's record; infinite for a line that is not whole."""
    try:
        return int(_decode(line.split(b" ", 2)[2]).offset)
    except (IndexError, ValueError, msgspec.DecodeError):
        return float("inf")
