"""Which host may be asked next? The scheduling decision, without I/O and without a
clock.

A host may be asked when all of this is true:

- it has something to be asked for (`offer`),
- nobody holds it, as while its robots.txt is fetched (`hold`),
- fewer than `per_host` requests to it are under way (one, while it fails),
- a place is free for it (`places.py`),
- its time has come. `next_allowed_at` is the latest of: the last request's start plus
  the host's interval (the user's `wait`, the site's Crawl-delay, and what it can bear:
  see `pace.py`), the end of a pause after a failure, and every moment that it was
  blocked until (Retry-After).

A request starts when it is handed out, and a moment later, when it was really sent, its
reply says so: the interval counts from there.

The hosts of which the first three are true stand in a heap by `next_allowed_at`, one
heap for each lane of `places.py`. That is also the order of fairness: whoever has been
free to be asked for longest is next, and a host that was just asked goes behind all
others that are due: round robin, without a ring. A host that changes gets a new place
in a heap, and its old one, whose ticket is out of date, is passed over.

Times are seconds since the epoch, given by the caller.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

from msgspec.structs import replace

from crawler.frontier.slots import (
    DOUBT_S,
    FURTHER,
    LANES,
    PROMPT,
    SLOW,
    SLOW_S,
    UNPROVEN,
    Kind,
    Lane,
    Slots,
)
from crawler.frontier.throttle import NEW, Controller, HostFeedback, HostThrottle
from crawler.model.config import PolitenessConfig

_NOWHERE = 0
"""The ticket of a host that does not stand in the heap."""


class _Host:
    __slots__ = (
        "before", "held", "in_flight", "interval", "kind", "lent", "next_allowed_at", "offers",
        "pace", "since", "ticket", "worse_at",
    )  # fmt: skip

    def __init__(self, ready_at: float, pace: HostThrottle, interval: float) -> None:
        self.next_allowed_at = ready_at
        self.before = ready_at  # next_allowed_at before the last request
        self.pace = pace
        self.interval = interval
        self.worse_at = 0.0  # when the pace last changed for the worse
        self.kind = _kind_of(pace)
        self.in_flight = 0
        self.since = 0.0  # of the requests under way: since when it has not ended any
        self.lent = False  # one of them holds a place that was lent
        self.offers = False
        self.held = False
        self.ticket = _NOWHERE


class Politeness:
    """The hosts that are being crawled now. Every method names a host that `enter` has
    brought."""

    def __init__(
        self,
        config: PolitenessConfig,
        jitter: Callable[[], float] = random.random,
        places: Slots | None = None,
    ) -> None:
        """`places`: how many requests at once; None: no bound."""
        self._per_host = config.per_host
        self._wait = config.wait
        self._spread = max(0.0, config.max_wait - config.wait)
        self._jitter = jitter
        self._controller = Controller(config)
        self._hosts: dict[str, _Host] = {}
        self._heaps: tuple[list[tuple[float, int, str]], ...] = tuple([] for _ in LANES)
        self._tickets = 0
        self._places = places or Slots(inf, 0)
        self._offering = [0, 0, 0]  # hosts of each kind

    @property
    def offering(self) -> int:
        """Hosts that have something to be asked for, whether they may be asked or
        not."""
        return sum(self._offering)

    @property
    def lent(self) -> int:
        """Requests under way that keep no place from others."""
        return self._places.lent

    def enter(self, name: str, ready_at: float, pace: HostThrottle = NEW) -> None:
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
            self._offering[host.kind] += 1
            self._place(name, host)

    def withdraw(self, name: str) -> None:
        """There is nothing to ask the host for."""
        host = self._hosts[name]
        if host.offers:
            host.offers = False
            self._offering[host.kind] -= 1
            host.ticket = _NOWHERE

    def take(self, now: float) -> str | None:
        """The host to be asked now, with one request more on its account; None if none
        is due."""
        moment, lane = self._first()
        if moment > now:
            return None
        name = heappop(self._heaps[lane])[2]
        host = self._hosts[name]
        host.lent |= self._places.take(lane)
        if not host.in_flight:
            host.since = now
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
        self._leave_place(host)
        host.next_allowed_at = host.before
        self._place(name, host)

    def ended(self, name: str, now: float | None = None, sent_at: float = 0.0) -> None:
        """One request to the host has ended, and `now` if that tells how quick the host
        is."""
        host = self._hosts[name]
        self._leave_place(host)
        if now is not None:
            host.since = now
            self._become(host, SLOW if now - sent_at >= SLOW_S else PROMPT)
        if host.ticket == _NOWHERE:
            self._place(name, host)

    def lend(self, now: float) -> int:
        """Lend places to the hosts that keep us waiting. Returns how many more could be
        put to use.

        By slow hosts that are due.
        """
        due = 0
        for name, host in self._hosts.items():
            if host.lent:
                continue
            patience = DOUBT_S if host.kind == UNPROVEN else SLOW_S
            if host.in_flight and host.since + patience <= now:
                host.lent = self._places.lend(host.kind)
                self._become(host, SLOW)
                self._place(name, host)
            waits = host.ticket != _NOWHERE and host.next_allowed_at <= now
            due += host.kind == SLOW and waits and not host.lent
        return int(min(due, self._places.left_to_lend))

    def block(self, name: str, until: float) -> None:
        """Do not ask the host before `until`."""
        host = self._hosts[name]
        host.before = max(host.before, until)
        if until > host.next_allowed_at:
            host.next_allowed_at = until
            self._place(name, host)

    def set_delay(self, name: str, delay: float) -> HostThrottle:
        """The host's Crawl-delay, seconds. It holds from the last request on, not the
        next one."""
        host = self._hosts[name]
        self._learn(name, host, replace(host.pace, crawl_delay=delay))
        return host.pace

    def apply(self, name: str, reply: HostFeedback, now: float) -> HostThrottle | None:
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
            host.next_allowed_at = max(
                host.next_allowed_at, now + self._controller.pause(pace)
            )
            self._place(name, host)
        return pace

    def parked(self, name: str) -> bool:
        """Whether the host has failed so often that it is to be left alone for long."""
        return self._controller.parked(self._hosts[name].pace)

    def given_up(self, name: str) -> HostThrottle | None:
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
        return self._first()[0] <= now

    def next_due(self) -> float | None:
        """When the next host may be asked; None if all wait for something else than
        time."""
        moment, _ = self._first()
        return None if moment == inf else moment

    def next_allowed_at(self, name: str) -> float:
        return self._hosts[name].next_allowed_at

    def in_flight(self, name: str) -> int:
        return self._hosts[name].in_flight

    def count_due(self, now: float) -> int:
        """How many hosts may be asked now."""
        hosts = self._hosts.values()
        return sum(
            host.ticket != _NOWHERE and host.next_allowed_at <= now for host in hosts
        )

    def _learn(self, name: str, host: _Host, pace: HostThrottle) -> None:
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

    def _first(self) -> tuple[float, Lane]:
        """Which of the hosts for which there is a place is due first, and when; or
        infinity."""
        first, its_lane = inf, FURTHER
        for lane in LANES:
            heap = self._heaps[lane]
            if heap and (moment := self._head(heap)) < first and self._free(lane):
                first, its_lane = moment, lane
        return first, its_lane

    def _free(self, lane: Lane) -> bool:
        """Whether there is a place for a host of this lane."""
        rivals = lane > PROMPT and self._offering[PROMPT] > 0
        rivals |= lane > UNPROVEN and self._offering[UNPROVEN] > 0
        return self._places.free(lane, rivals)

    def _head(self, heap: list[tuple[float, int, str]]) -> float:
        """When the first host of the heap is due; infinity if there is none."""
        hosts = self._hosts
        while heap:
            moment, ticket, name = heap[0]
            host = hosts.get(name)
            if host is not None and host.ticket == ticket:
                return moment
            heappop(heap)
        return inf

    def _leave_place(self, host: _Host) -> None:
        """One request less is under way. The place that was lent is the last to be
        given back."""
        lent = host.lent and host.in_flight == 1
        self._places.end(host.kind, lent)
        host.in_flight -= 1
        if lent:
            host.lent = False
            host.ticket = _NOWHERE  # another lane

    def _become(self, host: _Host, kind: Kind) -> None:
        if kind == host.kind:
            return
        if host.offers:
            self._offering[host.kind] -= 1
            self._offering[kind] += 1
        if host.kind == UNPROVEN:
            self._places.unproven -= host.in_flight - host.lent
        host.kind = kind
        host.ticket = _NOWHERE  # another lane

    def _place(self, name: str, host: _Host) -> None:
        """Let the host stand in the heap where it belongs now, if anywhere."""
        host.ticket = _NOWHERE
        at_once = 1 if host.pace.failures else self._per_host
        if not host.offers or host.held or host.in_flight >= at_once:
            return
        self._tickets += 1
        host.ticket = self._tickets
        heap = self._heaps[FURTHER if host.lent else host.kind]
        heappush(heap, (host.next_allowed_at, host.ticket, name))
        if len(heap) > 2 * len(self._hosts) + 64:
            self._sweep(heap)

    def _sweep(self, heap: list[tuple[float, int, str]]) -> None:
        """Drop the places that are out of date."""
        hosts = self._hosts.values()
        valid = {host.ticket for host in hosts}
        heap[:] = [place for place in heap if place[1] in valid]
        heapify(heap)


def _kind_of(pace: HostThrottle) -> Kind:
    """What a host is to begin with, by what it has taught us earlier."""
    if pace.failures or pace.latency >= SLOW_S:
        return SLOW
    return PROMPT if pace.latency else UNPROVEN
