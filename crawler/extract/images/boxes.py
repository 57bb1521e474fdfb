"""Boxes of ISO base media files (ISO/IEC 14496-12 section 4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

from crawler.extract.images.formats import MAX_PARTS

_BOX = Struct(">I4s").unpack_from
_U64 = Struct(">Q").unpack_from


class Box(NamedTuple):
    kind: bytes
    start: int
    """Offset of its data."""
    end: int
    """Offset of the end of its data; in a file that was cut short, behind its end."""


def boxes(body: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes from `start` to `end`, up to what is no box."""
    position = start
    for _ in range(MAX_PARTS):
        if position + 8 > end:
            return
        size, kind = _BOX(body, position)
        header = 8
        if size == 1:
            header, size = 16, _U64(body, position + 8)[0]
        if size in range(1, header):
            return
        box_end = position + size if size else end
        yield Box(kind, position + header, box_end)
        position = box_end


def box_at(body: bytes, start: int, end: int, *path: bytes) -> Box | None:
    """The first box at `path`; None: there is none. As `inner_boxes`."""
    return next(inner_boxes(body, start, end, *path), None)


def inner_boxes(body: bytes, start: int, end: int, *path: bytes) -> Iterator[Box]:
    """The boxes at `path`. Raises IndexError if one on it is not whole."""
    for box in boxes(body, start, end):
        if box.kind != path[0]:
            continue
        if box.end > end:
            raise IndexError("a box that is longer than what contains it")
        if len(path) == 1:
            yield box
        else:
            inner = box.start + (4 if box.kind == b"meta" else 0)
            yield from inner_boxes(body, inner, box.end, *path[1:])
