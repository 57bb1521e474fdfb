"""The images of records as samples: a file, its caption, and what is known of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

from crawler.output.export.lines import Line, decode_all
from crawler.output.files import IMAGES, READING

CAPTIONS = ("alt", "caption", "title", "link_text")
"""Fields of an image's record that may be its caption, the best first."""
_EXIF = ("taken_at", "camera_make", "camera_model")
UNREADABLE = frozenset({"svg", "heic", "jxl"})
"""Formats that Pillow has no reader for."""


class _Image(Struct):
    """What is read of an image's record."""

    url: str
    path: str | None
    format: str
    sha256: str | None
    host: str
    width: int | None = None
    height: int | None = None
    alt: str | None = None
    title: str | None = None
    caption: str | None = None
    link_text: str | None = None
    page_url: str | None = None
    taken_at: str | None = None
    camera_make: str | None = None
    camera_model: str | None = None
    has_gps: bool = False
    latitude: float | None = None
    longitude: float | None = None
    data: Raw = Raw(b"null")


class Sample(Struct, frozen=True):
    """One image of a data set."""

    path: Path
    """Its file."""
    sha256: str
    format: str
    text: str
    """Its caption; empty if it has none."""
    fields: dict[str, Any]
    """What else is known, with the same types in each sample: no value is None.

    A reader takes the types of columns from the first samples.
    """


class Samples:
    """Makes samples of records of images; each file is one at most once.

    `folder` is the crawl's, and `captions` the fields to take the caption from.
    `pages_of` gives the pages that show an image, by its URL and its `page_url`.
    """

    def __init__(
        self,
        folder: Path,
        captions: Sequence[str],
        pages_of: Callable[[str, str | None], list[str]],
    ) -> None:
        self._folder = folder
        self._captions = captions
        self._pages_of = pages_of
        self._seen: set[int] = set()
        self.missing = 0
        """Records without their file."""
        self.unreadable = 0
        """Records of images in formats that readers of data sets don't know."""

    def of(self, lines: Sequence[Line]) -> Iterator[Sample]:
        """The samples in records of images. Raises UnreadableLine."""
        for image in decode_all(lines, _decode):
            if image.format in UNREADABLE:
                self.unreadable += 1
            elif (path := self._file(image)) is None or image.sha256 is None:
                self.missing += 1
            elif (key := int(image.sha256[:16], 16)) not in self._seen:
                self._seen.add(key)
                yield self._sample(image, path, image.sha256)

    def _file(self, image: _Image) -> Path | None:
        """The file of an image; None if there is none in the folder of images."""
        name = image.path or ""
        parts, path = name.split("/"), self._folder / name
        if parts[0] != IMAGES or ".." in parts or not path.is_file():
            return None
        return path

    def _sample(self, image: _Image, path: Path, sha256: str) -> Sample:
        found: Iterable[str | None] = (getattr(image, one) for one in self._captions)
        fields = {
            "url": image.url,
            "page_url": image.page_url or "",
            "page_urls": self._pages_of(image.url, image.page_url),
            "host": image.host,
            "width": image.width or 0,
            "height": image.height or 0,
            "format": image.format,
            "sha256": sha256,
            **{name: getattr(image, name) or "" for name in (*CAPTIONS, *_EXIF)},
            "has_gps": image.has_gps,
            "latitude": _degrees(image.latitude),
            "longitude": _degrees(image.longitude),
            "data": "" if image.data == _NULL else str(image.data, "utf-8"),
        }
        text = next(filter(None, found), "")
        return Sample(path, sha256, image.format, text, fields)


def _degrees(angle: float | None) -> str:
    """As text: 0 is a place, and no value is None."""
    return "" if angle is None else repr(angle)


_NULL = Raw(b"null")
_decode = msgspec.json.Decoder(_Image).decode


def open_image(sample: Sample) -> int:
    """A descriptor for the file of a sample, to be closed. Raises OSError."""
    return os.open(sample.path, READING)
