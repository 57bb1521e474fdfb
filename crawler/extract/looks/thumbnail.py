"""Makes a small picture of a file for a report. Only the extraction process calls it.

A thumbnail is WebP, which every browser shows, and keeps what is transparent. It is the
largest of SIZES whose bytes fit into the share of the picture, so that a report has a
known size; where none fits, the smallest is taken as long as it is within twice the
share.

A small SVG is taken as it is, if it has nothing but shapes and text: a browser shows
such a one as fast as any picture, while patterns, filters and references to itself can
stop a browser for minutes.
"""

from __future__ import annotations

import io
import re

import msgspec
from msgspec import Struct
from PIL import Image

from crawler.extract.looks.decoding import (
    decoded,
    is_transparent,
    open_picture,
    turned,
)
from crawler.model.errors import is_out_of_memory

SIZES = ((320, 72), (240, 66), (160, 60), (112, 45))
"""The longer side (pixels) and the quality of WebP, the best first."""
MAX_SVG = 6_000
"""Bytes of an SVG that is taken as it is."""
SHAPES = frozenset(
    {
        "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline",
        "polygon", "text", "tspan", "title", "desc", "defs", "stop",
        "linearGradient", "radialGradient", "metadata",
    }
)  # fmt: skip
_ELEMENTS = re.compile(r"<(?!/)([^\s/>]*)")
_DECLARATION = re.compile(r"\A\ufeff?\s*<\?xml [^<>]*\?>")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class ThumbnailOrder(Struct, frozen=True, array_like=True):
    """The picture in the file `path`, in about `share` bytes."""

    path: str
    share: int


class Thumbnail(Struct, frozen=True, array_like=True):
    """A small picture; `body` is empty where there is none."""

    media_type: str = ""
    body: bytes = b""


def thumbnail_task(payload: bytes) -> bytes:
    """The task: from an encoded order to an encoded Thumbnail. Raises MemoryError."""
    order = msgspec.msgpack.decode(payload, type=ThumbnailOrder)
    try:
        found = _plain_svg(order) or _thumbnail(order)
    except Exception as error:  # Pillow's readers raise nearly any
        if is_out_of_memory(error):
            raise
        found = Thumbnail()
    return msgspec.msgpack.encode(found)


def _thumbnail(order: ThumbnailOrder) -> Thumbnail:
    with open_picture(order.path, SIZES[0][0]) as picture:
        if picture is None:
            return Thumbnail()
        whole = decoded(picture)
        small = whole.convert("RGBA" if is_transparent(whole) else "RGB")
        small.thumbnail((SIZES[0][0],) * 2, reducing_gap=2)
        small = turned(small, picture)
    body = b""
    for side, quality in SIZES:
        small.thumbnail((side, side))
        body = _webp(small, quality)
        if len(body) <= order.share:
            break
    if len(body) > 2 * order.share:
        return Thumbnail()
    return Thumbnail("image/webp", body)


def _webp(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=quality, method=1)
    return file.getvalue()


def _plain_svg(order: ThumbnailOrder) -> Thumbnail | None:
    """The file if it is an SVG to be taken as it is."""
    with open(order.path, "rb") as file:
        body = file.read(MAX_SVG + 1)
    if len(body) > min(MAX_SVG, 2 * order.share) or b"<svg" not in body:
        return None
    try:
        text = _COMMENT.sub("", _DECLARATION.sub("", body.decode()))
    except UnicodeDecodeError:
        return None
    if set(_ELEMENTS.findall(text)) <= SHAPES:
        return Thumbnail("image/svg+xml", body)
    return None
