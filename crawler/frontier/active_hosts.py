"""The hosts that are in memory, with the URLs of each that are at hand.

Hosts are *claimed* from the store, and URLs of a claimed host are leased in small
batches, so that a crawl of a hundred thousand hosts has a few of them in memory. Where
more hosts have work than can be active, a host gives up its place after one batch, or
when it is not due for a while: all hosts advance. A host that is not due holds no
greenlet, no socket and no place.

Nothing here switches, and nothing here wakes a worker: `frontier.py` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from crawler.frontier.host_queue import HostQueue
from crawler.frontier.politeness import Politeness
from crawler.frontier.store import Store
from crawler.frontier.throttle import HostFeedback
from crawler.model.crawl import Destination, Discovered, Lease, Queue, queue_of

CLAIM = 32
"""The number of hosts claimed in one call.

So the first lease of a large crawl does not wait for all of them.
"""

PREFETCH, MAX_BATCH = 16, 64
"""The number of URLs of each destination leased at once from a host's queue.

It is 2 when hosts take turns. Where no other host waits for a slot, each batch of a
host is twice as large as the last one, up to the maximum.
"""

MAX_AT_HAND = 2048
"""URLs at hand in all, beyond which batches do not grow."""


class ActiveHosts:
    """Up to `capacity` hosts of `store`, beside those of which a lease is out."""

    def __init__(
        self,
        store: Store,
        politeness: Politeness,
        clock: Callable[[], float],
        capacity: int,
        max_block: float,
        max_park_wait: float,
    ) -> None:
        """`max_block`: the longest that one `block` may last, in seconds.

        `max_park_wait`: how long after the last answer of a host the crawl waits for
        parked ones.
        """
        self.store = store
        self.politeness = politeness
        self.leased = 0
        """Leases that are not answered."""
        self.queues: dict[str, HostQueue] = {}
        self._clock = clock
        self._capacity = capacity
        self._max_block = max_block
        self._max_park_wait = max_park_wait
        self._answered_at = -inf  # by any host, in this run
        self._busy = 0  # hosts of which a lease is out
        self._queues: tuple[Queue, ...] = ("page", "image")
        self.images_only = False
        """Whether no pages are leased."""
        self._stale = True  # the store may have work that it had not at the last look
        self._store_due = inf
        self._parked_due = inf
        self._crowded = False  # hosts wait in the store, and there is no room for them
        self._closed = False
        self._had_finished = False  # when it was closed

    # URLs

    def add(self, found: Iterable[Discovered]) -> int:
        """Take URLs in; returns how many were queued by it."""
        new = self.store.add(found, self._clock())
        self._stale |= new > 0
        return new

    def take(self, now: float) -> tuple[Lease, HostQueue] | None:
        """The URL to fetch next, with its host; None if no host is due."""
        self.look(now)
        name = self.politeness.start_request(now)
        if name is None:
            return None
        queue = self.queues[name]
        lease = queue.pop(now)
        queue.out += 1
        queue.workers += 1
        self._busy += queue.out == 1
        self.leased += 1
        allowed = self.politeness.next_allowed_at(name)
        if allowed > now:
            self.store.block(name, allowed)  # a crash must not shorten the pause either
        if queue.short:
            self._offer(queue, now)
        return lease, queue

    def retry(
        self,
        queue: HostQueue,
        lease: Lease,
        at: float,
        code: str | None,
        detail: str | None,
        destination: Destination | None,
    ) -> None:
        """Queue the URL again, from `at` on."""
        if queue.parked:
            at = self._clock()  # the host itself waits longer than that
        self.store.retry(lease, at, code, detail, destination)
        self._store_due = min(self._store_due, at)

    def put_back(self, queue: HostQueue, lease: Lease) -> None:
        """Make the URL its host's next, as if it had not been leased."""
        now = self._clock()
        waits_in = queue_of(lease.destination)
        if waits_in in self._queues and not queue.leaving:
            queue.at_hand[waits_in].appendleft((lease, now))
            self._offer(queue, now)
        else:
            self.store.release(lease)

    def answered(self, queue: HostQueue) -> None:
        """One lease of the host is no longer out."""
        self.leased -= 1
        queue.out -= 1
        self._busy -= queue.out == 0
        self._settle(queue)

    # One host

    def end_request(self, queue: HostQueue, feedback: HostFeedback | None) -> None:
        """A request to the host is over; `feedback` tells how the host took it."""
        if feedback is None:
            self.politeness.end_request(queue.name)
        else:
            now = self._clock()
            if feedback.kind == "served":
                self._answered_at = now
            self.politeness.end_request(queue.name, now, feedback.sent_at)
            self._apply(queue, feedback, now)

    def block(self, queue: HostQueue, until: float) -> None:
        """Block the host until `until`, or before `max_block` is over."""
        until = min(until, self._clock() + self._max_block)
        self.store.block(queue.name, until)
        self.politeness.block(queue.name, until)

    def set_delay(self, queue: HostQueue, delay: float) -> None:
        """Follow the Crawl-delay of the host, in seconds."""
        name = queue.name
        self.store.set_throttle(name, self.politeness.set_delay(name, delay))
        self.store.block(name, self.politeness.next_allowed_at(name))

    def busy_until(self, queue: HostQueue) -> float:
        """When the pause ends that the host is owed; now, if there is none."""
        now = self._clock()
        if queue.parked:
            return now
        return max(now, self.politeness.next_allowed_at(queue.name))

    def pause_deferred(self, queue: HostQueue) -> None:
        """Pause the host until a worker is done with a lease of it, if any has one."""
        if queue.workers and self.politeness.pause(queue.name):
            queue.deferred = True

    def resume(self, queue: HostQueue) -> None:
        """End a pause of the host."""
        self.politeness.resume(queue.name)
        self._settle(queue)

    def _apply(self, queue: HostQueue, feedback: HostFeedback, now: float) -> None:
        """Apply the feedback to the throttle of the host, and store that."""
        name = queue.name
        throttle = self.politeness.apply(name, feedback, now)
        if throttle is None:
            return
        self.store.set_throttle(name, throttle)
        allowed = self.politeness.next_allowed_at(name)
        if feedback.kind != "served" and self.politeness.parked(name):
            self.store.park(name, allowed)
            queue.parked = queue.leaving = True
            self._offer(queue, now)
        elif feedback.kind != "served":
            self.store.block(name, allowed)

    # All hosts

    def look(self, now: float) -> None:
        """Fetch from the store what may have come there since the last look."""
        if self._closed:
            return
        if self._crowded and not self.politeness.due(now):
            self._make_room(now)
        if not self._stale and (
            self._crowded or (self._store_due > now and self._parked_due > now)
        ):
            return
        self._stale = self._crowded = False
        while self._claim(now) == CLAIM:
            pass
        self._refill(now)
        next_due = self.store.next_due(self.images_only)
        self._store_due = inf if next_due is None else next_due
        next_parked = self.store.next_parked()
        self._parked_due = inf if next_parked is None else next_parked
        self._crowded = self._store_due <= now

    def next_due(self) -> float:
        """When a host or a retry falls due; infinity if none will."""
        moment = self.politeness.next_due()
        in_store = inf if self._crowded else min(self._store_due, self._parked_due)
        return min(inf if moment is None else moment, in_store)

    @property
    def finished(self) -> bool:
        """Whether no URL is leased, at hand or to come.

        Parked hosts count if they are due within `max_park_wait` of the last answer.
        After `close` it tells whether that was so before.
        """
        if self._closed:
            return self._had_finished
        return (
            not self.leased
            and not self.politeness.with_work
            and self._store_due == inf
            and not self._waits_for_parked()
        )

    def _waits_for_parked(self) -> bool:
        end = self._answered_at + self._max_park_wait
        if self.images_only or self._parked_due > end:
            return False
        return any(parked.until <= end for parked in self.store.parked())

    def only_images(self) -> bool:
        """From now on lease images only; False if that is so already."""
        if self.images_only:
            return False
        self._queues, self.images_only = ("image",), True
        self._stale = True
        for queue in list(self.queues.values()):
            self._release(queue.drain("page"))
            self._offer(queue, self._clock())
            self._settle(queue)
        return True

    def all_urls(self) -> None:
        """Lease pages again, after `only_images`."""
        self._queues, self.images_only = ("page", "image"), False
        self._stale = True
        for queue in list(self.queues.values()):
            self._offer(queue, self._clock())

    def close(self) -> None:
        """Lease nothing more; what is at hand goes back to the store."""
        self._had_finished = self.finished and (self._closed or not self._stale)
        self._closed = True
        for queue in self.queues.values():
            self.politeness.withdraw(queue.name)
            self._release(queue.drain("page") + queue.drain("image"))

    def _claim(self, now: float) -> int:
        """Take hosts in, if there is room. The store looks for due retries anyway."""
        room = max(0, min(CLAIM, self._room()))
        hosts = self.store.claim(room, now, self.images_only)
        for host in hosts:
            queue = self.queues[host.name] = HostQueue(host.name, PREFETCH)
            self.politeness.enter(host.name, host.ready_at, host.throttle)
            self._offer(queue, now)
        return len(hosts)

    def _refill(self, now: float) -> None:
        """Look again into the exhausted queues to which URLs have come."""
        for name in self.store.refilled():
            queue = self.queues[name]
            queue.exhausted.clear()
            self._offer(queue, now)

    def _offer(self, queue: HostQueue, now: float) -> None:
        """Offer the host if it has work at hand, and only then."""
        if self._closed or (
            self._crowded and not any(queue.at_hand[d] for d in self._queues)
        ):
            queue.leaving = True
        if queue.leaving or not self._fill(queue, now):
            self.politeness.withdraw(queue.name)
            queue.offered = False
        else:
            self.politeness.offer(queue.name)
            queue.offered = True

    def _fill(self, queue: HostQueue, now: float) -> bool:
        """Whether the host has work at hand, after a look into the store if need be."""
        has_work = False
        for kind in self._queues:
            urls = queue.at_hand[kind]
            if not urls and kind not in queue.exhausted:
                limit = self._batch(queue)
                leases = self.store.lease(queue.name, kind, limit, now)
                urls.extend([(lease, now) for lease in leases])
                if len(leases) < limit:
                    queue.exhausted.add(kind)
            has_work |= bool(urls)
        return has_work

    def _batch(self, queue: HostQueue) -> int:
        """How many URLs of a host to lease at once."""
        if self._room() <= 0:
            return 2
        if self._crowded or len(self.queues) > MAX_AT_HAND // MAX_BATCH:
            return PREFETCH
        batch = queue.batch
        queue.batch = min(2 * batch, MAX_BATCH)
        return batch

    def _settle(self, queue: HostQueue) -> None:
        """Drop the host if it has nothing left to do here."""
        if queue.offered or queue.out or self.politeness.is_paused(queue.name):
            return
        now = self._clock()
        self._refill(now)
        if not queue.offered:
            self._drop(queue, now)

    def _drop(self, queue: HostQueue, now: float) -> None:
        self._release(queue.drain("page") + queue.drain("image"))
        del self.queues[queue.name]
        self.store.unclaim(queue.name, max(now, self.politeness.leave(queue.name)))
        self._stale = True  # there is room now

    def _room(self) -> int:
        """How many hosts more may be active; those with a lease out do not count."""
        return self._capacity - len(self.queues) + self._busy

    def _make_room(self, now: float) -> None:
        """Drop the hosts that are due last, while other hosts are due."""
        self._crowded = self._room() <= 0
        if not self._crowded:
            return
        idle = [
            queue
            for queue in self.queues.values()
            if not queue.out and not self.politeness.is_paused(queue.name)
        ]
        idle.sort(
            key=lambda queue: self.politeness.next_allowed_at(queue.name), reverse=True
        )
        for queue in idle[:CLAIM]:
            self._drop(queue, now)
        self._crowded = not idle

    def _release(self, leases: list[Lease]) -> None:
        for lease in leases:
            self.store.release(lease)
