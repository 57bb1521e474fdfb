"""HEIC: HEVC images in HEIF."""

from __future__ import annotations

from crawler.extract.images.formats import ImageHeader
from crawler.extract.images.heif import read_heif


def read(body: bytes) -> ImageHeader:
    return read_heif(body, "heic")
