"""WebP (RFC 9649): chunks of type, length and data in a RIFF container."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

from crawler.extract.images.exif import is_turned
from crawler.extract.images.formats import MAX_PARTS, ImageHeader, Size, need, with_exif
from crawler.model.errors import ImageDecodeFailure

_U32 = Struct("<I").unpack_from
_U16_PAIR = Struct("<HH").unpack_from
_CHUNK = Struct("<4sI").unpack_from
_HAS_EXIF = 8
"""Set in the flags of VP8X if Exif data follow the pixels."""


def read(body: bytes) -> ImageHeader:
    canvas: Size | None = None
    still: Size | None = None
    frames, exif = 0, b""
    for kind, start, end in _chunks(body):
        if kind == b"VP8X":
            canvas = _u24(body, start + 4) + 1, _u24(body, start + 7) + 1
        elif kind in (b"VP8 ", b"VP8L"):
            still = still or _size(body, kind, start)
        elif kind == b"ANMF":
            frames += 1
        elif kind == b"EXIF":
            exif = body[start:end].removeprefix(b"Exif\0\0")
    size = canvas or still
    if size is None or not (still or frames):
        raise ImageDecodeFailure("image/webp: no image in it")
    if not frames and still != size:
        raise ImageDecodeFailure("image/webp: the image is not as large as its canvas")
    width, height = reversed(size) if is_turned(exif) else size
    return with_exif(ImageHeader("webp", width, height, max(frames, 1)), exif)


def possible_sizes(start: bytes) -> tuple[Size, ...]:
    kind = start[12:16]
    if kind in (b"VP8 ", b"VP8L"):
        size = _size(start, kind, 20)
        return () if size is None else (size,)
    if kind != b"VP8X":
        return ()
    width, height = _u24(start, 24) + 1, _u24(start, 27) + 1
    sizes = ((width, height), (height, width))
    return sizes if start[20] & _HAS_EXIF else sizes[:1]


def _chunks(body: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the data, of each chunk (section 2.3)."""
    end = 8 + _U32(body, 4)[0]
    need(body, end - end % 2, "image/webp")
    position = 12
    for _ in range(MAX_PARTS):
        if position + 8 > end:
            return
        kind, length = _CHUNK(body, position)
        need(body, position + 8 + length, "image/webp")
        if position + 8 + length > end + 1:
            raise ImageDecodeFailure("image/webp: a chunk behind the end of the image")
        yield kind, position + 8, position + 8 + length
        position += 8 + length + length % 2


def _size(body: bytes, kind: bytes, at: int) -> Size | None:
    """By the bit stream of an image, lossy (RFC 6386 section 9.1) or lossless."""
    if kind == b"VP8 ":
        if body[at + 3 : at + 6] != b"\x9d\x01\x2a":
            return None
        width, height = _U16_PAIR(body, at + 6)
        return width & 0x3FFF, height & 0x3FFF
    if body[at] != 0x2F:
        return None
    bits = _U32(body, at + 1)[0]
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1


def _u24(body: bytes, at: int) -> int:
    return int(_U32(body, at)[0] & 0xFFFFFF)
