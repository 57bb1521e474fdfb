"""The check of the distance from a seed: the option `scope.depth` decides."""

from __future__ import annotations

from crawler.model.crawl import Skip
from crawler.policy.check import FOUND, Candidate
from crawler.policy.scope import NAMED_SITEMAPS


class DepthCheck:
    """Refuses pages more than `max_depth` links from a seed.

    An image belongs to the page that shows it, whatever its depth, and a sitemap is
    read for the URLs that it names.
    """

    name = "depth"
    moments = FOUND

    def __init__(self, max_depth: int) -> None:
        self._max_depth = max_depth
        self._skip = Skip("depth", f"scope.depth: {max_depth}")

    def check(self, candidate: Candidate) -> Skip | None:
        if candidate.depth <= self._max_depth or candidate.destination != "page":
            return None
        return None if candidate.kind in NAMED_SITEMAPS else self._skip
