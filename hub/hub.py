"""The Hub: the greenlet that runs the loop while all others wait.

It is made when a native thread first needs it, as a child of that thread's main
greenlet. Every spawned greenlet is a child of the hub, so control returns to the hub
when one ends.

An error that nothing else handles comes to `Hub.handle_error`: an error that ends the
program is thrown into the main greenlet, any other is printed. An unhandled MemoryError
is thrown too: a callback that failed for it has not woken its greenlet, which would
wait for ever.
"""

import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TextIO, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from hub.current import get_hub, get_hub_if_any, set_hub, set_hub_factory, thread
from hub.errors import ForkError, LoopExit
from hub.idents import IdentRegistry
from hub.interrupt import Interrupt, mark_kill
from hub.loop import Loop
from hub.poller import EpollPoller
from hub.timeout import check_seconds
from hub.waiter import PENDING, Gate, Waiter

__all__ = ["Hub", "Waitable", "give_way", "idle", "sleep", "spawn_raw"]

P = ParamSpec("P")
T = TypeVar("T")

_hub_idents = IdentRegistry()

ErrorClasses = tuple[type[BaseException], ...]


class Waitable(Protocol):
    """A watcher: it calls back at its event."""

    def start(self, callback: Callable[[], object], /) -> object: ...

    def stop(self) -> object: ...


def _default_loop() -> Loop:
    return Loop(time.monotonic, EpollPoller())


class Hub(greenlet):
    """The greenlet that runs `loop`. Use `get_hub`; ``Hub(loop)`` is for tests."""

    SYSTEM_ERROR: ErrorClasses = (KeyboardInterrupt, SystemExit, SystemError, ForkError)
    """Errors that are thrown into the main greenlet, wherever they happen."""
    NOT_ERROR: ErrorClasses = (GreenletExit,)
    """Errors that are not reported."""

    __slots__ = (
        "_joiners",
        "_main",
        "_owns_wakeup_fd",
        "arriving",
        "exception_stream",
        "gates",
        "loop",
        "park",
        "services",
        "thread_ident",
    )

    def __init__(self, loop: Loop | None = None) -> None:
        self._main = main = _main_greenlet()
        # Beside `parent` a second reference: when the thread ends, greenlet takes a
        # single one that gc.get_referrers() does not find for a leak, and drops it. So
        # a hub that gc.freeze() hides would be left with a freed parent.
        super().__init__(parent=main)
        self.park = self.switch
        """Give up control to the loop. For `Waiter.get` alone."""
        self.exception_stream: TextIO | None = None
        """Where unhandled errors are printed; None for ``sys.stderr``."""
        self.loop = _default_loop() if loop is None else loop
        self.loop.handle_error = self._loop_error
        self.thread_ident = threading.get_ident()
        self.services: dict[Any, Any] = {}
        """One object of each kind that belongs to this hub, such as its network."""
        self.gates: dict[greenlet, Gate] = {}
        """The innermost gate of each greenlet that has one (waiter.py)."""
        self.arriving: Interrupt | None = None
        """The interrupt that is being thrown."""
        self._joiners: list[Waiter] = []
        self._owns_wakeup_fd = False
        self._set_wakeup_fd()

    def run(self) -> None:
        """Run the loop; when nothing can happen any more, wake those in `join`."""
        while True:
            try:
                self.loop.run()
            except ForkError as error:
                self._main.throw(error)
            else:
                self._exhausted()

    def _exhausted(self) -> None:
        if self._joiners:
            joiners, self._joiners = self._joiners, []
            for waiter in joiners:
                waiter.resume(True)
        else:
            # Reads stacks: rarely needed, so loaded here.
            from hub.introspect import describe_greenlets

            self._interrupt_main(LoopExit(describe_greenlets(self)))

    def _interrupt_main(self, error: BaseException) -> None:
        Interrupt(self, self._main, error).deliver()

    # -- waiting -----------------------------------------------------------------------

    def wait_for_watcher(
        self,
        watcher: Waitable,
        timeout: float | None = None,
        error: BaseException | type[BaseException] | None = None,
    ) -> bool:
        """Park the current greenlet until ``watcher`` calls back; then return True.

        After ``timeout`` seconds raise ``error``, or return False if there is none.
        Raises ConcurrentObjectUseError if another greenlet waits for this watcher.
        """
        waiter = object.__new__(Waiter)  # see there
        waiter.hub, waiter.greenlet, waiter.outcome = self, None, PENDING
        watcher.start(waiter)
        try:
            if timeout is None:
                waiter.get()
                return True
            in_time = waiter.wait(timeout)
        finally:
            watcher.stop()
        if not in_time and error is not None:
            raise error
        return in_time

    def cancel_wait(
        self, watcher: Any, error: BaseException, close_watcher: bool = False
    ) -> None:
        """Raise ``error`` in the greenlet that waits for ``watcher``, if any."""
        waiter = watcher.callback
        if isinstance(waiter, Waiter):
            waiter.throw_soon(error)
        if close_watcher and hasattr(watcher, "close"):
            watcher.close()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the loop has nothing left to do.

        Return False after ``timeout`` seconds.
        """
        waiter = Waiter(self)
        self._joiners.append(waiter)
        timer = None if timeout is None else self.loop.timer(timeout, ref=False)
        if timer is not None:
            timer.start(waiter.resume, False)
        try:
            return bool(waiter.get())
        finally:
            if timer is not None:
                timer.close()
            if waiter in self._joiners:
                self._joiners.remove(waiter)

    def service(self, kind: Callable[[], T]) -> T:
        """Return this hub's ``kind()``, which is made on first use."""
        found: T | None = self.services.get(kind)
        if found is None:
            found = self.services[kind] = kind()
        return found

    @property
    def ident_registry(self) -> IdentRegistry:
        """The small numbers of its greenlets (`Greenlet.minimal_ident`)."""
        return self.service(IdentRegistry)

    @property
    def minimal_ident(self) -> int:
        """A small number that no other living hub has."""
        return _hub_idents.get_ident(self)

    # -- errors ------------------------------------------------------------------------

    def handle_error(
        self,
        context: object,
        kind: type[BaseException],
        value: BaseException,
        trace: TracebackType | None,
    ) -> None:
        """Handle an error that nothing else handles.

        It may be replaced on the instance.

        ``context`` says where it came from: a greenlet, the loop, or None for a signal
        handler, whose error belongs to the main greenlet.
        """
        if issubclass(kind, self.NOT_ERROR):
            return
        is_system_error = issubclass(kind, self.SYSTEM_ERROR)  # a class, or several
        if context is None or is_system_error or issubclass(kind, MemoryError):
            self.handle_system_error(value)
        else:
            self.print_exception(context, kind, value, trace)

    def _loop_error(
        self,
        context: object,
        kind: type[BaseException],
        value: BaseException,
        trace: TracebackType | None,
    ) -> None:
        self.handle_error(context, kind, value, trace)

    def handle_system_error(self, value: BaseException) -> None:
        """Raise ``value`` in the main greenlet; returns when that waits again."""
        current = getcurrent()
        if current is self:
            self._interrupt_main(value)
        elif current is self._main:
            raise mark_kill(self, value)
        else:
            self.loop.call_soon(partial(self._interrupt_main, value))

    def print_exception(
        self,
        context: object,
        kind: type[BaseException],
        value: BaseException,
        trace: TracebackType | None,
    ) -> None:
        """Print one error and where it came from."""
        stream = sys.stderr if self.exception_stream is None else self.exception_stream
        if stream is None:
            return  # the interpreter shuts down, or has no standard error
        lines = traceback.format_exception(kind, value, trace)
        if context is not None:
            lines.append(f"{kind.__name__} in {context!r}\n\n")
        stream.write("".join(lines))

    # -- signals and the end -----------------------------------------------------------

    def _set_wakeup_fd(self) -> None:
        """Let Python's signal handler wake our loop, unless it wakes something else."""
        if threading.current_thread() is not threading.main_thread():
            return
        previous = signal.set_wakeup_fd(
            self.loop.wake_descriptor, warn_on_full_buffer=False
        )
        if previous == -1:
            self._owns_wakeup_fd = True
        else:
            signal.set_wakeup_fd(previous)

    def destroy(self) -> None:
        """Close the loop and forget the hub; the next call that waits makes another.

        The main greenlet of a thread calls it when its other greenlets have ended. Then
        nothing of the hub is left, nor of the thread once it has ended. If another
        greenlet or thread calls it, the hub's own greenlet stays.
        """
        if self._owns_wakeup_fd:
            signal.set_wakeup_fd(-1)
            self._owns_wakeup_fd = False
        self.loop.close()
        if get_hub_if_any() is self:
            set_hub(None)
        if self and getcurrent() is self._main:
            # Its stack refers to the thread's greenlets, which no collector could free.
            self.throw(GreenletExit)

    def __repr__(self) -> str:
        return f"<Hub at {id(self):#x} thread={self.thread_ident:#x}>"


def _main_greenlet() -> greenlet:
    current = getcurrent()
    while current.parent is not None:
        current = current.parent
    return current


set_hub_factory(Hub)


def sleep(seconds: float = 0.0, ref: bool = True) -> None:
    """Let other greenlets run for ``seconds``; 0 lets each ready one run once.

    ``ref=False``: this sleep does not keep the loop alive. Raises ValueError if
    ``seconds`` is negative.
    """
    hub = thread.hub
    waiter = object.__new__(Waiter)  # see there
    waiter.hub, waiter.greenlet, waiter.outcome = hub, None, PENDING
    loop = hub.loop
    if seconds == 0:
        loop.ready.append(waiter)
        waiter.get()
    elif ref:
        timer = loop.call_later(check_seconds(seconds), waiter.wake)
        try:
            waiter.get()
        finally:
            loop.timers.cancel(timer)
    else:
        hub.wait_for_watcher(loop.timer(check_seconds(seconds), ref=False))


def give_way(hub: Hub) -> None:
    """End this turn, and go on in the next one, where the caller may wait.

    For calls that mostly wait, and need not this time: a loop of them would keep the
    others from running.
    """
    me = getcurrent()
    if me is hub:
        return
    gate = hub.gates.get(me)
    if gate is None or gate.forbidding is None or gate.forbidding.allows(me):
        hub.loop.end_turn()
        sleep(0)


def idle() -> None:
    """Let all other greenlets run until none of them is ready."""
    hub = get_hub()
    while True:
        sleep(0)
        if not hub.loop.busy:
            return


def spawn_raw(
    function: Callable[P, object], *args: P.args, **kwargs: P.kwargs
) -> greenlet:
    """Make a plain greenlet that calls ``function`` in the next turn.

    It costs less than a `Greenlet`, and has neither value nor links.
    """
    if not callable(function):
        raise TypeError(f"a greenlet runs a callable, not {function!r}")
    hub = get_hub()
    raw = greenlet(function, hub)
    hub.loop.call_soon(partial(raw.switch, *args, **kwargs))
    return raw
