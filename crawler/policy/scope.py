"""The check of the scope: which URLs belong to the crawl.

The options `scope.within`, `scope.images_within` and `scope.domains` decide. A URL
belongs to the crawl if its scheme is http or https, and if it lies within the
surroundings of a seed, or of what a seed redirects to, or on one of the domains. What
is within may still be refused by the URL filters (`url_filters.py`) and by the depth
(`depth.py`), which are checks of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from crawler.model.config import ScopeConfig
from crawler.model.crawl import Skip
from crawler.model.documents import LinkKind
from crawler.model.errors import UsageError
from crawler.model.url import canonical, host_key, hostname, registrable_domain, scheme
from crawler.policy.check import FOUND, Candidate

NAMED_SITEMAPS: tuple[LinkKind, ...] = ("robots_sitemap", "sitemap_index")
"""The link kinds under which a site names its sitemaps.

Sitemaps may be on any host and at any depth, as images may.
"""
_SCHEMES = ("https://", "http://")
_MAX_ORIGINS = 10_000
"""Origins whose answer is remembered."""


class Scope:
    """The scope of one crawl. `seeds` are canonical URLs.

    Raises UsageError for a domain that can't be understood.
    """

    name = "scope"
    moments = FOUND

    def __init__(self, config: ScopeConfig, seeds: Iterable[str] = ()) -> None:
        domains = tuple(map(_domain, config.domains))
        self._pages = _area(config.within, domains)
        self._images = _area(config.images_within, domains)
        self._not_within = Skip("scope", f"scope.within: {config.within}")
        self._not_images_within = Skip(
            "scope", f"scope.images_within: {config.images_within}"
        )
        for seed in seeds:
            self.add_seed(seed)

    def check(self, candidate: Candidate) -> Skip | None:
        url = candidate.url
        if not url.startswith(_SCHEMES):
            return Skip("scheme", f"scheme: {scheme(url)}")
        if candidate.destination == "image":
            return None if self._images.holds(url) else self._not_images_within
        if self._pages.holds(url) or candidate.kind in NAMED_SITEMAPS:
            return None
        return self._not_within

    def add_seed(self, url: str) -> None:
        """Add a seed, or the URL that a seed redirects to."""
        self._pages.add(url)
        self._images.add(url)


class _Area(Protocol):
    """The surroundings of the seeds."""

    def add(self, seed: str) -> None: ...

    def holds(self, url: str) -> bool: ...


def _area(within: str, domains: tuple[str, ...]) -> _Area:
    if within == "any":
        return _Everywhere()
    if within in ("prefix", "page"):
        return _Paths(domains, whole=within == "page")
    return _Hosts(domains, _registered if within == "domain" else str)


class _Everywhere:
    """All of the web."""

    def add(self, seed: str) -> None:
        pass

    def holds(self, url: str) -> bool:
        return True


class _Hosts:
    """All hosts that `measure` maps to the same value as the host of a seed."""

    def __init__(self, domains: tuple[str, ...], measure: Callable[[str], str]) -> None:
        self._domains = domains
        self._measure = measure
        self._seeds: set[str] = set()
        self._known: dict[str, bool] = {}
        """By origin, since that is cheaper to cut out of a URL than its host key."""

    def add(self, seed: str) -> None:
        self._seeds.add(self._measure(host_key(seed)))
        self._known.clear()

    def holds(self, url: str) -> bool:
        site = url[: url.index("/", 8)]
        known = self._known.get(site)
        if known is None:
            if len(self._known) >= _MAX_ORIGINS:
                self._known.clear()
            host = host_key(url)
            known = self._measure(host) in self._seeds or _is_of(host, self._domains)
            self._known[site] = known
        return known


class _Paths:
    """The seeds' folders and everything below, or the seeds only (`whole`).

    The scheme does not matter.
    """

    def __init__(self, domains: tuple[str, ...], whole: bool) -> None:
        self._domains = domains
        self._whole = whole
        self._seeds: tuple[str, ...] = ()

    def add(self, seed: str) -> None:
        path = seed.partition("://")[2]
        if not self._whole:
            path = path.partition("?")[0].rpartition("/")[0] + "/"
        self._seeds = tuple(dict.fromkeys((*self._seeds, path)))

    def holds(self, url: str) -> bool:
        path = url.partition("://")[2]
        if path in self._seeds if self._whole else path.startswith(self._seeds):
            return True
        return bool(self._domains) and _is_of(host_key(url), self._domains)


def _registered(host: str) -> str:
    return registrable_domain(host) or hostname(host)


def _is_of(host: str, domains: tuple[str, ...]) -> bool:
    return f".{hostname(host)}".endswith(domains)


def _domain(entry: str) -> str:
    """`example.com`, `.example.com` and `*.example.com` all as `.example.com`."""
    url = canonical(f"http://{entry.removeprefix('*').removeprefix('.')}/")
    if url is None or url.count("/") != 3:
        raise UsageError(
            f"scope.domains: {entry!r} is not a valid domain; write it as example.com"
        )
    return "." + hostname(host_key(url))
