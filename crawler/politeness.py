"""Which host may be asked next? The scheduling decision, without I/O and without a clock.

A host may be asked when all of this is true:

- it has something to be asked for (`offer`),
- nobody holds it, as while its robots.txt is fetched (`hold`),
- fewer than `per_host` requests to it are under way,
- its time has come. `next_allowed_at` is the latest of: the last request's start plus the interval
  (the user's `wait`, or the site's Crawl-delay if that is longer), and every moment that it was
  blocked until (Retry-After, back-off).

The hosts of which the first three are true stand in a heap by `next_allowed_at`. That is also the
order of fairness: whoever has been free to be asked for longest is next, and a host that was just
asked goes behind all others that are due: round robin, without a ring. A host that changes gets a
new place in the heap, and its old one, whose ticket is out of date, is passed over.

Times are seconds since the epoch, given by the caller.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from crawler.config import PolitenessConfig

_NOWHERE = 0
"""The ticket of a host that does not stand in the heap."""


class _Host:
    __slots__ = ("held", "in_flight", "interval", "next_allowed_at", "offers", "ticket")

    def __init__(self, ready_at: float, interval: float) -> None:
        self.next_allowed_at = ready_at
        self.interval = interval
        self.in_flight = 0
        self.offers = False
        self.held = False
        self.ticket = _NOWHERE


class Politeness:
    """The hosts that are being crawled now. Every method names a host that `enter` has brought."""

    def __init__(self, config: PolitenessConfig) -> None:
        self._per_host = config.per_host
        self._wait = config.wait
        self._hosts: dict[str, _Host] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._tickets = 0
        self.offering = 0
        """Hosts that have something to be asked for, whether they may be asked or not."""

    def enter(self, name: str, ready_at: float, delay: float = 0.0) -> None:
        """Take a host in, not to be asked before `ready_at`; `delay` is its Crawl-delay."""
        self._hosts[name] = _Host(ready_at, max(self._wait, delay))

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
        host.next_allowed_at = now + host.interval
        self._place(name, host)
        return name

    def ended(self, name: str) -> None:
        """One request to the host has ended."""
        host = self._hosts[name]
        host.in_flight -= 1
        if host.in_flight == self._per_host - 1:
            self._place(name, host)

    def block(self, name: str, until: float) -> None:
        """Do not ask the host before `until`."""
        host = self._hosts[name]
        if until > host.next_allowed_at:
            host.next_allowed_at = until
            self._place(name, host)

    def set_delay(self, name: str, delay: float) -> None:
        """The host's Crawl-delay, seconds. It holds from the last request on, not the next one."""
        host = self._hosts[name]
        longer = max(self._wait, delay) - host.interval
        host.interval += longer
        if longer > 0:
            self.block(name, host.next_allowed_at + longer)

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

    def _place(self, name: str, host: _Host) -> None:
        """Let the host stand in the heap where it belongs now, if anywhere."""
        host.ticket = _NOWHERE
        if not host.offers or host.held or host.in_flight >= self._per_host:
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
