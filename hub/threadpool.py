"""Blocking work in native threads, while the hub goes on.

A worker takes tasks from a `queue.SimpleQueue` of the standard library and passes each
result to the loop of the hub that the task came from; everything but the work itself
happens in the hub's thread. Workers are daemon threads: unfinished work does not delay
the end of the process.
"""

import concurrent.futures
import queue
import threading
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ParamSpec, TypeVar

from hub.current import get_hub, get_hub_if_any
from hub.errors import InvalidThreadUseError
from hub.event import AsyncResult
from hub.imap import Mapper
from hub.lock import Semaphore

__all__ = ["ThreadPool", "ThreadPoolExecutor"]

P = ParamSpec("P")
T = TypeVar("T")

Task = Callable[[], None]


class _Workers:
    """The threads of one pool.

    It holds no reference to the pool, so the pool can be freed.
    """

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self.size = 0
        self.busy = 0  # tasks that have not ended, counted in the hub's thread

    def start_thread(self) -> None:
        """Start one more thread."""
        self.size += 1
        name = f"hub-worker-{self.size}"
        threading.Thread(
            target=_work, args=(self.tasks,), name=name, daemon=True
        ).start()

    def stop_threads(self) -> None:
        """Let all threads end after the tasks that are queued."""
        for _ in range(self.size):
            self.tasks.put(None)
        self.size = 0


def _work(tasks: "queue.SimpleQueue[Task | None]") -> None:
    """The main function of a worker thread."""
    while (task := tasks.get()) is not None:
        task()
        del task  # or its result would live until the next task
    if (hub := get_hub_if_any()) is not None:
        hub.destroy()  # the work used the hub of its own thread


class ThreadPool(Mapper):
    """At most ``maxsize`` native threads, started when needed.

    `spawn` waits while ``maxsize`` tasks run (back-pressure). A pool belongs to the
    thread that made it: InvalidThreadUseError elsewhere. Raises ValueError if
    ``maxsize`` is below 1.
    """

    def __init__(self, maxsize: int = 10) -> None:
        if maxsize < 1:
            raise ValueError(f"a thread pool needs at least one thread, not {maxsize}")
        self.maxsize = maxsize
        self._hub = get_hub()
        self._free = Semaphore(maxsize)
        self._workers = _Workers()
        weakref.finalize(self, self._workers.stop_threads)

    def spawn(
        self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncResult[T]:
        """Run ``function`` in a thread; return an AsyncResult for the result."""
        self._free.acquire()
        return self._submit(partial(function, *args, **kwargs), self._free.release)

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
        workers = self._workers
        workers.busy += 1
        if workers.busy > workers.size and workers.size < self.maxsize:
            workers.start_thread()
        result: AsyncResult[T] = AsyncResult()
        loop = self._hub.loop
        loop.external += 1

        def finish(value: Any, error: BaseException | None) -> None:
            """In the hub's thread."""
            loop.external -= 1
            workers.busy -= 1
            if at_end is not None:
                at_end()
            if error is None:
                result.set(value)
            else:
                result.set_exception(error)

        def task() -> None:
            """In the worker's thread."""
            value, failure = None, None
            try:
                value = work()
            except BaseException as error:
                failure = error
            loop.call_soon(partial(finish, value, failure))

        workers.tasks.put(task)
        return result

    def _called_by_worker(self) -> bool:
        return get_hub_if_any() is not self._hub

    def join(self) -> None:
        """Wait until no task that `spawn` started runs."""
        for _ in range(self.maxsize):
            self._free.acquire()
        self._free.release(self.maxsize)

    def kill(self) -> None:
        """Let the threads end after the tasks that are queued.

        The pool can still be used; it starts new threads.
        """
        self._workers.stop_threads()

    @property
    def size(self) -> int:
        """How many threads there are."""
        return self._workers.size

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


class ThreadPoolExecutor(concurrent.futures.Executor):
    """A `ThreadPool` as an executor of concurrent.futures.

    Futures wait cooperatively.
    """

    def __init__(self, max_workers: int = 10) -> None:
        self._pool = ThreadPool(max_workers)
        self._shut = False

    def submit(  # type: ignore[override]
        self, fn: Callable[..., T], /, *args: Any, **kwargs: Any
    ) -> AsyncResult[T]:
        """Run ``fn`` in a thread.

        The AsyncResult has a future's ``result``, ``done``, ``exception`` and
        ``cancel``.
        """
        if self._shut:
            raise RuntimeError("can't submit after shutdown")
        return self._pool.submit(fn, *args, **kwargs)

    def map(  # type: ignore[override]
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
    ) -> Iterable[T]:
        """Iterate over the results of ``map(fn, *iterables)``, in order.

        ``timeout`` is for each result (s).
        """
        results = [self.submit(fn, *items) for items in zip(*iterables, strict=False)]
        return (result.get(timeout=timeout) for result in results)

    def kill(self) -> None:
        """Let the threads end after the tasks that are queued."""
        self._pool.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more tasks; ``wait`` until those that were accepted have ended."""
        self._shut = True
        while wait and len(self._pool):
            self._pool.submit(lambda: None).wait()
        self._pool.kill()
