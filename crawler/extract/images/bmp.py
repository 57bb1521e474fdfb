"""BMP: Windows bitmaps, and those of OS/2."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from crawler.extract.images.formats import ImageHeader, Size, need
from crawler.model.errors import ImageDecodeFailure

_FILE_HEADER = 14
_CORE, _OS2_SHORT, _WINDOWS = 12, 16, 40
"""Sizes of the header; from 40 on it contains the compression."""
_PLAIN = (0, 3, 6)
"""Compressions whose rows all have the same length: none, and masks of bits."""


class Bitmap(NamedTuple):
    """The header of a bitmap."""

    width: int
    height: int
    """Negative: the first row is the top one."""
    bits: int
    """Bits of a pixel."""
    compression: int
    pixels: int
    """Offset of the pixels from the header, if nothing else says where they begin."""
    compressed: int
    """Bytes of the pixels of a compressed bitmap; 0: not said."""

    def length(self, rows: int) -> int:
        """Bytes of so many rows of pixels."""
        if self.compression not in _PLAIN:
            return self.compressed
        return (self.width * self.bits + 31) // 32 * 4 * rows


def read(body: bytes) -> ImageHeader:
    """A negative height is that of an image whose first row is the top one."""
    offset = Struct("<I").unpack_from(body, 10)[0]
    bitmap = read_bitmap(body, _FILE_HEADER)
    if bitmap.width < 0 or bitmap.height == -(2**31):
        raise ImageDecodeFailure("image/bmp: a negative width, or a height of -2**31")
    height = abs(bitmap.height)
    offset = max(offset, _FILE_HEADER + bitmap.pixels)
    need(body, offset + bitmap.length(height), "image/bmp")
    return ImageHeader("bmp", bitmap.width, height)


def possible_sizes(start: bytes) -> tuple[Size, ...]:
    bitmap = read_bitmap(start, _FILE_HEADER)
    return ((bitmap.width, abs(bitmap.height)),)


def read_bitmap(body: bytes, at: int) -> Bitmap:
    """The header of the bitmap that begins at `at`."""
    header = Struct("<I").unpack_from(body, at)[0]
    if header < _WINDOWS:
        sides = "<HHxxH" if header == _CORE else "<IIxxH"
        width, height, bits = Struct(sides).unpack_from(body, at + 4)
        return Bitmap(width, height, bits, 0, header, 0)
    width, height, bits, compression, compressed = Struct("<iixxHII").unpack_from(
        body, at + 4
    )
    return Bitmap(width, height, bits, compression, header, compressed)
