"""Which URLs belong to the crawl, and the exact rule that says so.

A URL passes when all of these let it pass, asked in this order:

1. its scheme is http or https;
2. `scope.within` (for an image: `scope.images_within`), measured against the seeds and
   against the hosts that a seed redirected to; `scope.domains` adds further ones;
3. `scope.rules`, of which the last that matches decides. Rules narrow; none lets in
   what `within` keeps out. When no rule matches, the first rule tells what the list is
   for: a list that begins with `+` names what is wanted, and other pages are refused.
   Seeds and images are refused only by a `-` that matches them: someone who asks for
   `+/docs/` still wants to start at the front page, and wants the pictures in those
   pages wherever they are stored;
4. `scope.depth`, for pages: an image belongs to the page that shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from crawler.model.config import ScopeConfig
from crawler.model.crawl import Destination, Skip
from crawler.model.documents import LinkKind
from crawler.model.errors import UsageError
from crawler.model.url import canonical, host_key, hostname, registrable_domain, scheme

if TYPE_CHECKING:
    from crawler.policy.url_filters import UrlFilters

_HOSTS_REMEMBERED = 10_000


class Scope:
    """The scope of one crawl. `seeds` are canonical URLs.

    Raises UsageError for a rule or a domain that can't be understood.
    """

    def __init__(self, config: ScopeConfig, seeds: Iterable[str] = ()) -> None:
        domains = tuple(map(_domain, config.domains))
        self._pages = _area(config.within, domains)
        self._images = _area(config.images_within, domains)
        self._rules = _compiled(config.rules) if config.rules else None
        self._max_depth = float("inf") if config.depth is None else config.depth
        self._not_within = Skip("scope", f"scope.within: {config.within}")
        self._not_images_within = Skip(
            "scope", f"scope.images_within: {config.images_within}"
        )
        self._too_deep = Skip("depth", f"scope.depth: {config.depth}")
        for seed in seeds:
            self.widen(seed)

    def check(self, url: str, destination: Destination, depth: int) -> Skip | None:
        """None if the canonical `url` may be fetched, else why not.

        `depth` counts links from a seed; 0 means a seed, or what it redirected to.
        """
        if not url.startswith(("https://", "http://")):
            return Skip("scheme", f"scheme: {scheme(url)}")
        if destination == "image":
            if not self._images.holds(url):
                return self._not_images_within
            return self._rules.check(url, strict=False) if self._rules else None
        if not self._pages.holds(url):
            return self._not_within
        if self._rules and (skip := self._rules.check(url, strict=depth > 0)):
            return skip
        return self._too_deep if depth > self._max_depth else None

    def check_found(
        self, url: str, kind: LinkKind, destination: Destination, depth: int
    ) -> Skip | None:
        """The same, going by how it was found too."""
        if kind in ("robots_sitemap", "sitemap_index"):
            return self.judge_sitemap(url)
        return self.check(url, destination, depth)

    def judge_sitemap(self, url: str) -> Skip | None:
        """The same for a sitemap that a site names: it may lie on any host, as pictures
        may."""
        if not url.startswith(("https://", "http://")):
            return Skip("scheme", f"scheme: {scheme(url)}")
        return self._rules.check(url, strict=False) if self._rules else None

    def widen(self, url: str) -> None:
        """Takes in a seed, or the URL that a seed redirected to."""
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
    def add(self, seed: str) -> None:
        pass

    def holds(self, url: str) -> bool:
        return True


class _Hosts:
    """Hosts that agree with a seed's in what `measure` makes of a host key."""

    def __init__(self, domains: tuple[str, ...], measure: Callable[[str], str]) -> None:
        self._domains = domains
        self._measure = measure
        self._seeds: set[str] = set()
        self._known: dict[str, bool] = {}

    def add(self, seed: str) -> None:
        self._seeds.add(self._measure(host_key(seed)))
        self._known.clear()

    def holds(self, url: str) -> bool:
        host = host_key(url)
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= _HOSTS_REMEMBERED:
                self._known.clear()
            known = self._measure(host) in self._seeds or _is_of(host, self._domains)
            self._known[host] = known
        return known


class _Paths:
    """The seeds' folders and what lies below them, or just the seeds (`whole`), scheme
    aside."""

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
            f"scope.domains: {entry!r} is no domain; write it as example.com"
        )
    return "." + hostname(host_key(url))


def _compiled(rules: tuple[str, ...]) -> UrlFilters:
    from crawler.policy.url_filters import (
        UrlFilters,  # with RE2, which a crawl without rules does not need
    )

    return UrlFilters(rules)
