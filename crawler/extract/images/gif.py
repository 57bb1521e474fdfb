"""GIF89a: blocks up to the trailer, which may be missing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from struct import Struct

from crawler.extract.images.formats import MAX_PARTS, ImageHeader, Size, cut_short
from crawler.model.errors import ImageDecodeFailure

_SCREEN = Struct("<HHB").unpack_from
_FRAME = Struct("<HHHHB").unpack_from
_CONTROL = 0xF9
"""The label of the extension that stands before a frame."""
_WIDEST = 12
"""Bits of the widest code."""
_MAX_COUNTED = 2**20
"""Bytes of a frame without an end that are counted, in half a second."""


def read(body: bytes) -> ImageHeader:
    """The screen is enlarged to the first frame, as browsers do it."""
    width, height, flags = _SCREEN(body, 6)
    position = 13 + _color_table(flags)
    frames, awaited = 0, False
    for _ in range(MAX_PARTS):
        kind = body[position : position + 1]
        if kind == b"!":
            awaited = body[position + 1] == _CONTROL
            position = _after_extension(body, position, frames)
        elif kind == b",":
            left, top, columns, rows, flags = _FRAME(body, position + 1)
            if not frames:
                width, height = max(width, left + columns), max(height, top + rows)
            frames, awaited = frames + 1, False
            data = position + 10 + _color_table(flags)
            position = _after_frame(body, data, columns * rows)
        else:
            break
    if awaited and position >= len(body):
        raise cut_short("image/gif")
    if not frames:
        raise ImageDecodeFailure("image/gif: no image in it")
    return ImageHeader("gif", width, height, frames)


def possible_sizes(start: bytes) -> tuple[Size, ...]:
    width, height, flags = _SCREEN(start, 6)
    position = 13 + _color_table(flags)
    while start[position] == ord("!"):
        position = _after_sub_blocks(start, position + 2)
    left, top, columns, rows, _ = _FRAME(start, position + 1)
    return ((max(width, left + columns), max(height, top + rows)),)


def _color_table(flags: int) -> int:
    """Bytes of the color table, by the flags."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_extension(body: bytes, position: int, frames: int) -> int:
    """A comment that is cut off after the last frame is no loss."""
    try:
        return _after_sub_blocks(body, position + 2)
    except IndexError:
        if not frames or body[position + 1] == _CONTROL:
            raise
        return len(body)


def _after_frame(body: bytes, position: int, pixels: int) -> int:
    """`position` is that of the frame's data, which begins with the size of a code."""
    try:
        return _after_sub_blocks(body, position + 1)
    except IndexError:
        if _has_pixels(body, position, pixels):
            return len(body)
        raise cut_short("image/gif") from None


def _after_sub_blocks(body: bytes, position: int) -> int:
    while length := body[position]:
        position += 1 + length
    return position + 1


def _has_pixels(body: bytes, position: int, pixels: int) -> bool:
    """Whether the codes in the frame's data stand for so many pixels.

    Of the strings of LZW (GIF89a appendix F) only the lengths are kept.
    """
    smallest = body[position]
    if not 0 < smallest < _WIDEST:
        return False
    clear, width = 1 << smallest, smallest + 1
    lengths = [1] * (clear + 2)
    held = bits = total = last = 0
    for byte in islice(_data(body, position + 1), _MAX_COUNTED):
        held |= byte << bits
        bits += 8
        while bits >= width:
            code = held & ((1 << width) - 1)
            held >>= width
            bits -= width
            if code == clear:
                lengths, width, last = [1] * (clear + 2), smallest + 1, 0
                continue
            if code == clear + 1 or code > len(lengths):
                return False
            length = lengths[code] if code < len(lengths) else last + 1
            if last and len(lengths) < 1 << _WIDEST:
                lengths.append(last + 1)
                width += len(lengths) == 1 << width and width < _WIDEST
            total, last = total + length, length
            if total >= pixels:
                return True
    return False


def _data(body: bytes, position: int) -> Iterator[int]:
    """The bytes in the sub-blocks from `position` on, of which the last may be cut."""
    while position < len(body) and body[position]:
        yield from body[position + 1 : position + 1 + body[position]]
        position += 1 + body[position]
