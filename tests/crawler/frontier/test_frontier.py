"""Leases handed to waiting workers, in virtual time."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import hub
from crawler.frontier.active_hosts import PREFETCH
from crawler.frontier.frontier import Frontier
from crawler.frontier.lease import LeaseHandle
from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Store
from crawler.model.crawl import Discovered, Lease
from crawler.model.errors import OutputError
from crawler.model.policy_config import PolitenessConfig
from hub.testing import virtual_time
from tests.helpers.frontier import FAR, found, paths

Clock = Callable[[], float]

START = 1_000_000.0
"""The hub's clock serves as wall clock as well."""


@pytest.fixture
def clock() -> Iterator[Clock]:
    with virtual_time(START) as clock:
        yield clock


def frontier_of(
    store: Store, clock: Clock, wait: float = 1.0, per_host: int = 2, active: int = 500
) -> Frontier:
    return Frontier(
        store, PolitenessConfig(per_host=per_host, wait=wait), clock, active
    )


def leased(frontier: Frontier) -> LeaseHandle:
    """The next lease, which must be there."""
    handle = frontier.lease()
    assert handle is not None
    return handle


def block(frontier: Frontier, host: str, until: float) -> None:
    """Block a host by a lease of it for which no request is made."""
    handle, others = leased(frontier), []
    while handle.lease.host != host:
        others.append(handle)
        handle = leased(frontier)
    handle.block_host(until)
    for one in (handle, *reversed(others)):
        one.cancel()
        one.release()


class Crawl:
    """Workers that fetch for `seconds` and log when they began each URL."""

    def __init__(self, frontier: Frontier, clock: Clock, seconds: float = 0.1) -> None:
        self.frontier = frontier
        self.clock = clock
        self.seconds = seconds
        self.log: list[tuple[float, Lease]] = []
        self.links: dict[str, list[Discovered]] = {}

    def run(self, workers: int) -> None:
        hub.joinall([hub.spawn(self.work) for _ in range(workers)], raise_error=True)

    def work(self) -> None:
        while (handle := self.frontier.lease()) is not None:
            self.log.append((round(self.clock() - START, 3), handle.lease))
            with handle:
                hub.sleep(self.seconds)
                self.answer(handle)

    def answer(self, handle: LeaseHandle) -> None:
        lease = handle.lease
        handle.finish(lease.destination, self.links.get(lease.url, ()))

    def times(self) -> list[float]:
        return [at for at, _ in self.log]

    def paths(self) -> list[str]:
        return paths([lease for _, lease in self.log])


def test_nothing_to_do_is_the_end(store: Store, clock: Clock) -> None:
    crawl = Crawl(frontier_of(store, clock), clock)
    crawl.run(3)
    assert crawl.log == []


def test_one_host_is_asked_at_its_pace_and_every_worker_gets_none(
    store: Store, clock: Clock
) -> None:
    frontier = frontier_of(store, clock)
    frontier.add([found(str(n)) for n in range(5)])
    crawl = Crawl(frontier, clock)
    crawl.run(4)
    assert crawl.times() == [0, 1, 2, 3, 4]
    assert crawl.paths() == list("01234")
    assert [lease.queued_ms for _, lease in crawl.log] == [0, 1000, 2000, 3000, 4000]
    assert store.counts()["page"] == 5


def test_no_more_requests_at_once_than_per_host(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock, wait=0.0, per_host=2)
    frontier.add([found(str(n)) for n in range(6)])
    crawl = Crawl(frontier, clock, seconds=3.0)
    crawl.run(6)
    assert crawl.times() == [0, 0, 3, 3, 6, 6]


def test_a_landed_request_makes_room_before_its_answer(
    store: Store, clock: Clock
) -> None:
    frontier = frontier_of(store, clock, wait=0.0, per_host=1)
    frontier.add([found(str(n)) for n in range(3)])
    handles = []
    for _ in range(3):
        handle = frontier.lease_nowait()
        assert handle is not None
        handles.append(handle)
        assert frontier.lease_nowait() is None
        handle.responded()
        handle.responded()
    for handle in handles:
        handle.finish("page")
    assert frontier.lease() is None


def test_hosts_take_turns(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock, wait=0.0)
    frontier.add([found(str(n), host=host) for host in "abc" for n in range(20)])
    crawl = Crawl(frontier, clock)
    crawl.run(1)
    assert "".join(lease.host[0] for _, lease in crawl.log) == "abc" * 20


def test_links_found_by_one_worker_wake_the_others(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock)
    frontier.add([found("seed")])
    crawl = Crawl(frontier, clock, seconds=0.25)
    crawl.links[found("seed").url] = [found("1", host=host) for host in "bcd"]
    crawl.run(5)
    assert crawl.times() == [0, 0.25, 0.25, 0.25]


def test_pictures_come_soon_after_their_page_and_pages_are_not_starved(
    store: Store, clock: Clock
) -> None:
    frontier = frontier_of(store, clock, wait=0.0)
    frontier.add([found(f"p{n}", depth=n) for n in range(10)])
    crawl = Crawl(frontier, clock)
    for n in range(10):
        crawl.links[found(f"p{n}").url] = [
            found(f"i{n}-{k}", "image") for k in range(8)
        ]
    crawl.run(1)
    order = crawl.paths()
    assert len(order) == 90
    pages = [at for at, path in enumerate(order) if path[0] == "p"]
    assert max(b - a for a, b in pairwise(pages)) == 5
    assert order[:6] == ["p0", "i0-0", "i0-1", "i0-2", "i0-3", "p1"]
    images = [path for path in order if path[0] == "i"]
    assert images == sorted(images)


def test_a_retry_comes_at_its_moment(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock)
    frontier.add([found("1"), found("2", host="b")])
    crawl = Crawl(frontier, clock)

    def answer(handle: LeaseHandle) -> None:
        if handle.lease.attempts < 2:
            handle.retry(clock() + 10.0)
        else:
            handle.finish("error", code="reset")

    crawl.answer = answer  # type: ignore[method-assign]
    crawl.run(3)
    assert crawl.times() == [0, 0, 10.1, 10.1, 20.2, 20.2]
    assert [lease.attempts for _, lease in crawl.log] == [0, 0, 1, 1, 2, 2]
    assert crawl.log[-1][1].queued_ms == 0


def test_a_retry_wakes_the_sleepers_earlier_than_they_meant_to(
    store: Store, clock: Clock
) -> None:
    frontier = frontier_of(store, clock)
    frontier.add([found("1"), found("2", host="b")])
    first = leased(frontier)
    block(frontier, "b.example", clock() + 50.0)
    crawl = Crawl(frontier, clock)
    worker = hub.spawn(crawl.work)
    hub.sleep(3.0)
    first.retry(clock() + 4.0)
    worker.join()
    assert crawl.times() == [7.0, 50.0]


def test_a_block_is_kept_to_and_has_a_limit(store: Store, clock: Clock) -> None:
    frontier = Frontier(
        store, PolitenessConfig(per_host=2, wait=1.0, max_retry_after=60.0), clock
    )
    frontier.add([found("1"), found("2"), found("1", host="b"), found("1", host="c")])
    block(frontier, "a.example", clock() + 30.0)
    block(frontier, "c.example", clock() + 1e6)
    crawl = Crawl(frontier, clock)
    crawl.run(2)
    assert [(at, lease.host[0]) for at, lease in crawl.log] == [
        (0, "b"),
        (30, "a"),
        (31, "a"),
        (60, "c"),
    ]


def test_an_active_host_can_be_blocked(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock)
    frontier.add([found("1"), found("2")])
    handle = leased(frontier)
    handle.block_host(clock() + 30.0)
    handle.finish("page")
    crawl = Crawl(frontier, clock)
    crawl.run(2)
    assert crawl.times() == [30]


def test_a_crawl_delay_is_kept_to(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock)
    frontier.add([found("1"), found("2"), found("3")])
    handle = leased(frontier)
    handle.set_crawl_delay(20.0)
    handle.finish("page")
    crawl = Crawl(frontier, clock)
    crawl.run(1)
    assert crawl.times() == [20, 40]


def test_a_host_comes_back_no_sooner_than_it_may(store: Store, clock: Clock) -> None:
    """It runs out of URLs, is forgotten, and gets a new one at once."""
    frontier = frontier_of(store, clock, wait=5.0)
    frontier.add([found("1")])
    crawl = Crawl(frontier, clock)
    crawl.links[found("1").url] = []
    crawl.run(1)
    assert frontier.statistics().hosts_active == 0
    frontier.add([found("2")])
    crawl.run(1)
    assert crawl.times() == [0, 5]


def test_a_held_host_gives_nothing_and_the_crawl_waits_for_it(
    store: Store, clock: Clock
) -> None:
    frontier = frontier_of(store, clock, wait=0.0)
    frontier.add([found("1"), found("2"), found("1", host="b")])
    handle = leased(frontier)
    assert handle.pause_host()
    assert not handle.pause_host()
    handle.responded()
    crawl = Crawl(frontier, clock)
    workers = [hub.spawn(crawl.work) for _ in range(2)]
    hub.sleep(8.0)
    assert [lease.host for _, lease in crawl.log] == ["b.example"]
    handle.release()
    hub.joinall(workers)
    assert crawl.paths() == ["1", "1", "2"]
    assert crawl.times() == [0, 8, 8]


def test_a_host_held_while_its_last_url_is_answered_is_let_go(
    store: Store, clock: Clock
) -> None:
    frontier = frontier_of(store, clock, wait=0.0)
    frontier.add([found("1")])
    handle = leased(frontier)
    handle.pause_host()
    handle.finish("page")
    handle.resume_host()
    assert frontier.lease() is None
    assert frontier.statistics().hosts_active == 0


def test_what_is_given_back_goes_to_the_next(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock, wait=0.0)
    frontier.add([found("1"), found("2")])
    one, two = leased(frontier), leased(frontier)
    one.release()
    again = leased(frontier)
    assert (again.lease.url, again.lease.attempts) == (one.lease.url, 0)
    again.finish("page")
    two.finish("page")
    assert frontier.lease() is None


def test_only_images(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock, wait=0.0)
    frontier.add([found(f"p{n}", host=host) for n in range(9) for host in "ab"])
    frontier.add([found(f"i{n}", "image") for n in range(9)])
    first = leased(frontier)
    frontier.only_images()
    frontier.only_images()
    first.retry(clock() + 1000.0)
    crawl = Crawl(frontier, clock)
    crawl.links[found("i8").url] = [found("late", "image", host="c"), found("never")]
    crawl.run(3)
    assert crawl.paths() == [*(f"i{n}" for n in range(9)), "late"]
    assert store.counts()["queued"] == 19
    assert clock() < START + 10
    assert frontier.statistics().hosts_active == 0


@pytest.mark.parametrize("queued", [0, 1])
def test_after_close_it_tells_whether_it_had_finished(
    store: Store, clock: Clock, queued: int
) -> None:
    """What is at hand goes back to the store, and no work is lost by that."""
    frontier = frontier_of(store, clock)
    frontier.add([found("a"), found("b")][: queued + 1])
    leased(frontier).finish("page", [])
    assert frontier.finished is not bool(queued)
    for _ in range(2):
        frontier.close()
        assert frontier.finished is not bool(queued)


def test_close_wakes_everybody_and_leaves_nothing_leased(
    store: Store, clock: Clock
) -> None:
    frontier = frontier_of(store, clock)
    frontier.add([found(str(n)) for n in range(20)])
    handle = leased(frontier)
    crawl = Crawl(frontier, clock, seconds=30)
    workers = [hub.spawn(crawl.work) for _ in range(4)]
    hub.sleep(0.5)
    frontier.close()
    assert frontier.lease() is None
    assert frontier.lease_nowait() is None
    handle.finish("page", [found("new")])
    hub.joinall(workers)
    assert crawl.log == []
    counts = store.counts()
    assert (counts["queued"], counts["leased"], counts["page"]) == (20, 0, 1)


def test_a_worker_killed_while_it_waits_takes_no_wake_up_with_it(
    store: Store, clock: Clock
) -> None:
    frontier = frontier_of(store, clock)
    crawl = Crawl(frontier, clock)
    frontier.add([found("1")])
    block(frontier, "a.example", clock() + 10.0)
    workers = [hub.spawn(crawl.work) for _ in range(3)]
    hub.sleep(10.0)  # the alarm rings in the same turn
    workers[0].kill(block=False)
    hub.joinall(workers)
    assert crawl.times() == [10]


def test_an_error_of_the_store_reaches_a_worker(clock: Clock) -> None:
    class Full(MemoryStore):
        def lease(self, *args: object) -> list[Lease]:  # type: ignore[override]
            raise OutputError("disk full")

    store = Full()
    frontier = frontier_of(store, clock)
    frontier.add([found("1")])
    store.block("a.example", clock() + 10.0)
    with pytest.raises(OutputError):
        hub.spawn(frontier.lease).get()
    assert clock() == START + 10.0


def test_skips_do_not_keep_a_crawl_from_ending(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock)
    assert frontier.add([found("1", skip=FAR)]) == 0
    assert frontier.lease() is None


def test_more_hosts_than_can_be_active_all_advance(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock, wait=0.0, active=4)
    names = [f"h{n}" for n in range(20)]
    frontier.add([found(str(k), host=host) for k in range(30) for host in names])
    crawl = Crawl(frontier, clock)
    most: list[int] = []
    crawl.answer = lambda handle: (  # type: ignore[method-assign]
        handle.finish("page"),
        most.append(frontier.statistics().hosts_active),
        None,
    )[-1]
    crawl.run(3)
    assert max(most) <= 4 + 3
    assert len({lease.url for _, lease in crawl.log}) == len(crawl.log) == 600
    done: Counter[str] = Counter()
    for _, lease in crawl.log:
        done[lease.host] += 1
        assert (
            done[lease.host] - min(done[f"{name}.example"] for name in names)
            <= PREFETCH + 2
        )


def test_hosts_that_wait_do_not_keep_others_from_being_asked(
    store: Store, clock: Clock
) -> None:
    """Ten hosts at one request a second with four slots: as fast as with ten."""
    frontier = frontier_of(store, clock, wait=1.0, active=4)
    frontier.add([found(str(k), host=f"h{n}") for k in range(10) for n in range(10)])
    crawl = Crawl(frontier, clock, seconds=0.001)
    crawl.run(3)
    assert len(crawl.log) == 100
    assert max(crawl.times()) < 9.5


def test_a_crash_after_a_lease_does_not_make_us_hasty(
    tmp_path: Path, clock: Clock
) -> None:
    store = SqliteStore(tmp_path)
    frontier = frontier_of(store, clock, wait=30.0)
    frontier.add([found("1"), found("2")])
    assert frontier.lease() is not None
    store.commit()
    store.close()
    store = SqliteStore(tmp_path)
    crawl = Crawl(frontier_of(store, clock, wait=30.0), clock)
    crawl.run(1)
    assert crawl.times() == [30, 60]
    store.close()


def test_a_crash_does_not_make_us_hasty(tmp_path: Path, clock: Clock) -> None:
    store = SqliteStore(tmp_path)
    frontier = frontier_of(store, clock, wait=30.0)
    frontier.add([found("1"), found("2")])
    leased(frontier).set_crawl_delay(40.0)
    store.commit()
    store.close()
    store = SqliteStore(tmp_path)
    crawl = Crawl(frontier_of(store, clock, wait=30.0), clock)
    crawl.run(1)
    assert crawl.times() == [40, 80]
    assert crawl.paths() == ["1", "2"]
    store.close()


def test_statistics(store: Store, clock: Clock) -> None:
    frontier = frontier_of(store, clock)
    frontier.add([found(str(n)) for n in range(20)])
    frontier.add([found("1", host="b"), found("x", skip=FAR)])
    handle = leased(frontier)
    now = frontier.statistics()
    assert (now.queued, now.leased, now.done, now.hosts) == (20, 1, 1, 2)
    assert (now.hosts_active, now.hosts_due, now.next_due_s) == (2, 1, 0.0)
    assert now.in_flight == 1
    assert now.by_host == {"a.example": (19, 1), "b.example": (1, 0)}
    handle.responded()  # its record is to come
    now = frontier.statistics()
    assert (now.queued, now.leased, now.in_flight) == (20, 1, 0)
    handle.finish("page")
    assert leased(frontier).lease.host == "b.example"
    assert frontier.statistics().next_due_s == 1.0


@pytest.mark.parametrize("seed", range(25))
def test_every_url_ends_once_whatever_happens(
    tmp_path: Path, clock: Clock, seed: int
) -> None:
    """Workers that fail, release, defer, retry, block and die.

    Crashes lose the last commits.
    """
    chance = random.Random(seed)
    wait = chance.choice([0.0, 0.0, 0.7])
    ended: Counter[str] = Counter()
    committed: Counter[str] = Counter()
    last: dict[str, float] = {}
    links = {
        f"https://{host}.example/{n}": [
            found(
                str(chance.randrange(40)),
                chance.choice(["page", "image"]),
                chance.randrange(4),
                chance.choice("abcdef"),
                skip=chance.choice([None, None, None, FAR]),
            )
            for _ in range(chance.randrange(8))
        ]
        for host in "abcdef"
        for n in range(40)
    }

    def work(frontier: Frontier, store: SqliteStore) -> None:
        while (handle := frontier.lease()) is not None:
            lease = handle.lease
            if wait and lease.host in last:
                assert clock() - last[lease.host] > wait - 1e-6
            last[lease.host] = clock()
            with handle:
                answer(handle, lease)
            if chance.random() < 0.3:
                store.commit()
                committed.clear()
                committed.update(ended)

    def answer(handle: LeaseHandle, lease: Lease) -> None:
        if chance.random() < 0.1:
            handle.defer()
            del last[lease.host]  # no request was made
            hub.sleep(0.01)
            return
        hub.sleep(chance.random())
        what = chance.random()
        if what < 0.1 and lease.attempts < 5:
            handle.retry(clock() + chance.random() * 4)
        elif what < 0.15:
            handle.release()
        elif what < 0.2 and handle.pause_host():
            hub.sleep(chance.random())
            handle.release()
        else:
            if what < 0.25:
                handle.block_host(clock() + 3.0)
            if what > 0.5:
                handle.responded()
            handle.finish(lease.destination, links[lease.url])
            ended[lease.url] += 1

    for life in range(6):
        last.clear()  # a crash forgets the requests since the last commit
        store = SqliteStore(tmp_path)
        frontier = frontier_of(
            store, clock, wait, chance.choice([1, 2, 5]), chance.choice([2, 9])
        )
        frontier.add([found("0"), found("0", host="b")])
        workers = [
            hub.spawn(work, frontier, store) for _ in range(chance.choice([1, 4]))
        ]
        hub.joinall(workers, timeout=None if life == 5 else 20, raise_error=True)
        if life == 5:
            store.commit()
            committed = ended.copy()
            assert all(worker.successful() for worker in workers)
        hub.killall(workers)
        frontier.close()
        counts = store.counts()
        store.close()
        ended = committed.copy()
    assert counts["queued"] == counts["leased"] == 0
    assert counts["page"] + counts["image"] == len(ended)
    assert set(ended.values()) == {1}
    reachable = {found("0").url, found("0", host="b").url}
    todo = list(reachable)
    while todo:
        new = {one.url for one in links[todo.pop()] if one.skip is None} - reachable
        reachable |= new
        todo += new
    assert set(ended) == reachable


def test_ten_thousand_pages_of_500_hosts_take_no_longer_than_they_must(
    clock: Clock,
) -> None:
    """One request a second per host; 5 % of the hosts are slow and then refuse."""
    store = MemoryStore()
    frontier = frontier_of(store, clock, wait=1.0, per_host=1)
    frontier.add([found(str(k), host=f"h{n}") for k in range(20) for n in range(500)])
    crawl = Crawl(frontier, clock, seconds=0.05)

    def answer(handle: LeaseHandle) -> None:
        if int(handle.lease.host[1:-8]) % 20 == 0:
            hub.sleep(0.5)
            handle.finish("error", code="connect_timeout")
        else:
            handle.finish("page")

    crawl.answer = answer  # type: ignore[method-assign]
    crawl.run(64)
    assert len(crawl.log) == 10_000
    assert clock() - START < 19 * 1.1
