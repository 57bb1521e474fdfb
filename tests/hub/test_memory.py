"""Nothing is kept once it is over, and what exists is small."""

import gc
import os
import statistics
import threading
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import pairwise

import pytest
from greenlet import greenlet

import hub
from hub import socket
from hub.testing import no_leaks
from tests.benchmarks.leaks import EchoServer, cycles, leaks, measure_footprint


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def spawn_and_join() -> None:
    hub.spawn(lambda: None).join()


def fail_and_get() -> None:
    greenlet = hub.spawn(lambda: 1 // 0)
    with suppress(ZeroDivisionError):
        greenlet.get()
    assert greenlet.exception is not None
    greenlet.exception.__traceback__ = None  # it leads to this very frame, as any would


def time_out() -> None:
    with suppress(hub.Timeout), hub.Timeout(0):
        hub.sleep(1)


def cancel_a_budget() -> None:
    with hub.Timeout(1000):
        hub.sleep(0)


def kill() -> None:
    greenlet = hub.spawn(hub.sleep, 1000)
    hub.sleep(0)
    greenlet.kill()


def wait_for_an_event() -> None:
    event = hub.event.Event()
    waiting = hub.spawn(event.wait, 1000)
    hub.sleep(0)
    event.set()
    waiting.join()


def pass_through_a_queue() -> None:
    queue: hub.queue.Queue[int] = hub.queue.Queue(1)
    getting = hub.spawn(queue.get)
    hub.sleep(0)
    queue.put(1)
    getting.join()


def a_nursery() -> None:
    with hub.Nursery() as nursery:
        nursery.spawn(hub.sleep, 0)


def a_scope() -> None:
    with hub.CancelScope(1000) as scope:
        scope.cancel()
        hub.sleep(1)


def a_scope_that_expires() -> None:
    with hub.CancelScope(0):
        hub.sleep(1)


def too_slow() -> None:
    with suppress(hub.TooSlowError), hub.fail_after(0):
        hub.sleep(1)


def fail() -> None:
    raise ValueError


def a_nursery_that_fails() -> None:
    with suppress(ExceptionGroup), hub.Nursery() as nursery:
        nursery.spawn(hub.sleep, 1000)
        nursery.spawn(fail)


def a_nursery_whose_block_fails() -> None:
    with suppress(ExceptionGroup), hub.Nursery() as nursery:
        nursery.spawn(hub.sleep, 1000)
        raise ValueError


def a_nursery_that_is_timed_out() -> None:
    with hub.Timeout(0, False), hub.Nursery() as nursery:
        nursery.spawn(hub.sleep, 1000)


def a_nursery_that_is_cancelled() -> None:
    with hub.CancelScope(0), hub.Nursery(limit=2) as nursery:
        nursery.spawn(hub.sleep, 1000)


def a_nursery_that_is_killed() -> None:
    greenlet = hub.spawn(a_nursery_that_waits)
    hub.sleep(0)
    greenlet.kill()


def a_nursery_that_waits() -> None:
    with hub.Nursery() as nursery:
        nursery.spawn(hub.sleep, 1000)


def a_child_that_says_it_is_ready() -> None:
    def child(task_status: hub.TaskStatus) -> None:
        task_status.started()
        hub.sleep(0)

    with hub.Nursery() as nursery:
        nursery.start(child)


def a_child_that_fails_to_start() -> None:
    def child(task_status: hub.TaskStatus) -> None:
        raise ValueError

    with hub.Nursery() as nursery, suppress(ValueError):
        nursery.start(child)


def a_kill_that_outranks_a_timeout() -> None:
    def work() -> None:
        with hub.Timeout(0, False):
            try:
                hub.sleep(1000)
            finally:
                hub.sleep(1000)

    greenlet = hub.spawn(work)
    hub.sleep(0)
    greenlet.kill()


def a_condition_that_is_timed_out() -> None:
    condition = hub.lock.Condition()
    with suppress(hub.Timeout), condition, hub.Timeout(0):
        condition.wait()


def an_empty_queue() -> None:
    with suppress(hub.queue.Empty):
        hub.queue.Queue[int]().get(timeout=0)


def connect() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepting = hub.spawn(server.accept)
        with socket.create_connection(server.getsockname()) as client:
            peer, _ = accepting.get()
            reading = hub.spawn(client.recv, 1)
            hub.sleep(0)
            peer.sendall(b"x")
            reading.join()
            peer.close()


CYCLES = [
    spawn_and_join,
    fail_and_get,
    time_out,
    cancel_a_budget,
    kill,
    wait_for_an_event,
    pass_through_a_queue,
    a_nursery,
    a_scope,
    a_scope_that_expires,
    too_slow,
    a_nursery_that_fails,
    a_nursery_whose_block_fails,
    a_nursery_that_is_timed_out,
    a_nursery_that_is_cancelled,
    a_nursery_that_is_killed,
    a_child_that_says_it_is_ready,
    a_child_that_fails_to_start,
    a_kill_that_outranks_a_timeout,
    a_condition_that_is_timed_out,
    an_empty_queue,
    connect,
]


@pytest.mark.parametrize("cycle", CYCLES)
def test_many_cycles_end_with_what_was_there_at_the_beginning(
    cycle: Callable[[], None],
) -> None:
    """The collector is off, so a cycle of references would pile up."""
    for _ in range(50):
        cycle()
    hub.sleep(0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            cycle()
        hub.sleep(0)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 200 * 60, f"{grown / 200:.0f} bytes a cycle are kept"


@pytest.mark.parametrize("cycle", CYCLES)
def test_no_object_waits_for_the_collector(cycle: Callable[[], None]) -> None:
    cycle()
    hub.sleep(0)
    gc.collect()
    cycle()
    hub.sleep(0)
    assert gc.collect() == 0


def greenlets() -> int:
    return sum(isinstance(thing, greenlet) for thing in gc.get_objects())


@pytest.mark.parametrize("work", [hub.get_hub, lambda: hub.sleep(0), *CYCLES[:6]])
def test_a_destroyed_hub_leaves_nothing_of_its_thread(
    work: Callable[[], object],
) -> None:
    def run() -> None:
        work()
        hub.get_hub().destroy()

    def thread() -> None:
        native = threading.Thread(target=run)
        native.start()
        native.join()

    def memory_after(threads: int) -> int:
        for _ in range(threads):
            thread()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    thread()
    gc.collect()
    gc.freeze()  # what is there already is neither searched nor counted any more
    tracemalloc.start()
    try:
        memory = [memory_after(threads=10) for _ in range(6)]
        # The greenlet library frees the last of a dead thread at some later switch.
        assert greenlets() < 10
    finally:
        tracemalloc.stop()
        gc.unfreeze()
    # A leak grows in each batch. A set of the interpreter grows in one of them:
    # with 65 Thread objects alive that of `threading` takes 8 KiB at once.
    grown = statistics.median(after - prior for prior, after in pairwise(memory)) / 10
    assert grown < 200, f"{grown:.0f} bytes a thread are kept"


def test_no_greenlet_timer_or_descriptor_is_left() -> None:
    with no_leaks():
        for cycle in CYCLES:
            cycle()


def test_all_of_it_side_by_side_leaves_nothing() -> None:
    """The small version of `tests.benchmarks.leaks`, which does a million."""
    with closing(EchoServer()) as server:
        cycles(server, 200)
        before = measure_footprint()
        cycles(server, 2000)
        assert leaks(before, measure_footprint()) == []


def test_waiters_and_timers_go_with_their_wait() -> None:
    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)

    def wait(kept: Thing) -> None:
        with hub.Timeout(1000), suppress(hub.GreenletExit):
            hub.event.Event().wait(timeout=500)

    greenlet = hub.spawn(wait, thing)
    del thing
    hub.sleep(0)
    assert gone() is not None
    greenlet.kill()
    assert gone() is None


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_parked_greenlet_is_small() -> None:
    """100,000 fit in 1 GB: at most 10 kB for each."""
    before = resident()
    greenlets = [hub.spawn(hub.sleep, 1000) for _ in range(10_000)]
    hub.sleep(0)
    each = (resident() - before) / 10_000
    hub.killall(greenlets)
    assert each < 10_000, f"{each:.0f} bytes"
