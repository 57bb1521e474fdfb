"""PNG, third edition (W3C): chunks of length, type, data and CRC.

acTL contains the number of frames; eXIf before the pixels contains the orientation.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from struct import Struct
from typing import NamedTuple

from crawler.extract.images.exif import is_turned
from crawler.extract.images.formats import ImageHeader, Size, cut_short, with_exif
from crawler.model.errors import ImageDecodeFailure

_CHUNK = Struct(">I4s").unpack_from
_U32 = Struct(">I").unpack_from
_U32_PAIR = Struct(">II").unpack_from
_CRITICAL = frozenset({b"IHDR", b"PLTE", b"IDAT"})
_MAX_CHUNKS = 100_000
_MAX_INFLATED = 64 * 2**20
"""Bytes of rows that are counted; a larger PNG without IEND counts as cut short."""


def read(body: bytes) -> ImageHeader:
    """A file without IEND is whole if all rows of its last frame are in it."""
    chunks, ended = _chunks(body)
    kinds = {kind for kind, _, _ in chunks}
    if body[12:16] != b"IHDR" or (ended and b"IDAT" not in kinds):
        raise ImageDecodeFailure("image/png: no image in it (IHDR and IDAT are needed)")
    frames = 1
    if b"acTL" in kinds:
        frames = max(_U32(body, _first(chunks, b"acTL").start)[0], 1)
    if not ended and not _is_whole(body, chunks, frames):
        raise cut_short("image/png")
    width, height = _U32_PAIR(body, 16)
    exif = _exif(body, chunks) if b"eXIf" in kinds else b""
    if _is_turned(chunks, exif):
        width, height = height, width
    return with_exif(ImageHeader("png", width, height, frames), exif)


def possible_sizes(start: bytes) -> tuple[Size, ...]:
    chunks, _ = _chunks(start)
    if start[12:16] != b"IHDR" or all(kind != b"IDAT" for kind, _, _ in chunks):
        return ()
    width, height = _U32_PAIR(start, 16)
    has_exif = any(kind == b"eXIf" for kind, _, _ in chunks)
    turned = has_exif and _is_turned(chunks, _exif(start, chunks))
    return ((height, width) if turned else (width, height),)


class _Chunk(NamedTuple):
    kind: bytes
    start: int
    """Offset of its data."""
    end: int
    """Offset of the end of its data, which may be cut off."""


def _chunks(body: bytes) -> tuple[list[_Chunk], bool]:
    """The chunks before IEND, and whether that is there.

    Without it, the last chunk may be cut off. What follows the pixels and is neither
    known nor whole is not part of the image.
    """
    view, size, checksum = memoryview(body), len(body), zlib.crc32
    position, chunks, pixels = 8, list[_Chunk](), False
    for _ in range(_MAX_CHUNKS):
        if position + 8 > size:
            break
        length, kind = _CHUNK(body, position)
        if kind == b"IEND":
            return chunks, True
        end = position + 8 + length
        chunks.append(_Chunk(kind, position + 8, end))
        if end + 4 > size:
            break
        if not kind[0] & 0x20:
            right = checksum(view[position + 4 : end]) == _U32(body, end)[0]
            if pixels and not right and kind not in _CRITICAL:
                break
            _check(kind, position, right)
        pixels = pixels or kind == b"IDAT"
        position = end + 4
    return chunks, False


def _check(kind: bytes, position: int, right: bool) -> None:
    """A critical chunk must be known, and have the right checksum."""
    if not right:
        raise ImageDecodeFailure(
            f"image/png: wrong checksum in chunk {kind!r} at {position}"
        )
    if kind not in _CRITICAL:
        raise ImageDecodeFailure(f"image/png: unknown critical chunk {kind!r}")


def _first(chunks: Iterable[_Chunk], kind: bytes) -> _Chunk:
    return next(chunk for chunk in chunks if chunk.kind == kind)


def _exif(body: bytes, chunks: list[_Chunk]) -> bytes:
    """The data of the first eXIf, if its checksum is right."""
    _, start, end = _first(chunks, b"eXIf")
    right = body[end : end + 4] == zlib.crc32(body[start - 4 : end]).to_bytes(4, "big")
    return body[start:end] if right else b""


def _is_turned(chunks: list[_Chunk], exif: bytes) -> bool:
    """By the first eXIf, if it stands before the pixels."""
    if not exif:
        return False
    kinds = [kind for kind, _, _ in chunks]
    return b"IDAT" not in kinds[: kinds.index(b"eXIf")] and is_turned(exif)


def _is_whole(body: bytes, chunks: list[_Chunk], frames: int) -> bool:
    """Whether all rows of the last frame are there, in a file without IEND."""
    width, height, *kind = Struct(">IIBBxxB").unpack_from(body, 16)
    data: list[memoryview] = []
    controls = 0
    for name, start, end in chunks:
        if name == b"fcTL":
            controls += 1
            if data:  # otherwise it is the default image that is the first frame
                width, height = _U32_PAIR(body, start + 4)
                data = []
        elif name in (b"IDAT", b"fdAT"):
            data.append(memoryview(body)[start + 4 * (name == b"fdAT") : end])
    if frames > 1 and controls != frames:
        return False
    wanted = _bytes_of_rows(width, height, *kind)
    return wanted <= _MAX_INFLATED and _inflated(data, wanted) >= wanted


_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First column and row, and their steps, of each pass of the interlacing (section 8.1).
_PASSES = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
    (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip


def _bytes_of_rows(
    width: int, height: int, depth: int, color: int, interlaced: int
) -> int:
    """Bytes of the rows with their filter types, before compression (section 7.2)."""
    bits = depth * _CHANNELS.get(color, 4)
    total = 0
    for column, row, step, rows in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns = (width - column + step - 1) // step
        if columns > 0:
            total += ((columns * bits + 7) // 8 + 1) * -((row - height) // rows)
    return total


def _inflated(parts: Iterable[memoryview], wanted: int) -> int:
    """Bytes that `parts` have when they are inflated, at least up to `wanted`."""
    total = 0
    try:
        for piece in _inflate(parts):
            total += len(piece)
            if total >= wanted:
                break
    except zlib.error:
        pass
    return total


def _inflate(parts: Iterable[memoryview]) -> Iterator[bytes]:
    stream = zlib.decompressobj()
    for part in parts:
        rest: bytes | memoryview = part
        while rest and not stream.eof:
            yield stream.decompress(rest, 2**16)
            rest = stream.unconsumed_tail
