"""One page under several spellings of its address, on servers that take any case. No
I/O.

A page under another spelling says what the first one said: the same title, as many
links and pictures. Where that goes on, a URL that was read under one spelling is not
asked for under another.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from zlib import crc32

from crawler.model.documents import Page
from crawler.model.url import url_id

MOST_SPELLINGS = 8192
ADDRESS = 5
"""What one weighs in memory, in checksums."""
Met = tuple[int, int, int | None]
"""Identities of the address in small letters and of that which was met first; how it
looked."""
NAME = "another case of letters"


class Spellings:
    """The addresses that were asked for of one host, by what they are in small
    letters."""

    __slots__ = ("_last", "_met")

    def __init__(self, saved: Iterable[Met] = ()) -> None:
        self._met: dict[int, tuple[int, int | None]] = {
            lower: (url, looks) for lower, url, looks in saved
        }
        self._last = "", 0, 0

    @property
    def weight(self) -> int:
        return ADDRESS * len(self._met)

    def saved(self, most: int) -> list[Met]:
        """As the constructor takes it: those met last."""
        skipped = max(0, len(self._met) - most)
        return [
            (lower, *met) for lower, met in islice(self._met.items(), skipped, None)
        ]

    def respells(self, url: str) -> bool:
        """Whether the same was asked for under another spelling."""
        lower, identity = self._ids(url)
        known = self._met.get(lower)
        return known is not None and known[0] != identity

    def meet(self, url: str) -> None:
        """The URL is asked for: of several spellings the first one is remembered."""
        if len(self._met) >= MOST_SPELLINGS:
            self._met.clear()
        lower, identity = self._ids(url)
        self._met.setdefault(lower, (identity, None))

    def read(self, url: str, page: Page) -> None:
        """Remember what was read under the first spelling."""
        lower, identity = self._ids(url)
        self._met[lower] = identity, _looks(page)

    def is_another(self, url: str, page: Page) -> bool | None:
        """Whether this page is another one than what was read under the first spelling.

        None if that was not read yet.
        """
        _, looks = self._met.get(self._ids(url)[0], (0, None))
        return None if looks is None else looks != _looks(page)

    def _ids(self, url: str) -> tuple[int, int]:
        """Of the address in small letters, and as it is."""
        if url != self._last[0]:  # most often it is the one that was asked about last
            lower = url.lower()
            identity = url_id(url)
            self._last = url, identity if lower == url else url_id(lower), identity
        return self._last[1:]


def _looks(page: Page) -> int:
    return crc32(
        f"{page.title} {len(page.links)} {len(page.images)}".encode("utf-8", "replace")
    )
