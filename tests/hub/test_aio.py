"""The bridge to asyncio, in both directions."""

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import hub
from hub import aio
from hub.threadpool import ThreadPool

REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


async def value(result: object) -> object:
    await asyncio.sleep(0.001)
    return result


async def failing() -> None:
    await asyncio.sleep(0)
    raise KeyError("in a coroutine")


@contextmanager
def others_run() -> Iterator[None]:
    """Fails unless other greenlets ran inside."""
    ticks: list[int] = []

    def tick() -> None:
        while True:
            ticks.append(1)
            hub.sleep(0.001)

    ticker = hub.spawn(tick)
    try:
        yield
    finally:
        ticker.kill()
    assert len(ticks) > 5


def test_run_waits_cooperatively() -> None:
    with others_run():
        assert aio.run(asyncio.sleep(0.05, "done")) == "done"


def test_values_and_errors() -> None:
    assert aio.run(value(7)) == 7
    for _ in range(2):
        with pytest.raises(KeyError, match="in a coroutine"):
            aio.run(failing())
    with pytest.raises(SystemExit):
        aio.run(leaving())
    assert aio.run(value("the loop goes on")) == "the loop goes on"


async def leaving() -> None:
    sys.exit(3)


def test_many_at_once_share_one_thread() -> None:
    async def where() -> int:
        await asyncio.sleep(0.01)
        return threading.get_ident()

    started = time.monotonic()
    jobs = [hub.spawn(aio.run, where()) for _ in range(50)]
    threads = {job.get() for job in jobs}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert time.monotonic() - started < 0.4


def test_it_takes_coroutines_only() -> None:
    with pytest.raises(TypeError, match="coroutine"):
        aio.run(value)  # type: ignore[arg-type]


class Cancelled:
    """A coroutine that tells when it was cancelled, and takes its time to end."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.events: list[str] = []
        self._seconds = seconds
        self.started = hub.event.Event()

    async def __call__(self) -> None:
        self.started.set()
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            self.events.append("cancelled")
            await asyncio.sleep(self._seconds)
            self.events.append("cleaned up")
            raise


def test_a_kill_cancels_the_task_and_waits_for_its_end() -> None:
    work = Cancelled()
    job = hub.spawn(aio.run, work())
    work.started.wait()
    job.kill()
    assert work.events == ["cancelled", "cleaned up"]
    assert isinstance(job.value, hub.GreenletExit)


def test_a_timeout_cancels_the_task() -> None:
    work = Cancelled()
    with pytest.raises(hub.Timeout) as caught, hub.Timeout(0.02) as limit:
        aio.run(work())
    assert caught.value is limit
    assert work.events == ["cancelled", "cleaned up"]


def test_a_scope_cancels_the_task() -> None:
    work = Cancelled()
    with hub.move_on_after(0.02) as scope, others_run():
        aio.run(work())
    assert scope.cancelled_caught
    assert work.events == ["cancelled", "cleaned up"]


def test_a_second_interrupt_does_not_wait() -> None:
    work = Cancelled(seconds=1000)
    job = hub.spawn(aio.run, work())
    work.started.wait()
    job.kill(block=False)
    while not work.events:
        hub.sleep(0.001)
    job.kill(timeout=60)
    assert job.dead


def test_a_task_that_is_cancelled_from_its_own_side() -> None:
    async def give_up() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        aio.run(give_up())


def test_context_variables_go_along() -> None:
    async def look() -> str:
        seen = REQUEST.get()
        REQUEST.set("changed")
        return seen + " " + await aio.call(REQUEST.get)

    REQUEST.set("outer")
    assert aio.run(look()) == "outer changed"
    assert REQUEST.get() == "outer"


# -- from asyncio into the hub ---------------------------------------------------------


def test_call_runs_a_function_in_the_hub() -> None:
    queue = hub.queue.Queue[int]()

    async def use() -> tuple[int, int]:
        thread, item = await asyncio.gather(
            aio.call(threading.get_ident), aio.call(queue.get, timeout=60)
        )
        return thread, item

    hub.spawn_later(0.01, queue.put, 7)
    assert aio.run(use()) == (threading.get_ident(), 7)


def test_errors_of_the_function_come_back() -> None:
    def fail() -> None:
        hub.sleep(0)
        raise KeyError("in a greenlet")

    async def use() -> str:
        with pytest.raises(KeyError, match="in a greenlet"):
            await aio.call(fail)
        return "caught"

    assert aio.run(use()) == "caught"


def test_cancelling_the_await_kills_the_greenlet_and_waits_for_its_end() -> None:
    events: list[str] = []

    def work() -> None:
        try:
            hub.sleep(1000)
        finally:
            hub.sleep(0.01)
            events.append("cleaned up")

    async def use() -> str:
        try:
            await asyncio.wait_for(aio.call(work), 0.02)
        except TimeoutError:
            events.append("timed out")
        return "went on"

    assert aio.run(use()) == "went on"
    assert events == ["cleaned up", "timed out"]


def test_a_kill_goes_through_both() -> None:
    """A greenlet waits for a coroutine that waits for a greenlet."""
    events: list[str] = []

    def inner() -> None:
        try:
            hub.sleep(1000)
        finally:
            events.append("inner")

    async def middle() -> None:
        try:
            await aio.call(inner)
        finally:
            events.append("middle")

    job = hub.spawn(aio.run, middle())
    hub.sleep(0.02)
    job.kill()
    assert events == ["inner", "middle"]


def test_a_greenlet_that_is_killed_by_others_cancels() -> None:
    async def use() -> str:
        try:
            await aio.call(lambda: hub.kill(hub.getcurrent()) or hub.sleep(60))
        except asyncio.CancelledError:
            return "cancelled"
        return "not"

    assert aio.run(use()) == "cancelled"


def test_another_loop_calls_into_a_hub_by_name() -> None:
    """asyncio.run() in a native thread of its own."""
    own = hub.get_hub()

    async def use() -> int:
        return await aio.call_in(own, threading.get_ident)

    assert ThreadPool(1).apply(asyncio.run, (use(),)) == threading.get_ident()
    with pytest.raises(RuntimeError, match="threads of their own"):
        asyncio.run(use())

    async def nameless() -> None:
        await aio.call(abs, -1)

    with pytest.raises(RuntimeError, match="call_in"):
        ThreadPool(1).apply(asyncio.run, (nameless(),))


def test_run_in_a_coroutine_is_refused() -> None:
    async def use() -> None:
        aio.run(value(1))

    with pytest.raises(RuntimeError, match="await it"):
        aio.run(use())


def test_it_works_while_all_is_patched() -> None:
    async def talk() -> bytes:
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"hello")
        data = await reader.read(100)
        writer.close()
        return data

    def echo(connection: hub.socket.socket, _: object) -> None:
        connection.sendall(connection.recv(100))

    with (
        hub.patch_all() as patch,
        hub.server.StreamServer(("127.0.0.1", 0), echo) as server,
    ):
        address = server.address
        assert aio.run(talk()) == b"hello"
        patch.undo()


def test_the_process_ends_while_a_task_runs() -> None:
    code = (
        "import asyncio, hub\n"
        "async def forever():\n"
        "    try: await asyncio.sleep(1000)\n"
        "    finally: print('cancelled')\n"
        "hub.spawn(hub.aio.run, forever())\n"
        "hub.sleep(0.1)\n"
        "print('bye')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "bye\ncancelled\n"), done.stderr
