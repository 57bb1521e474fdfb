"""Cookies by RFC 6265bis: what a Set-Cookie means, and what is sent to whom. No I/O, no
clock.

Theory. A cookie belongs to a host, or, with the attribute Domain, to a domain and
everything below it. Whoever could set one for a domain that is not theirs could plant a
login or read one; so a Domain must cover the host that sets it and must not be a public
suffix. The scheme counts only for `Secure` cookies, and the port not at all: this is
the standard, and the reason why credentials, which are ours, do not live here.

A crawler is a browser that never clicks: fetching a page is a top-level navigation that
the page it was found on began, fetching an image is a subresource of that page.
SameSite is about the difference: an image on another site is asked for without cookies,
unless they are `SameSite=None`, and can't set any others. So no host can follow the
crawl from site to site by its images.

Everything is bounded (section 6.1): the size of one, the number of a domain and the
number of all; the one that was not used for the longest time goes first. Names and
values are latin-1, like all header values here, so that the bytes sent are the bytes
received.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from crawler.fetch.cookies.date import parse_date
from crawler.model.url import registrable_domain

SameSite = Literal["default", "none", "lax", "strict"]

MAX_COOKIE = 4096
"""Of name and value together, bytes."""
MAX_ATTRIBUTE = 1024
MAX_PER_DOMAIN = 180
"""Of one registrable domain; Chromium's number."""
MAX_TOTAL = 3000
MAX_AGE_S = 400 * 86400
"""Longer lives are cut to this (section 5.5)."""

_PAST = -(2.0**53)
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_WSP = " \t"
_MAX_AGE = re.compile(r"-?\d+", re.ASCII)
_SAME_SITE: dict[str, SameSite] = {"none": "none", "lax": "lax", "strict": "strict"}


class Cookie(Struct, frozen=True):
    """One cookie, as it is kept. `expires` and `created`: seconds since the epoch."""

    name: str
    value: str
    domain: str
    """Lower case, without a dot before it; an IPv6 address without brackets."""
    path: str = "/"
    expires: float | None = None
    """None: until the end of the crawl."""
    created: float = 0.0
    host_only: bool = True
    secure: bool = False
    http_only: bool = False
    same_site: SameSite = "default"


class Site(NamedTuple):
    """Where a request goes, and where it comes from."""

    host: str
    """Serialised (WHATWG), lower case, an IPv6 address without brackets."""
    path: str
    """Of the URL; a query is ignored."""
    secure: bool
    """Over TLS."""
    initiator: str | None = None
    """`scheme://host` of the page that led here, None for a seed: nobody did."""
    subresource: bool = False
    """An image; else a page."""


class CookieJar:
    """All cookies of one crawl. `now` is always seconds since the epoch.

    `keep` is called with a domain and all its cookies when some of them have changed.
    """

    def __init__(
        self,
        keep: Callable[[str, list[Cookie]], None] | None = None,
        *,
        per_domain: int = MAX_PER_DOMAIN,
        total: int = MAX_TOTAL,
    ) -> None:
        self._keep = keep
        self._per_domain = per_domain
        self._total = total
        # By the domain that somebody registered, because no cookie matches a host of
        # another; the domain that was asked for last is the last.
        self._kept: dict[str, dict[_Identity, _Kept]] = {}
        self._count = 0
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Cookie]:
        for group in self._kept.values():
            yield from (kept.cookie for kept in group.values())

    def _of(self, domain: str) -> list[Cookie]:
        return [kept.cookie for kept in self._kept.get(domain, {}).values()]

    def receive(self, values: Iterable[str], site: Site, now: float) -> None:
        """Take in the values of a response's Set-Cookie fields (section 5.7)."""
        for value in islice(values, MAX_PER_DOMAIN):
            cookie = parse_set_cookie(value, site, now)
            if cookie is not None and not self._overshadows(cookie, site):
                self._put(cookie, now)
        self._tell()

    def put(self, cookie: Cookie, now: float) -> None:
        """Keep `cookie` in the place of the one with the same name, domain and path.

        If it has expired, that one is only taken away.
        """
        self._put(cookie, now)
        self._tell()

    def _put(self, cookie: Cookie, now: float) -> None:
        domain = _group(cookie.domain)
        group = self._kept.pop(domain, {})
        before = group.get(_identity(cookie))
        if cookie.expires is not None and cookie.expires <= now:
            if before is not None:
                self._remove(domain, group, before)
        elif before is not None:
            cookie = replace(cookie, created=before.cookie.created)
            if cookie != before.cookie:
                self._changed.add(domain)
            before.cookie, before.used = cookie, now
        else:
            group[_identity(cookie)] = _Kept(cookie, now)
            self._count += 1
            self._changed.add(domain)
        if group:
            self._kept[domain] = group
            self._make_room(domain, group, now)

    def header(self, site: Site, now: float) -> str | None:
        """The value of Cookie for a request to `site`, None if there is none (section
        5.8.3)."""
        domain = _group(site.host) if self._kept else ""
        if domain not in self._kept:
            return None
        group = self._kept[domain] = self._kept.pop(domain)
        self._drop_expired(domain, group, now)
        if not group:
            del self._kept[domain]
        cross = not _same_site(site)
        found = [kept for kept in group.values() if _is_sent(kept.cookie, site, cross)]
        found.sort(key=lambda kept: (-len(kept.cookie.path), kept.cookie.created))
        for kept in found:
            kept.used = now
        return "; ".join(_pair(kept.cookie) for kept in found) or None

    def _tell(self) -> None:
        changed, self._changed = self._changed, set()
        if self._keep is not None:
            for domain in sorted(changed):
                self._keep(domain, self._of(domain))

    def _overshadows(self, cookie: Cookie, site: Site) -> bool:
        """Whether a cookie set without TLS would hide one set with it ("leave them
        alone")."""
        if cookie.secure or site.secure:
            return False
        return any(
            other.name == cookie.name
            and other.secure
            and (
                _covers(other.domain, cookie.domain)
                or _covers(cookie.domain, other.domain)
            )
            and path_matches(cookie.path, other.path)
            for other in self._of(_group(cookie.domain))
        )

    def _make_room(
        self, domain: str, group: dict[_Identity, _Kept], now: float
    ) -> None:
        if len(group) > self._per_domain:
            self._drop_expired(domain, group, now)
        while len(group) > self._per_domain:
            self._evict(domain, group)
        while self._count > self._total:
            oldest, kept = next(iter(self._kept.items()))
            self._evict(oldest, kept)
            if not kept:
                del self._kept[oldest]

    def _evict(self, domain: str, group: dict[_Identity, _Kept]) -> None:
        """The least recently used goes; among equals one without Secure, and then the
        oldest."""
        self._remove(
            domain, group, min(group.values(), key=lambda k: (k.used, k.cookie.secure))
        )

    def _drop_expired(
        self, domain: str, group: dict[_Identity, _Kept], now: float
    ) -> None:
        for kept in list(group.values()):
            if kept.cookie.expires is not None and kept.cookie.expires <= now:
                self._remove(domain, group, kept)

    def _remove(self, domain: str, group: dict[_Identity, _Kept], kept: _Kept) -> None:
        del group[_identity(kept.cookie)]
        self._count -= 1
        self._changed.add(domain)


_Identity = tuple[str, str, bool, str]


class _Kept:
    __slots__ = ("cookie", "used")

    def __init__(self, cookie: Cookie, used: float) -> None:
        self.cookie = cookie
        self.used = used


def _identity(cookie: Cookie) -> _Identity:
    return cookie.name, cookie.domain, cookie.host_only, cookie.path


def _group(host: str) -> str:
    return host if _is_address(host) else registrable_domain(host) or host


def _pair(cookie: Cookie) -> str:
    return f"{cookie.name}={cookie.value}" if cookie.name else cookie.value


# -- what a Set-Cookie says
# -------------------------------------------------------------------


def parse_set_cookie(value: str, site: Site, now: float) -> Cookie | None:
    """The cookie that the field value sets for `site`, None if it sets none there (5.6,
    5.7)."""
    if _CONTROL.search(value):
        return None
    pair, _, rest = value.partition(";")
    name, equals, content = pair.partition("=")
    if not equals:
        name, content = "", pair
    name, content = name.strip(_WSP), content.strip(_WSP)
    if not (name or content) or len(name) + len(content) > MAX_COOKIE:
        return None
    attributes = _attributes(rest)
    domain = _domain(attributes.get("domain", ""), site.host)
    if domain is None:
        return None
    path = attributes.get("path", "")
    cookie = Cookie(
        name,
        content,
        domain or site.host,
        path if path.startswith("/") else default_path(site.path),
        _expiry(attributes, now),
        now,
        host_only=not domain,
        secure="secure" in attributes,
        http_only="httponly" in attributes,
        same_site=_SAME_SITE.get(attributes.get("samesite", "").lower(), "default"),
    )
    return cookie if _is_acceptable(cookie, site, "path" in attributes) else None


def _attributes(text: str) -> dict[str, str]:
    """By lower-case name; the last one of a name counts, dates and ages that are none
    do not."""
    found: dict[str, str] = {}
    for part in text.split(";"):
        name, _, value = part.partition("=")
        name, value = name.strip(_WSP).lower(), value.strip(_WSP)
        if len(value) > MAX_ATTRIBUTE or not name:
            continue
        if name == "expires" and parse_date(value) is None:
            continue
        if name == "max-age" and not _MAX_AGE.fullmatch(value):
            continue
        found[name] = value
    return found


def _domain(attribute: str, host: str) -> str | None:
    """The domain it is set for; "" for the host alone, None if it may not be set for
    that."""
    domain = attribute.removeprefix(".").lower()
    if not domain:
        return ""
    if not domain.isascii() or not _covers(domain, host):
        return None
    if _is_address(domain) or registrable_domain(domain) is None:  # or a public suffix
        return "" if domain == host else None
    return domain


def _expiry(attributes: dict[str, str], now: float) -> float | None:
    """Max-Age goes before Expires, whatever their order."""
    if "max-age" in attributes:
        seconds = attributes["max-age"]
        if seconds.startswith("-") or not seconds.strip("0"):
            return _PAST
        # A number of thousands of digits is not worth its conversion.
        return now + (MAX_AGE_S if len(seconds) > 12 else min(int(seconds), MAX_AGE_S))
    if "expires" in attributes:
        moment = parse_date(attributes["expires"])
        assert moment is not None
        return float(min(moment, now + MAX_AGE_S))
    return None


def _is_acceptable(cookie: Cookie, site: Site, has_path: bool) -> bool:
    if cookie.secure and not site.secure:
        return False
    if cookie.same_site == "none":
        if not cookie.secure:
            return False
    elif site.subresource and not _same_site(site):
        return False
    label = (cookie.name or cookie.value).lower()
    if not label.startswith(("__secure-", "__host-")):
        return True
    if not cookie.name or not cookie.secure:
        return False
    is_host = label.startswith("__host-")
    return not is_host or (cookie.host_only and has_path and cookie.path == "/")


# -- who gets it
# ------------------------------------------------------------------------------


def _is_sent(cookie: Cookie, site: Site, cross_site: bool) -> bool:
    if cookie.host_only:
        if cookie.domain != site.host:
            return False
    elif not _covers(cookie.domain, site.host):
        return False
    if cookie.secure and not site.secure:
        return False
    refused = site.subresource or cookie.same_site == "strict"
    if cross_site and refused and cookie.same_site != "none":
        return False
    return path_matches(site.path.partition("?")[0], cookie.path)


def _covers(domain: str, host: str) -> bool:
    """Domain-match (section 5.1.3)."""
    if domain == host:
        return True
    return host.endswith("." + domain) and not _is_address(host)


def _is_address(host: str) -> bool:
    # The last label of a serialised name is never a number (WHATWG URL, "ends in a
    # number").
    return ":" in host or host.rpartition(".")[2].isdigit()


def path_matches(path: str, cookie_path: str) -> bool:
    """Whether a cookie of `cookie_path` goes with a request for `path` (section
    5.1.4)."""
    if not path.startswith(cookie_path):
        return False
    return (
        len(path) == len(cookie_path)
        or cookie_path.endswith("/")
        or path[len(cookie_path)] == "/"
    )


def default_path(path: str) -> str:
    """The folder of `path`: of "/a/b?c" it is "/a" (section 5.1.4)."""
    folder = path.partition("?")[0].rpartition("/")[0]
    return folder if folder.startswith("/") else "/"


def _same_site(site: Site) -> bool:
    """Scheme and registrable domain of both ends are the same (section 5.2,
    "schemefully")."""
    if site.initiator is None:
        return True
    scheme, _, host = site.initiator.partition("://")
    return (scheme == "https") == site.secure and _group(host) == _group(site.host)
