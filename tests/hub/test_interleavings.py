"""No interleaving of put, get, release, time-out and kill loses or doubles a wake-up.

Hypothesis makes programs: a handful of greenlets, each with a list of steps, and kills.
All times are small whole numbers of a virtual clock, so that many events fall into the
same moment and even the same turn of the loop, which is where naive hubs fail. When
everything has come to rest, no greenlet may be waiting for something that is available.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

import hub
from hub.event import Event
from hub.lock import Condition, Semaphore
from hub.pool import Pool
from hub.queue import Channel, Empty, Full, PriorityQueue, Queue, SimpleQueue
from hub.testing import virtual_time

END = 1000  # long after the last step of every program

moments = st.integers(0, 2)
timeouts = st.one_of(st.none(), st.integers(0, 2))


@dataclass(frozen=True)
class Step:
    """One step of a greenlet: pause, then ``op``, for at most ``timeout`` seconds."""

    op: str
    pause: int
    timeout: int | None
    by_timeout_block: bool  # give up by an enclosing Timeout, and not by ``timeout=``


@dataclass(frozen=True)
class Program:
    """The steps of each greenlet, and (moment, greenlet) of each kill."""

    actors: list[list[Step]]
    kills: list[tuple[int, int]]
    size: int


def programs(*ops: str) -> st.SearchStrategy[Program]:
    step = st.builds(Step, st.sampled_from(ops), moments, timeouts, st.booleans())
    return st.builds(
        Program,
        st.lists(st.lists(step, min_size=1, max_size=3), min_size=2, max_size=6),
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 5)), max_size=5),
        st.integers(1, 3),
    )


def with_timeout(step: Step, call: Callable[[float | None], object]) -> object:
    """``call(timeout)`` with the step's time-out; None after it."""
    if not step.by_timeout_block or step.timeout is None:
        return call(step.timeout)
    with hub.Timeout(step.timeout, False):
        return call(None)
    return None


def run(program: Program, do: Callable[[int, Step], None]) -> list[hub.Greenlet]:
    """Run ``do(actor, step)`` for every step; return the greenlets that still wait."""

    def act(number: int, steps: list[Step]) -> None:
        for step in steps:
            hub.sleep(step.pause)
            do(number, step)

    actors = [
        hub.spawn(act, number, steps) for number, steps in enumerate(program.actors)
    ]
    for moment, target in program.kills:
        interrupt = actors[target % len(actors)]._interrupt
        hub.get_hub().loop.call_later(moment, partial(interrupt, hub.GreenletExit))
    hub.sleep(END)
    for actor in actors:
        assert actor.exception is None, actor.exception
    return [actor for actor in actors if not actor.dead]


def finish(left: list[hub.Greenlet]) -> None:
    hub.killall(left)


@settings(max_examples=250)
@given(programs("put", "get", "get", "peek"), st.sampled_from([SimpleQueue, Queue]))
def test_queue(program: Program, kind: type[SimpleQueue[int]]) -> None:
    with virtual_time():
        queue, put, got = kind(program.size), [], []
        numbers = iter(range(1000))

        def do(actor: int, step: Step) -> None:
            if step.op == "put":
                with_timeout(step, lambda timeout: offer(timeout))
            elif step.op == "get":
                with_timeout(step, lambda timeout: take(timeout))
            else:
                with_timeout(step, lambda timeout: look(timeout))

        def offer(timeout: float | None) -> None:
            try:
                queue.put(0, timeout=timeout)
            except Full:
                return
            # Nothing switches between the put and here: number the items as they went
            # in.
            queue.queue[-1] = number = next(numbers)
            put.append(number)

        def take(timeout: float | None) -> None:
            try:
                got.append(queue.get(timeout=timeout))
            except Empty:
                return

        def look(timeout: float | None) -> None:
            try:
                queue.peek(timeout=timeout)
            except Empty:
                return

        left = run(program, do)
        rest = list(queue.queue)
        assert got + rest == put, "each item once, in order"
        assert len(rest) <= program.size
        waiting = queue.statistics()
        assert not (rest and waiting["getters"]), "a getter sleeps beside an item"
        assert not (len(rest) < program.size and waiting["putters"]), (
            "a putter sleeps beside room"
        )
        assert len(left) == waiting["getters"] + waiting["putters"]
        assert queue._getters.woken == queue._putters.woken == 0
        finish(left)


@settings(max_examples=100)
@given(programs("put", "get"))
def test_priority_queue(program: Program) -> None:
    with virtual_time():
        queue: PriorityQueue[int] = PriorityQueue(program.size)
        put, got = [], []

        def do(actor: int, step: Step) -> None:
            item = step.pause
            try:
                if step.op == "put":
                    with_timeout(
                        step,
                        lambda timeout: [
                            queue.put(item, timeout=timeout),
                            put.append(item),
                        ],
                    )
                else:
                    with_timeout(
                        step, lambda timeout: got.append(queue.get(timeout=timeout))
                    )
            except (Empty, Full):
                return

        left = run(program, do)
        assert sorted(got + queue.queue) == sorted(put)
        waiting = queue.statistics()
        assert not (queue.queue and waiting["getters"])
        assert not (len(queue) < program.size and waiting["putters"])
        finish(left)


@settings(max_examples=200)
@given(programs("hold", "hold", "wait"))
def test_semaphore(program: Program) -> None:
    with virtual_time():
        semaphore, holders = Semaphore(program.size), 0

        def do(actor: int, step: Step) -> None:
            if step.op == "wait":
                with_timeout(step, lambda timeout: semaphore.wait(timeout))
            else:
                with_timeout(step, lambda timeout: hold(step, timeout))

        def hold(step: Step, timeout: float | None) -> None:
            nonlocal holders
            if not semaphore.acquire(timeout=timeout):
                return
            try:
                holders += 1
                assert holders <= program.size, "a permit was given twice"
                hub.sleep(step.pause)
            finally:
                holders -= 1
                semaphore.release()

        left = run(program, do)
        assert left == [], "all permits are back, so no greenlet may wait"
        assert semaphore.counter == program.size
        assert semaphore._woken == 0


@settings(max_examples=150)
@given(programs("wait", "wait", "set", "clear"))
def test_event(program: Program) -> None:
    with virtual_time():
        event, sets = Event(), []
        loop = hub.get_hub().loop

        def do(actor: int, step: Step) -> None:
            if step.op == "set":
                event.set()
                sets.append(loop.now())
            elif step.op == "clear":
                event.clear()
            else:
                with_timeout(step, lambda timeout: wait(timeout))

        def wait(timeout: float | None) -> None:
            began = loop.now()
            if event.wait(timeout):
                assert event.is_set() or began <= sets[-1] <= loop.now()

        left = run(program, do)
        assert not (event.is_set() and left), "a greenlet sleeps beside a set event"
        assert len(event._links) == len(left)
        finish(left)


@settings(max_examples=200)
@given(programs("put", "get"))
def test_channel(program: Program) -> None:
    with virtual_time():
        channel: Channel[int] = Channel()
        offered, passed, got = [], [], []

        def do(actor: int, step: Step) -> None:
            try:
                if step.op == "put":
                    item = len(offered)
                    offered.append(item)
                    with_timeout(
                        step,
                        lambda timeout: [
                            channel.put(item, timeout=timeout),
                            passed.append(item),
                        ],
                    )
                else:
                    with_timeout(
                        step, lambda timeout: got.append(channel.get(timeout=timeout))
                    )
            except (Empty, Full):
                return

        left = run(program, do)
        assert len(set(got)) == len(got), "an item was passed twice"
        assert set(passed) <= set(got), "an item was lost"
        assert abs(channel.balance) == len(left), (
            "getters and putters wait for each other"
        )
        finish(left)


@settings(max_examples=150)
@given(programs("wait", "wait", "notify", "notify_all"))
def test_condition(program: Program) -> None:
    with virtual_time():
        condition = Condition()
        notified, woken = 0, 0

        def do(actor: int, step: Step) -> None:
            nonlocal notified
            with condition:
                if step.op == "wait":
                    with_timeout(step, wait)
                elif step.op == "notify":
                    notified += 1
                    condition.notify()
                else:
                    notified += len(condition._waiters.waiting)
                    condition.notify_all()

        def wait(timeout: float | None) -> None:
            nonlocal woken
            woken += condition.wait(timeout)

        left = run(program, do)
        assert woken <= notified
        assert condition._notified == condition._waiters.woken == 0
        assert not condition._lock.locked(), "who waits has given the lock up"
        assert len(left) == len(condition._waiters.waiting)
        finish(left)


@settings(max_examples=100)
@given(programs("spawn", "spawn", "apply", "join"))
def test_pool(program: Program) -> None:
    with virtual_time():
        pool, running, started = Pool(program.size), 0, []

        def work(seconds: int) -> None:
            nonlocal running
            running += 1
            started.append(seconds)
            assert running <= program.size
            try:
                hub.sleep(seconds)
            finally:
                running -= 1

        def do(actor: int, step: Step) -> None:
            if step.op == "spawn":
                with_timeout(step, lambda timeout: pool.spawn(work, step.pause))
            elif step.op == "apply":
                with_timeout(step, lambda timeout: pool.apply(work, (step.pause,)))
            else:
                with_timeout(step, lambda timeout: pool.join(timeout))

        left = run(program, do)
        assert left == []
        assert len(pool) == running == 0
        assert pool.free_count() == program.size


@settings(max_examples=100)
@given(programs("join", "get", "link", "nothing"), st.integers(0, 6))
def test_every_waiter_is_notified_of_a_greenlets_end(
    program: Program, life: int
) -> None:
    with virtual_time() as clock:
        notified: list[object] = []
        subject = hub.spawn(hub.sleep, life)
        links = 0

        def do(actor: int, step: Step) -> None:
            nonlocal links
            if step.op == "join" and with_timeout(
                step, lambda timeout: subject.join(timeout)
            ):
                assert subject.dead
            elif step.op == "get":
                with_timeout(step, lambda timeout: hub.iwait([subject], timeout))
                assert list(hub.iwait([subject], timeout=0)) == [subject] * subject.dead
            elif step.op == "link":
                subject.rawlink(notified.append)
                links += 1

        left = run(program, do)
        assert left == []
        assert subject.dead
        assert clock.time == END
        assert notified == [subject] * links, "each link once"


# All in one moment: who waits, who is interrupted, what is given. The order in which
# the timers of that moment were made, which is the order in which they fire, is the
# order drawn.
storms = st.lists(
    st.one_of(
        st.sampled_from(
            ["wait", "wait for one second", "wait within a Timeout", "give", "give"]
        ),
        st.integers(0, 5),  # kill that waiter
    ),
    min_size=3,
    max_size=12,
)


def storm(
    events: list[str | int],
    wait: Callable[[float | None], object],
    give: Callable[[], object],
) -> tuple[int, int]:
    """Play one; returns how many waiters got something and how many still wait."""
    loop = hub.get_hub().loop
    got, waiters = [], []

    def patient(event: str) -> None:
        limit = 1 if event == "wait for one second" else None
        with hub.Timeout(1 if event == "wait within a Timeout" else None, False):
            if wait(limit):
                got.append(1)

    for event in events:
        if event == "give":
            loop.call_later(1, give)
        elif isinstance(event, int):
            loop.call_later(1, lambda number=event: interrupt(number))
        else:
            waiters.append(hub.spawn(patient, event))
            hub.sleep(0)

    def interrupt(number: int) -> None:
        if number < len(waiters):
            waiters[number]._interrupt(hub.GreenletExit)

    hub.sleep(END)
    left = [waiter for waiter in waiters if not waiter.dead]
    finish(left)
    return len(got), len(left)


@settings(max_examples=300)
@given(storms)
def test_a_storm_on_a_queue(events: list[str | int]) -> None:
    with virtual_time():
        queue: Queue[int] = Queue()

        def wait(limit: float | None) -> bool:
            try:
                return queue.get(timeout=limit) == 1
            except Empty:
                return False

        got, left = storm(events, wait, lambda: queue.put(1))
        assert got + len(queue) == events.count("give")
        assert not (left and len(queue)), "a greenlet sleeps beside an item"


@settings(max_examples=300)
@given(storms)
def test_a_storm_on_a_semaphore(events: list[str | int]) -> None:
    with virtual_time():
        semaphore = Semaphore(0)
        got, left = storm(
            events, lambda limit: semaphore.acquire(timeout=limit), semaphore.release
        )
        assert got + semaphore.counter == events.count("give")
        assert not (left and semaphore.counter), "a greenlet sleeps beside a permit"


@settings(max_examples=300)
@given(storms)
def test_a_storm_on_a_channel(events: list[str | int]) -> None:
    with virtual_time():
        channel: Channel[int] = Channel()
        putters = []

        def wait(limit: float | None) -> bool:
            try:
                return channel.get(timeout=limit) == 1
            except Empty:
                return False

        got, left = storm(
            events, wait, lambda: putters.append(hub.spawn(channel.put, 1))
        )
        assert got == sum(putter.dead for putter in putters)
        assert not (left and got < len(putters)), (
            "a getter and a putter sleep side by side"
        )
        finish([putter for putter in putters if not putter.dead])


@settings(max_examples=300)
@given(storms)
def test_a_storm_on_a_condition(events: list[str | int]) -> None:
    with virtual_time():
        condition = Condition()

        def wait(limit: float | None) -> bool:
            with condition:
                return condition.wait(limit)

        def give() -> None:
            def notify() -> None:
                with condition:
                    condition.notify()

            hub.spawn(notify)

        got, _ = storm(events, wait, give)
        assert got <= events.count("give")
        assert condition._notified == condition._waiters.woken == 0
        assert not condition._lock.locked()
