"""The frontier: which URL next, for which of the waiting workers.

    store        all hosts, all URLs                          durable, blocking, knows no greenlet
    frontier     some ACTIVE hosts, a few URLs of each        here; wakes workers
    politeness   which of these hosts may be asked now        pure
    waiting      workers for which there is nothing to do     asleep

Hosts are *claimed* from the store, and URLs of a claimed host are leased in small
batches, so that a crawl of a hundred thousand hosts has a few of them in memory. Where
more hosts have work than can be active, a host gives its place up after one batch, or
when it is not due for a while: all hosts advance. A host that is not due holds no
greenlet, no socket and no place.

A worker's lease is *out* until it is answered by `done`, `retry` or `give_back`.
Answers may come late, since the writer gathers outcomes; `landed` tells the host's
account at once that its request is over. The crawl is at its end when nothing is out
and nothing waits: then every worker gets None.

Nothing but `lease` switches, and it does so with no work half-done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from random import random

from msgspec import Struct

from crawler.frontier.host_queue import HostQueue
from crawler.frontier.idle_workers import IdleWorkers
from crawler.frontier.politeness import Politeness
from crawler.frontier.slots import Slots
from crawler.frontier.store import STATES, Ended, Store
from crawler.frontier.throttle import HostFeedback, check
from crawler.model.config import PolitenessConfig
from crawler.model.crawl import Destination, Discovered, Lease, Skip, StoredResponse

ACTIVE = 500
"""Hosts in memory, beside those of which a lease is out."""

CLAIM = 32
"""Hosts claimed at once, so that the first lease of a large crawl does not wait for
all."""

PREFETCH, MOST_AT_ONCE = 16, 64
"""URLs of each kind leased at once from one host's queue; 2 when hosts take turns.
Where no other host waits for its place, each batch of a host is twice as large as the
last one, up to the most."""

AT_HAND = 2048
"""URLs at hand in all, beyond which there are no larger batches."""


class Statistics(Struct, frozen=True):
    """The frontier at one moment; `queued` includes what waits for a retry."""

    queued: int
    leased: int
    done: int
    hosts: int
    """Met in the whole crawl."""
    hosts_active: int
    hosts_due: int
    """Active ones that may be asked now."""
    next_due_s: float | None
    """Until the next host or retry falls due, if nothing is due now; 0 if something
    is."""
    by_host: Mapping[str, tuple[int, int]]
    """(queued, in flight) of each active host."""


class Frontier:
    """Hands out leases of `store`, politely. `clock` gives seconds since the epoch."""

    def __init__(
        self,
        store: Store,
        config: PolitenessConfig,
        clock: Callable[[], float],
        active: int = ACTIVE,
        jitter: Callable[[], float] = random,
        places: Slots | None = None,
    ) -> None:
        self._store = store
        self.known: Callable[[str, int], bool] = store.known
        """Whether a find of this URL at this depth is sure to change nothing. Asked for
        every link of every page: the store's own method, which looks at memory only."""
        self._clock = clock
        self._active = active
        self._longest_block = config.max_retry_after
        self._places = places or Slots(inf, 0)
        self._politeness = Politeness(config, jitter, self._places)
        self._queues: dict[str, HostQueue] = {}
        self._busy = 0  # hosts of which a lease is out
        self._out: dict[int, bool] = {}  # url_id: is the request under way?
        self._wants: tuple[Destination, ...] = ("page", "image")
        self._stale = (
            True  # the store may have work that was not there at the last look
        )
        self._store_due = inf
        self._parked_due = inf
        self._crowded = False  # hosts wait in the store, and there is no room for them
        self.closed = False
        """No lease is given any more."""
        self._waiting = IdleWorkers()

    # What comes in

    def add(self, found: Iterable[Discovered]) -> int:
        """Take URLs in; returns how many were queued by it."""
        new = self._store.add(found, self._clock())
        if new:
            self._stale = True
            self._notify()
        return new

    # Leases

    def lease(self) -> Lease | None:
        """The next URL to fetch; waits until there is one.

        None when the crawl is at its end, or closed: nothing will ever come again.
        """
        while not self.closed:
            lease = self.lease_now()
            if lease is not None:
                return lease
            if self._finished():
                break
            now = self._clock()
            self._waiting.set_alarm(self._next_due(now), now)
            self._waiting.sleep()
        self._waiting.cancel_alarm()
        self._waiting.wake(self._waiting.asleep)
        return None

    def lease_now(self) -> Lease | None:
        """The same, but None also where `lease` would wait. Does not switch."""
        now = self._clock()
        lease = None if self.closed else self._next(now)
        if lease is not None and self._waiting.asleep and self._politeness.due(now):
            self._waiting.wake(1)  # from worker to worker, until nothing is due
        return lease

    def unasked(self, lease: Lease) -> bool:
        """Whether no request was made for the lease just got: then its host is owed no
        pause.

        A site whose robots.txt forbids a thousand links would cost a thousand pauses.
        """
        if not self._out.get(lease.url_id):
            return False
        self._out[lease.url_id] = False
        self._politeness.untaken(lease.host)
        return True

    def landed(self, lease: Lease, reply: HostFeedback | None = None) -> None:
        """The request is over, its answer will follow: the host may be asked for the
        next URL.

        `reply`: how the host took it, if that is known.
        """
        if self._out.get(lease.url_id):
            self._out[lease.url_id] = False
            if reply is None:
                self._politeness.ended(lease.host)
            else:
                self._politeness.ended(lease.host, self._clock(), reply.sent_at)
                self._apply(lease.host, reply)
            self._notify()

    def done(
        self,
        lease: Lease,
        ended: Ended,
        found: Iterable[Discovered] = (),
        code: str | None = None,
        why: str | None = None,
        kept: StoredResponse | None = None,
    ) -> int:
        """The URL has its terminal record. Returns how many URLs of `found` were queued
        by it.

        `code`, `why` and `kept` are as the store has them.
        """
        self._store.done(lease, ended, code, why, kept)
        new = self._store.add(found, self._clock()) if found else 0
        self._stale |= new > 0
        self._answered(lease)
        return new

    def retry(
        self,
        lease: Lease,
        not_before: float,
        code: str | None = None,
        why: str | None = None,
    ) -> None:
        """Fetch the URL again, from `not_before` (seconds since the epoch) on.

        `code` and `why` are of the failure that this follows from.
        """
        if self._queues[lease.host].parked:
            not_before = self._clock()  # the host waits longer, and nobody for it
        self._store.retry(lease, not_before, code, why)
        self._store_due = min(self._store_due, not_before)
        self._answered(lease)

    def give_back(self, lease: Lease) -> None:
        """The URL was not asked for after all: it is its host's next."""
        queue, now = self._queues[lease.host], self._clock()
        if lease.destination in self._wants and not queue.leaving:
            queue.lanes[lease.destination].appendleft((lease, now))
            self._offer(queue, now)
        else:
            self._store.release(lease)
        self._answered(lease)

    @property
    def lent(self) -> int:
        """Requests under way that keep no place from others; each holds a worker."""
        return self._places.lent

    def lend(self) -> int:
        """Lend places to the hosts that keep us waiting: for a few times a second.

        Returns how many workers beside those that hold a lent place could have work at
        once.
        """
        wanted = self._politeness.lend(self._clock())
        self._notify()
        return wanted

    def postpone(self, lease: Lease) -> bool:
        """Give the URL back unasked, and hold its host until `free`; False if it is
        held already.

        Something of the host must be under way, after which it is freed.
        """
        self.unasked(lease)
        held = self.hold(lease.host)
        self.give_back(lease)
        return held

    # Hosts

    def block(self, host: str, until: float) -> None:
        """Ask `host` for nothing before `until`, or `max_retry_after` from now if that
        is sooner.

        The store remembers it.
        """
        until = min(until, self._clock() + self._longest_block)
        self._store.block(host, until)
        if host in self._queues:
            self._politeness.block(host, until)

    def set_delay(self, host: str, delay: float) -> None:
        """The Crawl-delay of `host`, of which a lease is out, seconds. The store
        remembers it."""
        self._store.set_pace(host, self._politeness.set_delay(host, delay))
        self._store.block(host, self._politeness.next_allowed_at(host))

    def busy_until(self, host: str) -> float:
        """Until when `host`, of which a lease is out, is owed a pause; now, if it is
        not.

        That a host is parked is no such pause: nobody waits for it.
        """
        now = self._clock()
        if self._queues[host].parked:
            return now
        return max(now, self._politeness.next_allowed_at(host))

    def check(self, lease: Lease) -> Skip | None:
        """Why the lease's host is not asked any more, if so; or raises HostParked."""
        pace = self._politeness.given_up(lease.host)
        return None if pace is None else check(pace)

    def hold(self, host: str) -> bool:
        """Lease nothing of `host`, of which a lease is out, until `free`; False if it
        is held."""
        return self._politeness.hold(host)

    def free(self, host: str) -> None:
        """End a `hold`."""
        self._politeness.free(host)
        self._settle(self._queues[host])
        self._notify()

    # The crawl's end

    def only_images(self) -> None:
        """From now on lease nothing but pictures; the pages stay queued."""
        if self._wants == ("image",):
            return
        self._wants = ("image",)
        self._stale = True
        for queue in list(self._queues.values()):
            self._release(queue.drain("page"))
            self._offer(queue, self._clock())
            self._settle(queue)
        self._notify()

    def close(self) -> None:
        """Lease nothing more; whoever waits gets None."""
        self.closed = True
        self._waiting.cancel_alarm()
        for queue in self._queues.values():
            self._politeness.withdraw(queue.name)
            self._release(queue.drain("page") + queue.drain("image"))
        self._waiting.wake(self._waiting.asleep)

    def statistics(self) -> Statistics:
        """Costs a look into the store: for a few times a second."""
        now = self._clock()
        counts = self._store.counts()
        leased = len(self._out)
        queued = counts["queued"] + counts["leased"] - leased
        in_flight = {name: self._politeness.in_flight(name) for name in self._queues}
        waiting = self._store.claimed()
        due = self._next_due(now)
        return Statistics(
            queued=queued,
            leased=leased,
            done=sum(counts[state] for state in STATES) - queued - leased,
            hosts=self._store.hosts(),
            hosts_active=len(self._queues),
            hosts_due=self._politeness.count_due(now),
            next_due_s=None if due == inf else max(0.0, due - now),
            by_host={
                name: (waiting.get(name, 0) - self._queues[name].out, n)
                for name, n in in_flight.items()
            },
        )

    # Which URL next

    def _next(self, now: float) -> Lease | None:
        self._look(now)
        name = self._politeness.take(now)
        if name is None:
            return None
        queue = self._queues[name]
        lease = queue.pop(now)
        queue.out += 1
        self._busy += queue.out == 1
        self._out[lease.url_id] = True
        allowed = self._politeness.next_allowed_at(name)
        if allowed > now:
            self._store.block(name, allowed)  # also a crash must not make us hasty
        if queue.short:
            self._offer(queue, now)
        return lease

    def _look(self, now: float) -> None:
        """Fetch from the store what may have come there since the last look."""
        if self.closed:
            return
        if self._crowded and not self._politeness.due(now):
            self._make_room(now)
        if not self._stale and (
            self._crowded or min(self._store_due, self._parked_due) > now
        ):
            return
        self._stale = self._crowded = False
        while self._claim(now) == CLAIM:
            pass
        self._refill(now)
        next_due = self._store.next_due(self._wants == ("image",))
        self._store_due = inf if next_due is None else next_due
        next_parked = self._store.next_parked()
        self._parked_due = inf if next_parked is None else next_parked
        self._crowded = self._store_due <= now

    def _claim(self, now: float) -> int:
        """Take hosts in, if there is room. Makes the store look for due retries in any
        case."""
        room = max(0, min(CLAIM, self._room()))
        hosts = self._store.claim(room, now, self._wants == ("image",))
        for host in hosts:
            queue = self._queues[host.name] = HostQueue(host.name, PREFETCH)
            self._politeness.enter(host.name, host.ready_at, host.pace)
            self._offer(queue, now)
        return len(hosts)

    def _refill(self, now: float) -> None:
        """Look again into the queues that had run dry, and to which something has
        come."""
        for name in self._store.refilled():
            queue = self._queues[name]
            queue.dry.clear()
            self._offer(queue, now)

    def _offer(self, queue: HostQueue, now: float) -> None:
        """See to it that the host is offered if it has work at hand, and only then."""
        if self.closed or (
            self._crowded and not any(queue.lanes[w] for w in self._wants)
        ):
            queue.leaving = True
        if queue.leaving or not self._fill(queue, now):
            self._politeness.withdraw(queue.name)
            queue.offered = False
        else:
            self._politeness.offer(queue.name)
            queue.offered = True

    def _fill(self, queue: HostQueue, now: float) -> bool:
        """Whether the host has work at hand, after asking the store for what has run
        out."""
        at_hand = False
        for destination in self._wants:
            lane = queue.lanes[destination]
            if not lane and destination not in queue.dry:
                limit = self._batch(queue)
                leases = self._store.lease(queue.name, destination, limit, now)
                lane.extend([(lease, now) for lease in leases])
                if len(leases) < limit:
                    queue.dry.add(destination)
            at_hand |= bool(lane)
        return at_hand

    def _batch(self, queue: HostQueue) -> int:
        """How many URLs of a host to lease at once."""
        if self._room() <= 0:
            return 2
        if self._crowded or len(self._queues) > AT_HAND // MOST_AT_ONCE:
            return PREFETCH
        batch = queue.batch
        queue.batch = min(2 * batch, MOST_AT_ONCE)
        return batch

    # Hosts come and go

    def _apply(self, host: str, reply: HostFeedback) -> None:
        """Let the host's answers decide how it is asked, and remember it."""
        pace = self._politeness.apply(host, reply, self._clock())
        if pace is None:
            return
        self._store.set_pace(host, pace)
        allowed = self._politeness.next_allowed_at(host)
        if reply.kind == "failed" and self._politeness.parked(host):
            self._store.park(host, allowed)
            queue = self._queues[host]
            queue.parked = queue.leaving = True
            self._offer(queue, self._clock())
        elif reply.kind != "served":
            self._store.block(host, allowed)

    def _answered(self, lease: Lease) -> None:
        if self._out.pop(lease.url_id):
            self._politeness.ended(lease.host)
        queue = self._queues[lease.host]
        queue.out -= 1
        self._busy -= queue.out == 0
        self._settle(queue)
        self._notify()

    def _settle(self, queue: HostQueue) -> None:
        """Let a host go that has nothing left to do here."""
        if queue.offered or queue.out or self._politeness.held(queue.name):
            return
        now = self._clock()
        self._refill(now)
        if not queue.offered:
            self._drop(queue, now)

    def _drop(self, queue: HostQueue, now: float) -> None:
        self._release(queue.drain("page") + queue.drain("image"))
        del self._queues[queue.name]
        self._store.unclaim(queue.name, max(now, self._politeness.leave(queue.name)))
        self._stale = True  # there is room now

    def _room(self) -> int:
        """How many hosts more may be active; those with a lease out do not count."""
        return self._active - len(self._queues) + self._busy

    def _make_room(self, now: float) -> None:
        """While other hosts could be asked, drop those that can't be for the longest
        time."""
        self._crowded = self._room() <= 0
        if not self._crowded:
            return
        idle = [
            queue
            for queue in self._queues.values()
            if not queue.out and not self._politeness.held(queue.name)
        ]
        idle.sort(
            key=lambda queue: self._politeness.next_allowed_at(queue.name), reverse=True
        )
        for queue in idle[:CLAIM]:
            self._drop(queue, now)
        self._crowded = not idle

    def _release(self, leases: list[Lease]) -> None:
        for lease in leases:
            self._store.release(lease)

    # Sleeping and waking

    def _finished(self) -> bool:
        """Nothing is out, nothing at hand, nothing to come: parked hosts are not waited
        for."""
        return (
            not self._out and not self._politeness.offering and self._store_due == inf
        )

    def _notify(self) -> None:
        """Something has changed that a sleeping worker may be waiting for."""
        if not self._waiting.asleep:
            return
        now = self._clock()
        self._look(now)
        if self._politeness.due(now):
            self._waiting.wake(1)
        elif self._finished():
            self._waiting.wake(self._waiting.asleep)
        else:
            self._waiting.set_alarm(self._next_due(now), now)

    def _next_due(self, now: float) -> float:
        moment = self._politeness.next_due()
        in_store = inf if self._crowded else min(self._store_due, self._parked_due)
        return min(inf if moment is None else moment, in_store)
