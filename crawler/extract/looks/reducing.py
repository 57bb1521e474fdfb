"""Makes the thumbnails of a crawl. Only the extraction process calls it.

A thumbnail is a JPEG, which every program opens and which takes 0.3 ms to write; WebP
takes 3 to 5 ms for a tenth less. What is transparent is WebP: a PNG would be as small
only for drawings, and ten times as large for photographs. It is turned as its EXIF
orientation says, shows the first frame, and is no larger than the picture. A colour
profile of the usual size is kept, so that the colours are right.
"""

from __future__ import annotations

import io

import msgspec
from PIL import Image

from crawler.extract.looks.decoding import (
    decoded,
    is_transparent,
    open_picture,
    turned,
)
from crawler.model.errors import is_out_of_memory

QUALITY = 85
MAX_PROFILE = 8192
"""Bytes of a colour profile that is kept."""


def reduce_task(payload: bytes) -> bytes:
    """The ending and the bytes of a thumbnail, as MessagePack; empty if there is none.

    `payload`: the bytes of the picture, or the path of its file, and the longer side of
    the thumbnail in pixels. Raises MemoryError.
    """
    given, side = msgspec.msgpack.decode(payload)
    file = given if isinstance(given, str) else io.BytesIO(given)
    try:
        found = _thumbnail(file, side)
    except Exception as error:  # Pillow's readers raise nearly any
        if is_out_of_memory(error):
            raise
        found = "", b""
    return msgspec.msgpack.encode(found)


def _thumbnail(file: io.BytesIO | str, side: int) -> tuple[str, bytes]:
    with open_picture(file, side) as picture:
        if picture is None:
            return "", b""
        profile = picture.info.get("icc_profile") or b""
        small = decoded(picture)
        if small.mode == "CMYK":
            profile = b""
        wanted = "RGBA" if is_transparent(small) else "RGB"
        small = small if small.mode == wanted else small.convert(wanted)
        small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2)
        small = turned(small, picture)
    if wanted == "RGBA" and small.getchannel("A").getextrema()[0] == 255:
        small = small.convert("RGB")
    form = "WEBP" if small.mode == "RGBA" else "JPEG"
    body = io.BytesIO()
    kept = profile if len(profile) <= MAX_PROFILE else b""
    small.save(body, form, quality=QUALITY, icc_profile=kept)
    return {"WEBP": "webp", "JPEG": "jpg"}[form], body.getvalue()
