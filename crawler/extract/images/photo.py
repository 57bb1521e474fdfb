"""What Exif data say of a photograph: when, by which camera, and where it was taken.

Exif 3.0 (CIPA DC-008) in the directories of TIFF 6.0. No more is read than the named
tags, of so many entries and bytes; what is malformed is not there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from struct import Struct, error
from typing import NamedTuple

from crawler.extract.images.exif import ORDERS
from crawler.model.documents import Photo

MAX_ENTRIES = 1000
"""Entries of one directory that are looked at."""
MAX_TEXT = 200
"""Bytes of one text."""

_MAKE, _MODEL, _EXIF_IFD, _GPS_IFD = 0x010F, 0x0110, 0x8769, 0x8825
_TAKEN, _DIGITIZED = 0x9003, 0x9004
_OFFSETS = {_TAKEN: 0x9011, _DIGITIZED: 0x9012}
_FRACTIONS = {_TAKEN: 0x9291, _DIGITIZED: 0x9292}
_NORTH_OR_SOUTH, _LATITUDE, _EAST_OR_WEST, _LONGITUDE = 1, 2, 3, 4
_TEXTS, _LONGS, _RATIONAL = (2, 129), (4, 13), 5
"""Types: ASCII and UTF-8; LONG and IFD; RATIONAL."""
_DATE = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d):(\d\d):(\d\d)").match
_OFFSET = re.compile(r"[+-]\d\d:\d\d").fullmatch
_UNPRINTABLE = re.compile(r"[\0-\x20\x7f-\xa0]+")


class _Entry(NamedTuple):
    kind: int
    length: int
    at: int
    """Where its value or the offset of its value is."""


_Directory = Mapping[int, _Entry]


def read_photo(exif: bytes) -> Photo | None:
    """What `exif` says, which begins with the header of TIFF; None if that is nothing.

    A file of TIFF is such data as well.
    """
    order = ORDERS.get(exif[:4])
    if order is None:
        return None
    reader = _Reader(exif, order)
    main = reader.directory(reader.number(4))
    details = reader.below(main, _EXIF_IFD)
    latitude, longitude = _place(reader, reader.below(main, _GPS_IFD))
    photo = Photo(
        _taken(reader, details),
        reader.text(main, _MAKE),
        reader.text(main, _MODEL),
        latitude,
        longitude,
    )
    return None if photo == Photo() else photo


class _Reader:
    def __init__(self, data: bytes, order: str) -> None:
        self._data = data
        self._order = order
        self._u32 = Struct(order + "I").unpack_from

    def number(self, at: int) -> int:
        """A LONG; 0 behind the end."""
        try:
            return int(self._u32(self._data, at)[0])
        except error:
            return 0

    def directory(self, at: int) -> _Directory:
        """The entries of the directory at an offset, by tag; of several, the first."""
        found: dict[int, _Entry] = {}
        entry = Struct(self._order + "HHI").unpack_from
        with suppress(error):
            (count,) = Struct(self._order + "H").unpack_from(self._data, at)
            for number in range(min(count, MAX_ENTRIES) if at else 0):
                place = at + 2 + 12 * number
                tag, kind, length = entry(self._data, place)
                found.setdefault(tag, _Entry(kind, length, place + 8))
        return found

    def below(self, directory: _Directory, tag: int) -> _Directory:
        entry = directory.get(tag)
        is_one = entry is not None and entry.kind in _LONGS and entry.length == 1
        return self.directory(self.number(entry.at)) if entry and is_one else {}

    def text(self, directory: _Directory, tag: int) -> str | None:
        entry = directory.get(tag)
        if entry is None or entry.kind not in _TEXTS:
            return None
        at = entry.at if entry.length <= 4 else self.number(entry.at)
        value = self._data[at : at + min(entry.length, MAX_TEXT)].partition(b"\0")[0]
        try:
            decoded = value.decode()
        except UnicodeDecodeError:  # cut off, or in the code page of a camera
            decoded = value.decode("latin-1")
        return _UNPRINTABLE.sub(" ", decoded).strip() or None

    def degrees(self, directory: _Directory, tag: int) -> float | None:
        """Degrees, minutes and seconds as degrees."""
        entry = directory.get(tag)
        if entry is None or (entry.kind, entry.length) != (_RATIONAL, 3):
            return None
        try:
            parts = Struct(self._order + "6I").unpack_from(
                self._data, self.number(entry.at)
            )
            pairs = zip(parts[::2], parts[1::2], (1, 60, 3600), strict=True)
            return float(sum(over / under / unit for over, under, unit in pairs))
        except (error, ZeroDivisionError):
            return None


def _taken(reader: _Reader, details: _Directory) -> str | None:
    """ISO 8601, with the offset from UTC where that is told."""
    for tag in (_TAKEN, _DIGITIZED):
        date = _DATE(reader.text(details, tag) or "")
        if date is None:
            continue
        text = "{}-{}-{}T{}:{}:{}".format(*date.groups())
        fraction = reader.text(details, _FRACTIONS[tag]) or ""
        if fraction.isascii() and fraction.isdigit() and fraction.strip("0"):
            text += f".{fraction[:6]}"
        offset = reader.text(details, _OFFSETS[tag]) or ""
        with suppress(ValueError):  # a camera whose clock was never set says zeros
            datetime.fromisoformat(text)
            return text + (offset if _OFFSET(offset) else "")
    return None


def _place(reader: _Reader, gps: _Directory) -> tuple[float, float] | tuple[None, None]:
    latitude = reader.degrees(gps, _LATITUDE)
    longitude = reader.degrees(gps, _LONGITUDE)
    signs = {"N": 1, "S": -1, "E": 1, "W": -1}
    south = signs.get((reader.text(gps, _NORTH_OR_SOUTH) or "")[:1])
    west = signs.get((reader.text(gps, _EAST_OR_WEST) or "")[:1])
    if latitude is None or longitude is None or south is None or west is None:
        return None, None
    if latitude > 90 or longitude > 180:
        return None, None
    return round(latitude * south, 6), round(longitude * west, 6)
