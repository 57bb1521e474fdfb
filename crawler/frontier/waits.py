"""What the queued URLs of a crawl wait for, counted by cause, and a bound on its end.

A host that is not due waits because it is parked, backs off after a failure, was slowed
down, or keeps a delay between two requests. A URL that failed waits for another
attempt. The stores and the readers of a state count both as `HostGroup` and
`RetryCount`; the view, `status` and `status --why` show the same numbers.

The bound: a host gets a request every `Controller.interval` seconds, so its queue takes
at least their product, and the crawl at least as long as the slowest of its hosts. Nor
does it end before a host that backs off, or a URL that failed, gets its next attempt.
A parked host counts if it is due within `politeness.max_park_wait`: without an answer
of any host the crawl ends before those that are due later.

No I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from crawler.frontier.throttle import Controller, HostThrottle, robots_status
from crawler.model.host import Waiting, Waits, WaitState

SOON_S = 1.0
"""A host that keeps a delay and is due so soon (seconds) is at work.

One that failed or refused waits until it is due.
"""
UNLIMITED = 1 << 62
SLOWEST = 100
"""Hosts with the longest queues of which the bound is taken."""
MAX_SHOWN = 40
"""Hosts that wait of which the view knows the names."""
MAX_RETRIES = 2_000
"""Retries that are counted by cause, the first that fall due."""

_CAUSES = {
    "rate_limited": "429",
    "status_5xx": "503",  # the only one of them that concerns a host
    "read_timeout": "timeout",
    "total_timeout": "timeout",
    "connect_timeout": "connection timeout",
    "dns_timeout": "DNS timeout",
}


def cause_of(failure_code: str) -> str:
    """What a host or a URL failed with, in the user's words."""
    if (status := robots_status(failure_code)) is not None:
        return "robots.txt " + (f"answered {status}" if status else "unavailable")
    return _CAUSES.get(failure_code, failure_code)


def cause_of_url(error_code: str) -> str:
    """Why a URL gets another attempt: its last one may have had any 5xx."""
    return "5xx" if error_code == "status_5xx" else cause_of(error_code)


class HostGroup(Struct, frozen=True):
    """Hosts with work that are not due, and have the same throttle but for its numbers.

    They have failed with `failure_code` last, if that is not empty.
    """

    failure_code: str
    parked: bool
    slowed: bool
    """Their rate is reduced since they answered 429 or 503."""
    delayed: bool
    """Their robots.txt has a Crawl-delay."""
    hosts: int
    urls: int
    until: float
    """When the first of them is due (seconds since the epoch)."""

    @property
    def state(self) -> WaitState:
        if self.parked:
            return "parked"
        if self.failure_code:
            return "backing off"
        return "slowed down" if self.slowed else "delay"

    @property
    def cause(self) -> str:
        """The cause in the user's words; empty if it is the configured delay alone."""
        if self.failure_code:
            return cause_of(self.failure_code)
        if self.slowed:
            return "429 or 503"
        return "Crawl-delay" if self.delayed else ""


class RetryCount(Struct, frozen=True):
    """URLs that wait for another attempt after the same kind of failure."""

    code: str
    urls: int
    until: float
    """When the first of them is due (seconds since the epoch)."""


class HostWork(Struct, frozen=True):
    """A host with work that is not parked."""

    name: str
    pages: int
    images: int
    ready_at: float
    throttle: HostThrottle


def merge_groups(groups: Iterable[Waiting]) -> tuple[Waiting, ...]:
    """One for each state and cause."""
    merged: dict[tuple[str, str], Waiting] = {}
    for one in groups:
        other = merged.get((one.state, one.cause))
        if other is not None:
            one = replace(
                one,
                hosts=one.hosts + other.hosts,
                urls=one.urls + other.urls,
                due_s=min(one.due_s, other.due_s),
            )
        merged[one.state, one.cause] = one
    return tuple(sorted(merged.values(), key=lambda one: (-one.hosts, -one.urls)))


def group_waits(
    hosts: Iterable[HostGroup], retries: Iterable[RetryCount], now: float
) -> tuple[Waiting, ...]:
    """What waits at `now` (seconds since the epoch); a group that is due is left out.

    The counts may be a little older than `now`.
    """
    found = [
        Waiting(group.state, group.cause, group.hosts, group.urls, group.until - now)
        for group in hosts
        if group.until > now
    ]
    found += [
        Waiting("retry", cause_of_url(one.code), 0, one.urls, one.until - now)
        for one in retries
        if one.until > now
    ]
    return merge_groups(found)


def waits_of(
    groups: tuple[Waiting, ...],
    slowest: tuple[str, float],
    silent: Sequence[tuple[str, float]],
    max_park_wait: float | None,
) -> Waits:
    """What a crawl waits for, with the bound on the time left.

    `slowest`: of `slowest_of`. `silent`: the host that has not answered for longest,
    and for how long (seconds). `max_park_wait`: how long the crawl waits for parked
    hosts (seconds); None: its limit of pages is reached, and it waits for none.
    """
    name, least_s = slowest
    for group in groups if max_park_wait is not None else ():
        waited_for = group.state != "parked" or group.due_s <= (max_park_wait or 0.0)
        if waited_for and group.due_s > least_s:
            name, least_s = "", group.due_s
    silent_host, silent_s = silent[0] if silent else ("", 0.0)
    return Waits(groups, silent_s, name, least_s, silent_host)


def combine_waits(waits: Iterable[Waits]) -> Waits:
    """What several crawls wait for that run at once."""
    every = list(waits)
    slowest = max(every, key=lambda one: one.least_s)
    silent = max(every, key=lambda one: one.oldest_request_s)
    ends = [one.stops_in_s for one in every if one.stops_in_s is not None]
    return Waits(
        merge_groups(group for one in every for group in one.groups),
        silent.oldest_request_s,
        slowest.slowest_host,
        slowest.least_s,
        silent.silent_host,
        max(ends) if len(ends) == len(every) else None,
    )


def time_of(host: HostWork, controller: Controller, pages_left: int) -> float:
    """How long the queue of a host takes at the rate that politeness allows."""
    urls = min(host.pages, pages_left) + host.images
    return controller.interval(host.throttle) * urls


def slowest_of(
    hosts: Iterable[HostWork], controller: Controller, pages_left: int
) -> tuple[str, float]:
    """The host whose queue takes longest, and how long at least (seconds).

    `pages_left`: how many pages the limit of the crawl still allows. `hosts`: the
    SLOWEST first ones; those that failed or refused last may be parked soon, and set
    no bound.
    """
    bounds = [
        (time_of(host, controller, pages_left), host.name)
        for host in hosts
        if not host.throttle.failures
    ]
    least_s, name = max(bounds, default=(0.0, ""))
    return (name, least_s) if least_s else ("", 0.0)
