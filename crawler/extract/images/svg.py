"""The dimensions of an SVG image, which is an XML document."""

from __future__ import annotations

import re
from collections.abc import Mapping

from crawler.extract.images.formats import ImageHeader
from crawler.extract.xml.parser import elements, parts_of
from crawler.model.errors import ImageDecodeFailure

_LENGTH = re.compile(
    r"\s*\+?(\d+(?:\.\d+)?|\.\d+)(?:[eE]([+-]?\d{1,2}))?\s*(px|pt|pc|mm|cm|in)?\s*"
).fullmatch
_PIXELS = {
    "px": 1.0,
    "pt": 4 / 3,
    "pc": 16.0,
    "mm": 96 / 25.4,
    "cm": 96 / 2.54,
    "in": 96.0,
}
"""CSS pixels per unit (CSS Values section 6.2)."""
_MAX_PIXELS = 10**7


def read_svg_header(body: bytes) -> ImageHeader:
    """Width and height in CSS pixels, from the root's attributes, else its viewBox.

    Raises ImageDecodeFailure if the root is no `<svg>`, or is not closed.
    """
    ended = elements(parts_of(body))
    root = next(ended, None)
    if root is None or root.name != "svg":
        raise ImageDecodeFailure("image/svg+xml: its first element is no <svg>")
    tail = body[-2000:].rstrip()
    if b"svg" not in tail[tail.rfind(b"</") :] and not tail.endswith(
        (b"/>", b"-->", b"?>")
    ):
        raise ImageDecodeFailure("image/svg+xml: the file was cut short")
    width, height = _size(root.attributes)
    return ImageHeader("svg", width, height)


def _size(attributes: Mapping[str, str]) -> tuple[int | None, int | None]:
    width, height = _pixels(attributes.get("width")), _pixels(attributes.get("height"))
    if width and height:
        return width, height
    box = re.split(r"[\s,]+", attributes.get("viewBox", "").strip())
    return (_pixels(box[2]), _pixels(box[3])) if len(box) == 4 else (width, height)


def _pixels(length: str | None) -> int | None:
    """A length in whole pixels; None for a percentage, and beyond _MAX_PIXELS."""
    found = _LENGTH(length) if length and len(length) < 50 else None
    if not found:
        return None
    pixels = float(found[1]) * 10.0 ** int(found[2] or 0) * _PIXELS[found[3] or "px"]
    return round(pixels) if 0.5 <= pixels <= _MAX_PIXELS else None
