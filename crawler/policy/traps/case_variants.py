"""Case variants: one page under several URLs, on servers that ignore case. No I/O.

A page under a case variant has the content of the first one: the same title, as many
links and images. Once a host has shown enough of them, a URL that was read under one
variant is not fetched under another.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from zlib import crc32

from crawler.model.documents import Page
from crawler.model.url import url_id

MAX_VARIANTS = 8192
"""URLs of one host that are remembered."""
VARIANT_WEIGHT = 5
"""The memory of one, in checksums."""
SavedVariant = tuple[int, int, int | None]
"""`url_id` of the URL in lower case and of the first variant; how that page looked."""
NAME = "another case of letters"


class CaseVariants:
    """The URLs that were fetched from one host, by their form in lower case."""

    __slots__ = ("_first", "_last")

    def __init__(self, saved: Iterable[SavedVariant] = ()) -> None:
        self._first: dict[int, tuple[int, int | None]] = {
            lower: (url, looks) for lower, url, looks in saved
        }
        self._last = "", 0, 0

    @property
    def weight(self) -> int:
        return VARIANT_WEIGHT * len(self._first)

    def saved(self, max_variants: int) -> list[SavedVariant]:
        """As the constructor takes it: those that came last."""
        skipped = max(0, len(self._first) - max_variants)
        return [
            (lower, *first)
            for lower, first in islice(self._first.items(), skipped, None)
        ]

    def is_variant(self, url: str) -> bool:
        """Whether the same was fetched under another case variant."""
        lower, identity = self._ids(url)
        known = self._first.get(lower)
        return known is not None and known[0] != identity

    def add(self, url: str) -> None:
        """Record a URL that is fetched, if it is the first of its case variants."""
        if len(self._first) >= MAX_VARIANTS:
            self._first.clear()
        lower, identity = self._ids(url)
        self._first.setdefault(lower, (identity, None))

    def set_page(self, url: str, page: Page) -> None:
        """Remember the page of the first variant."""
        lower, identity = self._ids(url)
        self._first[lower] = identity, _looks(page)

    def differs(self, url: str, page: Page) -> bool | None:
        """Whether this page differs from that of the first variant.

        None if that was not read yet.
        """
        _, looks = self._first.get(self._ids(url)[0], (0, None))
        return None if looks is None else looks != _looks(page)

    def _ids(self, url: str) -> tuple[int, int]:
        """The ids of the URL in lower case, and as it is."""
        if url != self._last[0]:  # most often it is the same as the last time
            lower = url.lower()
            identity = url_id(url)
            self._last = url, identity if lower == url else url_id(lower), identity
        return self._last[1:]


def _looks(page: Page) -> int:
    return crc32(
        f"{page.title} {len(page.links)} {len(page.images)}".encode("utf-8", "replace")
    )
