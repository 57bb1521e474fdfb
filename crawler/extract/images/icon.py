"""ICO and CUR: a directory of images, of which the largest is shown."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from crawler.extract.images import png
from crawler.extract.images.bmp import read_bitmap
from crawler.extract.images.formats import ImageHeader, need
from crawler.model.errors import ImageDecodeFailure

_ENTRY = Struct("<BB6xII").unpack_from
_PNG = b"\x89PNG\r\n\x1a\n"


class _Entry(NamedTuple):
    width: int
    """The directory writes 256 as 0."""
    height: int
    length: int
    offset: int


def read(body: bytes) -> ImageHeader:
    """The others may be cut off: a browser shows the largest all the same."""
    kind, count = Struct("<HH").unpack_from(body, 2)
    entries = []
    for at in range(6, 6 + 16 * count, 16):
        width, height, length, offset = _ENTRY(body, at)
        entries.append(_Entry(width or 256, height or 256, length, offset))
    if not entries:
        raise ImageDecodeFailure("image/x-icon: no image in it")
    largest = max(entries, key=lambda entry: (entry.width * entry.height, *entry))
    _check(body, largest)
    return ImageHeader("ico" if kind == 1 else "cur", largest.width, largest.height)


def _check(body: bytes, entry: _Entry) -> None:
    """A bitmap is whole without the mask that follows its pixels."""
    start, end = entry.offset, entry.offset + entry.length
    if body.startswith(_PNG, start):
        png.read(body[start:end])
        return
    bitmap = read_bitmap(body, start)
    pixels = start + bitmap.pixels + bitmap.length(entry.height)
    need(body, min(pixels, end) if bitmap.bits > 8 else end, "image/x-icon")
