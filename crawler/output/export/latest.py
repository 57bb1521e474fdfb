"""Which of the records about a URL counts, and whether the file of an image is of use.

The last of several records about one URL counts: a recrawl or a retry wrote it again,
or WARC files hold several responses. With `--dedupe near` a picture has no file if its
record says so (`path` is null), or if a later record `replaces` it, or the one whose
bytes it has (`engine/images/look_groups.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from crawler.output.export.lines import Line, decode_all, kind_of, read_batches


class _Image(Struct):
    url_id: str
    url: str
    path: str | None = None
    dup_of: str | None = None
    dup_kind: str | None = None
    replaces: str | None = None
    damage: str | None = None


class Placed(Protocol):
    """What the record of an image says of its file."""

    @property
    def url(self) -> str: ...
    @property
    def path(self) -> str | None: ...
    @property
    def dup_of(self) -> str | None: ...
    @property
    def dup_kind(self) -> str | None: ...


_decode = msgspec.json.Decoder(_Image).decode


class _Ended(Struct):
    url: str


_ended = msgspec.json.Decoder(_Ended).decode
ENDED = frozenset({"page", "file", "image", "redirect", "error", "skip"})
"""The types of records of which each URL has one in a run."""


def latest_records(files: Iterable[Path]) -> Callable[[Line], bool]:
    """Whether a record is the last about its URL in `files`, or an item of that.

    Records that are about no URL pass. It has to be asked about each of them, once and
    in order. Takes about 100 bytes for each URL. Raises UnreadableLine.
    """
    left: dict[int, int] = {}
    for batch in read_batches(files):
        lines = [line for line in batch if kind_of(line) in ENDED]
        for one in decode_all(lines, _ended):
            key = hash(one.url)
            left[key] = left.get(key, 0) + 1

    def is_latest(line: Line) -> bool:
        kind = kind_of(line)
        if kind not in ENDED and kind != "item":
            return True
        (one,) = decode_all([line], _ended)
        key = hash(one.url)
        if kind in ENDED:
            left[key] = left.get(key, 1) - 1
        return left.get(key, 0) <= 0  # items follow their page

    return is_latest


class ReplacedImages:
    """The images that a later record in `files` replaces. Raises UnreadableLine."""

    def __init__(self, files: Iterable[Path]) -> None:
        self._urls: set[str] = set()
        self.records: dict[int, int] = {}
        """The number of records of each URL, by its id."""
        for image in _images(files):
            key = int(image.url_id, 16)
            self.records[key] = self.records.get(key, 0) + 1
            self._urls.discard(image.url)
            if image.replaces is not None:
                self._urls.add(image.replaces)

    def are_without(self, image: Placed) -> bool:
        """Whether the image has no file (any more), by its last record."""
        if image.path is None or image.url in self._urls:
            return True
        return image.dup_kind == "exact" and image.dup_of in self._urls


def latest_images(files: Iterable[Path]) -> Callable[[Line], bool]:
    """Whether a record is the last about its URL in `files`, of a whole image on disk.

    It has to be asked about each of them, once and in order. Raises UnreadableLine.
    """
    replaced = ReplacedImages(files)
    records = replaced.records

    def is_latest(line: Line) -> bool:
        image = _decode(line)
        key = int(image.url_id, 16)
        records[key] -= 1
        is_whole = image.damage is None
        return is_whole and not records[key] and not replaced.are_without(image)

    return is_latest


def _images(files: Iterable[Path]) -> Iterator[_Image]:
    for batch in read_batches(files):
        images = [line for line in batch if kind_of(line) == "image"]
        yield from decode_all(images, _decode)
