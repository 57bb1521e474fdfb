"""The cookie jar: stores cookies within bounds and selects those to send. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from msgspec.structs import replace

from crawler.fetch.cookies.cookie import Cookie, RequestContext
from crawler.fetch.cookies.matching import (
    cookie_domain,
    domain_matches,
    is_same_site,
    is_sent,
    path_matches,
)

MAX_PER_DOMAIN = 180
"""Cookies of one registrable domain; this is Chromium's number."""
MAX_TOTAL = 3000
MAX_FIELD = 8190
"""Bytes of the Cookie field of one request, its name included.

This is curl's number, and Apache's limit for a line (LimitRequestFieldSize): a server
answers a longer one with 400, on each of its pages.
"""
_MAX_VALUE = MAX_FIELD - len("Cookie: ")


class CookieJar:
    """All cookies of one crawl. `now` is always seconds since the epoch.

    `on_change` is called with a registrable domain and all its cookies after some of
    them have changed.
    """

    def __init__(
        self,
        on_change: Callable[[str, list[Cookie]], None] | None = None,
        *,
        per_domain: int = MAX_PER_DOMAIN,
        total: int = MAX_TOTAL,
    ) -> None:
        self._on_change = on_change
        self._per_domain = per_domain
        self._total = total
        # By registrable domain, because no cookie matches a host of another one; the
        # most recently used domain is last.
        self._domains: dict[str, dict[_Key, _Entry]] = {}
        self._count = 0
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Cookie]:
        for group in self._domains.values():
            yield from (entry.cookie for entry in group.values())

    def _cookies(self, domain: str) -> list[Cookie]:
        return [entry.cookie for entry in self._domains.get(domain, {}).values()]

    def receive(
        self, values: Iterable[str], request: RequestContext, now: float
    ) -> None:
        """Store the cookies of a response's Set-Cookie fields (section 5.7)."""
        from crawler.fetch.cookies.set_cookie import parse_set_cookie  # on first use

        for value in islice(values, MAX_PER_DOMAIN):
            cookie = parse_set_cookie(value, request, now)
            if cookie is not None and not self._shadows_secure(cookie, request):
                self._put(cookie, now)
        self._notify()

    def put(self, cookie: Cookie, now: float) -> None:
        """Store `cookie` in place of the one with the same name, domain and path.

        If `cookie` has expired, the old one is removed and nothing is stored.
        """
        self._put(cookie, now)
        self._notify()

    def _put(self, cookie: Cookie, now: float) -> None:
        domain = cookie_domain(cookie.domain)
        group = self._domains.pop(domain, {})
        before = group.get(_key(cookie))
        if cookie.expires is not None and cookie.expires <= now:
            if before is not None:
                self._remove(domain, group, before)
        elif before is not None:
            cookie = replace(cookie, created=before.cookie.created)
            if cookie != before.cookie:
                self._changed.add(domain)
            before.cookie, before.used = cookie, now
        else:
            group[_key(cookie)] = _Entry(cookie, now)
            self._count += 1
            self._changed.add(domain)
        if group:
            self._domains[domain] = group
            self._enforce_limits(domain, group, now)

    def header(self, request: RequestContext, now: float) -> str | None:
        """The value of the Cookie field for `request`; None if no cookie matches.

        See RFC 6265bis, section 5.8.3. If they do not fit into MAX_FIELD, those with
        the longest paths are sent, and of these the newest first.
        """
        domain = cookie_domain(request.host) if self._domains else ""
        if domain not in self._domains:
            return None
        group = self._domains[domain] = self._domains.pop(domain)
        self._drop_expired(domain, group, now)
        if not group:
            del self._domains[domain]
        cross_site = not is_same_site(request)
        found = [
            entry
            for entry in group.values()
            if is_sent(entry.cookie, request, cross_site)
        ]
        found.sort(key=lambda entry: (-len(entry.cookie.path), entry.cookie.created))
        value = _value(found)
        if len(value) > _MAX_VALUE:
            found = _those_that_fit(found)
            value = _value(found)
        for entry in found:
            entry.used = now
        return value or None

    def _notify(self) -> None:
        changed, self._changed = self._changed, set()
        if self._on_change is not None:
            for domain in sorted(changed):
                self._on_change(domain, self._cookies(domain))

    def _shadows_secure(self, cookie: Cookie, request: RequestContext) -> bool:
        """Whether `cookie`, set without TLS, would hide a Secure cookie.

        See "leave secure cookies alone", section 5.7.
        """
        if cookie.secure or request.secure:
            return False
        return any(
            other.name == cookie.name
            and other.secure
            and (
                domain_matches(other.domain, cookie.domain)
                or domain_matches(cookie.domain, other.domain)
            )
            and path_matches(cookie.path, other.path)
            for other in self._cookies(cookie_domain(cookie.domain))
        )

    def _enforce_limits(
        self, domain: str, group: dict[_Key, _Entry], now: float
    ) -> None:
        if len(group) > self._per_domain:
            self._drop_expired(domain, group, now)
        while len(group) > self._per_domain:
            self._evict(domain, group)
        while self._count > self._total:
            oldest, entries = next(iter(self._domains.items()))
            self._evict(oldest, entries)
            if not entries:
                del self._domains[oldest]

    def _evict(self, domain: str, group: dict[_Key, _Entry]) -> None:
        """Remove the least recently used cookie.

        Among equals it is one without Secure, and then the oldest one.
        """
        self._remove(
            domain, group, min(group.values(), key=lambda e: (e.used, e.cookie.secure))
        )

    def _drop_expired(self, domain: str, group: dict[_Key, _Entry], now: float) -> None:
        for entry in list(group.values()):
            if entry.cookie.expires is not None and entry.cookie.expires <= now:
                self._remove(domain, group, entry)

    def _remove(self, domain: str, group: dict[_Key, _Entry], entry: _Entry) -> None:
        del group[_key(entry.cookie)]
        self._count -= 1
        self._changed.add(domain)


_Key = tuple[str, str, bool, str]


class _Entry:
    __slots__ = ("cookie", "used")

    def __init__(self, cookie: Cookie, used: float) -> None:
        self.cookie = cookie
        self.used = used


def _key(cookie: Cookie) -> _Key:
    return cookie.name, cookie.domain, cookie.host_only, cookie.path


def _pair(cookie: Cookie) -> str:
    return f"{cookie.name}={cookie.value}" if cookie.name else cookie.value


def _value(entries: list[_Entry]) -> str:
    return "; ".join(_pair(entry.cookie) for entry in entries)


def _those_that_fit(entries: list[_Entry]) -> list[_Entry]:
    """The most specific and newest of `entries`, whose order is that of the field.

    Cookies of one response have the same time; of these the last one is the newest.
    """
    newest_first = entries[::-1]
    newest_first.sort(
        key=lambda entry: (-len(entry.cookie.path), -entry.cookie.created)
    )
    left = _MAX_VALUE
    kept: set[_Key] = set()
    for entry in newest_first:
        size = len(_pair(entry.cookie)) + (len("; ") if kept else 0)
        if size <= left:
            left -= size
            kept.add(_key(entry.cookie))
    return [entry for entry in entries if _key(entry.cookie) in kept]
