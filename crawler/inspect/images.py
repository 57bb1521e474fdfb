"""The images of a crawl by their records: which are meant, and a line for each.

A record names the page where its image was found first. All pages that show it are in
the link graph of the state.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from crawler.frontier.state_reader import StateReader
from crawler.inspect.links import LinkGraph
from crawler.inspect.state import open_state
from crawler.inspect.typed_url import typed_forms
from crawler.inspect.urls import host_keys
from crawler.model.content_config import ImagesConfig
from crawler.model.units import show_bytes
from crawler.policy.kept_images import check_image


class _Image(Struct):
    """What is read of an image's record."""

    url: str
    host: str
    path: str | None
    format: str
    width: int | None = None
    height: int | None = None
    body_bytes: int = 0
    page_url: str | None = None


_decode = msgspec.json.Decoder(_Image).decode

PagesOf = Callable[[str, str | None], list[str]]
"""The pages that show an image, by its URL and the page where it was found first."""


def found_on(_url: str, page_url: str | None) -> list[str]:
    """The page of the record alone."""
    return [] if page_url is None else [page_url]


@contextmanager
def open_pages(source: Path, wanted: bool) -> Iterator[PagesOf]:
    """All pages that show an image of the crawl in `source`.

    Those of the records alone where `source` is a file, has the records of an
    extraction, or no more is `wanted`. Raises StateError, UsageError.
    """
    if not wanted or source.is_file():
        yield found_on
        return
    with open_state(source, of_extraction=True) as (state, _config):
        yield PagesOfImages(state).of


class PagesOfImages:
    """The documents that show each image of `state`, also by way of redirects.

    In memory are eight bytes for each URL, and as many for each further document that
    shows an image.
    """

    def __init__(self, state: StateReader) -> None:
        self._state = state
        self._graph = graph = LinkGraph(state)
        self._first = array("q", bytes(8 * graph.size))
        self._more: dict[int, array[int]] = {}
        for source in state.source_links():
            if graph.state(source.number) != "redirect":
                self._add(source.number, {link.target for link in source.links})

    def _add(self, document: int, targets: Iterable[int]) -> None:
        last = {(self._graph.hops(number) or (number,))[-1] for number in targets}
        for number in last:
            if self._graph.state(number) != "image":
                continue
            if not self._first[number]:
                self._first[number] = document
            else:
                self._more.setdefault(number, array("q")).append(document)

    def of(self, url: str, page_url: str | None) -> list[str]:
        """As PagesOf: `page_url` first, the others in the order of their discovery."""
        number = self._state.number_of(url)
        first = self._first[number]
        documents = [first, *self._more.get(number, ())] if first else []
        pages = (self._graph.row(document).url for document in documents)
        return list(dict.fromkeys([*found_on(url, page_url), *pages]))


def image_filter(
    limits: ImagesConfig,
    hosts: Sequence[str],
    pages: Sequence[str],
    pages_of: PagesOf = found_on,
) -> Callable[[bytes], bool]:
    """Whether the record of an image is meant.

    `hosts` are names as a user writes them (`host_keys`). `pages`: URLs of pages that
    show it, as they are typed, in which `*` stands for anything; empty: any. Raises
    UsageError.
    """
    shown_by = _patterns(pages)
    hosts = host_keys(tuple(hosts))

    def is_meant(line: bytes) -> bool:
        image = _decode(line)
        if hosts and image.host not in hosts:
            return False
        if shown_by is not None and not any(
            map(shown_by.fullmatch, pages_of(image.url, image.page_url))
        ):
            return False
        return check_image(limits, image, image.body_bytes) is None

    return is_meant


def _patterns(pages: Sequence[str]) -> re.Pattern[str] | None:
    if not pages:
        return None
    return re.compile("|".join(map(_pattern, pages)), re.DOTALL)


def _pattern(page: str) -> str:
    if "*" not in page:
        return "|".join(map(re.escape, typed_forms(page, "--page")))
    start = "" if page.startswith("*") or "://" in page else "https?://"
    return start + ".*".join(map(re.escape, page.split("*")))


def image_line(line: bytes) -> str:
    """Format, dimensions, size, file and URL of an image, from its record."""
    image = _decode(line)
    sides = f"{image.width or '?'}x{image.height or '?'}"
    size = show_bytes(image.body_bytes)
    return f"{image.format:<5} {sides:>11} {size:>8}  {image.path}  {image.url}"


def page_lines(line: bytes, pages_of: PagesOf) -> list[str]:
    """The pages that show an image, from its record, a line for each."""
    image = _decode(line)
    return [f"  {page}" for page in pages_of(image.url, image.page_url)]
