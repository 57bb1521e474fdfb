"""JPEG (ITU T.81 annex B): markers with lengths up to the first scan, then EOI."""

from __future__ import annotations

import re
from struct import Struct, error

from crawler.extract.images.exif import is_turned
from crawler.extract.images.formats import (
    MAX_PARTS,
    ImageHeader,
    Size,
    cut_short,
    with_exif,
)
from crawler.model.errors import ImageDecodeFailure

_U16_PAIR = Struct(">HH").unpack_from
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# A marker after fill bytes, and after the odd bytes that decoders tolerate.
_MARKER = re.compile(rb"\xff[\x01-\xfe]").search
_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])
_APP1, _SOS, _EOI = 0xE1, 0xDA, 0xD9
_READ = _FRAMES | _ALONE | {_APP1, _SOS, _EOI}
_SKIPPED = frozenset(
    0xFF00 | marker for marker in range(0x01, 0xFF) if marker not in _READ
)
"""What begins segments that say nothing of the size, the orientation or the end."""
_EXIF = re.compile(rb"Exif\0.", re.DOTALL).match


def read(body: bytes) -> ImageHeader:
    """A file without EOI is whole if all blocks of pixels are in its scans."""
    (width, height), position, exif = _read_to_scan(body)
    if body.rfind(b"\xff\xd9", position) < 0 and not _has_all_blocks(body):
        raise cut_short("image/jpeg")
    return with_exif(ImageHeader("jpeg", width, height), exif)


def possible_sizes(start: bytes) -> tuple[Size, ...]:
    (width, height), *_ = _read_to_scan(start)
    return () if width is None or height is None else ((width, height),)


def _read_to_scan(body: bytes) -> tuple[tuple[int | None, int | None], int, bytes]:
    """The dimensions as shown, where the first scan begins, and the Exif data.

    The first Exif data says how the image is turned when it is shown.
    """
    position = 2
    size: tuple[int, int | None] | None = None
    exif: bytes | None = None
    last = len(body) - 4
    for _ in range(MAX_PARTS):
        if position <= last:
            begin, length = _U16_PAIR(body, position)
            if begin in _SKIPPED:  # most of them
                position += 2 + length
                continue
        found = _MARKER(body, position)
        if not found:
            raise cut_short("image/jpeg")
        position, marker = found.end() - 2, body[found.end() - 1]
        if marker == _SOS:
            break
        if marker == _EOI:
            raise ImageDecodeFailure("image/jpeg: ends before its first scan")
        if marker in _FRAMES:
            if size:
                raise ImageDecodeFailure("image/jpeg: a second frame")
            height, width = _U16_PAIR(body, position + 5)
            size = width, height or None  # 0: given after the first scan, which is rare
        after = position + 2
        if marker not in _ALONE:
            after += _U16_PAIR(body, position)[1]
        if marker == _APP1 and exif is None and _EXIF(body, position + 4):
            exif = body[position + 10 : after]
        position = after
    if size is None:
        raise ImageDecodeFailure("image/jpeg: a scan without a frame")
    turned = exif is not None and is_turned(exif)
    return (size[::-1] if turned else size), position, exif or b""


def _has_all_blocks(body: bytes) -> bool:
    # Imported late: nearly every image has an end.
    from crawler.extract.images.jpeg_blocks import has_all_blocks

    try:
        return has_all_blocks(body)
    except (error, IndexError, KeyError, ValueError):
        return False
