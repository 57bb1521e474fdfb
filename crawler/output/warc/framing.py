"""One WARC record as one gzip member (WARC 1.1 sections 4 and Annex D).

isal compresses some four times as fast as zlib; it is used where it is installed.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence

from crawler.model.http import Spool

try:
    from isal import isal_zlib as zlib

    _LEVEL = 2
except ImportError:
    import zlib  # type: ignore[no-redef]

    _LEVEL = 6

Fields = list[tuple[str, str]]
"""Named fields of a record, in order."""

_GZIP = 31  # the largest window, with the header and trailer of gzip


Part = bytes | Spool
"""A part of a block: its bytes, or where they are."""


def digest(parts: Iterable[Part]) -> str:
    """A labelled digest, `sha256:` and Base32, as in WARC-Block-Digest."""
    hashed = hashlib.sha256()
    for piece in _pieces(parts):
        hashed.update(piece)
    return f"sha256:{base64.b32encode(hashed.digest()).decode()}"


def _pieces(parts: Iterable[Part]) -> Iterator[bytes]:
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from part


def record(fields: Fields, block: Sequence[Part]) -> Iterator[bytes]:
    """The gzip member of a record, in pieces of the size of those of its block.

    Its digest and length are added to `fields`.
    """
    head = ["WARC/1.1"]
    head += [f"{name}: {value}" for name, value in fields]
    head.append(f"WARC-Block-Digest: {digest(block)}")
    head.append(f"Content-Length: {sum(map(len, block))}")
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    parts: list[Part] = ["\r\n".join(head).encode() + b"\r\n\r\n", *block, b"\r\n\r\n"]
    for piece in _pieces(parts):
        yield compressor.compress(piece)
    yield compressor.flush()


def warc_fields(fields: Fields) -> bytes:
    """The block of type application/warc-fields; a line break in a value is a space."""
    lines = [f"{name}: {' '.join(value.split())}\r\n" for name, value in fields]
    return "".join(lines).encode()
