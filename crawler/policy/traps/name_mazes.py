"""Mazes of names: `/aardvark/` links to `/abacus/`, and so on through the dictionary.

A site that puts a new word at the top of each path has no part that links to itself, so
the rule for those (`scores.py`) never applies. What tells such a maze from a wiki with
its articles at the top is still yield, with two differences. Names are no content: a
page of a maze contains its own name and those of the pages that it links to, and each
is a word that was not seen before. And only a page that leads on to further new names
counts against the rule: those that do not, such as the bare profiles of a list of
members, come to an end by themselves.

A name is *open* once a page below it is fetched. Suspect is a page that opens a name,
two links or more from a seed, and not found on the home page: what seeds and the home
page list is read in any case. At the end of the credit no further name is opened from
there; all below the open names is read as before.
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
"""Links from a seed, up to which names are read in any case."""
MAX_NAMES = 8192
"""Names of one host."""
NAME_WEIGHT = 2
"""The memory of one, in checksums."""
_MAX_LINKS = 1000
"""Links of a page that are looked at."""
_MAX_RECENT = 64
_WORD = re.compile(r"[^\W_]+").findall


class TopNames:
    """The names at the top of one host, as checksums: found, or open too."""

    __slots__ = ("_open", "_recent")

    def __init__(self, saved: Mapping[int, bool] | None = None) -> None:
        self._open = dict(saved or {})
        self._recent: set[str] = set()
        """Names as they are written: most often a link has one of these."""

    @property
    def weight(self) -> int:
        return NAME_WEIGHT * len(self._open)

    def saved(self) -> dict[int, bool]:
        """As the constructor takes it."""
        return self._open

    def add(self, url: str, start: int) -> None:
        """A link was found whose first name begins at `start` in the URL."""
        end = url.find("/", start)
        name = url[start:] if end < 0 else url[start:end]
        if name in self._recent or len(self._open) >= MAX_NAMES:
            return
        self._open.setdefault(crc32(top_of(url).encode()), False)
        if len(self._recent) >= _MAX_RECENT:
            self._recent.clear()
        self._recent.add(name)

    def open(self, name: str) -> None:
        """A page below the name is fetched."""
        key = crc32(name.encode())
        if key in self._open or len(self._open) < MAX_NAMES:
            self._open[key] = True

    def is_open(self, name: str) -> bool:
        return self._open.get(crc32(name.encode()), False)

    def has_new(self, page: Page, url: str) -> bool:
        """Whether the page at `url` links to a name that is new on its host."""
        site = url[: url.index("/", 8) + 1]
        return any(
            crc32(top_of(link.url).encode()) not in self._open
            for link in page.links[:_MAX_LINKS]
            if link.url.startswith(site) and "?" not in link.url
        )


def top_of(url: str) -> str:
    """The first name in the path of a canonical URL, in the form of templates.

    The URL has no query.
    """
    return masked(url.split("/", 4)[3].lower())


def names_of(url: str, page: Page) -> frozenset[bytes]:
    """The words, in lower case, in the paths of the page and of its links."""
    paths = [url, *(link.url for link in page.links[:_MAX_LINKS])]
    return frozenset(word.encode() for path in paths for word in _words(path))


def _words(url: str) -> Iterable[str]:
    return _WORD(unquote(url.split("/", 3)[3]).lower())
