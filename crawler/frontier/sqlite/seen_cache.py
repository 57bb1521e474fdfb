"""Which URLs were found a moment ago, and how near: the seen-set's bounded front.

Two generations: when the young one is full it becomes the old one, and the old one is
forgotten. A URL that is found again moves to the young one. That is nearly "least
recently used" at the price of two dict look-ups.
"""

from __future__ import annotations

SKIPPED = 1 << 30
"""Stands for the depth of a URL that is known only as a decision to skip it."""

MAX_URLS = 1 << 16
"""URLs in one generation: about 12 MB each with URLs of the usual length."""
MAX_CHARACTERS = 8 * 2**20
"""The maximum length (characters) of all URLs of one generation.

Some URLs are a hundred times as long as usual.
"""


class SeenCache:
    """Depths by URL. A URL at depth 0 cannot be found any nearer."""

    def __init__(
        self, max_urls: int = MAX_URLS, max_characters: int = MAX_CHARACTERS
    ) -> None:
        """Both are bounds of one generation, of which two are kept."""
        self._max_urls = max_urls
        self._max_characters = self._characters_left = max_characters
        self.young: dict[str, int] = {}
        self._old: dict[str, int] = {}

    def get(self, url: str) -> int | None:
        depth = self.young.get(url)
        if depth is None:
            depth = self._old.get(url)
            if depth is not None:
                self.put(url, depth)
        return depth

    def put(self, url: str, depth: int) -> None:
        if len(self.young) >= self._max_urls or self._characters_left <= 0:
            self._old = self.young
            self.young = {}
            self._characters_left = self._max_characters
        self.young[url] = depth
        self._characters_left -= len(url)

    def __len__(self) -> int:
        return len(self.young) + len(self._old)
