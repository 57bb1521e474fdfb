"""Cancel scopes as in trio: a full turn before each Cancelled, deadlines, start.

Where trio is installed, the same program runs there and must give the same.
"""

import math
import os
import signal
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

import hub
from hub import CancelScope, Nursery
from hub.event import AsyncResult, Event
from hub.lock import Semaphore
from hub.pool import Pool
from hub.queue import Channel, Queue
from hub.testing import VirtualClock
from hub.threadpool import ThreadPool


def in_trio(program: Callable[[Any], Awaitable[object]]) -> object:
    """Run ``program(trio)`` in virtual time; skip the rest of the test without trio."""
    pytest.importorskip("trio")
    testing = pytest.importorskip("trio.testing")
    return run_trio(program, clock=testing.MockClock(autojump_threshold=0))


def run_trio(program: Callable[[Any], Awaitable[Any]], **options: Any) -> Any:
    """In a thread of its own: the hub has this thread's signals."""
    trio = pytest.importorskip("trio")
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(trio.run, program, trio, **options).result()


# -- a turn before each Cancelled ------------------------------------------------------


def swallow(moments: int, clock: VirtualClock, wait: Callable[[], object]) -> int:
    """Swallow what ``wait`` raises, each time after a millisecond of computing."""
    with CancelScope() as scope:
        scope.cancel()
        for _ in range(moments):
            with suppress(BaseException):
                wait()
            clock.time += 0.001
    return moments


WAITS: dict[str, Callable[[], object]] = {
    "sleep": lambda: hub.sleep(1),
    "sleep(0)": lambda: hub.sleep(0),
    "Event": lambda: Event().wait(),
    "AsyncResult": lambda: AsyncResult[int]().get(),
    "Semaphore": lambda: Semaphore(0).acquire(),
    "Queue.get": lambda: Queue[int]().get(),
    "Queue.put": lambda: Queue(1, [1]).put(2),
    "Queue.join": lambda: Queue(1, [1]).join(),
    "Channel.get": lambda: Channel[int]().get(),
    "Channel.put": lambda: Channel[int]().put(1),
    "hub.wait": lambda: hub.wait([Event()]),
    "joinall": lambda: hub.joinall([hub.Greenlet(int)]),
    "timeout=": lambda: Event().wait(timeout=5),
}


@pytest.mark.parametrize("name", WAITS)
def test_a_block_that_swallows_its_cancellation_does_not_delay_a_ticker(
    clock: VirtualClock, name: str
) -> None:
    ticks: list[float] = []

    def tick() -> None:
        while True:
            hub.sleep(0.1)
            ticks.append(clock.time)

    ticker = hub.spawn(tick)
    hub.sleep(0)
    began = clock.time
    swallow(1000, clock, WAITS[name])
    ticker.kill()
    assert len(ticks) >= 9
    assert ticks[0] - began <= 0.105


def test_trio_ticks_as_often_beside_such_a_block(clock: VirtualClock) -> None:
    async def program(trio: Any) -> int:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await trio.sleep(0.05)
                ticks += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(tick)
            await trio.sleep(0)
            with trio.CancelScope() as scope:
                scope.cancel()
                end = time.monotonic() + 0.5
                while time.monotonic() < end:
                    with suppress(BaseException):
                        await trio.sleep(1)
            nursery.cancel_scope.cancel()
        return ticks

    theirs = run_trio(program)
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        while True:
            hub.sleep(0.05)
            ticks += 1

    ticker = hub.spawn(tick)
    swallow(500, clock, lambda: hub.sleep(1))
    ticker.kill()
    assert ticks >= theirs - 1


def test_descriptors_and_timers_come_before_the_cancelled(clock: VirtualClock) -> None:
    """What is ready when a cancelled wait begins has its turn before it raises."""
    left, right = hub.socket.socketpair()
    log: list[object] = []
    reading = hub.spawn(lambda: log.append(left.recv(1)))
    hub.sleep(0)
    with CancelScope() as scope:
        scope.cancel()
        right.sendall(b"x")
        hub.get_hub().loop.call_later(0, lambda: log.append("timer"))
        hub.get_hub().loop.call_soon(lambda: log.append("callback"))
        hub.sleep(1)
    assert set(log) == {b"x", "timer", "callback"}
    reading.join()
    left.close()
    right.close()


def test_a_signal_reaches_its_handler_beside_such_a_block() -> None:
    arrived: list[float] = []
    handler = hub.signal_handler(
        signal.SIGTERM, lambda: arrived.append(time.monotonic())
    )
    try:
        sent = time.monotonic()
        os.kill(os.getpid(), signal.SIGTERM)
        with CancelScope() as scope:
            scope.cancel()
            while not arrived and time.monotonic() < sent + 5:
                with suppress(BaseException):
                    hub.sleep(1)
        assert arrived
        assert arrived[0] - sent < 1
    finally:
        handler.cancel()


def test_a_kill_ends_such_a_block(clock: VirtualClock) -> None:
    """It arrives while the block gives the loop its turn."""

    def work() -> None:
        with CancelScope() as scope:
            scope.cancel()
            while True:
                with suppress(hub.Cancelled):
                    hub.sleep(1)

    working = hub.spawn(work)
    hub.sleep(0)
    working.kill()
    assert type(working.value) is hub.GreenletExit


# -- who belongs to a scope ------------------------------------------------------------


def test_a_worker_that_is_started_lazily_outlives_the_deadline(
    clock: VirtualClock,
) -> None:
    """A library's queue and worker, first used inside of somebody's deadline."""

    class Library:
        def __init__(self) -> None:
            self.jobs: Queue[AsyncResult[float]] = Queue()
            self.worker: hub.Greenlet[[], None] | None = None

        def ask(self) -> float:
            if self.worker is None:
                self.worker = hub.spawn(self._work)
            result: AsyncResult[float] = AsyncResult()
            self.jobs.put(result)
            return result.get()

        def _work(self) -> None:
            for result in self.jobs:
                hub.sleep(2)
                result.set(clock.time)

    library = Library()
    with CancelScope(1) as scope:
        library.ask()
    assert scope.cancelled_caught
    assert library.ask() == 4
    assert library.worker is not None
    library.worker.kill()


def test_pools_and_imap_started_in_a_scope_go_on(clock: VirtualClock) -> None:
    pool, done = Pool(2), []

    def work(number: int) -> int:
        hub.sleep(1)
        done.append(number)
        return number

    with CancelScope(1.5) as scope:
        values = pool.imap(work, range(6))
        assert next(values) == 0
        hub.sleep(10)
    assert scope.cancelled_caught
    assert list(values) == [1, 2, 3, 4, 5]
    assert done == list(range(6))


def test_a_wait_for_threads_is_cancelled_and_the_pool_stays_usable() -> None:
    pool = ThreadPool(1)
    try:
        with CancelScope(0.01) as scope:
            pool.apply(time.sleep, (0.2,))
        assert scope.cancelled_caught
        with CancelScope() as scope:
            scope.cancel()
            pool.join()
        pool.join()
        assert pool.free_count() == 1
        assert pool.apply(int, ("7",)) == 7
    finally:
        pool.kill()


def test_a_cancelled_greenlet_has_failed(clock: VirtualClock) -> None:
    seen: list[str] = []
    with Nursery() as nursery:
        child = nursery.spawn(hub.sleep, 100)
        child.link_value(lambda _: seen.append("value"))
        child.link_exception(lambda _: seen.append("error"))
        copy: AsyncResult[None] = AsyncResult()
        child.link(copy)
        hub.sleep(0)
        nursery.scope.cancel()
    hub.idle()
    assert not child.successful()
    assert isinstance(child.exception, hub.Cancelled)
    assert seen == ["error"]
    for get in (child.get, copy.get):
        with pytest.raises(hub.Cancelled):
            get()


def test_a_cancellation_of_somebody_else_is_an_error_in_a_nursery(
    clock: VirtualClock,
) -> None:
    with Nursery() as nursery:
        other = nursery.spawn(hub.sleep, 100)
        hub.sleep(0)
        nursery.scope.cancel()

    def block() -> None:
        with Nursery() as second:
            second.spawn(hub.sleep, 100)
            second.spawn(other.get)

    with pytest.raises(BaseExceptionGroup) as caught:
        block()
    assert isinstance(caught.value.exceptions[0], hub.Cancelled)
    assert clock.time == 0


def test_scopes_that_are_left_in_the_wrong_order_are_named(
    clock: VirtualClock,
) -> None:
    outer, inner = CancelScope(), CancelScope()
    outer.__enter__()
    inner.__enter__()
    with pytest.raises(RuntimeError, match="reverse order"):
        outer.__exit__(None, None, None)
    outer.cancel()
    hub.sleep(1)
    inner.__exit__(None, None, None)
    assert hub.current_scope() is None


def test_a_scope_left_by_another_greenlet_is_gone(clock: VirtualClock) -> None:
    """A generator that is entered in one greenlet and closed in another."""

    def generate() -> Any:
        with CancelScope(1):
            yield

    generator = generate()

    def begin() -> None:
        next(generator)
        hub.sleep(0)
        hub.sleep(5)

    beginner = hub.spawn(begin)
    hub.sleep(0)
    with pytest.raises(RuntimeError, match="its own greenlet"):
        generator.close()
    beginner.get()
    assert clock.time == 5


# -- deadlines -------------------------------------------------------------------------


def test_zero_seconds_cancel_the_first_wait(clock: VirtualClock) -> None:
    for scope in (
        CancelScope(0),
        CancelScope(deadline=-math.inf),
        hub.move_on_after(0),
        hub.move_on_at(hub.current_time()),
    ):
        reached = []
        with scope:
            reached.append("before")
            hub.sleep(0)
            reached.append("after")
        assert reached == ["before"]
        assert scope.cancelled_caught


def test_a_deadline_that_passed_while_it_computed_cancels_the_first_wait(
    clock: VirtualClock,
) -> None:
    queue = Queue(1, [1])
    with CancelScope(1) as scope:
        clock.time += 2
        assert scope.cancel_called
        queue.get()  # does not wait
        hub.sleep(0)
        pytest.fail("the time was up")
    assert scope.cancelled_caught


def test_deadlines_as_in_trio(clock: VirtualClock) -> None:
    def ours() -> list[object]:
        log: list[object] = []
        begin = hub.current_time()

        def note(*more: object) -> None:
            log.append((round(hub.current_time() - begin, 3), *more))

        with hub.move_on_after(5) as scope:
            note(scope.deadline - begin, hub.current_effective_deadline() - begin)
            scope.deadline += 3
            with hub.move_on_after(100):
                note(hub.current_effective_deadline() - begin)
                hub.sleep(50)
        note(scope.cancelled_caught, scope.cancel_called)
        with hub.move_on_at(begin + 20) as scope:
            with hub.CancelScope(shield=True):
                note(hub.current_effective_deadline())
            scope.deadline = begin + 9
            hub.sleep(50)
        note(scope.cancelled_caught)
        with hub.CancelScope() as scope:
            scope.deadline = hub.current_time() - 1
            with suppress(hub.Cancelled):
                hub.sleep(1)
            scope.deadline = math.inf
            note(hub.current_effective_deadline())
            hub.sleep(1)
        note(scope.cancelled_caught)
        with hub.move_on_after(1) as scope:
            scope.deadline = math.inf
            hub.sleep(2)
        note(scope.cancelled_caught)
        return log

    async def theirs(trio: Any) -> list[object]:
        log: list[object] = []
        begin = trio.current_time()

        def note(*more: object) -> None:
            log.append((round(trio.current_time() - begin, 3), *more))

        with trio.move_on_after(5) as scope:
            note(scope.deadline - begin, trio.current_effective_deadline() - begin)
            scope.deadline += 3
            with trio.move_on_after(100):
                note(trio.current_effective_deadline() - begin)
                await trio.sleep(50)
        note(scope.cancelled_caught, scope.cancel_called)
        with trio.move_on_at(begin + 20) as scope:
            with trio.CancelScope(shield=True):
                note(trio.current_effective_deadline())
            scope.deadline = begin + 9
            await trio.sleep(50)
        note(scope.cancelled_caught)
        with trio.CancelScope() as scope:
            scope.deadline = trio.current_time() - 1
            with suppress(trio.Cancelled):
                await trio.sleep(1)
            scope.deadline = math.inf
            note(trio.current_effective_deadline())
            await trio.sleep(1)
        note(scope.cancelled_caught)
        with trio.move_on_after(1) as scope:
            scope.deadline = math.inf
            await trio.sleep(2)
        note(scope.cancelled_caught)
        return log

    mine = ours()
    assert mine[0] == (0, 5, 5)
    assert mine == in_trio(theirs)


def test_the_deadline_of_a_scope_that_is_not_entered(clock: VirtualClock) -> None:
    assert CancelScope().deadline == math.inf
    scope = CancelScope(5)
    hub.sleep(1)
    assert scope.deadline == 6
    scope.deadline = 3
    with scope:
        hub.sleep(10)
    assert clock.time == 3
    with pytest.raises(ValueError, match="number"):
        CancelScope(deadline=math.nan)
    with pytest.raises(ValueError, match="number"):
        scope.deadline = math.nan
    with pytest.raises(ValueError, match="either"):
        CancelScope(1, deadline=5)


@pytest.mark.parametrize("fail", [hub.fail_after, hub.fail_at])
def test_fail_after_says_too_slow(clock: VirtualClock, fail: Any) -> None:
    with fail(2) as scope:
        hub.sleep(1)
    assert not scope.cancelled_caught
    with pytest.raises(hub.TooSlowError), fail(3) as scope:
        hub.sleep(10)
    assert scope.cancelled_caught
    assert isinstance(hub.TooSlowError(), TimeoutError)
    with pytest.raises(KeyError), fail(100):
        raise KeyError


def test_unshielding_wakes(clock: VirtualClock) -> None:
    with CancelScope() as outer:
        with CancelScope(shield=True) as shielded:
            hub.get_hub().loop.call_later(1, outer.cancel)
            hub.get_hub().loop.call_later(2, lambda: setattr(shielded, "shield", False))
            hub.sleep(10)
        pytest.fail("the outer scope is cancelled")
    assert clock.time == 2
    assert outer.cancelled_caught
    assert not shielded.cancelled_caught
    with CancelScope(1), CancelScope(shield=True) as shielded:
        shielded.shield = False
        assert not shielded.shield
        hub.sleep(10)
    assert clock.time == 3


def test_shielding_again_protects_the_waits_that_follow(clock: VirtualClock) -> None:
    with CancelScope() as outer, CancelScope() as inner:
        outer.cancel()
        with suppress(hub.Cancelled):
            hub.sleep(1)
        inner.shield = True
        hub.sleep(1)
    assert clock.time == 1
    assert not outer.cancelled_caught


def test_current_scope(clock: VirtualClock) -> None:
    assert hub.current_scope() is None
    assert hub.current_effective_deadline() == math.inf
    with CancelScope() as outer:
        with CancelScope() as inner, hub.no_switch():
            assert hub.current_scope() is inner
        assert hub.current_scope() is outer
        assert hub.spawn(hub.current_scope).get() is None
        with Nursery() as nursery:
            assert nursery.spawn(hub.current_scope).get() is nursery.scope
    assert hub.current_scope() is None


# -- Nursery.start ---------------------------------------------------------------------


def test_start_waits_until_the_child_is_ready(clock: VirtualClock) -> None:
    log = []

    def serve(port: int, *, task_status: hub.TaskStatus) -> None:
        hub.sleep(2)
        task_status.started(port + 1)
        with pytest.raises(RuntimeError, match="before"):
            task_status.started()
        hub.sleep(3)
        log.append(clock.time)

    with Nursery() as nursery:
        with CancelScope(3):  # it covers the child until it is ready
            assert nursery.start(serve, 80) == 81
            assert clock.time == 2
        assert len(nursery) == 1
        hub.sleep(1.5)
    assert log == [5]


def test_start_as_in_trio(clock: VirtualClock) -> None:
    """What comes out of ``start``, and of the nursery, in each way to go wrong."""
    kinds = ["fails", "ends", "is slow", "fails later", "is cancelled later"]

    def ours(kind: str) -> list[object]:
        log: list[object] = []
        begin = hub.current_time()

        def child(task_status: hub.TaskStatus) -> None:
            try:
                hub.sleep(1)
                if kind == "fails":
                    raise KeyError
                if kind == "ends":
                    return
                if kind == "is slow":
                    hub.sleep(100)
                task_status.started("value")
                hub.sleep(5)
                raise ValueError
            finally:
                log.append(("child", hub.current_time() - begin))

        try:
            with Nursery() as nursery:
                try:
                    with hub.move_on_after(3) as scope:
                        log.append(nursery.start(child))
                    log.append(scope.cancelled_caught)
                except BaseException as error:
                    log.append(type(error).__name__)
                    raise
                if kind == "is cancelled later":
                    nursery.scope.cancel()
        except BaseExceptionGroup as group:
            log.append([type(error).__name__ for error in group.exceptions])
        log.append(hub.current_time() - begin)
        return log

    async def theirs(trio: Any, kind: str) -> list[object]:
        log: list[object] = []
        begin = trio.current_time()

        async def child(task_status: Any) -> None:
            try:
                await trio.sleep(1)
                if kind == "fails":
                    raise KeyError
                if kind == "ends":
                    return
                if kind == "is slow":
                    await trio.sleep(100)
                task_status.started("value")
                await trio.sleep(5)
                raise ValueError
            finally:
                log.append(("child", trio.current_time() - begin))

        try:
            async with trio.open_nursery() as nursery:
                try:
                    with trio.move_on_after(3) as scope:
                        log.append(await nursery.start(child))
                    log.append(scope.cancelled_caught)
                except BaseException as error:
                    log.append(type(error).__name__)
                    raise
                if kind == "is cancelled later":
                    nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            log.append([type(error).__name__ for error in group.exceptions])
        log.append(trio.current_time() - begin)
        return log

    mine = {kind: ours(kind) for kind in kinds}
    assert mine["fails"] == [("child", 1), "KeyError", ["KeyError"], 1]

    async def program(trio: Any) -> object:
        return {kind: await theirs(trio, kind) for kind in kinds}

    assert mine == in_trio(program)


def test_start_gives_its_slot_back(clock: VirtualClock) -> None:
    def fail(task_status: hub.TaskStatus) -> None:
        raise KeyError

    def stay(task_status: hub.TaskStatus) -> None:
        task_status.started()
        hub.sleep(1)

    with Nursery(limit=1) as nursery:
        with pytest.raises(KeyError):
            nursery.start(fail)
        nursery.start(stay)
        assert nursery.statistics() == {"children": 1, "free": 0}
        nursery.start(stay)
        assert clock.time == 1
    assert clock.time == 2


def test_a_kill_of_the_caller_of_start_ends_the_child(clock: VirtualClock) -> None:
    ended = []

    def never_ready(task_status: hub.TaskStatus) -> None:
        try:
            hub.sleep(100)
        finally:
            ended.append(clock.time)

    with Nursery() as nursery:
        caller = hub.spawn(nursery.start, never_ready)
        hub.sleep(1)
        caller.kill()
        assert ended == [1]
    assert clock.time == 1


def test_a_nursery_waits_for_a_start_that_another_greenlet_has_begun(
    clock: VirtualClock,
) -> None:
    def child(task_status: hub.TaskStatus) -> None:
        hub.sleep(1)
        task_status.started()
        hub.sleep(1)

    with Nursery() as nursery:
        caller = hub.spawn(nursery.start, child)
        hub.sleep(0)
    assert clock.time == 2
    caller.get()


def test_another_greenlet_may_say_that_the_child_is_ready(clock: VirtualClock) -> None:
    """The child is parked then, in scopes of its own, and is moved with them."""

    def child(task_status: hub.TaskStatus) -> None:
        hub.spawn_later(1, task_status.started, "ready")
        with CancelScope(50), CancelScope():
            hub.sleep(100)

    with Nursery() as nursery:
        with CancelScope(3):
            assert nursery.start(child) == "ready"
            hub.sleep(10)
        assert clock.time == 3
        assert len(nursery) == 1
        nursery.scope.cancel()
    assert clock.time == 3
