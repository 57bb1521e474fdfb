"""The limits of sitemaps: their number on a host, and how deep their indexes go.

A site names its sitemaps in robots.txt and in indexes, on any host and at any depth, so
neither the scope nor the depth ends an index that names further ones for ever. Two
things do. An index may name indexes, but these no third level of them: the protocol
allows one level (sitemaps.org, "Sitemap index"), and a few sites have two. And the
requests for named sitemaps are counted. The hosts of a registrable domain count
together, as a name server can invent as many as it likes.

It is a part of the quotas (`quotas.py`).
"""

from __future__ import annotations

from crawler.model.crawl import Lease, Skip
from crawler.model.metadata import (
    SITEMAP_INDEXES,
    SITEMAPS_OF_DOMAIN,
    KeyValue,
    increase,
    read_number,
)
from crawler.model.policy_config import LimitsConfig
from crawler.model.url import host_key, hostname, registrable_domain
from crawler.policy.check import Candidate

_MAX_LEVELS = 2
"""Levels of sitemap indexes."""
_TOO_DEEP = Skip("depth", f"sitemap index: more than {_MAX_LEVELS} levels")


class SitemapLimits:
    """Counts the named sitemaps of a crawl, in `metadata`."""

    def __init__(self, config: LimitsConfig, metadata: KeyValue) -> None:
        self._metadata = metadata
        self._max = config.max_sitemaps_per_host

    def check(self, candidate: Candidate) -> Skip | None:
        """Whether a named sitemap may be fetched."""
        if self._level_above(candidate) > _MAX_LEVELS:
            return _TOO_DEEP
        if self._max is None or self._count(_domain(candidate.url)) < self._max:
            return None
        return Skip("limit_host", f"limits.max_sitemaps_per_host: {self._max}")

    def count(self, lease: Lease) -> None:
        """Count a request for a named sitemap; another attempt is not counted."""
        if lease.attempts == 0:
            increase(self._metadata, SITEMAPS_OF_DOMAIN, _domain(lease.url))

    def add_index(self, index: Lease) -> None:
        """Keep the level of a sitemap index that was read."""
        level = b"%d" % (self._level_above(index) + 1)
        self._metadata.set(SITEMAP_INDEXES, index.url, level)

    def _count(self, domain: str) -> int:
        return read_number(self._metadata, SITEMAPS_OF_DOMAIN, domain)

    def _level_above(self, sitemap: Candidate | Lease) -> int:
        """The level of the index that names a sitemap; 0: no index does."""
        if sitemap.kind != "sitemap_index" or sitemap.parent_url is None:
            return 0
        return read_number(self._metadata, SITEMAP_INDEXES, sitemap.parent_url)


def _domain(url: str) -> str:
    host = host_key(url)
    return registrable_domain(host) or hostname(host)
