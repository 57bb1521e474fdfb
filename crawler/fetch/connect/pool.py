"""Idle connections, by key: the origin, and the proxy on the way to it. Imports no hub,
so taking and giving are atomic.

A connection is in one place at a time: here, or with the one greenlet that took it. Its
state changes in `acquire` and `release` themselves, not when some other greenlet runs, so
that a connection can neither be handed out twice nor be closed after it was handed out.
The youngest is taken first: the older ones grow too old, and the server's burden
shrinks when the traffic does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from msgspec import Struct


class Poolable(Protocol):
    """What is kept: it has a key, can be closed, and knows whether it is still good."""

    @property
    def key(self) -> str: ...

    def is_stale(self) -> bool:
        """Whether a byte or the end of the stream arrived while it was idle."""

    def close(self) -> None: ...


C = TypeVar("C", bound=Poolable)


class PoolStatistics(Struct, frozen=True):
    """Counts since the start; `idle` is now."""

    idle: int
    reused: int
    expired: int
    stale: int
    """Closed by the server, or spoken to unasked, while idle."""
    evicted: int


class Pool(Generic[C]):
    """Idle connections: at most `per_origin` of one origin, `total` in all, for
    `idle_s` seconds.

    `clock` gives seconds, monotonic.
    """

    def __init__(
        self, per_origin: int, total: int, idle_s: float, clock: Callable[[], float]
    ) -> None:
        self._per_origin = per_origin
        self._total = total
        self._idle_s = idle_s
        self._clock = clock
        # All idle connections with the time they were given, the oldest first ...
        self._since: OrderedDict[C, float] = OrderedDict()
        # ... and the same ones by key.
        self._by_key: dict[str, list[C]] = {}
        self._next_expiry = 0.0
        self._closed = False
        self._reused = self._expired = self._stale = self._evicted = 0

    def acquire(self, key: str) -> C | None:
        """An idle connection of `key` that is still quiet, now the caller's; or
        None."""
        idle = self._by_key.get(key)
        if idle is None:
            return None
        oldest_allowed = self._clock() - self._idle_s
        while idle:
            connection = idle[-1]
            since = self._remove(connection)
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
        """Keep `connection`, or close it; the caller must not use it any more."""
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
        """Close all, and everything that is given from now on."""
        self._closed = True
        for connection in list(self._since):
            self._remove(connection)
            connection.close()

    def statistics(self) -> PoolStatistics:
        return PoolStatistics(
            len(self._since), self._reused, self._expired, self._stale, self._evicted
        )

    def _expire(self, now: float) -> None:
        """Close what has grown too old. Now and then is enough: `acquire` looks for
        itself."""
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
        """Forget it; when it was given."""
        idle = self._by_key[connection.key]
        idle.remove(connection)
        if not idle:
            del self._by_key[connection.key]
        return self._since.pop(connection)
