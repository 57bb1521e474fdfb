"""Opens untrusted pictures by Pillow. Only the extraction process does that.

Decoding is bounded before it begins, by the size in the header. A JPEG is decoded at
the smallest scale that is enough, so it may be larger.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF")
"""The formats that browsers show, and TIFF.

Pillow's other readers are not run on untrusted bytes; that of EPS starts a program.
"""
MAX_PIXELS = 80_000_000
"""Width times height of a picture that is decoded at all."""
MAX_DECODED = 25_000_000
"""The same at the scale at which it is decoded: 100 MB."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation."""
_ORIENTATION = 0x0112


@contextmanager
def open_picture(file: io.BytesIO | str, enough: int) -> Iterator[Image.Image | None]:
    """The picture, not decoded yet; None if it is too large to be decoded.

    `enough`: a JPEG whose shorter side has more pixels is decoded at a smaller scale.
    """
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    with Image.open(file, formats=known) as picture:
        if _pixels(picture) > MAX_PIXELS:
            yield None
            return
        picture.draft("RGB", (enough, enough))
        yield None if _pixels(picture) > MAX_DECODED else picture


def _pixels(picture: Image.Image) -> int:
    return picture.width * picture.height


def decoded(picture: Image.Image) -> Image.Image:
    """The decoded picture, with 8 bits for a channel and without a palette."""
    if picture.mode.startswith(("I", "F")):  # 16 bits; convert() would cut them off
        wide = np.asarray(picture, np.float32)
        scale = 255 / max(float(wide.max()), 65535.0)
        return Image.fromarray((wide * scale).astype(np.uint8))
    if picture.mode in ("1", "P", "PA") or "transparency" in picture.info:
        return picture.convert("RGBA")
    picture.load()
    return picture


def is_transparent(picture: Image.Image) -> bool:
    """Whether a decoded picture has a channel for that."""
    return picture.mode in ("RGBA", "LA", "La", "RGBa")


def turned(small: Image.Image, picture: Image.Image) -> Image.Image:
    """`small` as the EXIF orientation of `picture` says."""
    turn = _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    return small if turn is None else small.transpose(turn)
