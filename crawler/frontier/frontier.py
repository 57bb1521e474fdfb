"""The frontier: which URL next, for which of the waiting workers.

    store          all hosts, all URLs                      durable, blocking, no hub
    active_hosts   some hosts, a few URLs of each           never switches
    politeness     which of these hosts is due now          pure
    frontier       hands leases out, wakes idle workers     here
    lease          takes the answer of one worker           never switches

A lease is *out* until it is answered. Answers may come late, since the committer
gathers outcomes; `LeaseHandle.responded` tells the host's account at once that its
request is over. The crawl is at its end when no lease is out and no URL waits: then
every worker gets None.

Only `lease` switches, and it does so with no work half-done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from random import random
from typing import TYPE_CHECKING

from msgspec import Struct

from crawler.frontier.active_hosts import ActiveHosts
from crawler.frontier.concurrency import Slots
from crawler.frontier.idle_workers import IdleWorkers
from crawler.frontier.lease import LeaseHandle
from crawler.frontier.politeness import Politeness
from crawler.frontier.store import STATES, Store
from crawler.frontier.throttle import Controller, check
from crawler.model.crawl import Discovered, Skip
from crawler.model.host import SILENT_S, Waits
from crawler.model.metadata import SILENT_HOSTS
from crawler.model.policy_config import PolitenessConfig

if TYPE_CHECKING:
    from crawler.frontier.silent_hosts import SilentHosts
    from crawler.frontier.waits import HostGroup, RetryCount

COUNTED_PER_S = 5_000
"""Hosts and retries that are read for each second, to count those that wait.

Reading so many takes some 5 ms.
"""

MAX_ACTIVE = 500
"""Hosts in memory, beside those of which a lease is out."""


class Statistics(Struct, frozen=True):
    """The frontier at one moment; `queued` includes what waits for a retry."""

    queued: int
    leased: int
    in_flight: int
    """Leased, and a request is under way; of the others the record is to come."""
    done: int
    hosts: int
    """All that the crawl knows."""
    hosts_active: int
    hosts_due: int
    """Active ones that are due now."""
    next_due_s: float | None
    """Seconds until the next host or retry falls due; 0 if one is due now."""
    by_host: Mapping[str, tuple[int, int]]
    """(queued, in flight) of each active host, and of hosts that `waits` has found."""


class _WaitCount(Struct, frozen=True):
    """What the store last said about waiting hosts."""

    valid_until: float
    hosts: list[HostGroup]
    retries: list[RetryCount]
    slowest: tuple[str, float]
    waiting: dict[str, tuple[int, int]]
    """Some hosts, with the number of their queued URLs and no request."""


class Frontier:
    """Hands out leases of `store`, politely.

    `clock` gives seconds since the epoch, and is never set back.
    """

    def __init__(
        self,
        store: Store,
        config: PolitenessConfig,
        clock: Callable[[], float],
        active: int = MAX_ACTIVE,
        jitter: Callable[[], float] = random,
        slots: Slots | None = None,
    ) -> None:
        self._store = store
        self.known: Callable[[str, int], bool] = store.known
        """Whether a find of this URL at this depth is sure to change nothing.

        It is called for every link of every page, so it is the store's own method,
        which looks at memory only.
        """
        self._clock = clock
        self._config = config
        self._wait_count: _WaitCount | None = None
        self._silent: SilentHosts | None = None
        self._may_be_silent = any(True for _ in store.items(SILENT_HOSTS))
        self._slots = slots or Slots(inf, 0)
        self._politeness = Politeness(config, jitter, self._slots)
        self._hosts = ActiveHosts(
            store,
            self._politeness,
            clock,
            active,
            config.max_retry_after,
            config.max_park_wait,
        )
        self.closed = False
        """No lease is given any more."""
        self.awaits_mail = False
        """Other shards of the crawl may send URLs, so that it has no end of its own."""
        self.when_finished: Callable[[], None] = lambda: None
        """Called when nothing is left but what other shards may send."""
        self._idle = IdleWorkers()

    def add(self, found: Iterable[Discovered]) -> int:
        """Take URLs in; returns how many were queued by it."""
        new = self._hosts.add(found)
        if new:
            self._notify()
        return new

    def lease(self) -> LeaseHandle | None:
        """The next URL to fetch; waits until there is one.

        None when the crawl is at its end, or closed: no URL will ever come again.
        """
        while not self.closed:
            handle = self.lease_nowait()
            if handle is not None:
                return handle
            if self._hosts.finished:
                if not self.awaits_mail:
                    break
                self.when_finished()
            self._idle.set_alarm(self._hosts.next_due(), self._clock())
            self._idle.sleep()
        self._idle.cancel_alarm()
        self._idle.wake(self._idle.asleep)
        return None

    def lease_nowait(self) -> LeaseHandle | None:
        """The same, but None also where `lease` would wait. Does not switch."""
        if self.closed:
            return None
        now = self._clock()
        taken = self._hosts.take(now)
        if taken is None:
            return None
        if self._idle.asleep and self._politeness.due(now):
            self._idle.wake(1)  # each worker wakes the next one, until no host is due
        lease, queue = taken
        return LeaseHandle(lease, queue, self._hosts, self._notify)

    @property
    def has_idle_workers(self) -> bool:
        """Whether a worker waits in `lease`."""
        return self._idle.asleep > 0

    @property
    def borrowed(self) -> int:
        """Requests under way that use a borrowed slot; each needs one more worker."""
        return self._slots.borrowed

    def borrow(self) -> int:
        """Borrow slots for the requests that last too long.

        To be called a few times a second. Returns how many more workers could have work
        at once.
        """
        wanted = self._politeness.borrow(self._clock())
        self._notify()
        return wanted

    def check_host(self, host: str) -> Skip | None:
        """Why `host`, of which a lease is out, gets no more requests, if so.

        Raises HostParked.
        """
        throttle = self._politeness.given_up(host)
        return None if throttle is None else check(throttle)

    def only_images(self) -> None:
        """From now on lease images only; the pages stay queued."""
        if self._hosts.only_images():
            self._notify()

    def all_urls(self) -> None:
        """Lease pages again, where `only_images` has ended that."""
        if self._hosts.images_only:
            self._hosts.all_urls()
            self._notify()

    @property
    def finished(self) -> bool:
        """Whether no URL is leased, or to come but from other shards."""
        self._hosts.look(self._clock())
        return self._hosts.finished

    @property
    def images_only(self) -> bool:
        """Whether the limit of pages is reached, so that pages stay queued."""
        return self._hosts.images_only

    def end_mail(self) -> None:
        """No other shard will send URLs any more."""
        self.awaits_mail = False
        self._notify()

    def close(self) -> None:
        """Lease nothing more; a worker that waits gets None."""
        self.closed = True
        self._idle.cancel_alarm()
        try:
            self._hosts.close()
        finally:
            self._idle.wake(self._idle.asleep)

    def statistics(self) -> Statistics:
        """Costs a look into the store: for a few times a second."""
        now = self._clock()
        counts = self._store.counts()
        leased, queues = self._hosts.leased, self._hosts.queues
        queued = counts["queued"] + counts["leased"] - leased
        in_flight = {name: self._politeness.in_flight(name) for name in queues}
        waiting = self._store.claimed()
        due = self._hosts.next_due()
        count = self._wait_count
        return Statistics(
            queued=queued,
            leased=leased,
            in_flight=sum(in_flight.values()),
            done=sum(counts[state] for state in STATES) - queued - leased,
            hosts=self._store.hosts(),
            hosts_active=len(queues),
            hosts_due=self._politeness.count_due(now),
            next_due_s=None if due == inf else max(0.0, due - now),
            by_host=({} if count is None else count.waiting)
            | {
                name: (waiting.get(name, 0) - queues[name].out, n)
                for name, n in in_flight.items()
            },
        )

    def waits(self, pages_left: float = inf) -> Waits:
        """What is waited for; the more hosts there are, the less often it is counted.

        `pages_left`: how many pages the limit of the crawl still allows.
        """
        from crawler.frontier.waits import (
            group_waits,  # many crawls end before that
            waits_of,
        )

        now = self._clock()
        count = self._wait_count
        if count is None or now >= count.valid_until:
            count = self._wait_count = self._count_waits(now, pages_left)
        silent = sorted(self._politeness.under_way())[:1]
        return waits_of(
            group_waits(count.hosts, count.retries, now),
            count.slowest,
            [(name, now - since) for since, name, _ in silent],
            self._config.max_park_wait if pages_left else None,
        )

    def save_silent_hosts(self) -> None:
        """Put into the store which hosts do not answer, if that has changed."""
        until = self._clock() - SILENT_S
        silent = [one for one in self._politeness.under_way() if one[0] <= until]
        if not silent and not self._may_be_silent:
            return
        from crawler.frontier.silent_hosts import (
            SilentHost,  # most hosts answer
            SilentHosts,
        )

        self._silent = self._silent or SilentHosts(self._store)
        self._silent.save(SilentHost(*one) for one in silent)
        self._may_be_silent = bool(silent)

    def _count_waits(self, now: float, pages_left: float) -> _WaitCount:
        from crawler.frontier.waits import MAX_SHOWN, SLOWEST, UNLIMITED, slowest_of

        store, config = self._store, self._config
        pages = UNLIMITED if pages_left == inf else int(pages_left)
        retries = store.retry_counts(now)
        return _WaitCount(
            now + (store.hosts() + sum(one.urls for one in retries)) / COUNTED_PER_S,
            store.host_groups(now),
            retries,
            slowest_of(
                store.slowest_hosts(config, pages, SLOWEST), Controller(config), pages
            ),
            {name: (urls, 0) for name, urls in store.waiting_hosts(now, MAX_SHOWN)},
        )

    def _notify(self) -> None:
        """Something has changed that an idle worker may wait for."""
        if not self._idle.asleep:
            return
        now = self._clock()
        self._hosts.look(now)
        if self._politeness.due(now):
            self._idle.wake(1)
        elif self._hosts.finished and not self.awaits_mail:
            self._idle.wake(self._idle.asleep)
        else:
            self._idle.set_alarm(self._hosts.next_due(), now)
