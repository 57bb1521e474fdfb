"""Blocking work in native threads, while the hub goes on.

A worker takes tasks from a `queue.SimpleQueue` of the standard library and passes each
result to the loop of the hub that the task came from; everything but the work itself
happens in the hub's thread. Workers are daemon threads: unfinished work does not delay
the end of the process. The work has a copy of its caller's context variables, but
belongs to none of its cancel scopes: those are of one thread.
"""

import concurrent.futures
import os
import weakref
from collections.abc import Callable
from concurrent.futures.thread import BrokenThreadPool
from contextvars import copy_context
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread, local
from typing import Any, ParamSpec, TypeVar

from hub.current import get_hub, get_hub_if_any
from hub.errors import InvalidThreadUseError
from hub.event import AsyncResult, Event
from hub.future import Future, OutsideEvent
from hub.hub import Hub
from hub.imap import Mapper
from hub.lock import Semaphore
from hub.loop import Loop
from hub.native import blocking

__all__ = ["ThreadPool", "ThreadPoolExecutor"]

P = ParamSpec("P")
T = TypeVar("T")

_Then = Callable[[], object]

_Task = tuple[Loop, Callable[[_Then | None], None], list[Callable[[], _Then | None]]]
"""The hub's loop; what it calls at the end; the work, in a list of its own."""


class _Workers:
    """The threads of one pool.

    It holds no reference to the pool, so the pool can be freed.
    """

    def __init__(self, name: str) -> None:
        self.tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self.name = name
        self.size = 0
        self.busy = 0  # tasks that have not ended, counted in the hub's thread

    def start_thread(self) -> None:
        """Start one more thread."""
        self.size += 1
        name = f"{self.name}-{self.size}"
        with blocking():  # `start` waits for a moment if `threading` is patched
            Thread(target=_work, args=(self.tasks,), name=name, daemon=True).start()

    def resize(self, size: int) -> None:
        """Start threads, or let some end after the tasks that are queued."""
        while self.size < size:
            self.start_thread()
        while self.size > size:
            self.size -= 1
            self.tasks.put(None)

    def start_needed(self, most: int) -> None:
        """Start a thread for each task that waits for one, up to ``most`` in all."""
        self.resize(max(self.size, min(self.busy, most)))

    def stop_threads(self) -> None:
        """Let all threads end after the tasks that are queued."""
        self.resize(0)


def _work(tasks: "SimpleQueue[_Task | None]") -> None:
    """The main function of a worker thread."""
    while (task := tasks.get()) is not None:
        loop, finish, work = task
        # An error's traceback holds the frames above it, with their variables: so no
        # variable names the work, and none is left when the next task is awaited.
        loop.call_soon(partial(finish, work.pop()()))
        del task, loop, finish, work
    if (hub := get_hub_if_any()) is not None:
        hub.destroy()  # the work used the hub of its own thread


class ThreadPool(Mapper):
    """At most ``maxsize`` native threads, started when needed.

    `spawn` waits while ``maxsize`` tasks run (back-pressure). A pool belongs to the
    thread that made it: InvalidThreadUseError elsewhere. Raises ValueError if
    ``maxsize`` is negative.
    """

    def __init__(self, maxsize: int = 10, name: str = "hub-worker") -> None:
        self._maxsize = _checked_size(maxsize)
        self._hub = get_hub()
        self._free = Semaphore(maxsize)
        self._spawned = 0  # tasks of `spawn` that have not ended
        self._none = Event()
        self._none.set()
        self._workers = _Workers(name)
        weakref.finalize(self, self._workers.stop_threads)

    def spawn(
        self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncResult[T]:
        """Run ``function`` in a thread; return an AsyncResult for the result."""
        self._free.acquire()
        self._spawned += 1
        self._none.clear()
        return self._submit(partial(function, *args, **kwargs), self._spawned_ended)

    def _spawned_ended(self) -> None:
        self._free.release()
        self._spawned -= 1
        if not self._spawned:
            self._none.set()

    def submit(
        self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncResult[T]:
        """As `spawn`, but never waits: a task that finds no free thread is queued."""
        return self._submit(partial(function, *args, **kwargs), None)

    def _submit(
        self, work: Callable[[], T], at_end: Callable[[], object] | None
    ) -> AsyncResult[T]:
        if get_hub() is not self._hub:
            raise InvalidThreadUseError(
                f"{self!r} belongs to another thread: make one for this"
            )
        result: AsyncResult[T] = AsyncResult()
        self.start(partial(_outcome, result, partial(copy_context().run, work)), at_end)
        return result

    def start(
        self,
        work: Callable[[], _Then | None],
        at_end: Callable[[], object] | None = None,
    ) -> None:
        """Run ``work``, which must not raise, in a thread; never waits.

        The hub then calls ``at_end``, and what ``work`` has returned. Only in the
        pool's own thread.
        """
        workers, loop = self._workers, self._hub.loop
        workers.busy += 1
        workers.start_needed(self._maxsize)
        loop.external += 1

        def finish(then: _Then | None) -> None:
            """In the hub's thread."""
            loop.external -= 1
            workers.busy -= 1
            if at_end is not None:
                at_end()
            if then is not None:
                then()

        workers.tasks.put((loop, finish, [work]))

    @property
    def hub(self) -> Hub:
        """The hub that the pool belongs to."""
        return self._hub

    def _called_by_worker(self) -> bool:
        return get_hub_if_any() is not self._hub

    def _applies_in_greenlet(self) -> bool:
        return True  # the result has the type that it has when all threads are busy

    def join(self) -> None:
        """Wait until no task that `spawn` started runs."""
        while self._spawned:
            self._none.wait()

    def kill(self) -> None:
        """Let the threads end after the tasks that are queued.

        The pool can still be used; it starts new threads.
        """
        self._workers.stop_threads()

    @property
    def maxsize(self) -> int:
        """How many threads there may be; it may be set.

        Threads beyond it end after the tasks that are queued; with 0 every `spawn`
        waits. Raises ValueError if it is negative.
        """
        return self._maxsize

    @maxsize.setter
    def maxsize(self, value: int) -> None:
        more = _checked_size(value) - self._maxsize
        self._maxsize = value
        if self._workers.size > value:
            self._workers.resize(value)
        self._workers.start_needed(value)
        self._free.release(more)  # less than before if it is negative

    @property
    def size(self) -> int:
        """How many threads there are; it may be set, to start or to end some.

        Those that end first do the tasks that are queued. Raises ValueError if it is
        negative, or more than `maxsize`.
        """
        return self._workers.size

    @size.setter
    def size(self, value: int) -> None:
        if _checked_size(value) > self._maxsize:
            raise ValueError(f"the pool has at most {self._maxsize} threads: {value}")
        self._workers.resize(value)

    def free_count(self) -> int:
        """How many tasks `spawn` would accept without waiting."""
        return max(0, self._free.counter)

    def full(self) -> bool:
        """Whether `spawn` would wait."""
        return self._free.locked()

    def __len__(self) -> int:
        return self._workers.busy

    def __bool__(self) -> bool:
        return True

    def statistics(self) -> dict[str, int]:
        """How many threads and tasks there are, and the bound on threads."""
        return {"maxsize": self.maxsize, "threads": self.size, "tasks": len(self)}

    def __repr__(self) -> str:
        size = f"{self.size}/{self.maxsize}"
        return f"<ThreadPool at {id(self):#x} tasks={len(self)} size={size}>"


def _checked_size(value: int) -> int:
    if value < 0:
        raise ValueError(f"a pool can't have {value} threads")
    return value


def _outcome(result: AsyncResult[T], work: Callable[[], T]) -> _Then:
    """Runs in the worker's thread; return what gives the result to its readers."""
    try:
        return partial(result.set, work())
    except BaseException as error:
        # This frame is no part of the work, and would hold the result in a cycle.
        trace = error.__traceback__
        return partial(
            result.set_exception, error.with_traceback(trace and trace.tb_next)
        )
    finally:
        del result, work


class _Initializer:
    """Prepares each thread before its first work; a failure breaks the executor."""

    def __init__(
        self, function: Callable[..., object] | None, args: tuple[Any, ...]
    ) -> None:
        if function is not None and not callable(function):
            raise TypeError("initializer must be a callable")
        self._function = function
        self._args = args
        self._thread = local()
        self._broken = False

    def check(self) -> None:
        """Raise BrokenThreadPool after a failure."""
        if self._broken:
            raise BrokenThreadPool("a thread's initializer failed")

    def run(self, work: Callable[[], T]) -> T:
        """Return ``work()``, in a thread that is prepared."""
        self.check()
        if self._function is not None and not hasattr(self._thread, "ready"):
            try:
                self._function(*self._args)
            except BaseException as error:
                self._broken = True
                raise BrokenThreadPool("a thread's initializer failed") from error
            self._thread.ready = True
        return work()


class _Unended:
    """The futures of an executor that have not ended; any thread may add one."""

    def __init__(self) -> None:
        self._futures: set[Future[Any]] = set()
        self._lock = Lock()
        self._none = OutsideEvent()
        self._none.set()

    def add(self, future: Future[Any]) -> None:
        with self._lock:
            self._futures.add(future)
            self._none.clear()

    def discard(self, future: Future[Any]) -> None:
        with self._lock:
            self._futures.discard(future)
            if not self._futures:
                self._none.set()

    def cancel(self) -> None:
        for future in list(self._futures):
            future.cancel()

    def wait(self) -> None:
        """Wait until there is none, and their callbacks have begun."""
        if get_hub_if_any() is None:
            concurrent.futures.wait(list(self._futures))
        else:
            self._none.wait()


class ThreadPoolExecutor(concurrent.futures.Executor):
    """A `ThreadPool` as an executor of concurrent.futures, with the same arguments.

    Any thread may submit. `shutdown` cancels what has not started
    (``cancel_futures``), and waits while the other greenlets run.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "hub-executor",
        initializer: Callable[..., object] | None = None,
        initargs: tuple[Any, ...] = (),
    ) -> None:
        if max_workers is None:  # the standard library's number
            max_workers = min(32, (os.cpu_count() or 1) + 4)
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        self._initializer = _Initializer(initializer, initargs)
        self._pool = ThreadPool(max_workers, thread_name_prefix)
        self._unended = _Unended()
        self._shut = False

    def submit(
        self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        """Run ``fn(*args, **kwargs)`` in a thread, with a copy of the context.

        Never waits. Raises RuntimeError after `shutdown`, BrokenThreadPool after an
        initializer failed.
        """
        self._initializer.check()
        if self._shut:
            raise RuntimeError("cannot schedule new futures after shutdown")
        hub = self._pool.hub
        future: Future[T] = Future(hub.loop)
        self._unended.add(future)
        work = partial(self._initializer.run, partial(fn, *args, **kwargs))
        job = partial(copy_context().run, future.carry_out, work)
        ended = partial(self._unended.discard, future)
        start = partial(self._pool.start, job, ended)
        if get_hub_if_any() is hub:
            start()
        else:
            hub.loop.call_soon(start)
        return future

    def kill(self) -> None:
        """Let the threads end after the tasks that are queued."""
        self._pool.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more tasks; ``wait`` until those that were accepted have ended.

        ``cancel_futures``: cancel those that no thread has begun.
        """
        self._shut = True
        if cancel_futures:
            self._unended.cancel()
        if wait:
            self._unended.wait()
        self._pool.kill()
