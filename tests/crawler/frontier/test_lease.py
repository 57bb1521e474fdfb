"""What a worker can answer to a lease, and what becomes of one that is not answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hub
from crawler.frontier.frontier import Frontier
from crawler.frontier.lease import LeaseHandle
from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Store
from crawler.frontier.throttle import HostFeedback
from crawler.model.errors import HostParked
from crawler.model.policy_config import PolitenessConfig
from hub.testing import virtual_time
from tests.helpers.frontier import found

START = 1_000_000.0


class Subject:
    """A frontier of two URLs of one host, a second apart, in virtual time."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self.store = store
        self.clock = clock
        politeness = PolitenessConfig(
            per_host=2, wait=1.0, max_retry_after=60.0, park_after=1, max_parkings=1
        )
        self.frontier = Frontier(store, politeness, clock)
        self.frontier.add([found("1"), found("2")])

    def lease(self) -> LeaseHandle:
        handle = self.frontier.lease()
        assert handle is not None
        return handle

    def counts(self) -> tuple[int, int, int]:
        """Queued, leased and fetched pages."""
        counts = self.store.counts()
        statistics = self.frontier.statistics()
        return statistics.queued, statistics.leased, counts["page"]

    def next_at(self) -> float:
        """Seconds since the start at which the next lease comes."""
        self.lease()
        return self.clock() - START


@pytest.fixture(params=["memory", "sqlite"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    with virtual_time(START) as clock:
        store: Store = (
            MemoryStore() if request.param == "memory" else SqliteStore(tmp_path)
        )
        yield Subject(store, clock)
        store.close()


def test_finish(subject: Subject) -> None:
    with subject.lease() as handle:
        assert handle.finish("page", [found("1"), found("3"), found("4")]) == 2
    assert subject.counts() == (3, 0, 1)
    assert subject.next_at() == 1.0


def test_retry(subject: Subject) -> None:
    with subject.lease() as handle:
        handle.retry(subject.clock() + 9.0, "reset", "the connection broke off")
    assert subject.counts() == (2, 0, 0)
    assert subject.lease().lease.attempts == 0
    again = subject.lease()
    assert (again.lease.url, again.lease.attempts) == (handle.lease.url, 1)
    assert subject.clock() == START + 9.0


def test_release(subject: Subject) -> None:
    with subject.lease() as handle:
        handle.release()
    assert subject.counts() == (2, 0, 0)
    again = subject.lease()
    assert (again.lease.url, again.lease.attempts) == (handle.lease.url, 0)


def test_cancel_leaves_the_host_its_turn(subject: Subject) -> None:
    with subject.lease() as handle:
        assert handle.cancel()
        assert not handle.cancel()
        handle.finish("skip", code="robots", detail="robots.txt:1")
    assert subject.next_at() == 0.0


def test_a_block_outlives_cancel(subject: Subject) -> None:
    with subject.lease() as handle:
        handle.block_host(subject.clock() + 7.0)
        assert handle.cancel()
        handle.release()
    assert subject.next_at() == 7.0


def test_a_request_that_was_made_is_not_cancelled(subject: Subject) -> None:
    with subject.lease() as handle:
        handle.responded()
        assert not handle.cancel()
        handle.finish("page")
    assert subject.next_at() == 1.0


def test_responded_frees_the_slot_before_the_answer(subject: Subject) -> None:
    subject.frontier.add([found("3")])
    one, two = subject.lease(), subject.lease()
    assert subject.frontier.statistics().by_host["a.example"] == (1, 2)
    for handle in (one, two):
        handle.responded(HostFeedback(subject.clock(), "served", 0.1))
    assert subject.frontier.statistics().by_host["a.example"] == (1, 0)
    assert subject.next_at() == 2.0


def test_defer_pauses_the_host_until_another_worker_is_done(subject: Subject) -> None:
    one, two = subject.lease(), subject.lease()
    with two:
        two.defer()
    assert subject.frontier.lease_nowait() is None
    waiting = hub.spawn(subject.lease)
    hub.sleep(5.0)
    assert not waiting.ready()
    with one:
        one.detach()
    assert waiting.get().lease.url == two.lease.url
    one.finish("page")


def test_defer_without_another_worker_does_not_pause_the_host(subject: Subject) -> None:
    with subject.lease() as handle:
        handle.defer()
    assert subject.lease().lease.url == handle.lease.url
    assert subject.clock() == START  # no request was made


def test_what_was_detached_is_finished_later(subject: Subject) -> None:
    with subject.lease() as handle:
        handle.detach()
    assert subject.counts() == (1, 1, 0)
    assert subject.lease().finish("page") == 0  # the host's slot is free
    handle.finish("page")
    assert subject.counts() == (0, 0, 2)
    assert subject.frontier.lease() is None


def test_a_host_is_paused_by_one_lease_and_resumed_with_it(subject: Subject) -> None:
    one, two = subject.lease(), subject.lease()
    subject.frontier.add([found("3")])
    assert one.pause_host()
    assert not two.pause_host()
    two.resume_host()
    two.finish("page")
    hub.sleep(5.0)
    assert subject.frontier.lease_nowait() is None
    one.finish("page")
    assert subject.frontier.lease_nowait() is not None


def test_the_end_of_a_hosts_pause(subject: Subject) -> None:
    handle = subject.lease()
    assert handle.host_busy_until == START + 1.0
    handle.block_host(START + 30.0)
    assert handle.host_busy_until == START + 30.0
    handle.block_host(START + 1e6)
    assert handle.host_busy_until == START + 60.0
    handle.set_crawl_delay(5.0)
    handle.finish("page")
    assert subject.next_at() == 64.0


def fail(handle: LeaseHandle) -> None:
    at = handle.host_busy_until
    handle.responded(HostFeedback(at, "failed", failure_code="connect_timeout"))


def test_the_crawl_does_not_wait_for_a_parked_host(subject: Subject) -> None:
    handle = subject.lease()
    fail(handle)
    assert handle.host_busy_until == START
    handle.retry(START + 5.0)
    assert subject.frontier.lease() is None
    assert subject.store.parked() != []


def test_a_host_that_is_given_up_is_not_asked(subject: Subject) -> None:
    for _ in range(2):
        handle = subject.lease()
        assert subject.frontier.check_host(handle.lease.host) is None
        fail(handle)
        handle.retry(subject.clock())
        hub.sleep(1e6)
    handle = subject.lease()
    with pytest.raises(HostParked, match="connect_timeout"):
        subject.frontier.check_host(handle.lease.host)


@pytest.mark.parametrize("first", ["finish", "retry", "release", "defer"])
@pytest.mark.parametrize("second", ["finish", "retry", "release", "defer"])
def test_a_second_answer_is_refused(subject: Subject, first: str, second: str) -> None:
    answers: dict[str, Callable[[LeaseHandle], object]] = {
        "finish": lambda handle: handle.finish("page"),
        "retry": lambda handle: handle.retry(START),
        "release": lambda handle: handle.release(),
        "defer": lambda handle: handle.defer(),
    }
    handle = subject.lease()
    answers[first](handle)
    before = subject.counts()
    with pytest.raises(RuntimeError, match=r"/1 was answered already"):
        answers[second](handle)
    assert subject.counts() == before


def test_a_forgotten_answer_is_a_defect(subject: Subject) -> None:
    with (
        pytest.raises(RuntimeError, match=r"/1 was leased and not answered"),
        subject.lease() as handle,
    ):
        handle.responded()
    assert subject.counts() == (2, 0, 0)


def test_an_exception_gives_the_url_back(subject: Subject) -> None:
    def work() -> None:
        with subject.lease() as handle:
            handle.pause_host()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert subject.counts() == (2, 0, 0)
    for _ in range(2):
        lease = subject.lease()
        assert lease.lease.attempts == 0
        lease.finish("page")
    assert subject.frontier.lease() is None
    assert subject.counts() == (0, 0, 2)


def test_a_worker_that_is_killed_gives_the_url_back(subject: Subject) -> None:
    def work() -> None:
        with subject.lease():
            hub.sleep(100.0)

    worker = hub.spawn(work)
    hub.sleep(1.0)
    assert subject.counts() == (1, 1, 0)
    worker.kill()
    assert subject.counts() == (2, 0, 0)


def test_an_exception_after_the_answer_changes_nothing(subject: Subject) -> None:
    def work() -> None:
        with subject.lease() as handle:
            handle.finish("page")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert subject.counts() == (1, 0, 1)
