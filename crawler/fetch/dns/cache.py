"""The DNS cache: the addresses of names, and for how long they are valid. No I/O.

An answer is valid for its TTL, within bounds: at least MIN_TTL, because a crawl comes
back to a host within seconds, and at most MAX_TTL. After that it is stale, and is used
only while no server gives another one (RFC 8767). The answer that a name does not exist
is cached for a short time, and the failure of all servers for an even shorter time: a
host with ten thousand URLs must not cause ten thousand queries.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from crawler.model.errors import NameFailure

MIN_TTL, MAX_TTL = 10.0, 3600.0
"""Bounds for the TTL of addresses (seconds)."""
MIN_NEGATIVE_TTL, MAX_NEGATIVE_TTL = 5.0, 300.0
"""Bounds for the TTL of the answer that there are no addresses (seconds)."""
FAILURE_TTL = 5.0
"""How long the failure of all servers is cached (seconds)."""
MAX_STALE = 86400.0
"""How long addresses may be used after their TTL has ended (seconds)."""
STALE_TTL = 30.0
"""How long stale addresses are used before the servers are queried again (seconds)."""
MAX_NAMES = 10_000


class CacheEntry(Struct):
    """The addresses of a name, or the failure that resolving it ended in."""

    addresses: tuple[str, ...]
    until: float
    stale_until: float
    failure: tuple[type[NameFailure], str] | None = None
    """Class and message, because one exception instance must not be raised twice."""


class NameCache:
    """Up to `limit` names; the least recently used is evicted first. `now`: seconds."""

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._entries: OrderedDict[str, CacheEntry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, host: str, now: float) -> CacheEntry | None:
        """The entry of `host` that is valid now, or None."""
        entry = self._entries.get(host)
        if entry is None or entry.until <= now:
            return None
        self._entries.move_to_end(host)
        return entry

    def put(
        self, host: str, addresses: tuple[str, ...], ttl: float, now: float
    ) -> CacheEntry:
        """Cache the addresses that a server gave."""
        until = now + min(max(ttl, MIN_TTL), MAX_TTL)
        return self._put(host, CacheEntry(addresses, until, until + MAX_STALE))

    def put_negative(
        self, host: str, failure: NameFailure, ttl: float, now: float
    ) -> CacheEntry:
        """Cache the answer that there are no addresses."""
        until = now + min(max(ttl, MIN_NEGATIVE_TTL), MAX_NEGATIVE_TTL)
        return self._put(host, _failed(failure, until))

    def put_failure(self, host: str, failure: NameFailure, now: float) -> CacheEntry:
        """Cache that no server gave a usable answer.

        Returns the stale entry instead, if there is one, and keeps it for STALE_TTL.
        """
        stale = self._entries.get(host)
        if stale is not None and stale.addresses and stale.stale_until > now:
            stale.until = now + STALE_TTL
            return self._put(host, stale)
        return self._put(host, _failed(failure, now + FAILURE_TTL))

    def _put(self, host: str, entry: CacheEntry) -> CacheEntry:
        self._entries[host] = entry
        self._entries.move_to_end(host)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)
        return entry


def _failed(failure: NameFailure, until: float) -> CacheEntry:
    return CacheEntry((), until, until, (type(failure), failure.message))
