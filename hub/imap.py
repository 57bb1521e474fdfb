"""apply, map, imap: call one function with many arguments, in workers.

Greenlet pools and thread pools share this. They differ in what `spawn` returns, a
Greenlet or an AsyncResult; both are `Linked` and have ``get``, which is all that is
needed here.
"""

from collections.abc import Callable, Iterable
from typing import (
    Any,
    Generic,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    TypeVarTuple,
    cast,
    overload,
)

from hub.greenlet import Greenlet
from hub.links import Linked, wait_all
from hub.lock import Semaphore
from hub.queue import SimpleQueue

__all__ = ["IMap", "Mapper", "Task"]

A = TypeVar("A")
B = TypeVar("B")
P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Args = TypeVarTuple("Args")


class Task(Protocol[R_co]):
    """What `spawn` returns: a Greenlet or an AsyncResult."""

    def get(self) -> R_co: ...

    def rawlink(self, callback: Callable[[Any], object], /) -> object: ...

    def unlink(self, callback: Callable[[Any], object], /) -> object: ...


class Mapper:
    """A mixin for a class with `spawn` and `full`."""

    def spawn(
        self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Task[R]:
        """Run ``func(*args, **kwargs)`` in a worker; waits for a free slot."""
        raise NotImplementedError

    def full(self) -> bool:
        """Whether `spawn` would wait."""
        raise NotImplementedError

    def _called_by_worker(self) -> bool:
        """Whether a worker of this pool calls.

        It has a slot, and must not wait for one.
        """
        return False

    def _applies_in_greenlet(self) -> bool:
        """Whether `apply_async` waits for a slot in a greenlet of its own."""
        return self.full() or self._called_by_worker()

    @overload
    def apply(self, func: Callable[[], R]) -> R: ...

    @overload
    def apply(self, func: Callable[[*Args], R], args: tuple[*Args]) -> R: ...

    @overload
    def apply(
        self,
        func: Callable[..., R],
        args: tuple[Any, ...] = (),
        *,
        kwds: dict[str, Any] | None,
    ) -> R: ...

    @overload
    def apply(
        self,
        func: Callable[..., R],
        args: tuple[Any, ...],
        kwds: dict[str, Any] | None,
    ) -> R: ...

    def apply(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwds: dict[str, Any] | None = None,
    ) -> Any:
        """Return ``func(*args, **kwds)``, called in a worker.

        A caller that is a worker of this pool makes the call itself.
        """
        if self._called_by_worker():
            return func(*args, **(kwds or {}))
        return self.spawn(func, *args, **(kwds or {})).get()

    def apply_async(
        self,
        func: Callable[..., R],
        args: tuple[Any, ...] = (),
        kwds: dict[str, Any] | None = None,
        callback: Callable[[R], object] | None = None,
    ) -> Task[R]:
        """Run `apply` in the background; ``callback`` gets the value.

        Never waits for a slot.

        Returns an object with ``get``.
        """
        if callback is not None or self._applies_in_greenlet():
            return Greenlet[..., R].spawn(
                _run_and_report, callback, self.apply, func, args, kwds
            )
        return self.spawn(func, *args, **(kwds or {}))

    def map(self, func: Callable[[A], R], iterable: Iterable[A]) -> list[R]:
        """Return ``[func(x) for x in iterable]``, each called in a worker.

        Raises the first error, in the order of ``iterable``, when all calls have ended.
        """
        tasks = [self.spawn(func, item) for item in iterable]
        wait_all(cast(list[Linked], tasks))
        return [task.get() for task in tasks]

    def map_async(
        self,
        func: Callable[[A], R],
        iterable: Iterable[A],
        callback: Callable[[list[R]], object] | None = None,
    ) -> Greenlet[..., list[R]]:
        """`map` in the background; ``callback`` gets the list."""
        return Greenlet.spawn(_run_and_report, callback, self.map, func, iterable)

    @overload
    def imap(
        self,
        func: Callable[[A], R],
        iterable: Iterable[A],
        /,
        *,
        maxsize: int | None = None,
    ) -> "IMap[R]": ...

    @overload
    def imap(
        self,
        func: Callable[[A, B], R],
        iterable: Iterable[A],
        second: Iterable[B],
        /,
        *,
        maxsize: int | None = None,
    ) -> "IMap[R]": ...

    @overload
    def imap(
        self,
        func: Callable[..., R],
        first: Iterable[Any],
        second: Iterable[Any],
        third: Iterable[Any],
        /,
        *more: Iterable[Any],
        maxsize: int | None = None,
    ) -> "IMap[R]": ...

    def imap(
        self,
        func: Callable[..., Any],
        *iterables: Iterable[Any],
        maxsize: int | None = None,
    ) -> "IMap[Any]":
        """An iterator over ``map(func, *iterables)``, computed ahead by workers.

        ``maxsize``: at most how many items ahead.
        """
        return IMap(self.spawn, func, iterables, maxsize, ordered=True)

    @overload
    def imap_unordered(
        self,
        func: Callable[[A], R],
        iterable: Iterable[A],
        /,
        *,
        maxsize: int | None = None,
    ) -> "IMap[R]": ...

    @overload
    def imap_unordered(
        self,
        func: Callable[[A, B], R],
        iterable: Iterable[A],
        second: Iterable[B],
        /,
        *,
        maxsize: int | None = None,
    ) -> "IMap[R]": ...

    @overload
    def imap_unordered(
        self,
        func: Callable[..., R],
        first: Iterable[Any],
        second: Iterable[Any],
        third: Iterable[Any],
        /,
        *more: Iterable[Any],
        maxsize: int | None = None,
    ) -> "IMap[R]": ...

    def imap_unordered(
        self,
        func: Callable[..., Any],
        *iterables: Iterable[Any],
        maxsize: int | None = None,
    ) -> "IMap[Any]":
        """As `imap`, in the order in which the calls end."""
        return IMap(self.spawn, func, iterables, maxsize, ordered=False)


def _run_and_report(
    callback: Callable[[Any], object] | None, work: Callable[..., Any], *args: Any
) -> Any:
    """Return ``work(*args)``, and pass it to ``callback``."""
    value = work(*args)
    if callback is not None:
        callback(value)
    return value


class IMap(Generic[R]):
    """The iterator of `imap`: a feeder greenlet spawns workers ahead of the reader.

    The queue holds the tasks in the order in which they are to be read: ``ordered``
    means the order of spawning, otherwise it is the order in which they end. None ends
    the queue, and so does an error that an iterable raised.
    """

    def __init__(
        self,
        spawn: Callable[..., Task[R]],
        function: Callable[..., R],
        iterables: tuple[Iterable[Any], ...],
        maxsize: int | None,
        ordered: bool,
    ) -> None:
        self.queue: SimpleQueue[Task[R] | BaseException | None] = SimpleQueue()
        self._ahead = Semaphore(maxsize) if maxsize else None
        self._ordered = ordered
        self._open = 1  # tasks that have not ended, and the feeder
        self._end: BaseException | None = None
        self._read = False
        self._feeder = Greenlet.spawn(self._feed, spawn, function, iterables)

    def _feed(
        self,
        spawn: Callable[..., Task[R]],
        function: Callable[..., R],
        iterables: tuple[Iterable[Any], ...],
    ) -> None:
        try:
            for items in zip(*iterables, strict=False):
                if self._ahead is not None:
                    self._ahead.acquire()
                task = spawn(function, *items)
                self._open += 1
                if self._ordered:
                    self.queue.put(task)
                task.rawlink(self._ended)  # handles errors: the reader gets them
        except BaseException as error:
            self._end = error
        self._ended(None)

    def _ended(self, task: Task[R] | None) -> None:
        if task is not None and not self._ordered:
            self.queue.put(task)
        self._open -= 1
        if not self._open:
            self.queue.put(self._end)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> R:
        """Return the next value, or raise the error of that call.

        The iteration can go on after an error.
        """
        if self._read:
            raise StopIteration
        task = self.queue.get()
        if task is not None and not isinstance(task, BaseException):
            if self._ahead is not None:
                self._ahead.release()
            return task.get()
        self._read = True
        if task is None:
            raise StopIteration
        raise task

    next = __next__
