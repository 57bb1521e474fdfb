"""Kills, cancellations and Timeouts at once: their order, and that none is lost."""

import itertools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import pytest

import hub
from hub import CancelScope, GreenletExit, Nursery, Timeout
from hub.event import AsyncResult, Event
from hub.lock import BoundedSemaphore, Condition, RLock
from hub.pool import Group, Pool
from hub.queue import Channel, Empty, Full, LifoQueue, PriorityQueue, Queue
from hub.testing import VirtualClock, virtual_time
from hub.threadpool import ThreadPool


def cleaning(seconds: float) -> None:
    """Wait, and clean up for ``seconds`` when interrupted."""
    try:
        hub.sleep(1000)
    finally:
        with CancelScope(shield=True):
            hub.sleep(seconds)


def killed_at(seconds: float, target: hub.Greenlet[..., Any]) -> float:
    """Kill ``target`` then; return when the call came back."""
    hub.sleep(seconds)
    target.kill(timeout=100)
    return hub.current_time()


# -- a nursery whose children clean up -------------------------------------------------


def test_a_kill_while_children_clean_up_outranks_a_timeout(
    clock: VirtualClock,
) -> None:
    after: list[str] = []

    def work() -> None:
        with Timeout(2, False), Nursery() as nursery:
            nursery.spawn(cleaning, 5)
        after.append("went on")

    for kill_at in (1, 3):  # before and after the Timeout
        begin = clock.time
        worker = hub.spawn(work)
        assert killed_at(kill_at, worker) - begin == min(kill_at, 2) + 5
        assert worker.dead
        assert type(worker.value) is GreenletExit
    assert after == []


def test_a_cancellation_while_children_clean_up_outranks_a_timeout(
    clock: VirtualClock,
) -> None:
    with CancelScope(3) as scope:
        with Timeout(2, False), Nursery() as nursery:
            nursery.spawn(cleaning, 5)
        pytest.fail("the scope is cancelled")
    assert scope.cancelled_caught
    assert clock.time == 7


def test_what_was_outranked_is_raised_at_the_next_wait(clock: VirtualClock) -> None:
    log: list[str] = []

    def work() -> None:
        with Timeout(3) as limit:
            try:
                with Nursery() as nursery:
                    nursery.spawn(cleaning, 5)
            except GreenletExit:
                log.append("kill")
            try:
                hub.sleep(100)
            except Timeout as error:
                log.append("timeout" if error is limit else "another")
        hub.sleep(1)

    worker = hub.spawn(work)
    hub.sleep(2)
    worker.kill(block=False)
    worker.join()
    assert log == ["kill", "timeout"]
    assert clock.time == 8


def test_a_timeout_that_came_first_is_raised_after_the_kill(
    clock: VirtualClock,
) -> None:
    log: list[str] = []

    def work() -> None:
        with Timeout(1):
            with suppress(GreenletExit), Nursery() as nursery:
                nursery.spawn(cleaning, 5)
            log.append("swallowed")
            with suppress(Timeout):
                hub.sleep(100)
            log.append("timed out")

    worker = hub.spawn(work)
    hub.sleep(2)
    worker.kill(block=False)
    worker.join()
    assert log == ["swallowed", "timed out"]
    assert clock.time == 6


def test_two_kills_are_two(clock: VirtualClock) -> None:
    class First(BaseException):
        pass

    class Second(BaseException):
        pass

    log: list[str] = []

    def work() -> None:
        try:
            with Nursery() as nursery:
                nursery.spawn(cleaning, 5)
        except First:
            log.append("first")
        try:
            hub.sleep(100)
        except Second:
            log.append("second")

    worker = hub.spawn(work)
    hub.sleep(1)
    worker.kill(First, block=False)
    hub.sleep(1)
    worker.kill(Second)
    assert log == ["first", "second"]
    assert clock.time == 6


def test_a_timeout_whose_block_was_left_is_dropped(clock: VirtualClock) -> None:
    def work() -> None:
        with suppress(GreenletExit), Timeout(2), Nursery() as nursery:
            nursery.spawn(cleaning, 5)
        hub.sleep(50)

    worker = hub.spawn(work)
    hub.sleep(1)
    worker.kill(block=False)
    worker.get()
    assert clock.time == 56


def test_ctrl_c_while_children_clean_up(clock: VirtualClock) -> None:
    def press() -> None:
        hub.get_hub().handle_system_error(KeyboardInterrupt())

    hub.get_hub().loop.call_later(1, press)
    with pytest.raises(KeyboardInterrupt), Timeout(2, False), Nursery() as nursery:
        nursery.spawn(cleaning, 5)
    assert clock.time == 6
    hub.sleep(1)


def test_a_nursery_that_can_never_end_is_a_loop_exit(clock: VirtualClock) -> None:
    """Its child ignores the cancellation and waits for what can't happen."""

    def stuck() -> None:
        with CancelScope(shield=True):
            Event().wait()

    with pytest.raises(hub.LoopExit), Nursery() as nursery:
        child = nursery.spawn(stuck)
    hub.sleep(0)
    child.kill()


def test_a_nursery_waits_for_children_that_a_loop_exit_cancels(
    clock: VirtualClock,
) -> None:
    ended: list[float] = []

    def child() -> None:
        try:
            Event().wait()
        finally:
            with CancelScope(shield=True):
                hub.sleep(2)
            ended.append(clock.time)

    with pytest.raises(hub.LoopExit), Nursery() as nursery:
        nursery.spawn(child)
    assert ended == [2]


# -- a lock that is taken back ---------------------------------------------------------


@contextmanager
def held(condition: Condition, seconds: float) -> Iterator[None]:
    """Another greenlet takes the lock in a moment, and keeps it for ``seconds``."""

    def hold() -> None:
        with condition:
            hub.sleep(seconds)

    holder = hub.spawn_later(0.5, hold)
    yield
    holder.join()


@pytest.mark.parametrize(
    ("first", "second"),
    list(itertools.permutations(["kill", "timeout", "cancel", "timeout="], 2)),
)
def test_the_highest_of_two_comes_out_of_a_condition(
    clock: VirtualClock, first: str, second: str
) -> None:
    condition, scope = Condition(), CancelScope()
    moments = {first: 1.0, second: 2.0}
    log: list[str] = []

    def work() -> None:
        with scope:
            try:
                with condition, Timeout(moments.get("timeout")):
                    condition.wait(moments.get("timeout="))
                    hub.sleep(0)
            except BaseException as error:
                log.append(type(error).__name__)
                assert not condition._lock.locked()
                raise
        hub.sleep(0)

    worker = hub.spawn(work)
    hub.get_hub().handle_error = lambda *args: None
    if "kill" in moments:
        hub.get_hub().loop.call_later(moments["kill"], lambda: worker.kill(block=False))
    if "cancel" in moments:
        hub.get_hub().loop.call_later(moments["cancel"], scope.cancel)
    with held(condition, 10):
        worker.join()
    order = ["kill", "cancel", "timeout"]
    names = {"kill": "GreenletExit", "cancel": "Cancelled", "timeout": "Timeout"}
    highest = min((name for name in order if name in moments), key=order.index)
    assert log == [names[highest]]
    assert clock.time == 10.5


def test_a_condition_keeps_its_place_for_the_lock(clock: VirtualClock) -> None:
    """An interrupt does not send it to the end of those that wait for the lock."""
    condition, order = Condition(), []

    def wait() -> None:
        with suppress(GreenletExit), condition:
            try:
                condition.wait()
            finally:
                order.append("waiter")

    def take() -> None:
        with condition:
            order.append("other")

    waiter = hub.spawn(wait)
    hub.sleep(0)
    condition.acquire()
    condition.notify()
    hub.sleep(1)
    other = hub.spawn(take)
    hub.sleep(1)
    waiter.kill(block=False)
    hub.sleep(1)
    condition.release()
    hub.joinall([waiter, other])
    assert order == ["waiter", "other"]


def test_a_notification_of_a_waiter_that_is_killed_goes_to_the_next(
    clock: VirtualClock,
) -> None:
    """It had been notified, and waited for the lock."""
    condition, notified = Condition(), []

    def wait(name: str) -> None:
        with condition:
            condition.wait()
            notified.append(name)

    first, second = hub.spawn(wait, "first"), hub.spawn(wait, "second")
    hub.sleep(0)
    with condition:
        condition.notify()
        hub.sleep(1)
        first.kill(block=False)
        hub.sleep(1)
    second.get(timeout=5)
    assert notified == ["second"]
    first.join()


# -- a kill that unwinds ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["timeout", "silent timeout", "scope", "with_timeout"])
@pytest.mark.parametrize("handler", ["finally", "except"])
@pytest.mark.parametrize("shielded", [False, True])
def test_nothing_older_replaces_a_kill_that_is_cleaning_up(
    clock: VirtualClock, kind: str, handler: str, shielded: bool
) -> None:
    after: list[str] = []

    def clean_up() -> None:
        with CancelScope(shield=shielded):
            hub.sleep(5)

    def inside() -> None:
        if handler == "finally":
            try:
                hub.sleep(100)
            finally:
                clean_up()
        else:
            try:
                hub.sleep(100)
            except GreenletExit:
                clean_up()
                raise

    def work() -> None:
        if kind == "scope":
            with CancelScope(2):
                inside()
        elif kind == "with_timeout":
            hub.with_timeout(2, inside, timeout_value=None)
        else:
            with suppress(Timeout), Timeout(2, kind == "timeout"):
                inside()
        after.append("went on")
        hub.sleep(1000)

    worker = hub.spawn(work)
    ended = killed_at(1, worker)
    assert worker.dead
    assert type(worker.value) is GreenletExit
    assert after == []
    assert ended == (6 if kind == "scope" and shielded else 2)


def test_a_scope_cancelled_long_before_does_not_replace_it_either(
    clock: VirtualClock,
) -> None:
    def work() -> None:
        with CancelScope(1):
            try:
                with CancelScope(shield=True):
                    hub.sleep(100)
            finally:
                hub.sleep(5)
        hub.sleep(1000)

    worker = hub.spawn(work)
    assert killed_at(2, worker) == 2
    assert type(worker.value) is GreenletExit


def test_a_limit_for_the_cleaning_up_ends_the_cleaning_up(
    clock: VirtualClock,
) -> None:
    """It was begun after the kill, so it is no danger to it."""
    log: list[str] = []

    def work() -> None:
        try:
            hub.sleep(100)
        finally:
            with Timeout(1, False):
                hub.sleep(100)
            log.append("silent")
            with CancelScope(1) as scope:
                hub.sleep(100)
            log.append(f"scope {scope.cancelled_caught}")
            with suppress(Timeout), Timeout(1):
                hub.sleep(100)
            log.append("raised")

    worker = hub.spawn(work)
    assert killed_at(1, worker) == 4
    assert log == ["silent", "scope True", "raised"]
    assert type(worker.value) is GreenletExit


def test_a_timeout_that_gave_way_waits_until_the_kill_has_been_dealt_with(
    clock: VirtualClock,
) -> None:
    log: list[tuple[str, float]] = []

    def work() -> None:
        with Timeout(2):
            try:
                hub.sleep(100)
            except GreenletExit:
                with suppress(GreenletExit):
                    hub.sleep(5)  # the Timeout comes here, and gives way
                log.append(("cleaning up", clock.time))
                hub.sleep(5)
                log.append(("cleaned up", clock.time))
            with suppress(Timeout):
                hub.sleep(100)
            log.append(("timed out", clock.time))

    worker = hub.spawn(work)
    hub.sleep(1)
    worker.kill(block=False)
    worker.join()
    assert log == [("cleaning up", 2), ("cleaned up", 7), ("timed out", 7)]


def test_an_error_that_kills_another_greenlet_is_no_kill_of_this_one(
    clock: VirtualClock,
) -> None:
    """A Timeout still ends the wait for a greenlet that cleans up after it."""

    def fail() -> None:
        with Timeout(1), hub.spawn(cleaning, 5):
            hub.sleep(0)
            raise ValueError

    with pytest.raises(Timeout):
        fail()
    assert clock.time == 1


def test_killing_oneself_is_a_kill(clock: VirtualClock) -> None:
    def work() -> None:
        with Timeout(1, False):
            try:
                hub.getcurrent().kill()  # type: ignore[attr-defined]
            finally:
                hub.sleep(5)
        hub.sleep(1000)

    worker = hub.spawn(work)
    worker.join()
    assert clock.time == 1
    assert type(worker.value) is GreenletExit


# -- whatever else arrives -------------------------------------------------------------

Wait = Callable[["Things"], object]


class Things:
    """One of each primitive, which all greenlets of a storm share."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.event = Event()
        self.result: AsyncResult[int] = AsyncResult()
        self.semaphore = BoundedSemaphore(2)
        self.rlock = RLock()
        self.condition = Condition()
        self.queues: list[Any] = [Queue(2), LifoQueue(2), PriorityQueue(2)]
        self.channel: Channel[int] = Channel()
        self.pool = Pool(2)
        self.group = Group()
        self.nursery_scope = CancelScope()
        self.sleeper = hub.spawn(hub.sleep, 500)
        self.left, self.right = hub.socket.socketpair()


def use(lock: Any) -> None:
    with lock:
        hub.sleep(1)


def use_condition(things: Things) -> None:
    with things.condition:
        if things.rng.random() < 0.3:
            things.condition.notify_all()
        things.condition.wait(things.rng.choice([None, 2]))
        hub.sleep(1)


def use_queue(things: Things) -> None:
    queue = things.rng.choice(things.queues)
    with suppress(Empty, Full):
        if things.rng.random() < 0.5:
            queue.put(1, timeout=things.rng.choice([None, 2]))
        else:
            queue.get(timeout=things.rng.choice([None, 2]))


def use_nursery(things: Things) -> None:
    with Nursery(limit=2) as nursery:
        for _ in range(3):
            nursery.spawn(cleaning, things.rng.choice([0, 2]))


def use_start(things: Things) -> None:
    def child(task_status: hub.TaskStatus) -> None:
        hub.sleep(things.rng.choice([0, 2]))
        task_status.started()
        cleaning(1)

    with Nursery() as nursery:
        nursery.start(child)


USES: list[Wait] = [
    lambda things: things.event.wait(),
    lambda things: things.event.wait(timeout=2),
    lambda things: things.result.get(),
    lambda things: use(things.semaphore),
    lambda things: use(things.rlock),
    use_condition,
    use_queue,
    lambda things: things.channel.put(1),
    lambda things: things.channel.get(),
    lambda things: things.pool.map(hub.sleep, [1, 2]),
    lambda things: list(things.pool.imap(hub.sleep, [1, 2], maxsize=1)),
    lambda things: things.pool.spawn(hub.sleep, 2).join(),
    lambda things: things.group.join(),
    lambda things: things.sleeper.join(),
    lambda things: hub.joinall([things.sleeper], timeout=3),
    lambda things: hub.wait([things.event, things.sleeper], count=1),
    lambda things: hub.sleep(3),
    lambda things: hub.sleep(0),
    lambda things: hub.select.select([things.right.fileno()], [], [], 2),
    use_nursery,
    use_start,
]


@contextmanager
def wrapped(rng: random.Random) -> Iterator[None]:
    """Up to three blocks that may end the wait, or clean up after it."""
    with ExitStack() as stack:
        for _ in range(rng.randrange(4)):
            seconds = rng.choice([0, 1, 2, 3])
            kind = rng.randrange(6)
            if kind == 0:
                stack.enter_context(Timeout(seconds, False))
            elif kind == 1:
                stack.enter_context(suppress(Timeout))
                stack.enter_context(Timeout(seconds))
            elif kind == 2:
                stack.enter_context(CancelScope(seconds))
            elif kind == 3:
                stack.enter_context(CancelScope(seconds, shield=True))
            elif kind == 4:
                stack.callback(hub.sleep, seconds)
            else:
                stack.enter_context(cleans_up(seconds))
        yield


@contextmanager
def cleans_up(seconds: float) -> Iterator[None]:
    try:
        yield
    finally:
        with CancelScope(shield=True), Timeout(seconds, False):
            hub.sleep(2)


@pytest.mark.parametrize("seed", range(100))
def test_every_kill_ends_its_greenlet_and_every_kill_returns(seed: int) -> None:
    """In a storm over all primitives, each wait within Timeouts, scopes, clean-ups."""
    rng = random.Random(seed)
    with virtual_time():
        hub.get_hub().handle_error = lambda *args: None
        things = Things(rng)

        def work() -> None:
            while True:
                with wrapped(rng):
                    rng.choice(USES)(things)
                hub.sleep(0.25)

        workers = [hub.spawn(work) for _ in range(12)]
        killers = []
        for worker in workers:
            moments = [rng.choice([0, 1, 1.5, 2, 2.25, 3, 5]) for _ in range(2)]
            killers += [hub.spawn(killed_at, moment, worker) for moment in moments]
        hub.joinall(killers, timeout=400)
        assert all(worker.dead for worker in workers), [
            worker for worker in workers if not worker.dead
        ]
        assert all(killer.successful() for killer in killers)
        assert max(killer.get() for killer in killers) < 90
        check_whole(things)


def check_whole(things: Things) -> None:
    """No permit, promise or lock is lost."""
    things.sleeper.kill()
    hub.sleep(50)  # what an imap feeds the pool with, whose reader was killed, ends
    assert things.semaphore.counter == 2
    assert not things.rlock.locked()
    assert not things.condition._lock.locked()
    assert things.pool.free_count() == 2
    for queue in things.queues:
        assert queue._getters.woken == queue._putters.woken == 0
        assert not queue._getters.waiting
        assert not queue._putters.waiting
    assert things.channel.balance == 0
    assert not things.event.has_links()
    assert hub.get_hub().gates == {}
    things.left.close()
    things.right.close()
    hub.idle()


def test_interrupted_waits_for_threads_lose_no_slot() -> None:
    pool = ThreadPool(2)
    jobs = [pool.spawn(time.sleep, 0.2) for _ in range(2)]

    def wait_for_slots() -> None:
        with suppress(Timeout), Timeout(0.02):
            pool.join()
        with Timeout(0.02, False):
            pool.spawn(int)
        with CancelScope(0.02):
            pool.map(int, "12")
        pool.join()

    waiting = hub.spawn(wait_for_slots)
    hub.sleep(0.1)
    waiting.kill()
    for job in jobs:
        job.get()
    pool.join()
    assert pool.free_count() == 2
    pool.kill()


def test_gevent_loses_such_a_kill(clock: VirtualClock) -> None:
    """What the order is for: there the Timeout replaces the kill, and is swallowed."""
    gevent = pytest.importorskip("gevent")

    def work(sleep: Callable[[float], object], timeout: Any, after: list[str]) -> None:
        with timeout(0.1, False):
            try:
                sleep(1000)
            finally:
                sleep(100)
        after.append("went on")

    theirs: list[str] = []
    lost = gevent.spawn(work, gevent.sleep, gevent.Timeout, theirs)
    gevent.sleep(0)  # it waits: the kill comes first, also on a loaded machine
    lost.kill(timeout=60)
    ours: list[str] = []
    kept = hub.spawn(work, hub.sleep, hub.Timeout, ours)
    hub.sleep(0)
    kept.kill()
    assert theirs == ["went on"]
    assert ours == []
