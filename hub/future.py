"""`Future`: what another thread does, as a future of concurrent.futures.

The functions `concurrent.futures.wait` and ``as_completed``, ``asyncio.wrap_future``
and any native thread accept it. A greenlet that waits for one, also in those two
functions, lets the others run.

**Where callbacks run.** A function given to ``add_done_callback`` runs in the thread of
the hub that the future was made for, in a greenlet of its own, so it may use the hub's
objects and may wait. It has the context variables of the call that added it. Callbacks
begin in the order in which they were added, when the future has ended; one that is
added later runs at once, in its caller. (In the standard library they run in the
worker's thread. So do those that are added while a loop of asyncio runs in the thread,
as ``asyncio.wrap_future`` does there: the hub can't run meanwhile.)
"""

import concurrent.futures
import logging
import sys
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from hub.current import get_hub, get_hub_if_any
from hub.event import Event
from hub.greenlet import Greenlet
from hub.loop import Loop
from hub.timeout import Limit

__all__ = ["Future", "OutsideEvent"]

T = TypeVar("T")

_LOGGER = logging.getLogger("concurrent.futures")


class OutsideEvent(Event):
    """An Event that another thread sets.

    The hub waits for it even if nothing of its own can happen any more.
    """

    __slots__ = ()

    def wait(self, timeout: Limit = None) -> bool:
        """As `Event.wait`."""
        loop = get_hub().loop
        loop.external += 1
        try:
            return super().wait(timeout)
        finally:
            loop.external -= 1


class _Waiters(list[Any]):
    """The waiters that `concurrent.futures.wait` and ``as_completed`` add to a future.

    Each waits for its ``event``, a threading.Event. In a thread with a hub it gets an
    event that lets the other greenlets run. Both names are private to the standard
    library, and have been the same since Python 3.2; without this those two functions
    would block the loop silently.
    """

    def append(self, waiter: Any) -> None:
        if get_hub_if_any() is not None:
            waiter.event = OutsideEvent()
        super().append(waiter)


class _Link:
    """Passes the future to a callback, where its event would pass itself."""

    def __init__(self, callback: Callable[[Any], object], future: Any) -> None:
        self._callback = callback
        self._future = future

    def __call__(self, event: object) -> None:
        self._callback(self._future)

    def __eq__(self, other: object) -> bool:
        """Equal to the link that `Future.unlink` looks for."""
        return isinstance(other, _Link) and self._callback == other._callback

    __hash__ = None  # type: ignore[assignment]


class Future(concurrent.futures.Future[T]):
    """A future whose callbacks run in the hub of ``loop``."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self._loop = loop
        self._trace: TracebackType | None = None
        self._waiters = _Waiters()
        self._ended = OutsideEvent()

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end; return the error, or None.

        Raises TimeoutError after ``timeout`` seconds, CancelledError if it was
        cancelled.
        """
        if self.done() or get_hub_if_any() is None:
            return super().exception(timeout)
        self._ended.wait(None if timeout is None else max(0.0, timeout))
        return super().exception(0)

    def result(self, timeout: float | None = None) -> T:
        """As `exception`, but return the result, or raise the error."""
        error = self.exception(timeout)
        if error is None:
            return super().result(0)
        try:
            # With its original traceback: each raise would add to it otherwise.
            raise error.with_traceback(self._trace)
        finally:
            del error, self  # this frame is in the traceback: a cycle

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Call ``fn(self)`` in the hub's thread at its end; at once if it has ended.

        In the worker's thread if asyncio runs in the current one.
        """
        if self.done() or _asyncio_runs():
            super().add_done_callback(fn)
        else:
            begin = partial(_begin_callback, copy_context(), fn)
            loop = self._loop
            super().add_done_callback(lambda done: loop.call_soon(partial(begin, done)))

    def rawlink(self, callback: Callable[[Any], object], /) -> None:
        """Have the hub call ``callback(self)`` at the end: for `hub.wait`, `iwait`."""
        self._ended.rawlink(_Link(callback, self))

    def unlink(self, callback: Callable[[Any], object], /) -> None:
        """Remove a `rawlink` that has not been called."""
        self._ended.unlink(_Link(callback, self))

    # Callbacks are passed to the loop before the end is: who waits for the end goes on
    # when they have begun.

    def set_result(self, result: T) -> None:
        """Used by the executor."""
        super().set_result(result)
        self._ended.set()

    def set_exception(self, exception: BaseException | None) -> None:
        """Used by the executor."""
        self._trace = None if exception is None else exception.__traceback__
        super().set_exception(exception)
        self._ended.set()

    def cancel(self) -> bool:
        """Cancel it unless it runs or has ended; return whether it is cancelled."""
        cancelled = super().cancel()
        if cancelled:
            self._ended.set()
        return cancelled

    def carry_out(self, work: Callable[[], T]) -> None:
        """Runs in the worker's thread."""
        if not self.set_running_or_notify_cancel():
            return
        try:
            self.set_result(work())
        except BaseException as error:
            # This frame is no part of the work, and would hold the future in a cycle.
            trace = error.__traceback__
            self.set_exception(error.with_traceback(trace and trace.tb_next))
        finally:
            del self, work


def _asyncio_runs() -> bool:
    """Whether a loop of asyncio runs in this thread."""
    asyncio = sys.modules.get("asyncio")  # it is large, and mostly not loaded
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _call_back(function: Callable[[Any], object], future: Future[Any]) -> None:
    """Log an error, as the standard library does: it concerns no other callback."""
    try:
        function(future)
    except Exception:
        _LOGGER.exception("exception calling callback for %r", future)


def _begin_callback(
    context: Context, function: Callable[[Any], object], future: Future[Any]
) -> None:
    """Runs in the hub."""
    runner = Greenlet(_call_back, function, future)
    runner.gr_context = context
    runner.switch()
