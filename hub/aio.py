"""A bridge to asyncio, whose loop runs in a native thread of its own.

    page = hub.aio.run(fetch(url))          # in a greenlet: waits cooperatively

    value = await hub.aio.call(function, x) # in a coroutine: calls it in the hub

One loop serves all hubs of the process. It starts at the first `run`, and is closed at
the end of the process, which cancels the tasks that are left. Objects of either side
belong to their own thread.

**Cancelling goes both ways, and waits.** An interrupt of the greenlet (a kill, a
Timeout, a cancelled scope) cancels the task; one of the task kills the greenlet. The
interrupted side goes on when the other has ended, so that no work is left behind;
another interrupt ends this wait.

Context variables go along in both directions, and changes stay where they were made.
"""

import asyncio
import atexit
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from functools import partial
from threading import Event, Lock, Thread
from typing import Any, ParamSpec, TypeVar

from greenlet import GreenletExit

from hub.current import get_hub, get_hub_if_any
from hub.deferral import Deferral
from hub.future import OutsideEvent
from hub.greenlet import Greenlet
from hub.hub import Hub
from hub.native import blocking

__all__ = ["call", "call_in", "run"]

P = ParamSpec("P")
T = TypeVar("T")

_caller: ContextVar[Hub | None] = ContextVar("hub of aio.run", default=None)
"""The hub that `run` was called in, for `call`."""


class _LoopThread:
    """The thread with the loop of asyncio."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._loop: AbstractEventLoop | None = None
        self._thread: Thread | None = None

    def loop(self) -> AbstractEventLoop:
        """Return the loop; the first call starts it."""
        with self._lock, blocking():
            if self._loop is None:
                started = Event()
                self._thread = Thread(
                    target=self._run, args=(started,), name="hub-asyncio", daemon=True
                )
                self._thread.start()
                started.wait()
                atexit.register(self._stop)
        assert self._loop is not None
        return self._loop

    def _run(self, started: Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(started.set)
            self._loop.run_forever()

    def _stop(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        with blocking():
            self._thread.join(_MAX_CLOSE)


_MAX_CLOSE = 5.0  # seconds for the tasks that are left at the end of the process
_thread = _LoopThread()


class _Run:
    """One coroutine as a task, and what became of it."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self.ended = OutsideEvent()
        self.value: Any = None
        self.error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._loop = _thread.loop()
        context = copy_context()
        context.run(_caller.set, get_hub())
        self._loop.call_soon_threadsafe(self._start, self._drive(coroutine), context)

    def _start(self, driven: Coroutine[Any, Any, None], context: Context) -> None:
        """In the loop's thread."""
        self._task = self._loop.create_task(driven, context=context)

    async def _drive(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        # Nothing is raised here: a SystemExit would end the loop, which serves all.
        try:
            self.value = await coroutine
        except BaseException as error:
            trace = error.__traceback__
            self.error = error.with_traceback(trace and trace.tb_next)
        finally:
            self.ended.set()

    def _cancel(self) -> None:
        """In the loop's thread, after `_start`."""
        if self._task is not None:
            self._task.cancel()

    def cancelled_by(self, interrupt: BaseException) -> BaseException:
        """Cancel the task, and wait for its end, or for another interrupt.

        Return which interrupt is to be raised.
        """
        self._loop.call_soon_threadsafe(self._cancel)
        with Deferral(self.ended.set) as deferral:
            self.ended.wait()
        return deferral.settle(interrupt) or interrupt


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run ``coroutine`` in asyncio's thread; return its value, or raise its error.

    The other greenlets run meanwhile. Raises asyncio.CancelledError if the task was
    cancelled from its own side, TypeError if it is given no coroutine, RuntimeError in
    a coroutine, which awaits instead.
    """
    if not asyncio.iscoroutine(coroutine):
        raise TypeError(f"a coroutine was expected, got {coroutine!r}")
    if _running_loop() is not None:
        coroutine.close()
        raise RuntimeError("hub.aio.run() can't be called in a coroutine: await it")
    work = _Run(coroutine)
    try:
        work.ended.wait()
    except BaseException as interrupt:
        first = work.cancelled_by(interrupt)
        if first is interrupt:
            raise
        raise first from None
    if work.error is not None:
        try:
            raise work.error
        finally:
            del work  # this frame is in the error's traceback: a cycle
    value: T = work.value
    return value


def _running_loop() -> AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def call(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Await ``function(*args, **kwargs)``, called in a greenlet of `run`'s caller.

    Raises RuntimeError in a coroutine that `run` has not started: see `call_in`.
    """
    hub = _caller.get()
    if hub is None:
        raise RuntimeError(
            "no hub has called this coroutine by hub.aio.run(): use hub.aio.call_in()"
        )
    return await call_in(hub, function, *args, **kwargs)


async def call_in(
    hub: Hub, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Await ``function(*args, **kwargs)``, called in a greenlet of ``hub``.

    For any loop of asyncio that runs in another thread than ``hub``; RuntimeError in
    the same one. Cancelling kills the greenlet; a greenlet that is killed by others
    raises asyncio.CancelledError here.
    """
    if get_hub_if_any() is hub:
        raise RuntimeError("asyncio and the hub need threads of their own")
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    jobs: list[Greenlet[P, T]] = []

    def tell(job: Greenlet[P, T]) -> None:
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(ended.set)

    def begin(context: Context) -> None:
        """In the hub."""
        job = Greenlet(function, *args, **kwargs)
        job.gr_context = context
        jobs.append(job)
        job.rawlink(tell)
        job.start()

    hub.loop.call_soon(partial(begin, copy_context()))
    try:
        await ended.wait()
    except asyncio.CancelledError:
        hub.loop.call_soon(lambda: jobs[0].kill(block=False))
        await ended.wait()
        raise
    job = jobs.pop()
    value = job.get()
    if isinstance(value, GreenletExit):
        raise asyncio.CancelledError
    return value
