"""JPEG XL (ISO/IEC 18181)."""

from __future__ import annotations

from crawler.extract.images.formats import ImageHeader


def read(body: bytes) -> ImageHeader:
    return ImageHeader("jxl", None, None, None)
