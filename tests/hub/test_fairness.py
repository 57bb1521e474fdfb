"""Greenlets that compute, or read without ever waiting, delay the others by little.

The time that a greenlet computes is simulated: it moves the virtual clock. One test
computes for real, beside gevent.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import hub
from hub.event import Event
from hub.loop import MAX_CALLBACKS, QUICK_TURNS
from hub.queue import Queue
from hub.testing import VirtualClock

ENTRY = 0.005
"""How long a greenlet computes between two waits (s)."""


@pytest.fixture
def computing(
    clock: VirtualClock,
) -> Iterator[Callable[[int, Callable[[], Any]], None]]:
    """``computing(count, wait)`` starts greenlets that compute and wait in turns."""
    started: list[hub.Greenlet] = []

    def work(wait: Callable[[], object]) -> None:
        while True:
            clock.time += ENTRY
            wait()

    def start(count: int, wait: Callable[[], object]) -> None:
        started.extend(hub.spawn(work, wait) for _ in range(count))

    yield start
    hub.killall(started)


def _sleep(clock: VirtualClock) -> float:
    hub.sleep(0.01)
    return clock.time


def _wait_with_a_limit(clock: VirtualClock) -> float:
    Event().wait(0.01)
    return clock.time


def _wait_within_a_timeout(clock: VirtualClock) -> float:
    with hub.Timeout(0.01, False):
        Event().wait()
    return clock.time


def _spawn_later(clock: VirtualClock) -> float:
    started = hub.spawn_later(0.01, lambda: clock.time).get()
    assert isinstance(started, float)
    return started


@pytest.mark.parametrize(
    "wait", [_sleep, _wait_with_a_limit, _wait_within_a_timeout, _spawn_later]
)
@pytest.mark.parametrize("count", [1, 20, 150])
def test_a_timer_is_late_by_two_entries_at_most(
    clock: VirtualClock,
    computing: Callable[[int, Callable[[], object]], None],
    count: int,
    wait: Callable[[VirtualClock], float],
) -> None:
    computing(count, lambda: hub.sleep(0))
    late = []
    for _ in range(5):
        began = clock.time
        late.append(wait(clock) - began - 0.01)
    assert max(late) <= 2 * ENTRY + 1e-9


def test_workers_that_were_woken_together_do_not_delay_a_timer(
    clock: VirtualClock, computing: Callable[[int, Callable[[], object]], None]
) -> None:
    queue: Queue[int] = Queue()
    late: list[float] = []

    def tick() -> None:
        for _ in range(30):
            began = clock.time
            hub.sleep(0.01)
            late.append(clock.time - began - 0.01)

    computing(30, queue.get)
    ticker = hub.spawn(tick)
    for _ in range(5):
        hub.sleep(0.2)
        for number in range(30):
            queue.put(number)
    ticker.join()
    assert max(late) <= 2 * ENTRY + 1e-9


def test_a_descriptor_waits_for_two_entries_at_most(
    clock: VirtualClock, computing: Callable[[int, Callable[[], object]], None]
) -> None:
    left, right = hub.socket.socketpair()
    computing(50, lambda: hub.sleep(0))
    reading = hub.spawn(lambda: (left.recv(1), clock.time))
    hub.sleep(0.02)
    sent = clock.time
    right.sendall(b"x")
    # What epoll reports joins the end of the list: each of the 50 has its turn before.
    assert reading.get()[1] - sent <= 52 * ENTRY
    left.close()
    right.close()


def test_quick_callbacks_are_trusted_and_lose_the_trust_at_once(
    clock: VirtualClock,
) -> None:
    loop = hub.get_hub().loop
    for _ in range((QUICK_TURNS + 1) * MAX_CALLBACKS):
        hub.sleep(0)
    assert loop.unchecked
    clock.time += ENTRY
    hub.sleep(0)
    hub.sleep(0.001)
    assert not loop.unchecked


def test_due_timers_that_compute_let_descriptors_in_between(
    clock: VirtualClock,
) -> None:
    left, right = hub.socket.socketpair()
    order: list[object] = []

    def compute(number: int) -> None:
        clock.time += ENTRY
        order.append(number)

    for number in range(20):
        hub.get_hub().loop.call_later(0.001, lambda number=number: compute(number))
    reading = hub.spawn(lambda: order.append(left.recv(1)))
    hub.sleep(0)
    right.sendall(b"x")
    hub.sleep(1)
    assert order.index(b"x") < 4
    assert [entry for entry in order if entry != b"x"] == list(range(20))
    reading.join()
    left.close()
    right.close()


def test_a_timeout_spares_a_wait_that_was_answered_and_ends_the_next(
    clock: VirtualClock,
) -> None:
    """The answer and the time-out come while another greenlet computes."""
    event, log = Event(), []

    def wait() -> None:
        with hub.Timeout(1, False):
            log.append(event.wait())
            event.clear()
            log.append(event.wait(timeout=100))

    waiting = hub.spawn(wait)
    hub.sleep(0)
    for _ in range(MAX_CALLBACKS):
        hub.spawn(lambda: None)
    event.set()
    clock.time += 2
    waiting.join()
    assert log == [True]
    assert clock.time == 2


def _lateness(sleep: Callable[[float], object], spawn: Callable[..., Any]) -> float:
    """How late a timer of 10 ms is beside a greenlet that computes 5 ms a turn (s)."""
    over: list[bool] = []

    def compute() -> None:
        while not over:
            end = time.thread_time() + ENTRY
            while time.thread_time() < end:
                pass
            sleep(0)

    busy = spawn(compute)
    sleep(0)
    began = time.thread_time()
    sleep(0.01)
    late = time.thread_time() - began - 0.01
    over.append(True)
    busy.join()
    return late


def test_a_timer_beside_a_computing_greenlet_is_less_late_than_with_gevent() -> None:
    gevent = pytest.importorskip("gevent")
    ours = min(_lateness(hub.sleep, hub.spawn) for _ in range(3))
    theirs = _lateness(gevent.sleep, gevent.spawn)
    assert ours <= theirs
    assert ours <= 0.03
