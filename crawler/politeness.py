"""Which host may be asked next? The scheduling decision, without I/O and without a clock.

A host may be asked when all of this is true:

- it has something to be asked for (`offer`),
- nobody holds it, as while its robots.txt is fetched (`hold`),
- fewer than `per_host` requests to it are under way (one, while it fails),
- its time has come. `next_allowed_at` is the latest of: the last request's start plus the host's
  interval (the user's `wait`, the site's Crawl-delay, and what it can bear: see `pace.py`), the
  end of a pause after a failure, and every moment that it was blocked until (Retry-After).

A request starts when it is handed out, and a moment later, when it was really sent, its reply says
so: the interval counts from there.

The hosts of which the first three are true stand in a heap by `next_allowed_at`. That is also the
order of fairness: whoever has been free to be asked for longest is next, and a host that was just
asked goes behind all others that are due: round robin, without a ring. A host that changes gets a
new place in the heap, and its old one, whose ticket is out of date, is passed over.

Times are seconds since the epoch, given by the caller.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from msgspec.structs import replace

from crawler.config import PolitenessConfig
from crawler.pace import NEW, Controller, Pace, Reply

_NOWHERE = 0
"""The ticket of a host that does not stand in the heap."""


class _Host:
    __slots__ = (
        "before", "held", "in_flight", "interval", "next_allowed_at", "offers", "pace", "ticket",
        "worse_at",
    )  # fmt: skip

    def __init__(self, ready_at: float, pace: Pace, interval: float) -> None:
        self.next_allowed_at = ready_at
        self.before = ready_at  # next_allowed_at before the last request
        self.pace = pace
        self.interval = interval
        self.worse_at = 0.0  # when the pace last changed for the worse
        self.in_flight = 0
        self.offers = False
        self.held = False
        self.ticket = _NOWHERE


class Politeness:
    """The hosts that are being crawled now. Every method names a host that `enter` has brought."""

    def __init__(
        self, config: PolitenessConfig, jitter: Callable[[], float] = random.random
    ) -> None:
        self._per_host = config.per_host
        self._wait = config.wait
        self._spread = max(0.0, config.wait_most - config.wait)
        self._jitter = jitter
        self._controller = Controller(config)
        self._hosts: dict[str, _Host] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._tickets = 0
        self.offering = 0
        """Hosts that have something to be asked for, whether they may be asked or not."""

    def enter(self, name: str, ready_at: float, pace: Pace = NEW) -> None:
        """Take a host in, not to be asked before `ready_at`."""
        self._hosts[name] = _Host(ready_at, pace, self._controller.interval(pace))

    def leave(self, name: str) -> float:
        """Forget a host; returns its `next_allowed_at`."""
        self.withdraw(name)
        return self._hosts.pop(name).next_allowed_at

    def offer(self, name: str) -> None:
        """There is something to ask the host for."""
        host = self._hosts[name]
        if not host.offers:
            host.offers = True
            self.offering += 1
            self._place(name, host)

    def withdraw(self, name: str) -> None:
        """There is nothing to ask the host for."""
        host = self._hosts[name]
        if host.offers:
            host.offers = False
            self.offering -= 1
            host.ticket = _NOWHERE

    def take(self, now: float) -> str | None:
        """The host to be asked now, with one request more on its account; None if none is due."""
        if not self.due(now):
            return None
        name = heappop(self._heap)[2]
        host = self._hosts[name]
        host.in_flight += 1
        host.before = host.next_allowed_at
        host.next_allowed_at = now + self._gap(host)
        self._place(name, host)
        return name

    def untaken(self, name: str) -> None:
        """The last `take` led to no request: the host's turn is not spent.

        To be said at once, before another `take`.
        """
        host = self._hosts[name]
        host.in_flight -= 1
        host.next_allowed_at = host.before
        self._place(name, host)

    def ended(self, name: str) -> None:
        """One request to the host has ended."""
        host = self._hosts[name]
        host.in_flight -= 1
        if host.ticket == _NOWHERE:
            self._place(name, host)

    def block(self, name: str, until: float) -> None:
        """Do not ask the host before `until`."""
        host = self._hosts[name]
        if until > host.next_allowed_at:
            host.next_allowed_at = until
            self._place(name, host)

    def set_delay(self, name: str, delay: float) -> Pace:
        """The host's Crawl-delay, seconds. It holds from the last request on, not the next one."""
        host = self._hosts[name]
        self._learn(name, host, replace(host.pace, crawl_delay=delay))
        return host.pace

    def heed(self, name: str, reply: Reply, now: float) -> Pace | None:
        """Take in how the host took a request. Returns its pace if that has changed."""
        host = self._hosts[name]
        if host.interval:
            self.block(name, reply.sent_at + host.interval)
        pace = self._controller.after(host.pace, reply, reply.sent_at >= host.worse_at)
        if pace is host.pace:
            return None
        self._learn(name, host, pace)
        if reply.kind != "served":
            host.worse_at = now
            host.next_allowed_at = max(host.next_allowed_at, now + self._controller.pause(pace))
            self._place(name, host)
        return pace

    def parked(self, name: str) -> bool:
        """Whether the host has failed so often that it is to be left alone for long."""
        return self._controller.parked(self._hosts[name].pace)

    def given_up(self, name: str) -> Pace | None:
        """The pace of a host that was parked too often; None if there is hope."""
        pace = self._hosts[name].pace
        return pace if self._controller.given_up(pace) else None

    def hold(self, name: str) -> bool:
        """Ask the host for nothing until `free`; False if it is held already."""
        host = self._hosts[name]
        if host.held:
            return False
        host.held = True
        host.ticket = _NOWHERE
        return True

    def free(self, name: str) -> None:
        """Let a held host go."""
        host = self._hosts[name]
        host.held = False
        self._place(name, host)

    def held(self, name: str) -> bool:
        return self._hosts[name].held

    def due(self, now: float) -> bool:
        """Whether `take` would name a host."""
        moment = self.next_due()
        return moment is not None and moment <= now

    def next_due(self) -> float | None:
        """When the next host may be asked; None if all wait for something else than time."""
        heap, hosts = self._heap, self._hosts
        while heap:
            moment, ticket, name = heap[0]
            host = hosts.get(name)
            if host is not None and host.ticket == ticket:
                return moment
            heappop(heap)
        return None

    def next_allowed_at(self, name: str) -> float:
        return self._hosts[name].next_allowed_at

    def in_flight(self, name: str) -> int:
        return self._hosts[name].in_flight

    def count_due(self, now: float) -> int:
        """How many hosts may be asked now."""
        hosts = self._hosts.values()
        return sum(host.ticket != _NOWHERE and host.next_allowed_at <= now for host in hosts)

    def _learn(self, name: str, host: _Host, pace: Pace) -> None:
        """Follow this pace from the last request on."""
        interval = self._controller.interval(pace)
        longer = interval - host.interval
        host.pace = pace
        host.interval = interval
        if longer > 0:
            self.block(name, host.next_allowed_at + longer)

    def _gap(self, host: _Host) -> float:
        """Seconds from this request to the next."""
        if not self._spread:
            return host.interval
        return max(host.interval, self._wait + self._spread * self._jitter())

    def _place(self, name: str, host: _Host) -> None:
        """Let the host stand in the heap where it belongs now, if anywhere."""
        host.ticket = _NOWHERE
        at_once = 1 if host.pace.failures else self._per_host
        if not host.offers or host.held or host.in_flight >= at_once:
            return
        self._tickets += 1
        host.ticket = self._tickets
        heappush(self._heap, (host.next_allowed_at, host.ticket, name))
        if len(self._heap) > 2 * len(self._hosts) + 64:
            self._sweep()

    def _sweep(self) -> None:
        """Drop the places that are out of date."""
        valid = {host.ticket for host in self._hosts.values()}
        self._heap = [place for place in self._heap if place[1] in valid]
        heapify(self._heap)
