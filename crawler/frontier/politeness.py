"""The scheduling decision: which host may be requested next.

No I/O, no clock.

A request to a host may start when all of this is true:

- the host has work (`offer`),
- it is not paused, as it is while its robots.txt is fetched (`pause`),
- fewer than `per_host` requests to it are under way (one, while it fails),
- a slot is available for it (`concurrency.py`),
- it is due. `next_allowed_at` is the latest of: the last request's start plus the
  host's interval (the user's `wait`, the site's Crawl-delay, and its latency: see
  `throttle.py`), the end of the back-off after a failure, and every moment that it was
  blocked until (Retry-After).

A request starts when its URL is handed out. It is sent a moment later, and the feedback
says when: the interval counts from there.

The hosts for which the first three are true stand in a heap by `next_allowed_at`, one
heap for each slot class. That is also the order of fairness: the host that has been due
for longest is next, and a host that just got a request goes behind all others that
are due, which is round robin without a ring. A host that changes gets a new entry in a
heap; its old entry, whose ticket is out of date, is passed over.

Times are seconds since the epoch, given by the caller.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

from msgspec.structs import replace

from crawler.frontier.concurrency import (
    FAST,
    NEW,
    NEW_SLOW_S,
    OVERFLOW,
    SLOT_CLASSES,
    SLOW,
    SLOW_S,
    HostClass,
    SlotClass,
    Slots,
)
from crawler.frontier.throttle import UNTRIED, Controller, HostFeedback, HostThrottle
from crawler.model.policy_config import PolitenessConfig

_NOT_QUEUED = 0
"""The ticket of a host that does not stand in a heap."""


class _Host:
    __slots__ = (
        "allowed_before", "borrowed", "has_work", "host_class", "in_flight", "interval",
        "next_allowed_at", "paused", "slowed_at", "throttle", "ticket", "waiting_since",
    )  # fmt: skip

    def __init__(
        self, ready_at: float, throttle: HostThrottle, interval: float
    ) -> None:
        self.next_allowed_at = ready_at
        self.allowed_before = ready_at  # what it would be without the last request
        self.throttle = throttle
        self.interval = interval
        self.slowed_at = 0.0  # when the throttle last changed for the worse
        self.host_class = _class_of(throttle)
        self.in_flight = 0
        self.waiting_since = 0.0  # since when no request under way has ended
        self.borrowed = False  # one of the requests uses a borrowed slot
        self.has_work = False
        self.paused = False
        self.ticket = _NOT_QUEUED


class Politeness:
    """The hosts that are crawled now; each method names one that `enter` brought."""

    def __init__(
        self,
        config: PolitenessConfig,
        jitter: Callable[[], float] = random.random,
        slots: Slots | None = None,
    ) -> None:
        """`slots`: how many requests at once; None stands for no bound."""
        self._per_host = config.per_host
        self._wait = config.wait
        self._spread = max(0.0, config.max_wait - config.wait)
        self._jitter = jitter
        self._controller = Controller(config)
        self._hosts: dict[str, _Host] = {}
        self._heaps: tuple[list[tuple[float, int, str]], ...] = tuple(
            [] for _ in SLOT_CLASSES
        )
        self._tickets = 0
        self._slots = slots or Slots(inf, 0)
        self._with_work = [0, 0, 0]  # hosts of each class

    @property
    def with_work(self) -> int:
        """How many hosts have work, due or not."""
        return sum(self._with_work)

    @property
    def borrowed(self) -> int:
        """How many requests under way use a borrowed slot."""
        return self._slots.borrowed

    def enter(
        self, name: str, ready_at: float, throttle: HostThrottle = UNTRIED
    ) -> None:
        """Add a host that is not due before `ready_at`."""
        self._hosts[name] = _Host(
            ready_at, throttle, self._controller.interval(throttle)
        )

    def leave(self, name: str) -> float:
        """Forget a host; returns its `next_allowed_at`."""
        self.withdraw(name)
        return self._hosts.pop(name).next_allowed_at

    def offer(self, name: str) -> None:
        """The host has work."""
        host = self._hosts[name]
        if not host.has_work:
            host.has_work = True
            self._with_work[host.host_class] += 1
            self._enqueue(name, host)

    def withdraw(self, name: str) -> None:
        """The host has no work."""
        host = self._hosts[name]
        if host.has_work:
            host.has_work = False
            self._with_work[host.host_class] -= 1
            host.ticket = _NOT_QUEUED

    def start_request(self, now: float) -> str | None:
        """Choose the host of the next request, and count that request as under way.

        Returns None if no host is due.
        """
        due, slot_class = self._earliest()
        if due > now:
            return None
        name = heappop(self._heaps[slot_class])[2]
        host = self._hosts[name]
        host.borrowed |= self._slots.acquire(slot_class)
        if not host.in_flight:
            host.waiting_since = now
        host.in_flight += 1
        host.allowed_before = host.next_allowed_at
        host.next_allowed_at = now + self._next_interval(host)
        self._enqueue(name, host)
        return name

    def cancel_request(self, name: str) -> None:
        """The last `start_request` led to no request: the host's turn is not spent.

        Must be called before the next `start_request`.
        """
        host = self._hosts[name]
        self._leave_slot(host)
        host.next_allowed_at = host.allowed_before
        self._enqueue(name, host)

    def end_request(
        self, name: str, now: float | None = None, sent_at: float = 0.0
    ) -> None:
        """One request to the host, sent at `sent_at`, has ended.

        `now` is None where that does not tell how fast the host is.
        """
        host = self._hosts[name]
        self._leave_slot(host)
        if now is not None:
            host.waiting_since = now
            self._reclassify(host, SLOW if now - sent_at >= SLOW_S else FAST)
        if host.ticket == _NOT_QUEUED:
            self._enqueue(name, host)

    def borrow(self, now: float) -> int:
        """Borrow slots for the requests that last too long.

        Returns how many more slots the slow hosts that are due could borrow.
        """
        due = 0
        for name, host in self._hosts.items():
            if host.borrowed:
                continue
            timeout = NEW_SLOW_S if host.host_class == NEW else SLOW_S
            if host.in_flight and host.waiting_since + timeout <= now:
                host.borrowed = self._slots.borrow(host.host_class)
                self._reclassify(host, SLOW)
                self._enqueue(name, host)
            is_due = host.ticket != _NOT_QUEUED and host.next_allowed_at <= now
            due += host.host_class == SLOW and is_due and not host.borrowed
        return int(min(due, self._slots.left_to_borrow))

    def block(self, name: str, until: float) -> None:
        """Block the host until `until`; `cancel_request` does not undo it."""
        host = self._hosts[name]
        host.allowed_before = max(host.allowed_before, until)
        if until > host.next_allowed_at:
            host.next_allowed_at = until
            self._enqueue(name, host)

    def set_delay(self, name: str, delay: float) -> HostThrottle:
        """Follow the host's Crawl-delay (seconds) from the last request on.

        Returns the new throttle.
        """
        host = self._hosts[name]
        self._follow(name, host, replace(host.throttle, crawl_delay=delay))
        return host.throttle

    def apply(
        self, name: str, feedback: HostFeedback, now: float
    ) -> HostThrottle | None:
        """Let feedback change the host's throttle; returns it if it has changed."""
        host = self._hosts[name]
        if host.interval:
            self.block(name, feedback.sent_at + host.interval)
        throttle = self._controller.after(
            host.throttle, feedback, feedback.sent_at >= host.slowed_at
        )
        if throttle is host.throttle:
            return None
        self._follow(name, host, throttle)
        if feedback.kind != "served":
            host.slowed_at = now
            host.next_allowed_at = max(
                host.next_allowed_at, now + self._controller.backoff(throttle)
            )
            self._enqueue(name, host)
        return throttle

    def parked(self, name: str) -> bool:
        """Whether the host has failed so often that it is to be left alone for long."""
        return self._controller.parked(self._hosts[name].throttle)

    def given_up(self, name: str) -> HostThrottle | None:
        """The throttle of a host that was given up; None if it was not."""
        throttle = self._hosts[name].throttle
        if not throttle.parkings or not self._controller.given_up(throttle):
            return None
        return throttle

    def pause(self, name: str) -> bool:
        """Pause the host until `resume`; False if it is paused already."""
        host = self._hosts[name]
        if host.paused:
            return False
        host.paused = True
        host.ticket = _NOT_QUEUED
        return True

    def resume(self, name: str) -> None:
        """End a pause of the host."""
        host = self._hosts[name]
        host.paused = False
        self._enqueue(name, host)

    def is_paused(self, name: str) -> bool:
        return self._hosts[name].paused

    def due(self, now: float) -> bool:
        """Whether `start_request` would name a host."""
        return self._earliest()[0] <= now

    def next_due(self) -> float | None:
        """When the next host is due; None if no host waits for time alone."""
        due, _ = self._earliest()
        return None if due == inf else due

    def next_allowed_at(self, name: str) -> float:
        return self._hosts[name].next_allowed_at

    def in_flight(self, name: str) -> int:
        return self._hosts[name].in_flight

    def under_way(self) -> list[tuple[float, str, int]]:
        """Each host with requests under way, and how many.

        The moment is since when it has answered none.
        """
        return [
            (host.waiting_since, name, host.in_flight)
            for name, host in self._hosts.items()
            if host.in_flight
        ]

    def count_due(self, now: float) -> int:
        """How many hosts are due now."""
        hosts = self._hosts.values()
        return sum(
            host.ticket != _NOT_QUEUED and host.next_allowed_at <= now for host in hosts
        )

    def _follow(self, name: str, host: _Host, throttle: HostThrottle) -> None:
        """Follow this throttle from the last request on."""
        interval = self._controller.interval(throttle)
        increase = interval - host.interval
        host.throttle = throttle
        host.interval = interval
        if increase > 0:
            self.block(name, host.next_allowed_at + increase)

    def _next_interval(self, host: _Host) -> float:
        """The time from this request to the next one, in seconds."""
        if not self._spread:
            return host.interval
        return max(host.interval, self._wait + self._spread * self._jitter())

    def _earliest(self) -> tuple[float, SlotClass]:
        """When the first host is due for which a slot is available, and its class.

        Infinity if there is none.
        """
        first, first_class = inf, OVERFLOW
        for slot_class, heap in zip(SLOT_CLASSES, self._heaps, strict=True):
            if not heap:  # most often
                continue
            if (due := self._head(heap)) < first and self._slot_free(slot_class):
                first, first_class = due, slot_class
        return first, first_class

    def _slot_free(self, slot_class: SlotClass) -> bool:
        """Whether a slot is available for a request of this class."""
        contended = slot_class > FAST and self._with_work[FAST] > 0
        contended |= slot_class > NEW and self._with_work[NEW] > 0
        return self._slots.available(slot_class, contended)

    def _head(self, heap: list[tuple[float, int, str]]) -> float:
        """When the first host of the heap is due; infinity if there is none."""
        hosts = self._hosts
        while heap:
            due, ticket, name = heap[0]
            host = hosts.get(name)
            if host is not None and host.ticket == ticket:
                return due
            heappop(heap)
        return inf

    def _leave_slot(self, host: _Host) -> None:
        """One request less is under way. A borrowed slot is the last to be released."""
        borrowed = host.borrowed and host.in_flight == 1
        self._slots.release(host.host_class, borrowed)
        host.in_flight -= 1
        if borrowed:
            host.borrowed = False
            host.ticket = _NOT_QUEUED  # it goes to another heap

    def _reclassify(self, host: _Host, host_class: HostClass) -> None:
        if host_class == host.host_class:
            return
        if host.has_work:
            self._with_work[host.host_class] -= 1
            self._with_work[host_class] += 1
        if host.host_class == NEW:
            self._slots.new -= host.in_flight - host.borrowed
        host.host_class = host_class
        host.ticket = _NOT_QUEUED  # it goes to another heap

    def _enqueue(self, name: str, host: _Host) -> None:
        """Put the host into the heap where it belongs now, if anywhere."""
        host.ticket = _NOT_QUEUED
        throttle = host.throttle
        alone = throttle.failures and not throttle.refuses
        limit = 1 if alone else self._per_host
        if not host.has_work or host.paused or host.in_flight >= limit:
            return
        self._tickets += 1
        host.ticket = self._tickets
        heap = self._heaps[OVERFLOW if host.borrowed else host.host_class]
        heappush(heap, (host.next_allowed_at, host.ticket, name))
        if len(heap) > 2 * len(self._hosts) + 64:
            self._drop_stale(heap)

    def _drop_stale(self, heap: list[tuple[float, int, str]]) -> None:
        """Drop the entries that are out of date."""
        hosts = self._hosts.values()
        valid = {host.ticket for host in hosts}
        heap[:] = [entry for entry in heap if entry[1] in valid]
        heapify(heap)


def _class_of(throttle: HostThrottle) -> HostClass:
    """The class that a host begins with, by what is known of it from before."""
    silent = throttle.failures and not throttle.refuses
    if silent or throttle.latency >= SLOW_S:
        return SLOW
    return FAST if throttle.latency else NEW
