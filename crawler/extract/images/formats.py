"""The format, dimensions as shown, frame count and completeness of an image.

Theory. Nothing is decoded. Each format is a chain of parts that contain their own
length. Walking the chain gives the dimensions, counts the frames, and finds a file that
was cut short or is no image, without a single pixel: a "decompression bomb" of 50,000
by 50,000 costs no more than its few kilobytes. PNG also has checksums, which are
compared.

Why no imaging library: Pillow needs three times as long for less (its `verify` checks
PNG only), adds 11 MB and 60 ms to each start, and passes untrusted bytes to C
decoders. The tests use it as their oracle instead. `README.md` has the rules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from struct import error
from typing import Any, NamedTuple

from crawler.extract.sniff import image_type
from crawler.model.errors import ImageDecodeFailure

MAX_PARTS = 1_000_000
"""Chunks, blocks or boxes of one image; the rest is not walked."""


Size = tuple[int, int]
"""Width and height, as the image is shown. Pixels."""


class ImageHeader(NamedTuple):
    """What is read of an image; None: the file does not say."""

    format: str
    width: int | None
    """Pixels, as the image is shown: an orientation is applied."""
    height: int | None
    """Pixels, as the image is shown."""
    frames: int | None = 1
    """1 for a still image."""


class HeaderWithExif(ImageHeader):
    """The header of an image with Exif data; they are no part of the tuple."""

    exif: bytes
    """From the header of TIFF on."""


def with_exif(header: ImageHeader, exif: bytes) -> ImageHeader:
    """`header` with Exif data, if there are any."""
    if not exif:
        return header
    found = HeaderWithExif(*header)
    found.exif = exif
    return found


FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/x-icon": "icon",
    "image/tiff": "tiff",
    "image/avif": "avif",
    "image/heic": "heic",
    "image/jxl": "jxl",
}
"""The module of this package that reads each media type."""


def read_header(body: bytes, media_type: str) -> ImageHeader:
    """The header of `body`, an image of `media_type`.

    Raises ImageDecodeFailure for an image that is cut short or damaged, and for a body
    whose first bytes are not those of `media_type`, whatever follows them.
    """
    if image_type(body) != media_type:
        raise ImageDecodeFailure(f"{media_type}: it does not begin as one")
    try:
        header = _reader(FORMATS[media_type])(body)
    except (error, IndexError):
        raise cut_short(media_type) from None
    if header.width == 0 or header.height == 0:
        raise ImageDecodeFailure(f"{media_type}: no width or no height")
    return header


def possible_sizes(start: bytes, media_type: str) -> tuple[Size, ...]:
    """The dimensions of an image whose file begins with `start`; empty: unknown.

    Enough for a decision about the rest, which need not be downloaded. Whether the file
    is whole is not asked. An orientation that stands behind the pixels has not come
    yet: then there are two possibilities.
    """
    name = FORMATS.get(media_type, "icon")
    if name == "icon":  # a directory of images, and never large
        return ()
    module: Any = import_module(f"crawler.extract.images.{name}")
    try:
        sizes: tuple[Size, ...] = module.possible_sizes(start)
    except (error, IndexError, ImageDecodeFailure):
        return ()
    return tuple(size for size in sizes if min(size) > 0)


@cache
def _reader(name: str) -> Callable[[bytes], ImageHeader]:
    # Imported late: a crawl without images needs none of them.
    module: Any = import_module(f"crawler.extract.images.{name}")
    reader: Callable[[bytes], ImageHeader] = module.read
    return reader


def cut_short(media_type: str) -> ImageDecodeFailure:
    return ImageDecodeFailure(f"{media_type}: the file was cut short")


def need(body: bytes, length: int, media_type: str) -> None:
    """Raises ImageDecodeFailure if `body` has fewer bytes than `length`."""
    if len(body) < length:
        raise cut_short(media_type)
