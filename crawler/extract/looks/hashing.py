"""Decodes a picture and makes its look. Only the extraction process calls it.

The hash is a pHash: the lowest 8 x 8 frequencies of the cosine transform of the
brightness at 32 x 32; a bit tells whether one is above their median and above the noise
of JPEG. Of an animation the first frame counts; what is transparent is white; a picture
is turned as its EXIF orientation says.
"""

from __future__ import annotations

import io

import msgspec
import numpy as np
from PIL import Image

from crawler.extract.looks.decoding import (
    decoded,
    is_transparent,
    open_picture,
    turned,
)
from crawler.extract.looks.look import FIELDS
from crawler.model.errors import is_out_of_memory

ENOUGH = 512
"""Pixels of the shorter side from which a JPEG is decoded at a smaller scale."""
REDUCED = 128
"""The shorter side is reduced by averaging, to this or up to twice of it."""
SIDE = 32
LOWEST = 8
NOISE = 80.0
"""Frequencies below say nothing; a difference of brightness of 0.3 has that."""

_rows = np.arange(LOWEST)[:, None] * (2 * np.arange(SIDE) + 1)[None, :]
_COSINES = np.cos(np.pi * _rows / (2 * SIDE)).astype(np.float32)
_decode_order = msgspec.msgpack.decode


def look_task(payload: bytes) -> bytes:
    """The look of the picture whose bytes, or the path of whose file, are in `payload`.

    Empty if it has none: it is damaged, too large, of another format, or of one colour.
    Raises MemoryError.
    """
    order: bytes | str = _decode_order(payload)
    file = io.BytesIO(order) if isinstance(order, bytes) else order
    try:
        picture = _small(file)
        return b"" if picture is None else look_of(picture)
    except Exception as error:  # Pillow's readers raise nearly any
        if is_out_of_memory(error):
            raise
        return b""


def look_of(picture: Image.Image) -> bytes:
    """The look of a picture in RGB; empty if it has no structure."""
    grey = picture.convert("L").resize(
        (SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2
    )
    pixels = np.asarray(grey, np.float32)
    found = (_COSINES @ pixels @ _COSINES.T).ravel()
    bits = found > max(NOISE, float(np.median(found)) + NOISE)
    if not (np.abs(found[1:]) > NOISE).any():
        return b""
    colours = picture.resize((FIELDS, FIELDS), Image.Resampling.BOX)
    return np.packbits(bits).tobytes() + colours.tobytes()


def _small(file: io.BytesIO | str) -> Image.Image | None:
    """The picture in RGB, reduced; None if it is too large to be decoded."""
    with open_picture(file, ENOUGH) as picture:
        if picture is None:
            return None
        return turned(_reduced(decoded(picture)), picture)


def _reduced(whole: Image.Image) -> Image.Image:
    factor = min(whole.size) // REDUCED
    small = whole.reduce(factor) if factor > 1 else whole
    if is_transparent(small):
        front = small.convert("RGBA")
        white = Image.new("RGBA", front.size, "white")
        small = Image.alpha_composite(white, front)
    return small.convert("RGB")
