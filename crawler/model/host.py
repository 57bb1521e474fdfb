"""What each host has cost a crawl so far, and what hosts are waited for.

No I/O, no clock. A usage is pages, bytes and time.

The time of a host is that of its requests and of the pauses that follow them (delays,
Retry-After, back-off); what overlaps counts once. So it does not run while the host
waits for its turn among others, while it is parked, or while no crawl runs.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class HostUsage(Struct, frozen=True):
    """The usage of one host.

    The store writes it in the same commit as the results that caused it.
    """

    pages: int = 0
    wire_bytes: int = 0
    """Bodies as they were received: all of them, also those of robots.txt.

    Those that broke off or were not kept count for what came of them.
    """
    seconds: float = 0.0
    until: float = 0.0
    """The end of the time that is counted, seconds since the epoch."""

    def charged(self, sent_at: float, until: float, wire_bytes: int) -> HostUsage:
        """With one request more, which kept the host busy from `sent_at` to `until`."""
        more = max(0.0, until - max(sent_at, self.until))
        end = max(self.until, until)
        return HostUsage(
            self.pages, self.wire_bytes + wire_bytes, self.seconds + more, end
        )

    def with_page(self) -> HostUsage:
        """With one page more."""
        return HostUsage(self.pages + 1, self.wire_bytes, self.seconds, self.until)


NO_USAGE = HostUsage()


SILENT_S = 3.0
"""A request that is not answered for longer is waited for (seconds)."""

WaitState = Literal["parked", "backing off", "slowed down", "delay", "retry"]


class Waiting(Struct, frozen=True):
    """Hosts, or with the state `retry` URLs, that wait for the same cause."""

    state: WaitState
    cause: str
    """429, 503, timeout, robots.txt answered 503, Crawl-delay, or an `error_code`."""
    hosts: int
    urls: int
    due_s: float
    """Seconds until the first of them is due."""


class Waits(Struct, frozen=True):
    """What a crawl waits for at one moment."""

    groups: tuple[Waiting, ...] = ()
    """By cause, those with the most hosts and URLs first."""
    oldest_request_s: float = 0.0
    """How long the host that is silent for longest has not answered (seconds)."""
    slowest_host: str = ""
    least_s: float = 0.0
    """The crawl takes at least this long (seconds); 0: that is unknown.

    It is the time of the queue of `slowest_host`, or, where that is empty, until the
    next attempt of hosts or URLs that have failed.
    """
    silent_host: str = ""
    """The host of `oldest_request_s`."""
    stops_in_s: float | None = None
    """When `limits.max_time` stops the run (seconds); None without such a limit."""

    @property
    def is_predictable(self) -> bool:
        """Whether a rate of the past tells something of the time that is left.

        It does not while hosts fail or refuse: how often they will is unknown.
        """
        return all(one.state in ("delay", "retry") for one in self.groups)


NO_WAITS = Waits()
