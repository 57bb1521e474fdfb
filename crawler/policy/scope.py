"""The check of the scope: which URLs belong to the crawl.

The options `scope.within`, `scope.images_within` and `scope.domains` decide. A URL
belongs to the crawl if its scheme is http or https, and if it lies within the
surroundings of a seed, or on one of the domains. What is within may still be refused by
the URL filters (`url_filters.py`) and by the depth (`depth.py`), which are checks of
their own.

What a seed redirects to belongs to the crawl as well, each step to the last page. The
surroundings of that page do if `scope.follow_redirect` says so: by default if it has
the seed's registrable domain, or differs by `www.`, which many sites add. A seed that
was sold, or that leads to a login elsewhere, would else bring a foreign site into the
crawl.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from crawler.model.crawl import Lease, Skip
from crawler.model.documents import LinkKind
from crawler.model.errors import UsageError
from crawler.model.policy_config import ScopeConfig
from crawler.model.url import (
    canonical,
    host_key,
    hostname,
    origin,
    registrable_domain,
    scheme,
)
from crawler.policy.check import FOUND, Candidate

NAMED_SITEMAPS: tuple[LinkKind, ...] = ("robots_sitemap", "sitemap_index")
"""The link kinds under which a site names its sitemaps.

Sitemaps may be on any host and at any depth, as images may.
"""
SITEMAPS: tuple[LinkKind, ...] = (*NAMED_SITEMAPS, "sitemap")
ONWARD: tuple[LinkKind, ...] = ("redirect", "meta_refresh")
"""The link kinds by which a seed goes on to another URL; that one has depth 0 too."""
_SCHEMES = ("https://", "http://")
_MAX_ORIGINS = 10_000
"""Origins whose answer is remembered."""


def is_named_sitemap(lease: Lease) -> bool:
    """Whether robots.txt, a sitemap index or, as a seed, the user named the URL."""
    return lease.kind in NAMED_SITEMAPS or lease.depth == 0


class Scope:
    """The scope of one crawl.

    `seeds` are canonical URLs. `redirects` are URLs where the redirects of seeds ended
    in an earlier run, each with its seed, as SEED_REDIRECTS has them. Raises UsageError
    for a domain that can't be understood.
    """

    name = "scope"
    moments = FOUND

    def __init__(
        self,
        config: ScopeConfig,
        seeds: Iterable[str] = (),
        redirects: Iterable[tuple[str, bytes]] = (),
    ) -> None:
        domains = frozenset(map(_domain, config.domains))
        self.within = config.within
        self._follow_redirect = config.follow_redirect
        self._check_external = config.check_external
        self._pages = _area(config.within, domains)
        self._images = _area(config.images_within, domains)
        self._not_within = Skip("scope", f"scope.within: {config.within}")
        self._not_images_within = Skip(
            "scope", f"scope.images_within: {config.images_within}"
        )
        for seed in seeds:
            self.add_seed(seed)
        for url, seed_of in redirects:
            self.add_redirected(seed_of.decode(), url)

    def check(self, candidate: Candidate) -> Skip | None:
        url = candidate.url
        if not url.startswith(_SCHEMES):
            return Skip("scheme", f"scheme: {scheme(url)}")
        if candidate.destination == "external":
            return None if self._check_external else self._not_within
        if candidate.destination != "page":
            return None if self._images.holds(url) else self._not_images_within
        if self._pages.holds(url) or candidate.kind in NAMED_SITEMAPS:
            return None
        parent = candidate.parent_url
        if candidate.kind == "api" and parent and origin(url) == origin(parent):
            return None  # the answer after that of a seed
        if candidate.depth == 0 and candidate.seed_url and candidate.kind in ONWARD:
            return None
        return self._not_within

    def holds(self, url: str) -> bool:
        """Whether links to `url` are followed."""
        return self._pages.holds(url)

    def add_seed(self, url: str) -> None:
        """Add a seed."""
        self._pages.add(url)
        self._images.add(url)

    def add_redirected(self, seed: str, url: str) -> None:
        """Add the URL where the redirects of `seed` end, if the scope follows them."""
        if self.follows(seed, url):
            self.add_seed(self._start(seed, url))

    def follows(self, seed: str, url: str) -> bool:
        """Whether a redirect of `seed` to `url` widens the scope.

        `seed` is empty for a redirect of an earlier version's crawl, which did.
        """
        if not seed or self._follow_redirect == "any":
            return True
        return self._follow_redirect == "same-domain" and _is_same_site(seed, url)

    def _start(self, seed: str, url: str) -> str:
        """What to add in place of `url`.

        With `prefix`, a redirect to a folder above the seed's own changes the host, and
        does not widen the crawl to that folder.
        """
        if self.within != "prefix" or not seed:
            return url
        path, target = _path(seed), _path(url)
        if _folder(path).startswith(_folder(target)):
            return url.removesuffix(target) + path
        return url

    def redirect_words(self, seed: str, url: str) -> str | None:
        """What follows from a redirect of `seed` to `url`, in words for the user.

        None where nothing follows, because the scope has no surroundings.
        """
        if self.within == "page":
            return None
        option = f"scope.follow_redirect: {self._follow_redirect}"
        if not self.follows(seed, url):
            then = "outside the scope: links there are not followed"
        elif self.within == "prefix":
            start = self._start(seed, url)
            folder = start.removesuffix(_path(start)) + _folder(_path(start))
            then = f"and links below {folder} are followed"
        else:
            then = "and links there are followed"
        return f"the seed {seed} leads to {url}, {then} ({option})"


class _Area(Protocol):
    """The surroundings of the seeds."""

    def add(self, seed: str) -> None: ...

    def holds(self, url: str) -> bool: ...


def _area(within: str, domains: frozenset[str]) -> _Area:
    if within == "any":
        return _Everywhere()
    if within == "page":
        return _Pages(domains)
    if within == "prefix":
        return _Folders(domains)
    return _Hosts(domains, _registered if within == "domain" else str)


class _Everywhere:
    """All of the web."""

    def add(self, seed: str) -> None:
        pass

    def holds(self, url: str) -> bool:
        return True


class _Hosts:
    """All hosts that `measure` maps to the same value as the host of a seed."""

    def __init__(self, domains: frozenset[str], measure: Callable[[str], str]) -> None:
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


class _Pages:
    """The seeds only. The scheme does not matter."""

    def __init__(self, domains: frozenset[str]) -> None:
        self._domains = domains
        self._seeds: set[str] = set()

    def add(self, seed: str) -> None:
        self._seeds.add(seed.partition("://")[2])

    def holds(self, url: str) -> bool:
        if url.partition("://")[2] in self._seeds:
            return True
        return bool(self._domains) and _is_of(host_key(url), self._domains)


class _Folders:
    """The seeds' folders and everything below. The scheme does not matter.

    A URL is looked up once for each length that a folder has. So a million seeds cost
    little more than one.
    """

    def __init__(self, domains: frozenset[str]) -> None:
        self._domains = domains
        self._folders: set[str] = set()
        self._lengths: list[int] = []

    def add(self, seed: str) -> None:
        folder = seed.partition("://")[2].partition("?")[0].rpartition("/")[0] + "/"
        self._folders.add(folder)
        if len(folder) not in self._lengths:
            self._lengths.append(len(folder))

    def holds(self, url: str) -> bool:
        path = url.partition("://")[2]
        for length in self._lengths:
            if path[:length] in self._folders:
                return True
        return bool(self._domains) and _is_of(host_key(url), self._domains)


def _path(url: str) -> str:
    """The path and the query of a URL."""
    return url[url.index("/", 8) :]


def _folder(path: str) -> str:
    return path.partition("?")[0].rpartition("/")[0] + "/"


def _is_same_site(one: str, other: str) -> bool:
    """Whether the hosts are equal but for `www.`, or have one registrable domain."""
    hosts = [hostname(host_key(url)).rstrip(".") for url in (one, other)]
    if len({host.removeprefix("www.") for host in hosts}) == 1:
        return True
    domains = {registrable_domain(host) for host in hosts}
    return len(domains) == 1 and None not in domains


def _registered(host: str) -> str:
    return registrable_domain(host) or hostname(host)


def _is_of(host: str, domains: frozenset[str]) -> bool:
    name = "." + hostname(host)
    while name:
        if name in domains:
            return True
        name = name[dot:] if (dot := name.find(".", 1)) > 0 else ""
    return False


def _domain(entry: str) -> str:
    """`example.com`, `.example.com` and `*.example.com` all as `.example.com`."""
    url = canonical(f"http://{entry.removeprefix('*').removeprefix('.')}/")
    if url is None or url.count("/") != 3:
        raise UsageError(
            f"scope.domains: {entry!r} is not a valid domain; write it as example.com"
        )
    return "." + hostname(host_key(url))
