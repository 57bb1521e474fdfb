"""Which entries of a bucket may be the same picture: many at once.

A bucket is a column of bytes for each byte of an entry. A table of 256 bytes turns a
column into what its bytes differ from one of ours by, and the columns are added as
large numbers, whose digits are bytes and never carry. So an entry costs some 30 ns,
where a comparison of its own costs 200 to 700.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from struct import Struct

from crawler.extract.looks.look import HASH_BYTES, MAX_DISTANCE

ENTRY = Struct(">QQBBB")
"""A hash, the name of the picture, and its mean colour."""
COLOUR_TOLERANCE = 4
"""By how much the mean colour of the same picture may differ; 2 was the most seen."""

_COLOURS = (ENTRY.size - 3, ENTRY.size - 2, ENTRY.size - 1)
_FEW = 24
"""So many entries are compared one by one: columns would cost more."""
_NEAR = bytes(bits <= MAX_DISTANCE for bits in range(256))


def near_entries(
    bucket: bytes, ours: int, colour: tuple[int, int, int]
) -> Iterator[int]:
    """The names of the entries that are near in hash and colour, the oldest first."""
    number = len(bucket) // ENTRY.size
    places: Iterable[int] = range(number)
    if number > _FEW:
        marks = _same_colour(bucket, colour)
        if marks.bit_count() > _FEW:
            marks &= _near_hash(bucket, number, ours)
        places = _places(marks, number)
    red, green, blue = colour
    for place in places:
        theirs, name, r, g, b = ENTRY.unpack_from(bucket, ENTRY.size * place)
        if (theirs ^ ours).bit_count() > MAX_DISTANCE:
            continue
        if max(abs(r - red), abs(g - green), abs(b - blue)) <= COLOUR_TOLERANCE:
            yield name


def _same_colour(bucket: bytes, colour: tuple[int, int, int]) -> int:
    """A number with a byte for each entry: 1 if it has this mean colour, else 0."""
    same = -1
    for at, channel in zip(_COLOURS, colour, strict=True):
        column = bucket[at :: ENTRY.size].translate(_close_to(channel))
        same &= int.from_bytes(column, "big")
    return same


def _near_hash(bucket: bytes, number: int, ours: int) -> int:
    """The same for each entry with a hash that differs in few bits."""
    bits = 0
    for at, byte in enumerate(ours.to_bytes(HASH_BYTES, "big")):
        column = bucket[at :: ENTRY.size].translate(_differing(byte))
        bits += int.from_bytes(column, "big")
    return int.from_bytes(bits.to_bytes(number, "big").translate(_NEAR), "big")


def _places(marks: int, number: int) -> list[int]:
    """At which of `number` bytes there is a 1."""
    row, places, at = marks.to_bytes(number, "big"), [], -1
    while (at := row.find(1, at + 1)) >= 0:
        places.append(at)
    return places


@cache
def _close_to(channel: int) -> bytes:
    """For each byte whether it is this one, up to the tolerance."""
    return bytes(abs(other - channel) <= COLOUR_TOLERANCE for other in range(256))


@cache
def _differing(byte: int) -> bytes:
    """For each byte in how many bits it differs from this one."""
    return bytes((other ^ byte).bit_count() for other in range(256))
