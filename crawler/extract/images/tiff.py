"""TIFF 6.0: directories of tags, one for each image."""

from __future__ import annotations

from struct import Struct

from crawler.extract.images.exif import ORIENTATION, turns
from crawler.extract.images.formats import MAX_PARTS, ImageHeader, Size, need, with_exif
from crawler.model.errors import ImageDecodeFailure

_WIDTH, _HEIGHT, _BITS = 256, 257, 258
_DATA = ((273, 279), (324, 325))
"""Tags of the offsets and of the lengths: of strips, and of tiles."""
_READ = frozenset({_WIDTH, _HEIGHT, _BITS, ORIENTATION, *_DATA[0], *_DATA[1]})
_NUMBERS = {3: "H", 4: "I"}
_Tags = dict[int, tuple[int, ...]]


def read(body: bytes) -> ImageHeader:
    """The dimensions are those of the first image."""
    order = "<" if body[:1] == b"I" else ">"
    place = Struct(order + "I").unpack_from(body, 4)[0]
    seen, first = set[int](), None
    while place and place not in seen and len(seen) < MAX_PARTS:
        seen.add(place)
        tags, place = _directory(body, place, order)
        first = first or tags
        for places, lengths in _DATA:
            for start, length in zip(
                tags.get(places, ()), tags.get(lengths, ()), strict=False
            ):
                need(body, start + length, "image/tiff")
    if not first:
        raise ImageDecodeFailure("image/tiff: no image in it")
    width, height = _sides(first)
    return with_exif(ImageHeader("tiff", width, height, len(seen)), body)


def possible_sizes(start: bytes) -> tuple[Size, ...]:
    order = "<" if start[:1] == b"I" else ">"
    place = Struct(order + "I").unpack_from(start, 4)[0]
    return (_sides(_directory(start, place, order)[0]),)


def _sides(tags: _Tags) -> Size:
    width, height = _value(tags, _WIDTH), _value(tags, _HEIGHT)
    turned = turns(_value(tags, ORIENTATION))
    return (height, width) if turned else (width, height)


def _value(tags: _Tags, tag: int) -> int:
    return next(iter(tags.get(tag, ())), 0)


def _directory(body: bytes, at: int, order: str) -> tuple[_Tags, int]:
    """The values of the tags in _READ, and the offset of the next directory."""
    count = Struct(order + "H").unpack_from(body, at)[0]
    tags = {}
    for entry in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, length = Struct(order + "HHI").unpack_from(body, entry)
        if tag in _READ and kind in _NUMBERS:
            need(body, length, "image/tiff")  # or the number format below is a bomb
            values = Struct(f"{order}{length}{_NUMBERS[kind]}")
            inline = values.size <= 4
            where = (
                entry + 8
                if inline
                else Struct(order + "I").unpack_from(body, entry + 8)[0]
            )
            tags[tag] = values.unpack_from(body, where)
    return tags, Struct(order + "I").unpack_from(body, at + 2 + 12 * count)[0]
