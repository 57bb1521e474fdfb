"""The orientation in Exif data, which says how an image is turned when it is shown.

A field of the wrong type or number is passed over, and so is a value from 9 on, as in
Chromium.
"""

from __future__ import annotations

from struct import Struct, error

ORIENTATION = 274
"""The tag of the orientation (TIFF 6.0 page 36)."""
_SHORT = 3
ORDERS = {b"II*\0": "<", b"MM\0*": ">"}


def turns(orientation: int) -> bool:
    """Whether width and height change places when the image is shown."""
    return 5 <= orientation <= 8


def is_turned(exif: bytes) -> bool:
    """Whether the image of `exif` is shown turned by 90 or 270 degrees.

    `exif` begins with the header of TIFF (CIPA DC-008 section 4.5).
    """
    order = ORDERS.get(exif[:4])
    if order is None:
        return False
    try:
        return turns(_orientation(exif, order))
    except error:
        return False


def _orientation(exif: bytes, order: str) -> int:
    at: int = Struct(order + "I").unpack_from(exif, 4)[0]
    count = Struct(order + "H").unpack_from(exif, at)[0]
    entry = Struct(order + "HHIH").unpack_from
    for place in range(at + 2, at + 2 + 12 * count, 12):
        tag, kind, length, value = entry(exif, place)
        if (tag, kind, length) == (ORIENTATION, _SHORT, 1):
            return int(value)
    return 1
