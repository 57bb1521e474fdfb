"""The name servers, and in which order to query them. No I/O."""

from __future__ import annotations

from collections.abc import Callable

from crawler.fetch.dns.files import Server

MAX_UNANSWERED = 3
"""Attempts in all without any answer, after which no server is considered usable."""
MIN_BACKOFF, MAX_BACKOFF = 2.0, 60.0
"""How long a server that did not answer comes last in the order (seconds)."""


class NameServers:
    """The configured servers and their recent attempts.

    A server that does not answer backs off: it is queried only after all others. Each
    further attempt without an answer doubles the time. `clock` returns monotonic time
    (seconds).
    """

    def __init__(self, servers: list[Server], clock: Callable[[], float]) -> None:
        self._servers = servers
        self._clock = clock
        self._unanswered = dict.fromkeys(servers, 0)
        self._backoff_until = dict.fromkeys(servers, 0.0)
        self._ever_answered = False

    @property
    def are_usable(self) -> bool:
        """False if there is no server, or if none has answered any of the attempts."""
        if self._ever_answered:
            return True
        unanswered = sum(self._unanswered.values())
        return bool(self._servers) and unanswered < MAX_UNANSWERED

    def in_order(self) -> list[Server]:
        """As configured, but those that back off come last, the next to end first."""
        now = self._clock()
        return sorted(
            self._servers, key=lambda s: max(0.0, self._backoff_until[s] - now)
        )

    def record_attempt(self, server: Server, *, answered: bool) -> None:
        """Record whether `server` answered an attempt."""
        if answered:
            self._ever_answered = True
            self._unanswered[server] = 0
            self._backoff_until[server] = 0.0
            return
        self._unanswered[server] += 1
        doublings = min(self._unanswered[server] - 1, 10)
        backoff = min(MIN_BACKOFF * 2**doublings, MAX_BACKOFF)
        self._backoff_until[server] = self._clock() + backoff
