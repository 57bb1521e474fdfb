"""AVIF: AV1 images in HEIF."""

from __future__ import annotations

from crawler.extract.images.formats import ImageHeader, Size
from crawler.extract.images.heif import possible_sizes_of_heif, read_heif


def read(body: bytes) -> ImageHeader:
    return read_heif(body, "avif")


def possible_sizes(start: bytes) -> tuple[Size, ...]:
    return possible_sizes_of_heif(start, "image/avif")
