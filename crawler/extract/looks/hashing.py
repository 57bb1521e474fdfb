"""Decodes a picture and makes its look. Only the extraction process calls it.

The hash is a pHash: the lowest 8 x 8 frequencies of the cosine transform of the
brightness at 32 x 32; a bit tells whether one is above their median and above the noise
of JPEG. Of an animation the first frame counts; what is transparent is white; a picture
is turned as its EXIF orientation says.

Decoding is bounded before it begins, by the size in the header. A JPEG is decoded at
the smallest scale that is enough, so it may be larger.
"""

from __future__ import annotations

import io

import msgspec
import numpy as np
from PIL import Image

from crawler.extract.looks.look import FIELDS
from crawler.model.errors import is_out_of_memory

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF")
"""The formats that browsers show, and TIFF.

Pillow's other readers are not run on untrusted bytes; that of EPS starts a program.
"""
MAX_PIXELS = 80_000_000
"""Width times height of a picture that is decoded at all."""
MAX_DECODED = 25_000_000
"""The same at the scale at which it is decoded: 100 MB."""
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
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    with Image.open(file, formats=known) as picture:
        if _pixels(picture) > MAX_PIXELS:
            return None
        picture.draft("RGB", (ENOUGH, ENOUGH))
        if _pixels(picture) > MAX_DECODED:
            return None
        turn = _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
        small = _as_rgb(picture)
    return small if turn is None else small.transpose(turn)


def _pixels(picture: Image.Image) -> int:
    return picture.width * picture.height


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):  # 16 bits; convert() would cut them off
        wide = np.asarray(picture, np.float32)
        scale = 255 / max(float(wide.max()), 65535.0)
        whole: Image.Image = Image.fromarray((wide * scale).astype(np.uint8))
    elif picture.mode in ("1", "P", "PA") or "transparency" in picture.info:
        whole = picture.convert("RGBA")
    else:
        picture.load()
        whole = picture
    factor = min(whole.size) // REDUCED
    small = whole.reduce(factor) if factor > 1 else whole
    if small.mode in ("RGBA", "LA", "La", "RGBa"):
        front = small.convert("RGBA")
        white = Image.new("RGBA", front.size, "white")
        small = Image.alpha_composite(white, front)
    return small.convert("RGB")
