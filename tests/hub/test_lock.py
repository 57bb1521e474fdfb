"""Semaphore, RLock, Condition."""

import random
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

import hub
from hub.current import get_hub_if_any
from hub.lock import BoundedSemaphore, Condition, RLock, Semaphore
from hub.testing import VirtualClock


def test_semaphore_counts() -> None:
    semaphore = Semaphore(2)
    assert semaphore.acquire()
    assert not semaphore.locked()
    assert semaphore.acquire()
    assert semaphore.locked()
    assert not semaphore.acquire(blocking=False)
    semaphore.release()
    assert semaphore.ready()
    with semaphore:
        assert semaphore.locked()
    with pytest.raises(ValueError, match="-1"):
        Semaphore(-1)


def test_semaphore_is_fair() -> None:
    semaphore, order = Semaphore(0), []

    def take(number: int) -> None:
        semaphore.acquire()
        order.append(number)

    greenlets = [hub.spawn(take, number) for number in range(4)]
    hub.sleep(0)
    semaphore.release(4)
    hub.joinall(greenlets)
    assert order == [0, 1, 2, 3]


def test_who_comes_later_does_not_overtake_the_one_just_woken() -> None:
    semaphore, order = Semaphore(0), []

    def take(name: str) -> None:
        semaphore.acquire()
        order.append(name)

    first = hub.spawn(take, "first")
    hub.sleep(0)
    semaphore.release()
    assert not semaphore.acquire(blocking=False), "the permit is promised"
    second = hub.spawn(take, "second")
    first.join()
    semaphore.release()
    second.join()
    assert order == ["first", "second"]


def test_acquire_with_timeout(clock: VirtualClock) -> None:
    semaphore = Semaphore(0)
    assert semaphore.acquire(timeout=2) is False
    assert clock.time == 2
    hub.get_hub().loop.call_later(1, semaphore.release)
    assert semaphore.acquire(timeout=2) is True
    assert semaphore.counter == 0


def test_a_promise_to_a_killed_waiter_goes_to_the_next(clock: VirtualClock) -> None:
    """The lost wake-up: woken and killed in one turn."""
    semaphore = Semaphore(0)
    first, second = hub.spawn(semaphore.acquire), hub.spawn(semaphore.acquire)
    hub.sleep(0)
    first.kill(block=False)
    semaphore.release()
    assert second.get(timeout=5) is True
    assert semaphore.counter == 0


def test_semaphore_wait_takes_nothing() -> None:
    semaphore = Semaphore(0)
    assert semaphore.wait(timeout=0) is False
    waiting = [hub.spawn(semaphore.wait) for _ in range(3)]
    hub.sleep(0)
    semaphore.release()
    hub.joinall(waiting)
    assert [greenlet.value for greenlet in waiting] == [True] * 3
    assert semaphore.counter == 1
    assert semaphore.wait() is True


def test_bounded_semaphore() -> None:
    semaphore = BoundedSemaphore(1)
    with pytest.raises(ValueError, match="more often"):
        semaphore.release()
    semaphore.acquire()
    semaphore.release()
    assert "counter=1" in repr(semaphore)


def test_rlock() -> None:
    lock, log = RLock(), []
    with lock:
        with lock:
            other = hub.spawn(
                lambda: (lock.acquire(), log.append("other"), lock.release())
            )
            hub.sleep(0)
            assert log == []
            assert lock.owned()
        assert lock.locked()
        failing = hub.spawn(lock.release)
        with pytest.raises(RuntimeError, match="only the greenlet"):
            failing.get()
        assert hub.spawn(lock.acquire, False).get() is False
        assert hub.spawn(lock.acquire, True, 0).get() is False
    other.join()
    assert log == ["other"]
    assert not lock.locked()
    with pytest.raises(RuntimeError):
        lock.release()


def test_condition_hand_over() -> None:
    condition, items, got = Condition(), [], []

    def consume() -> None:
        with condition:
            condition.wait_for(lambda: items)
            got.append(items.pop(0))

    consumers = [hub.spawn(consume) for _ in range(3)]
    hub.sleep(0)
    for item in "abc":
        with condition:
            items.append(item)
            condition.notify()
    hub.joinall(consumers)
    assert got == ["a", "b", "c"]


def test_condition_wait_with_timeout(clock: VirtualClock) -> None:
    condition = Condition()
    with condition:
        assert condition.wait(timeout=2) is False
        assert condition.wait_for(lambda: None, timeout=3) is None
    assert clock.time == 5


def test_condition_needs_its_lock() -> None:
    condition = Condition()
    for call in (condition.wait, condition.notify, condition.notify_all):
        with pytest.raises(RuntimeError, match="lock first"):
            call()


def test_a_notification_without_waiters_is_lost(clock: VirtualClock) -> None:
    condition = Condition()
    with condition:
        condition.notify_all()
        assert condition.wait(timeout=1) is False


def test_a_notification_to_a_killed_waiter_goes_to_the_next(
    clock: VirtualClock,
) -> None:
    condition = Condition()

    def wait() -> bool:
        with condition:
            return condition.wait(timeout=50)

    first, second = hub.spawn(wait), hub.spawn(wait)
    hub.sleep(0)
    with condition:
        first.kill(block=False)
        condition.notify()
    assert second.get() is True
    assert clock.time == 0
    with condition:
        assert condition.wait(timeout=1) is False, "no notification may be left over"


def test_a_notification_to_a_killed_waiter_is_not_for_later_ones(
    clock: VirtualClock,
) -> None:
    condition = Condition()

    def wait(timeout: float) -> bool:
        with condition:
            return condition.wait(timeout)

    first = hub.spawn(wait, 50)
    hub.sleep(0)
    with condition:
        first.kill(block=False)
        condition.notify()
    first.join()
    assert hub.spawn(wait, 5).get() is False


def test_a_killed_waiter_takes_the_lock_back_first(clock: VirtualClock) -> None:
    condition, log = Condition(), []

    def wait() -> None:
        with condition:
            try:
                condition.wait()
            finally:
                log.append(condition._lock.owned())

    waiting = hub.spawn(wait)
    hub.sleep(0)
    with condition:
        waiting.kill(block=False)
        hub.sleep(1)
        assert log == []
    waiting.join()
    assert log == [True]


# -- several native threads ------------------------------------------------------------


@pytest.fixture
def impatient_threads() -> Iterator[None]:
    """The interpreter changes to another thread as often as it can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(*works: Callable[[], object]) -> list[threading.Thread]:
    def run(work: Callable[[], object]) -> None:
        work()
        if (mine := get_hub_if_any()) is not None:
            mine.destroy()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    return threads


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        hub.sleep(0.001)


@pytest.mark.parametrize("kind", [Semaphore, BoundedSemaphore, RLock])
def test_a_lock_excludes_native_threads_and_their_greenlets(
    kind: type[Semaphore | RLock], impatient_threads: None
) -> None:
    lock = kind()
    inside, entered = 0, [0] * 10

    def take_turns(number: int) -> None:
        nonlocal inside
        chance = random.Random(number)
        for _ in range(100):
            taken = lock.acquire(timeout=chance.choice([None, 0, 1e-6, 1e-4, 5]))
            if taken:
                inside += 1
                assert inside == 1
                if number % 3 == 0:
                    time.sleep(0)
                inside -= 1
                entered[number] += 1
                lock.release()

    def take_and_release() -> None:
        lock.acquire()
        lock.release()

    def greenlets(*numbers: int) -> None:
        running = [hub.spawn(take_turns, number) for number in numbers]
        hub.sleep(0.001)
        killed = [hub.spawn(take_and_release) for _ in range(9)]
        for each in killed:
            hub.sleep(0)
            each.kill()  # a promise of it goes to the next
        hub.joinall(running, raise_error=True)

    threads = in_threads(
        lambda: take_turns(0),
        lambda: take_turns(1),
        lambda: greenlets(2, 3, 4),
        lambda: greenlets(5, 6),
    )
    greenlets(7, 8, 9)
    for thread in threads:
        thread.join()
    assert min(entered) >= 10
    semaphore = lock._block if isinstance(lock, RLock) else lock
    assert (semaphore.counter, semaphore._woken, semaphore.linkcount()) == (1, 0, 0)


def test_a_hub_waits_for_a_permit_that_another_thread_has() -> None:
    """A LoopExit would be wrong, although nothing of its own can happen."""
    semaphore = Semaphore(1)
    go = threading.Event()

    def hold() -> None:
        semaphore.acquire()
        go.wait()
        semaphore.release()

    (thread,) = in_threads(hold)
    wait_until(semaphore.locked)
    assert not semaphore.acquire(timeout=0.001)
    waiting = [hub.spawn(semaphore.acquire) for _ in range(2)]
    hub.sleep(0)
    assert semaphore.hub is hub.get_hub()
    go.set()
    waiting[0].join()
    assert semaphore.linkcount() == 1
    semaphore.release()
    waiting[1].join()
    thread.join()
    assert semaphore.hub is None
    assert hub.get_hub().loop.external == 0


def test_one_thread_alone_is_told_of_a_deadlock() -> None:
    semaphore = Semaphore(1)
    semaphore.acquire()
    with pytest.raises(hub.LoopExit):
        semaphore.acquire()
    assert semaphore.linkcount() == 0


def test_a_thread_without_a_hub_blocks_and_gets_none() -> None:
    semaphore = Semaphore(1)
    semaphore.acquire()
    found: list[object] = []

    def work() -> None:
        found.append(semaphore.acquire(timeout=-1))
        found.append(semaphore.acquire(timeout=0.001))
        found.append(semaphore.acquire(timeout=1e20))
        semaphore.release()
        found.append(get_hub_if_any())

    (thread,) = in_threads(work)
    wait_until(lambda: len(found) == 2 and semaphore.has_links())
    semaphore.release()
    thread.join()
    assert found == [False, False, True, None]
    assert semaphore.counter == 1


def test_waiters_of_several_threads_are_served_in_their_order() -> None:
    semaphore = Semaphore(1)
    semaphore.acquire()
    order: list[str] = []

    def take(name: str) -> None:
        semaphore.acquire()
        order.append(name)
        semaphore.release()

    def by_greenlet() -> None:
        hub.spawn(take, "greenlet").join()

    mine = hub.spawn(take, "mine")
    hub.sleep(0)
    threads = in_threads(lambda: take("thread"))
    wait_until(lambda: semaphore.linkcount() == 2)
    threads += in_threads(by_greenlet)
    wait_until(lambda: semaphore.linkcount() == 3)
    semaphore.release()
    mine.join()
    for thread in threads:
        thread.join()
    assert order == ["mine", "thread", "greenlet"]
