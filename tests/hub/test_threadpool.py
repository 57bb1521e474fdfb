"""Native threads beside the hub."""

import gc
import os
import subprocess
import sys
import threading
import time

import pytest

import hub
from hub.testing import VirtualClock
from hub.threadpool import ThreadPool


def fail() -> None:
    raise KeyError("in a thread")


def test_apply_runs_elsewhere() -> None:
    pool = ThreadPool(2)
    assert pool.apply(threading.get_ident) != threading.get_ident()
    assert pool.apply(divmod, (7, 3)) == (2, 1)
    assert pool.apply(dict, kwds={"a": 1}) == {"a": 1}
    with pytest.raises(KeyError, match="in a thread"):
        pool.apply(fail)
    pool.kill()


def test_others_run_meanwhile() -> None:
    pool, ticks = ThreadPool(1), []
    release = threading.Event()

    def tick() -> None:
        for _ in range(5):
            ticks.append(1)
            hub.sleep(0)
        release.set()

    hub.spawn(tick)
    pool.apply(release.wait, (60,))
    assert len(ticks) == 5


def test_spawn_waits_when_all_are_busy() -> None:
    pool, release = ThreadPool(2), threading.Event()
    results = [pool.spawn(release.wait, 60) for _ in range(2)]
    assert pool.full()
    assert pool.free_count() == 0
    assert len(pool) == 2
    third = hub.spawn(pool.spawn, abs, -3)
    hub.sleep(0)
    assert not third.dead
    release.set()
    assert third.get().get() == 3
    assert [result.get() for result in results] == [True, True]
    pool.join()
    assert pool.statistics() == {"maxsize": 2, "threads": 2, "tasks": 0}
    assert "size=2/2" in repr(pool)


def test_map_and_async() -> None:
    pool, got = ThreadPool(3), []
    assert pool.map(abs, [-1, -2]) == [1, 2]
    pool.apply_async(abs, (-5,), callback=got.append).join()
    assert got == [5]


def test_errors_of_every_kind_come_back() -> None:
    pool = ThreadPool(1)
    with pytest.raises(SystemExit):
        pool.apply(sys.exit, (3,))
    assert pool.apply(abs, (-1,)) == 1, "the thread is still there"


def test_an_interrupted_caller_leaves_the_work_alone() -> None:
    pool, release, done = ThreadPool(1), threading.Event(), []

    def work() -> None:
        release.wait(60)
        done.append(1)

    with pytest.raises(hub.Timeout), hub.Timeout(0.01):
        pool.apply(work)
    release.set()
    pool.join()
    assert done == [1]


def test_work_under_way_keeps_the_hub_alive() -> None:
    pool = ThreadPool(1)
    result = pool.submit(time.sleep, 0.02)
    hub.get_hub().join()
    assert result.ready()


def test_virtual_time_stands_still_while_a_thread_works(clock: VirtualClock) -> None:
    pool = ThreadPool(1)
    with hub.Timeout(1000):
        pool.apply(time.sleep, (0.01,))
    assert clock.time == 0


def test_threads_end_with_their_pool() -> None:
    before = set(threading.enumerate())
    pool = ThreadPool(2)
    pool.map(abs, [1, 2])
    del pool
    gc.collect()
    deadline = time.monotonic() + 60
    while set(threading.enumerate()) - before:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_thread_may_use_a_hub_of_its_own() -> None:
    def work() -> tuple[object, int]:
        hub.sleep(0.001)
        return hub.get_hub(), hub.spawn(abs, -4).get()

    other, value = ThreadPool(1).apply(work)
    assert other is not hub.get_hub()
    assert value == 4


def test_sizes() -> None:
    with pytest.raises(ValueError, match="-1"):
        ThreadPool(-1)
    pool = ThreadPool(2)
    for size in (1, 2, 1, 0, 2):
        pool.size = size
        assert pool.size == size
    for wrong in (-1, 3):
        with pytest.raises(ValueError, match=str(wrong)):
            pool.size = wrong
    with pytest.raises(ValueError, match="-1"):
        pool.maxsize = -1
    assert (pool.size, pool.maxsize) == (2, 2)


def test_the_bound_of_a_pool_may_grow_and_shrink() -> None:
    pool, done = ThreadPool(0), []
    first = hub.spawn(pool.spawn, done.append, 1)
    queued = pool.submit(done.append, 2)
    hub.sleep(0.001)
    assert (done, pool.size, pool.full()) == ([], 0, True)
    pool.join()  # nothing of `spawn` runs
    pool.maxsize = 1
    first.get().get()
    queued.get()
    assert sorted(done) == [1, 2]

    pool.maxsize = 3
    release = threading.Event()
    running = [pool.spawn(release.wait, 60) for _ in range(3)]
    pool.maxsize = 1
    assert (pool.size, pool.free_count(), pool.full()) == (1, 0, True)
    waiting = hub.spawn(pool.spawn, threading.get_ident)
    hub.sleep(0.001)
    assert not waiting.dead
    release.set()
    assert [each.get() for each in running] == [True] * 3
    assert waiting.get().get() == pool.apply(threading.get_ident)
    assert (pool.size, pool.free_count()) == (1, 1)
    pool.join()


def test_threads_that_are_to_end_do_what_is_queued() -> None:
    pool = ThreadPool(2)
    before = threading.active_count()
    results = [pool.submit(time.sleep, 0.01) for _ in range(4)]
    pool.size = 0
    assert [result.get() for result in results] == [None] * 4
    deadline = time.monotonic() + 60
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert pool.apply(abs, (-1,)) == 1


def test_apply_async_starts_nothing_at_once() -> None:
    """It returns a greenlet, as it does when all threads are busy."""
    pool, ran = ThreadPool(1), []
    result = pool.apply_async(ran.append, (1,))
    time.sleep(0.001)
    assert ran == []
    assert isinstance(result, hub.Greenlet)
    result.join()
    assert ran == [1]


def test_abandoned_work_does_not_hold_the_process() -> None:
    code = (
        "import hub, time\n"
        "pool = hub.threadpool.ThreadPool(2)\n"
        "pool.submit(time.sleep, 1000)\n"
        "hub.sleep(0.01)\n"
        "print('bye')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "bye\n"), done.stderr
