"""Names at the top of a site: `/aardvark/` leads to `/abacus/`, and so on through the
dictionary.

No part of such a site leads on to itself, so nothing of it is ever fed (`ledger.py`).
What tells it from a wiki with its articles at the top is still yield, with two
differences. Names are no content: a page of a maze says its own, and those of the pages
it leads to, and each is a word that was not met before. And only a page that leads on
to further new names pays: of those that do not, such as the bare profiles that a list
of members names, there is an end.

A name is *opened* by the first page below it that is asked for. Suspect is a page that
opens one, two links or more from a seed, and not found on the home page: what these
list is read in any case. At the end of its credit no further name is opened from there;
all below those that are open is read as before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote
from zlib import crc32

from crawler.model.documents import Page
from crawler.policy.traps.templates import Role, masked

NAME = "new names at the top of the site"
ROLE = Role(NAME, "path", "/")
LISTED_DEPTH = 1
"""Links from a seed, up to which what is named is read in any case."""
MOST_NAMES = 8192
_MOST_LINKS = 1000
_MOST_AS_WRITTEN = 64
_WORD = re.compile(r"[^\W_]+").findall


class Tops:
    """The names at the top of one host, as checksums: met, or opened too."""

    __slots__ = ("_as_written", "_opened")

    def __init__(self, saved: Mapping[int, bool] | None = None) -> None:
        self._opened = dict(saved or {})
        self._as_written: set[str] = set()  # most often it is one of these

    @property
    def weight(self) -> int:
        return 2 * len(self._opened)

    def saved(self) -> dict[int, bool]:
        return self._opened

    def meet(self, url: str, start: int) -> None:
        """A link below the name was found, which begins at `start` in the URL."""
        end = url.find("/", start)
        name = url[start:] if end < 0 else url[start:end]
        if name in self._as_written or len(self._opened) >= MOST_NAMES:
            return
        self._opened.setdefault(crc32(top_of(url).encode()), False)
        if len(self._as_written) >= _MOST_AS_WRITTEN:
            self._as_written.clear()
        self._as_written.add(name)

    def open(self, name: str) -> None:
        """A page below it is asked for."""
        key = crc32(name.encode())
        if key in self._opened or len(self._opened) < MOST_NAMES:
            self._opened[key] = True

    def is_open(self, name: str) -> bool:
        return self._opened.get(crc32(name.encode()), False)

    def lead_on(self, page: Page, url: str) -> bool:
        """Whether the page at `url` names what was not met yet on its host."""
        site = url[: url.index("/", 8) + 1]
        return any(
            crc32(top_of(link.url).encode()) not in self._opened
            for link in page.links[:_MOST_LINKS]
            if link.url.startswith(site) and "?" not in link.url
        )


def top_of(url: str) -> str:
    """The first name in the path of a canonical URL without a query, as templates have
    it."""
    return masked(url.split("/", 4)[3].lower())


def names_of(url: str, page: Page) -> frozenset[bytes]:
    """The words, in small letters, by which the page's address and its links are
    known."""
    paths = [url, *(link.url for link in page.links[:_MOST_LINKS])]
    return frozenset(word.encode() for path in paths for word in _words(path))


def _words(url: str) -> Iterable[str]:
    return _WORD(unquote(url.split("/", 3)[3]).lower())
