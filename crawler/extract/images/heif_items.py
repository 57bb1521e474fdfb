"""The items in the `meta` box of HEIF (ISO/IEC 14496-12 section 8.11)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from struct import Struct
from typing import NamedTuple

from crawler.extract.images.boxes import Box, boxes, inner_boxes

_U16 = Struct(">H").unpack_from
_U32 = Struct(">I").unpack_from
_ALPHA = (b"auxiliary:alpha", b"auxid:1")
"""How the names of transparency end (`auxC`)."""
_MAX_ITEMS = 100_000
"""Entries of one table, and what its entries contain; the rest is not read."""
_MAX_DEPTH = 8
"""Levels of items that are put together from others."""
_IN_IDAT = 1
"""The construction method of an item whose bytes are in the box `idat`."""


class Items(NamedTuple):
    """What the `meta` box says about its items, which have numbers."""

    body: bytes
    primary: int
    places: dict[int, tuple[int, int]]
    """Where each item's bytes begin, and the offset of their end."""
    parts: dict[int, list[int]]
    """What an item is put together from (`dimg`), and its auxiliary items (`auxl`)."""
    properties: list[Box]
    associations: dict[int, list[int]]
    """The properties of an item, counted from 1."""

    def properties_of(self, item: int) -> Iterator[Box]:
        for number in self.associations.get(item, ()):
            if 0 < number <= len(self.properties):
                yield self.properties[number - 1]

    def end_of_shown(self) -> int:
        """The end of the bytes of what is shown; 0: there is no primary item."""
        if self.primary not in self.places:
            return 0
        wanted, shown = {self.primary}, set[int]()
        for _ in range(_MAX_DEPTH):
            shown |= wanted
            parts = (part for item in wanted for part in self.parts.get(item, ()))
            wanted = {part for part in parts if self._is_shown(part)} - shown
        return max(self.places.get(item, (0, 0))[1] for item in shown)

    def exif(self, meta: Box) -> bytes:
        """The Exif data of the file, from the header of TIFF on; empty: none.

        They are an item of that type; a number before them says where that header is
        (ISO/IEC 23008-12 annex A).
        """
        infos = inner_boxes(self.body, meta.start + 4, meta.end, b"iinf")
        for info in islice(infos, 1):
            count = 2 if self.body[info.start] == 0 else 4
            for _, start, _ in boxes(self.body, info.start + 4 + count, info.end):
                of_item = 2 if self.body[start] == 2 else 4
                kind = start + 4 + of_item + 2
                if self.body[kind : kind + 4] == b"Exif":
                    item = _number(self.body, start + 4, of_item)
                    at, end = self.places.get(item, (0, 0))
                    skipped = _number(self.body, at, 4) if end else 0
                    return self.body[at + 4 + skipped : end]
        return b""

    def _is_shown(self, item: int) -> bool:
        """False for a map of depth or the like, without which the image is whole."""
        for kind, start, end in self.properties_of(item):
            if kind == b"auxC":
                return self.body[start:end].rstrip(b"\0").endswith(_ALPHA)
        return True


def read_items(body: bytes, meta: Box) -> Items:
    found = {box.kind: box for box in boxes(body, meta.start + 4, meta.end)}
    inside = meta.start + 4, meta.end
    properties = (
        box
        for container in inner_boxes(body, *inside, b"iprp", b"ipco")
        for box in boxes(body, container.start, container.end)
    )
    return Items(
        body,
        _primary(body, found.get(b"pitm")),
        _places(body, found.get(b"iloc"), found.get(b"idat")),
        _parts(body, found.get(b"iref")),
        list(islice(properties, _MAX_ITEMS)),
        _associations(body, inner_boxes(body, *inside, b"iprp", b"ipma")),
    )


def _primary(body: bytes, box: Box | None) -> int:
    if box is None:
        return 0
    return _number(body, box.start + 4, 4 if body[box.start] else 2)


def _number(body: bytes, at: int, length: int) -> int:
    """Big-endian; 0 for a length of 0. Raises IndexError behind the file's end."""
    if at + length > len(body):
        raise IndexError("behind the end of the file")
    return int.from_bytes(body[at : at + length], "big")


def _places(
    body: bytes, box: Box | None, idat: Box | None
) -> dict[int, tuple[int, int]]:
    """From `iloc` (section 8.11.3)."""
    if box is None:
        return {}
    version, sizes = body[box.start], _U16(body, box.start + 4)[0]
    of_offset, of_length, of_base = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    of_index = sizes & 15 if version else 0
    of_item = 4 if version == 2 else 2
    at = box.start + 6
    count, at = _number(body, at, of_item), at + of_item
    places: dict[int, tuple[int, int]] = {}
    left = _MAX_ITEMS  # extents, which may have no byte each
    for _ in range(min(count, _MAX_ITEMS)):
        item, at = _number(body, at, of_item), at + of_item
        method, at = (_U16(body, at)[0] & 15, at + 2) if version else (0, at)
        base = _number(body, at + 2, of_base)
        extents, at = _U16(body, at + 2 + of_base)[0], at + 4 + of_base
        if method == _IN_IDAT and idat:
            base += idat.start
        start, end, left = len(body), 0, left - extents
        if left < 0:
            break
        for _ in range(extents):
            offset = _number(body, at + of_index, of_offset)
            length = _number(body, at + of_index + of_offset, of_length)
            start = min(start, base + offset)
            end = max(end, base + offset + length)
            at += of_index + of_offset + of_length
        if end:
            places[item] = start, end
    return places


def _parts(body: bytes, box: Box | None) -> dict[int, list[int]]:
    """From `iref` (section 8.11.12)."""
    parts: dict[int, list[int]] = {}
    if box is None:
        return parts
    width, left = 4 if body[box.start] else 2, _MAX_ITEMS
    for kind, start, _ in boxes(body, box.start + 4, box.end):
        if kind not in (b"dimg", b"auxl"):
            continue
        whole, count = _number(body, start, width), _U16(body, start + width)[0]
        left -= count
        if left < 0:
            break
        for number in range(count):
            part = _number(body, start + width + 2 + number * width, width)
            if kind == b"dimg":
                parts.setdefault(whole, []).append(part)
            else:
                parts.setdefault(part, []).append(whole)
    return parts


def _associations(body: bytes, tables: Iterator[Box]) -> dict[int, list[int]]:
    """From `ipma` (ISO/IEC 23008-12 section 9.3)."""
    found: dict[int, list[int]] = {}
    left = _MAX_ITEMS
    for table in tables:
        of_item = 4 if body[table.start] else 2
        of_property = 2 if body[table.start + 3] & 1 else 1
        essential = 1 << 8 * of_property - 1
        at = table.start + 8
        for _ in range(min(_U32(body, table.start + 4)[0], _MAX_ITEMS)):
            item, count = _number(body, at, of_item), body[at + of_item]
            at += of_item + 1
            left -= count
            if left < 0:
                return found
            found.setdefault(item, []).extend(
                _number(body, at + number * of_property, of_property) & essential - 1
                for number in range(count)
            )
            at += count * of_property
    return found
