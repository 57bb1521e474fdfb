"""Idle connections by key: the origin, and the proxy in front of it.

This file does not import the hub, so `acquire` and `release` are atomic. A connection
is owned either by the pool or by the one greenlet that acquired it. Its state changes
inside `acquire` and `release`, never while another greenlet runs, so a connection can
neither be handed out twice nor be closed after it was handed out.

The most recently used connection is acquired first. The others expire, so the number of
connections to a server shrinks when the traffic does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from msgspec import Struct


class Poolable(Protocol):
    """A connection: it has a key, can be closed and can tell whether it is stale."""

    @property
    def key(self) -> str: ...

    def is_stale(self) -> bool:
        """Whether a byte or the end of the stream arrived while it was idle."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Poolable)


class PoolStatistics(Struct, frozen=True):
    """Counts since the start; `idle` is the current number."""

    idle: int
    reused: int
    expired: int
    stale: int
    """Connections that the server closed, or sent bytes on, while they were idle."""
    evicted: int


class Pool(Generic[C]):
    """Keeps idle connections: up to `per_origin` of one key, up to `total` in all.

    A connection is kept for `idle_s` seconds. `clock` returns monotonic time (seconds).
    """

    def __init__(
        self, per_origin: int, total: int, idle_s: float, clock: Callable[[], float]
    ) -> None:
        self._per_origin = per_origin
        self._total = total
        self._idle_s = idle_s
        self._clock = clock
        # All idle connections with the time of their release, the oldest first ...
        self._since: OrderedDict[C, float] = OrderedDict()
        # ... and the same ones by key.
        self._by_key: dict[str, list[C]] = {}
        self._next_expiry = 0.0
        self._closed = False
        self._reused = self._expired = self._stale = self._evicted = 0

    def acquire(self, key: str) -> C | None:
        """Hand out an idle connection of `key` that is not stale; else None."""
        idle = self._by_key.get(key)
        if idle is None:
            return None
        oldest_allowed = self._clock() - self._idle_s
        while idle:
            connection = idle.pop()
            since = self._since.pop(connection)
            if not idle:
                del self._by_key[key]
            if since <= oldest_allowed:
                self._expired += 1
            elif connection.is_stale():
                self._stale += 1
            else:
                self._reused += 1
                return connection
            connection.close()
        return None

    def release(self, connection: C) -> None:
        """Keep `connection` or close it; the caller must not use it any more."""
        if self._closed:
            connection.close()
            return
        now = self._clock()
        if now >= self._next_expiry:
            self._expire(now)
        idle = self._by_key.setdefault(connection.key, [])
        idle.append(connection)
        self._since[connection] = now
        if len(idle) > self._per_origin:
            self._evict(idle[0])
        elif len(self._since) > self._total:
            self._evict(next(iter(self._since)))

    def close_idle(self, key: str) -> None:
        """Close all idle connections of `key`."""
        for connection in list(self._by_key.get(key, ())):
            self._remove(connection)
            connection.close()

    def close(self) -> None:
        """Close all idle connections, and every connection released from now on."""
        self._closed = True
        for connection in list(self._since):
            self._remove(connection)
            connection.close()

    def statistics(self) -> PoolStatistics:
        return PoolStatistics(
            len(self._since), self._reused, self._expired, self._stale, self._evicted
        )

    def _expire(self, now: float) -> None:
        """Close the expired connections.

        Now and then is enough, because `acquire` checks the age itself.
        """
        self._next_expiry = now + self._idle_s / 4
        while self._since:
            connection, since = next(iter(self._since.items()))
            if since > now - self._idle_s:
                return
            self._remove(connection)
            self._expired += 1
            connection.close()

    def _evict(self, connection: C) -> None:
        self._remove(connection)
        self._evicted += 1
        connection.close()

    def _remove(self, connection: C) -> float:
        """Remove an idle connection; return the time of its release."""
        idle = self._by_key[connection.key]
        idle.remove(connection)
        if not idle:
            del self._by_key[connection.key]
        return self._since.pop(connection)
