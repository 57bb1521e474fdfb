"""One page under several spellings of its address, on servers that take any case. No I/O.

A page under another spelling says what the first one said: the same title, as many links and
pictures. Where that goes on, a URL that was read under one spelling is not asked for under another.
"""

from __future__ import annotations

from crawler.records import Page

MOST_SPELLINGS = 8192
NAME = "another case of letters"


class Spellings:
    """The addresses that were asked for of one host, as hashes."""

    __slots__ = ("_met",)

    def __init__(self) -> None:
        self._met: dict[int, tuple[int, int | None]] = {}

    def respells(self, url: str) -> bool:
        """Whether the same was asked for under another spelling."""
        known = self._met.get(hash(url.lower()))
        return known is not None and known[0] != hash(url)

    def meet(self, url: str) -> None:
        """The URL is asked for: of several spellings the first one is remembered."""
        if len(self._met) >= MOST_SPELLINGS:
            self._met.clear()
        self._met.setdefault(hash(url.lower()), (hash(url), None))

    def read(self, url: str, page: Page) -> None:
        """Remember what was read under the first spelling."""
        self._met[hash(url.lower())] = hash(url), _looks(page)

    def is_another(self, url: str, page: Page) -> bool | None:
        """Whether this page is another one than what was read under the first spelling.

        None if that was not read yet.
        """
        _, looks = self._met.get(hash(url.lower()), (0, None))
        return None if looks is None else looks != _looks(page)


def _looks(page: Page) -> int:
    return hash((page.title, len(page.links), len(page.images)))
