"""From the bytes of an XML document to its text, part by part.

The encoding is told by a byte order mark, else by the charset of the Content-Type (RFC
7303 section 3), else by the XML declaration; else it is UTF-8. Names and decoders are
those of the WHATWG Encoding Standard, so that Shift_JIS contains the characters that
Windows added, and a byte that the encoding lacks becomes one U+FFFD.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from webencodings import Encoding, lookup

from crawler.extract.charset import declared_by_xml

_MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xfe\xff", "utf-16be"),
    (b"\xff\xfe", "utf-16le"),
    # Not marks, but a "<" in UTF-16 (XML 1.0, appendix F.1).
    (b"\0<", "utf-16be"),
    (b"<\0", "utf-16le"),
)
_HEAD = 1024
"""Bytes in which a byte order mark and the XML declaration are searched for."""


def decoded(parts: Iterable[bytes], charset: str | None) -> Iterator[str]:
    """The text of a document; `charset` is that of its Content-Type."""
    rest = iter(parts)
    head = _head(rest)
    encoding = _encoding(head, charset)
    decoder = encoding.codec_info.incrementaldecoder("replace")
    start = decoder.decode(head).removeprefix("\ufeff")
    yield from chain((start,), map(decoder.decode, rest))
    yield decoder.decode(b"", True)


def _head(parts: Iterator[bytes]) -> bytes:
    head = b""
    for part in parts:
        head += part
        if len(head) >= _HEAD:
            break
    return head


def _encoding(head: bytes, charset: str | None) -> Encoding:
    for start, name in _MARKS:
        if head.startswith(start):
            return _named(name)
    encoding = lookup(charset) if charset else None
    if encoding is None or encoding.name in ("utf-16le", "utf-16be", "replacement"):
        # A document in UTF-16 would have begun as above, so this one is not.
        encoding = declared_by_xml(head.lstrip())
    if encoding is None or encoding.name == "replacement":
        return _named("utf-8")
    return encoding


def _named(name: str) -> Encoding:
    encoding = lookup(name)
    assert encoding is not None
    return encoding
