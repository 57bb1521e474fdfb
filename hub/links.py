"""Objects that become ready, and notify all that wait: Event, AsyncResult, Greenlet.

Nothing is handed out here, so nothing can be lost: every link is notified. A link is
any object with ``wake_soon()``: a waiter, or a `_Link` to a callback.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from hub.current import get_hub
from hub.timeout import Limit
from hub.waiter import Waiter

__all__ = ["Linkable", "Linked", "Notified", "iwait", "wait"]


class Notified(Protocol):
    """An object that can be notified that something became ready."""

    handles_error: bool
    """Whether it deals with an error of the source, which then is not reported."""

    def wake_soon(self) -> None:
        """Accept the notification; must neither raise nor switch."""
        ...


class Linkable(Protocol):
    """An object that `wait` and `iwait` can wait for."""

    def rawlink(self, callback: Callable[[Any], object], /) -> object: ...

    def unlink(self, callback: Callable[[Any], object], /) -> object: ...


class _Link:
    """A callback that gets the source, called by the loop of the thread that linked it.

    It stays in the source's list until it is called, and can be unlinked until then.
    """

    __slots__ = ("callback", "due", "handles_error", "hub", "source")

    def __init__(
        self,
        callback: Callable[[Any], object],
        source: "Linked",
        handles_error: bool = True,
    ) -> None:
        self.hub = get_hub()
        self.callback: Callable[[Any], object] | None = callback
        self.source = source
        self.handles_error = handles_error
        self.due = False

    def wake_soon(self) -> None:
        self.source._links.append(self)
        if not self.due:
            self.due = True
            self.hub.loop.call_soon(self._call)

    def _call(self) -> None:
        callback, self.callback = self.callback, None
        if callback is not None:
            self.source._forget(self)
            callback(self.source)


class Linked:
    """The links of one object: a mixin for a class with ``ready()`` and ``_links``."""

    __slots__ = ()

    if TYPE_CHECKING:  # a slot of the class that uses the mixin

        @property
        def _links(self) -> list[Notified]: ...

        @_links.setter
        def _links(self, value: list[Notified]) -> None: ...

    def ready(self) -> bool:
        """Whether the event has happened."""
        raise NotImplementedError

    def rawlink(self, callback: Callable[[Any], object], /) -> None:
        """Have the hub call ``callback(self)`` once; soon, if this is ready already."""
        self._add_link(callback, handles_error=True)

    def _add_link(self, callback: Callable[[Any], object], handles_error: bool) -> None:
        if not callable(callback):
            raise TypeError(f"{callback!r} is not callable")
        self._links.append(_Link(callback, self, handles_error))
        if self.ready():
            self._notify()

    def unlink(self, callback: Callable[[Any], object], /) -> None:
        """Remove the first `rawlink` of ``callback`` that has not been called."""
        for link in self._links:
            if isinstance(link, _Link) and link.callback == callback:
                link.callback = None
                self._links.remove(link)
                return

    def unlink_all(self) -> None:
        """Remove every `rawlink` that has not been called."""
        for link in list(self._links):
            if isinstance(link, _Link):
                link.callback = None
                self._links.remove(link)

    def linkcount(self) -> int:
        """How many waiters and callbacks are linked and have not been notified."""
        return len(self._links)

    def has_links(self) -> bool:
        """Whether `linkcount` is not 0."""
        return bool(self._links)

    def _notify(self) -> None:
        links, self._links = self._links, []
        for link in links:
            link.wake_soon()

    def _wait_ready(self, timeout: Limit) -> bool:
        """Wait for a notification; return False after ``timeout`` seconds."""
        waiter = Waiter()
        self._links.append(waiter)
        if self.ready():  # another thread made it so meanwhile
            waiter.wake_soon()
        try:
            if timeout is None:
                waiter.get()
                return True
            if waiter.wait(timeout):
                return True
        except BaseException:
            self._forget(waiter)
            raise
        self._forget(waiter)
        return False

    def _forget(self, link: Notified) -> None:
        if link in self._links:
            self._links.remove(link)


L = TypeVar("L", bound=Linkable)


class _Collector:
    """Collects objects that become ready, for one greenlet that waits for several."""

    def __init__(self) -> None:
        self.found: deque[Any] = deque()
        self._waiter: Waiter | None = None

    def collect(self, source: object) -> None:
        self.found.append(source)
        if self._waiter is not None:
            self._waiter.resume()

    def wait(self, timeout: float | None) -> bool:
        waiter = self._waiter = Waiter()
        try:
            return waiter.wait(timeout)
        finally:
            self._waiter = None


class _Ready(Iterator[L]):
    """The iterator of `iwait`; ``with`` or `close` unlinks the remaining objects."""

    def __init__(self, found: Generator[L, None, None]) -> None:
        self._found = found
        self.close = found.close

    def __next__(self) -> L:
        return next(self._found)

    def __enter__(self) -> Iterator[L]:
        return self

    def __exit__(self, *exc: object) -> None:
        self._found.close()


def iwait(
    objects: Iterable[L], timeout: float | None = None, count: int | None = None
) -> _Ready[L]:
    """Iterate over ``objects`` as they become ready.

    At most ``count`` of them, and for at most ``timeout`` seconds. Objects that are
    ready at the same time are yielded without a wait between them. An object needs
    ``rawlink`` and ``unlink``.
    """
    return _Ready(_iwait(objects, timeout, count))


def _iwait(
    objects: Iterable[L], timeout: float | None, count: int | None
) -> Generator[L, None, None]:
    everything = list(objects)
    left = len(everything) if count is None else min(count, len(everything))
    loop = get_hub().loop
    deadline = None if timeout is None else loop.now() + timeout
    collector = _Collector()
    for thing in everything:
        thing.rawlink(collector.collect)
    try:
        for _ in range(left):
            while not collector.found:
                rest = None if deadline is None else max(0.0, deadline - loop.now())
                if not collector.wait(rest):
                    return
            yield collector.found.popleft()
    finally:
        for thing in everything:
            thing.unlink(collector.collect)


def wait(
    objects: Sequence[L] | None = None,
    timeout: float | None = None,
    count: int | None = None,
) -> list[L] | bool:
    """Return the objects that became ready, in that order.

    `iwait` has the same arguments.

    Without ``objects``: wait until the hub has nothing left to do, and return whether
    that happened within ``timeout`` seconds.
    """
    if objects is None:
        return get_hub().join(timeout)
    return list(iwait(objects, timeout, count))


class _Latch:
    """One link for many objects: wakes its waiter when the last one is ready."""

    __slots__ = ("left", "waiter")

    handles_error = True

    def __init__(self, left: int) -> None:
        self.left = left
        self.waiter = Waiter()

    def wake_soon(self) -> None:
        self.left -= 1
        if not self.left:
            self.waiter.wake_soon()


def wait_all(objects: Iterable[Linked], timeout: float | None = None) -> None:
    """Wait until all are ready, for at most ``timeout`` seconds.

    Unlike `iwait`, without a step for each object that becomes ready: that step is the
    cost. What makes them ready must run in this thread.
    """
    waiting = {each for each in objects if not each.ready()}
    if waiting:
        latch = _Latch(len(waiting))
        for each in waiting:
            each._links.append(latch)
        try:
            latch.waiter.wait(timeout)
        finally:
            if latch.left:
                for each in waiting:
                    each._forget(latch)
