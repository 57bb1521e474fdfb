"""The look of a picture, and whether two are alike. Pure; loads no library.

A look is encoded in SIZE bytes: its 64-bit perceptual hash, then the mean colours (RGB)
of FIELDS x FIELDS fields, by rows.

Two pictures are alike if their hashes differ in at most MAX_DISTANCE bits, and each
field has the same colour, up to TOLERANCE and a quarter of the contrast around it. What
scaling and compression change is at edges, where the contrast is; a line of text that
is another changes a field by more. Of made pictures, the same ones differed by at most
7, and screenshots of one program by 14 or more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from crawler.model.http import BodySink

if TYPE_CHECKING:
    from crawler.model.records import ImageRecord


Seen = tuple[bytes | None, tuple[str, bytes] | None]
"""The look of a picture, and the ending and the bytes of its thumbnail, if any."""


class Look(Protocol):
    """Looks at a picture."""

    def __call__(self, record: ImageRecord, content: bytes | BodySink, /) -> Seen:
        """The look and the thumbnail of the picture. May switch to other greenlets.

        Sets what the record says of its pixels. Raises ImageDecodeFailure.
        """
        ...


HASH_BYTES = 8
FIELDS = 16
SIZE = HASH_BYTES + 3 * FIELDS * FIELDS
MAX_DISTANCE = 3
TOLERANCE = 10


def hash_of(look: bytes) -> bytes:
    """The perceptual hash, HASH_BYTES long."""
    return look[:HASH_BYTES]


def distance(one: bytes, other: bytes) -> int:
    """In how many bits two hashes differ."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def are_alike(one: bytes, other: bytes) -> bool:
    """Whether two looks are those of the same picture."""
    if distance(hash_of(one), hash_of(other)) > MAX_DISTANCE:
        return False
    ours, theirs = one[HASH_BYTES:], other[HASH_BYTES:]
    for at, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        excess = abs(a - b) - TOLERANCE
        if excess > 0 and 4 * excess > min(_contrast(ours, at), _contrast(theirs, at)):
            return False
    return True


def _contrast(colours: bytes, at: int) -> int:
    """The range of one channel in a field and those around it."""
    field, channel = divmod(at, 3)
    row, column = divmod(field, FIELDS)
    around = [
        colours[3 * (y * FIELDS + x) + channel]
        for y in range(max(row - 1, 0), min(row + 2, FIELDS))
        for x in range(max(column - 1, 0), min(column + 2, FIELDS))
    ]
    return max(around) - min(around)
