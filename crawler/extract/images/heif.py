"""HEIF (ISO/IEC 23008-12): AVIF and HEIC, still images and sequences.

The primary item is the image that is shown. Its transformations are applied in the
order in which the file names them: `clap` cuts it, `irot` turns it (section 6.5). The
orientation in Exif does not count, because a file can say `irot`; libheif, libavif and
Chromium do the same.

A still image is whole if all bytes of the primary item, of the items that it is put
together from, and of its transparency are in the file; a sequence, if all bytes of its
samples are. Whatever stands behind them is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from struct import Struct

from crawler.extract.images.boxes import Box, box_at, boxes, inner_boxes
from crawler.extract.images.formats import MAX_PARTS, ImageHeader, Size, need, with_exif
from crawler.extract.images.heif_items import Items, read_items
from crawler.model.errors import ImageDecodeFailure

_MAX_TRACKS = 16
"""Tracks of a sequence: its color, its transparency; the rest is not read."""
_U32 = Struct(">I").unpack_from
_U32_PAIR = Struct(">II").unpack_from


def read_heif(body: bytes, name: str) -> ImageHeader:
    """`name` is "avif" or "heic"."""
    media_type = f"image/{name}"
    frames, of_sequence = _sequence(body, media_type)
    meta = box_at(body, 0, len(body), b"meta")
    size, exif = of_sequence, b""
    if meta is not None:
        items = read_items(body, meta)
        size = _still(body, items, media_type) or of_sequence
        exif = items.exif(meta)
    if size is None:
        raise ImageDecodeFailure(f"{media_type}: no image in it")
    return with_exif(ImageHeader(name, *size, max(frames, 1)), exif)


def possible_sizes_of_heif(start: bytes, media_type: str) -> tuple[Size, ...]:
    meta = box_at(start, 0, len(start), b"meta")
    if meta is None:
        return ()
    size = _shown(start, read_items(start, meta), media_type)
    return () if size is None else (size,)


def _still(body: bytes, items: Items, media_type: str) -> Size | None:
    """The size of the primary item as shown; None: there is no such item."""
    end = items.end_of_shown()
    need(body, end, media_type)
    return _shown(body, items, media_type) if end else None


def _shown(body: bytes, items: Items, media_type: str) -> Size | None:
    size: Size | None = None
    for kind, start, _ in items.properties_of(items.primary):
        if kind == b"ispe":
            size = _U32_PAIR(body, start + 4)
        elif size and kind == b"clap":
            size = _clean_aperture(body, start, size, media_type)
        elif size and kind == b"irot" and body[start] & 1:
            size = size[1], size[0]
    return size


_APERTURE = Struct(">IIIIiIiI").unpack_from


def _clean_aperture(body: bytes, at: int, size: Size, media_type: str) -> Size:
    """The size that `clap` leaves (ISO/IEC 14496-12 section 12.1.4).

    In AVIF it counts only if it keeps the corner at the top left, as in Chromium.
    """
    numbers = _APERTURE(body, at)
    if 0 in numbers[1::2]:
        return size
    width, height, left, top = (
        over / under for over, under in zip(numbers[::2], numbers[1::2], strict=True)
    )
    corner = (left + (size[0] - width) / 2, top + (size[1] - height) / 2)
    inside = 0.5 <= width <= size[0] and 0.5 <= height <= size[1]
    if not inside or (media_type == "image/avif" and corner != (0, 0)):
        return size
    return round(width), round(height)


def _sequence(body: bytes, media_type: str) -> tuple[int, Size | None]:
    """The number of frames of a sequence, and the size of its first track."""
    frames, size = 0, None
    tracks = inner_boxes(body, 0, len(body), b"moov", b"trak")
    for track in islice(tracks, _MAX_TRACKS):
        handler = box_at(body, track.start, track.end, b"mdia", b"hdlr")
        if handler is None or body[handler.start + 8 : handler.start + 12] != b"pict":
            continue
        table = {kind: start for kind, start, _ in _sample_table(body, track)}
        lengths = _lengths(body, table)
        need(body, _end_of_samples(body, table, lengths), media_type)
        frames = max(frames, len(lengths))
        size = size or _track_size(body, track)
    return frames, size


def _sample_table(body: bytes, track: Box) -> Iterator[Box]:
    table = box_at(body, track.start, track.end, b"mdia", b"minf", b"stbl")
    return boxes(body, table.start, table.end) if table else iter(())


def _track_size(body: bytes, track: Box) -> Size | None:
    """The size in tkhd, whose last two numbers are the sides, times 65,536."""
    header = box_at(body, track.start, track.end, b"tkhd")
    if header is None:
        return None
    width, height = _U32_PAIR(body, header.end - 8)
    return width >> 16, height >> 16


def _lengths(body: bytes, table: Mapping[bytes, int]) -> list[int]:
    """The length of each sample, from `stsz`."""
    if b"stsz" not in table:
        return []
    at = table[b"stsz"]
    same, count = _U32_PAIR(body, at + 4)
    count = min(count, MAX_PARTS)
    if same:
        return [same] * count
    return [*_table(body, at + 12, count, "I")]


def _table(body: bytes, at: int, count: int, number: str) -> tuple[int, ...]:
    numbers = Struct(f">{min(count, MAX_PARTS)}{number}")
    return numbers.unpack_from(body, at)


def _end_of_samples(body: bytes, table: Mapping[bytes, int], lengths: list[int]) -> int:
    """The offset of the end of the last sample, by the chunks that contain them."""
    places = _chunk_offsets(body, table)
    first = end = 0
    for place, samples in zip(places, _samples_per_chunk(body, table), strict=False):
        end = max(end, place + sum(lengths[first : first + samples]))
        first += samples
    return end


def _chunk_offsets(body: bytes, table: Mapping[bytes, int]) -> tuple[int, ...]:
    for kind, number in ((b"stco", "I"), (b"co64", "Q")):
        if kind in table:
            at = table[kind]
            return _table(body, at + 8, _U32(body, at + 4)[0], number)
    return ()


def _samples_per_chunk(body: bytes, table: Mapping[bytes, int]) -> Iterator[int]:
    """The number for each chunk; the last one holds for all that follow (`stsc`)."""
    if b"stsc" not in table:
        return
    at = table[b"stsc"]
    runs = min(_U32(body, at + 4)[0], MAX_PARTS)
    for run in range(runs):
        first, samples = _U32_PAIR(body, at + 8 + 12 * run)
        after = _U32(body, at + 20 + 12 * run)[0] if run + 1 < runs else MAX_PARTS
        for _ in range(min(after - first, MAX_PARTS)):
            yield samples
