"""What is known of names, and for how long. No I/O.

An answer is believed for its TTL, within bounds: not shorter than MIN, because a crawl
comes back to a host within seconds, and not longer than MAX. After that it is stale,
and serves only while no server gives another (RFC 8767). That a name does not exist is
believed for a short time as well, and that no server could say anything for a shorter
one: a host with ten thousand URLs must not ask ten thousand times.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from crawler.model.errors import NameFailure

MIN_TTL, MAX_TTL = 10.0, 3600.0
MIN_NEGATIVE, MAX_NEGATIVE = 5.0, 300.0
FAILED_FOR = 5.0
STALE_FOR = 86400.0
STALE_AGAIN = 30.0
"""How long a stale answer serves before the servers are asked again."""
MAX_NAMES = 10_000


class CacheEntry(Struct):
    """Addresses of a name, or the failure that looking it up ended in."""

    addresses: tuple[str, ...]
    until: float
    stale_until: float
    failure: tuple[type[NameFailure], str] | None = None
    """Class and message: one exception instance is never raised twice."""


class NameCache:
    """Bounded; the name that was not asked for the longest goes first. `now` in
    seconds."""

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._names: OrderedDict[str, CacheEntry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._names)

    def get(self, host: str, now: float) -> CacheEntry | None:
        """What may be believed now."""
        known = self._names.get(host)
        if known is None or known.until <= now:
            return None
        self._names.move_to_end(host)
        return known

    def found(
        self, host: str, addresses: tuple[str, ...], ttl: float, now: float
    ) -> CacheEntry:
        """The servers gave addresses."""
        until = now + min(max(ttl, MIN_TTL), MAX_TTL)
        return self._keep(host, CacheEntry(addresses, until, until + STALE_FOR))

    def denied(
        self, host: str, failure: NameFailure, ttl: float, now: float
    ) -> CacheEntry:
        """The servers say that there are none."""
        until = now + min(max(ttl, MIN_NEGATIVE), MAX_NEGATIVE)
        return self._keep(
            host, CacheEntry((), until, until, (type(failure), failure.message))
        )

    def failed(self, host: str, failure: NameFailure, now: float) -> CacheEntry:
        """The servers say nothing of use: a stale answer goes on to serve, if there is
        one."""
        stale = self._names.get(host)
        if stale is not None and stale.addresses and stale.stale_until > now:
            stale.until = now + STALE_AGAIN
            return self._keep(host, stale)
        until = now + FAILED_FOR
        return self._keep(
            host, CacheEntry((), until, until, (type(failure), failure.message))
        )

    def _keep(self, host: str, known: CacheEntry) -> CacheEntry:
        self._names[host] = known
        self._names.move_to_end(host)
        if len(self._names) > self._limit:
            self._names.popitem(last=False)
        return known
