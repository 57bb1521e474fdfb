"""The executor's futures are those of concurrent.futures, and wait cooperatively."""

import asyncio
import concurrent.futures
import contextvars
import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, as_completed, wait
from concurrent.futures.thread import BrokenThreadPool

import pytest

import hub
from hub.threadpool import ThreadPool, ThreadPoolExecutor

Collect = Callable[[list[Future[bool]], ThreadPoolExecutor], object]
REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


def fail() -> None:
    raise KeyError("in a thread")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def one() -> Iterator[ThreadPoolExecutor]:
    """An executor with a single thread, so that a second task stays queued."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def other_turn() -> Iterator[threading.Event]:
    """Is set when another greenlet has its turn, for jobs to wait for."""
    event = threading.Event()
    setter = hub.Greenlet.spawn_later(0.001, event.set)
    yield event
    setter.get()


def test_a_future_is_a_future(executor: ThreadPoolExecutor) -> None:
    future = executor.submit(pow, 2, 5)
    assert isinstance(future, Future)
    assert future.result(timeout=60) == 32
    assert future.exception() is None
    assert (future.done(), future.running(), future.cancelled()) == (True, False, False)
    assert not future.cancel()


def test_states(one: ThreadPoolExecutor) -> None:
    started, go = threading.Event(), threading.Event()

    def work() -> str:
        started.set()
        go.wait(60)
        return "done"

    first, second = one.submit(work), one.submit(abs, -1)
    while not started.is_set():
        hub.sleep(0.001)
    assert first.running()
    assert not first.cancel()
    assert not second.running()
    assert second.cancel()
    assert second.cancelled()
    assert second.done()
    with pytest.raises(CancelledError):
        second.result()
    with pytest.raises(CancelledError):
        second.exception()
    with pytest.raises(TimeoutError):
        first.result(timeout=0.01)
    with pytest.raises(TimeoutError):
        first.exception(timeout=-1)
    go.set()
    assert first.result() == "done"


def test_cancelling_wakes_who_waits(one: ThreadPoolExecutor) -> None:
    go = threading.Event()
    one.submit(go.wait, 60)
    queued = one.submit(abs, -1)
    waiting = hub.spawn(queued.result)
    hub.sleep(0)
    assert queued.cancel()
    with pytest.raises(CancelledError):
        waiting.get(timeout=60)
    go.set()


def test_errors(executor: ThreadPoolExecutor) -> None:
    future = executor.submit(fail)
    assert isinstance(future.exception(), KeyError)
    depths = []
    for _ in range(3):
        with pytest.raises(KeyError, match="in a thread") as caught:
            future.result()
        depths.append(len(caught.traceback))
    assert depths[0] == depths[1] == depths[2], "no traceback grows"


def test_a_failed_future_is_part_of_no_cycle(executor: ThreadPoolExecutor) -> None:
    gc.disable()
    try:
        future = executor.submit(fail)
        with pytest.raises(KeyError):
            future.result()
        hub.sleep(0.01)
        seen = weakref.ref(future)
        del future
        assert seen() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    "collect",
    [
        lambda jobs, _: [job.result() for job in jobs],
        lambda jobs, _: [job.exception() for job in jobs],
        lambda jobs, _: [job.result() for job in as_completed(jobs)],
        lambda jobs, _: wait(jobs),
        lambda _, executor: list(executor.map(abs, [-1])),
    ],
)
def test_waiting_lets_others_run(
    executor: ThreadPoolExecutor, other_turn: threading.Event, collect: Collect
) -> None:
    jobs = [executor.submit(other_turn.wait, 60) for _ in range(2)]
    collect(jobs, executor)
    assert [job.result() for job in jobs] == [True, True]


def test_as_completed_and_wait(executor: ThreadPoolExecutor) -> None:
    go = threading.Event()
    slow, quick = executor.submit(go.wait, 60), executor.submit(abs, -1)
    assert next(as_completed([slow, quick])) is quick
    assert wait([slow, quick], return_when=concurrent.futures.FIRST_COMPLETED) == (
        {quick}, {slow},
    )  # fmt: skip
    assert wait([slow], timeout=0.01).not_done == {slow}
    with pytest.raises(TimeoutError):
        list(as_completed([slow], timeout=0.01))
    failing = executor.submit(fail)
    done, _ = wait([slow, failing], return_when=concurrent.futures.FIRST_EXCEPTION)
    assert done == {failing}
    go.set()
    assert wait([slow, quick]).done == {slow, quick}


def test_the_hubs_own_wait_takes_futures(executor: ThreadPoolExecutor) -> None:
    go = threading.Event()
    slow, quick = executor.submit(go.wait, 60), executor.submit(abs, -1)
    assert hub.wait([slow, quick], count=1) == [quick]
    assert hub.wait([slow], timeout=0.01) == []
    go.set()
    assert set(hub.wait([slow, quick])) == {slow, quick}


def test_several_greenlets_wait_for_one(executor: ThreadPoolExecutor) -> None:
    go = threading.Event()
    future = executor.submit(go.wait, 60)
    waiting = [hub.spawn(future.result) for _ in range(5)]
    impatient = hub.spawn(future.result, 0.001)
    with pytest.raises(TimeoutError):
        impatient.get()
    waiting[0].kill()
    go.set()
    assert [job.get() for job in waiting[1:]] == [True] * 4


def test_callbacks_run_in_the_hubs_thread_and_may_wait(
    executor: ThreadPoolExecutor,
) -> None:
    seen: list[tuple[str, int, object]] = []
    go = threading.Event()
    future = executor.submit(go.wait, 60)

    def note(name: str) -> None:
        hub.sleep(0.001)
        seen.append((name, threading.get_ident(), future.result()))

    future.add_done_callback(lambda done: note("first"))
    future.add_done_callback(lambda done: note("second"))
    go.set()
    future.result()
    with hub.Timeout(60):
        while len(seen) < 2:
            hub.sleep(0.001)
    here = threading.get_ident()
    assert seen == [("first", here, True), ("second", here, True)]
    late: list[object] = []
    future.add_done_callback(late.append)
    assert late == [future], "at once if it is done, as in the standard library"


@pytest.mark.parametrize("waiting", [lambda f: f.exception(), lambda f: hub.wait([f])])
def test_callbacks_begin_before_a_greenlet_that_waits_goes_on(
    executor: ThreadPoolExecutor, waiting: Callable[[Future[bool]], object]
) -> None:
    called: list[Future[bool]] = []
    go = threading.Event()
    future = executor.submit(go.wait, 60)
    for _ in range(2000):
        future.add_done_callback(called.append)
    go.set()
    waiting(future)
    assert called == [future] * 2000


def test_a_failing_callback_stops_no_other(
    executor: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    go, seen = threading.Event(), hub.event.Event()
    future = executor.submit(go.wait, 60)
    future.add_done_callback(lambda done: fail())
    future.add_done_callback(lambda done: seen.set())
    go.set()
    assert seen.wait(60)
    assert "KeyError: 'in a thread'" in caplog.text


def test_a_callback_is_called_when_the_future_is_cancelled(
    one: ThreadPoolExecutor,
) -> None:
    go = threading.Event()
    one.submit(go.wait, 60)
    queued, seen = one.submit(abs, -1), hub.event.AsyncResult[object]()
    queued.add_done_callback(seen.set)
    queued.cancel()
    assert seen.get(timeout=60) is queued
    go.set()


def test_context_variables_go_along(executor: ThreadPoolExecutor) -> None:
    REQUEST.set("outer")
    future = executor.submit(REQUEST.get)
    REQUEST.set("later")
    assert future.result() == "outer"
    assert list(executor.map(lambda _: REQUEST.get(), [1])) == ["later"]
    assert ThreadPool(1).apply(REQUEST.get) == "later"
    seen = hub.event.AsyncResult[str]()
    pending = executor.submit(time.sleep, 0.01)
    pending.add_done_callback(lambda _: seen.set(REQUEST.get()))
    REQUEST.set("after")
    assert seen.get() == "later", "a callback has the context it was added in"

    def change() -> None:
        REQUEST.set("changed in the thread")

    executor.submit(change).result()
    assert REQUEST.get() == "after"


def test_a_scope_does_not_reach_into_a_thread(executor: ThreadPoolExecutor) -> None:
    """A scope belongs to one thread; the work may use a hub of its own."""
    go = threading.Event()

    def work() -> str:
        go.wait(60)
        hub.sleep(0.001)
        return "finished"

    with hub.CancelScope() as scope:
        future = executor.submit(work)
        scope.cancel()
    go.set()
    assert future.result() == "finished"


def test_asyncio_can_wait_for_it(executor: ThreadPoolExecutor) -> None:
    """An asyncio loop in another thread awaits what the hub's executor does."""
    go = threading.Event()
    future = executor.submit(go.wait, 60)
    failing = executor.submit(fail)

    async def use() -> tuple[bool, type]:
        go.set()
        value = await asyncio.wrap_future(future)
        try:
            await asyncio.wrap_future(failing)
        except KeyError as error:
            return value, type(error)
        raise AssertionError

    assert ThreadPool(1).apply(asyncio.run, (use(),)) == (True, KeyError)


async def powers() -> list[int]:
    with ThreadPoolExecutor(2) as executor:
        running = asyncio.get_running_loop().run_in_executor(executor, pow, 2, 4)
        wrapped = asyncio.wrap_future(executor.submit(pow, 2, 3))
        return await asyncio.wait_for(asyncio.gather(wrapped, running), 30)


@pytest.mark.parametrize("thread", ["main", "worker"])
def test_asyncio_in_the_thread_of_the_executor_can_wait_for_it(thread: str) -> None:
    """The hub, whose thread it is, does not run while asyncio's loop does."""
    if thread == "main":
        assert asyncio.run(powers()) == [8, 16]
    else:
        assert ThreadPool(1).apply(asyncio.run, (powers(),)) == [8, 16]


def test_work_may_submit_more(executor: ThreadPoolExecutor) -> None:
    inner = executor.submit(executor.submit, abs, -7).result()
    assert inner.result(timeout=60) == 7


def test_a_thread_without_a_hub_waits_as_well(executor: ThreadPoolExecutor) -> None:
    go, got = threading.Event(), list[object]()
    future = executor.submit(go.wait, 60)

    def other() -> None:
        got.append(future.result(timeout=60))
        got.extend(as_completed([future], timeout=60))

    thread = threading.Thread(target=other)
    thread.start()
    go.set()
    with hub.Timeout(60):
        while thread.is_alive():
            hub.sleep(0.001)
    assert got == [True, future]


def test_shutdown_waits(one: ThreadPoolExecutor, other_turn: threading.Event) -> None:
    done: list[object] = []
    for job in (one.submit(other_turn.wait, 60), one.submit(abs, -1)):
        job.add_done_callback(lambda job: done.append(job.result()))
    one.shutdown()
    assert done == [True, 1]
    with pytest.raises(RuntimeError):
        one.submit(abs, 1)


def test_shutdown_can_cancel_what_has_not_started(one: ThreadPoolExecutor) -> None:
    started, go = threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        go.wait(60)

    running = one.submit(work)
    queued = [one.submit(abs, -1) for _ in range(3)]
    while not started.is_set():
        hub.sleep(0.001)
    one.shutdown(wait=False, cancel_futures=True)
    assert [job.cancelled() for job in queued] == [True] * 3
    assert not running.done()
    go.set()
    one.shutdown()
    assert running.result() is None


def test_shutdown_does_not_spin_while_one_of_two_works() -> None:
    executor = ThreadPoolExecutor(2)
    go = threading.Event()
    executor.submit(go.wait, 60)
    before = time.thread_time()
    hub.spawn_later(0.2, go.set)
    executor.shutdown()
    assert time.thread_time() - before < 0.1


def test_map_keeps_the_standard_librarys_rules(executor: ThreadPoolExecutor) -> None:
    assert list(executor.map(pow, [2, 3], [3, 2])) == [8, 9]
    go = threading.Event()
    with pytest.raises(TimeoutError):
        list(executor.map(lambda _: go.wait(60), [1], timeout=0.01))
    go.set()
    with pytest.raises(ZeroDivisionError):
        list(executor.map(divmod, [1], [0]))


def test_initializer_and_names() -> None:
    local = threading.local()

    def prepare(value: int) -> None:
        local.value = value

    with ThreadPoolExecutor(
        2, thread_name_prefix="crew", initializer=prepare, initargs=(7,)
    ) as executor:
        assert executor.submit(lambda: local.value).result() == 7
        name = executor.submit(lambda: threading.current_thread().name).result()
        assert name.startswith("crew")


def test_an_initializer_that_fails_breaks_the_executor() -> None:
    with ThreadPoolExecutor(1, initializer=fail) as executor:
        future = executor.submit(abs, -1)
        with pytest.raises(BrokenThreadPool):
            future.result()
        with pytest.raises(BrokenThreadPool):
            executor.submit(abs, -1)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="max_workers"):
        ThreadPoolExecutor(0)
    with pytest.raises(TypeError):
        ThreadPoolExecutor(1, initializer=7)  # type: ignore[arg-type]
    with ThreadPoolExecutor() as executor:
        assert executor.submit(abs, -1).result() == 1
