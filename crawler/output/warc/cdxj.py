"""The index of a WARC file in CDXJ: one line for each response, sorted by its key.

    com,example)/page 20261130121500 {"url": ..., "mime": ..., "status": ...,
    "digest": ..., "length": ..., "offset": ..., "filename": ...}

The key is the URL in SURT form (`surt.py`). The order is that of the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Entry).decode


def line(date: str, entry: Entry) -> bytes:
    """The line of a record, with its newline; `date` is its WARC-Date."""
    key = f"{surt(entry.url)} {re.sub(r'[^0-9]', '', date)[:14]} "
    return b"%s%s\n" % (key.encode(), _encode(entry))


def lines_before(offset: int, lines: Iterable[bytes]) -> list[bytes]:
    """The whole lines of records that begin before `offset`."""
    return [line for line in lines if _offset(line) < offset]


def _offset(line: bytes) -> float:
    """The offset of a line's record; infinite for a line that is not whole."""
    try:
        return int(_decode(line.split(b" ", 2)[2]).offset)
    except (IndexError, ValueError, msgspec.DecodeError):
        return float("inf")
