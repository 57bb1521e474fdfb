"""One turn after the other: callbacks, timers that are due, poll.

    turn:   1. run up to BUDGET ready callbacks (each may resume a greenlet)
            2. run the timers that are due, behind all that was ready before them
            3. poll: not waiting if anything is ready, else until the next deadline,
               else for ever

The loop knows neither greenlets nor sockets. Clock and poller are given to it, so that
time and network can be simulated (``hub.testing``).

The budget keeps ready work from starving descriptors: after that many callbacks epoll
is asked, without waiting, and what it reports goes to the end of the same list. It is a
count and not a time, because an epoll_wait that does not wait costs a third of a
microsecond, less than asking the clock after each callback would.

`call_soon` may be called from any native thread: appending to a deque is atomic. The
loop sets ``asleep`` before it looks at the list for the last time; who appends looks at
``asleep`` afterwards. So either the loop sees the callback, or the caller sees the
sleeper and writes one byte to the wake-up pipe. While the loop is awake a wake-up costs
no system call. Python's C-level signal handler writes to the same pipe
(``signal.set_wakeup_fd``), which closes the gap between the last look and epoll_wait,
in which a Ctrl-C would otherwise stay unnoticed.
"""

import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from hub.errors import ForkError
from hub.poller import Poller
from hub.timers import Timer, Timers
from hub.waiter import Waiter
from hub.watchers import Async, Callback, Io, TimerWatcher

__all__ = ["BUDGET", "READ", "WRITE", "Loop"]

BUDGET = 100
"""Callbacks in one turn."""

READ, WRITE = 1, 2
"""Events of `Loop.io`, to be or-ed."""

ErrorHandler = Callable[
    [object, type[BaseException], BaseException, TracebackType | None], object
]


def _print_error(
    context: object,
    kind: type[BaseException],
    value: BaseException,
    traceback: TracebackType | None,
) -> None:
    sys.excepthook(kind, value, traceback)


class Loop:
    """Callbacks, timers and descriptors of one native thread.

    ``clock`` gives monotonic seconds. ``handle_error`` is called with (context, type,
    value, traceback) when a callback raises; the loop goes on.
    """

    def __init__(self, clock: Callable[[], float], poller: Poller) -> None:
        self.now = clock
        """Monotonic seconds, asked of the clock."""
        self.time = clock()
        """What the clock said when the loop last came back from polling."""
        self.asleep = False
        """Whether the loop polls (or is about to)."""
        self.poller = poller
        self.timers = Timers()
        self.external = 0
        """What else keeps the loop alive, beside timers and who waits for a descriptor:
        threads at work and watchers count one; a timer that must not keep it alive
        takes itself off."""
        self.budget = 0
        """How many more entries of `ready` are run before the next poll."""
        self.handle_error: ErrorHandler = _print_error
        self.ready: deque[Callable[[], object]] = deque()
        """What is to be called in order: waiters, and other callbacks without
        arguments. From the loop's own thread append here; from others use
        `call_soon`."""
        self._wake_read, self.wake_descriptor = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        direction = poller.watch(self._wake_read).reading
        direction.ref = False
        direction.start(self._drain_wake_pipe)

    # -- what to do, and when ----------------------------------------------------------

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Have ``callback`` called in a next turn. From any thread; wakes the loop."""
        self.ready.append(callback)
        if self.asleep:
            self.wake()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Have ``callback`` called in ``delay`` seconds; ``timers.cancel`` takes it
        back."""
        return self.timers.add(self.now() + delay, callback)

    def run_callback(self, callback: Callable[..., object], *args: Any) -> Callback:
        """As `call_soon`, with arguments, and an object with ``stop`` to take it
        back."""
        call = Callback(callback, args)
        self.call_soon(call)
        return call

    run_callback_threadsafe = run_callback

    def io(self, fd: int, events: int, ref: bool = True) -> Io:
        """A watcher that calls each time ``fd`` is ready for READ, WRITE or either."""
        return Io(self, fd, bool(events & READ), bool(events & WRITE), ref)

    def timer(
        self, after: float, repeat: float = 0.0, ref: bool = True
    ) -> TimerWatcher:
        """A watcher that calls ``after`` seconds after its start, then every
        ``repeat``."""
        return TimerWatcher(self, after, repeat, ref)

    def async_(self, ref: bool = True) -> Async:
        """A watcher that calls after its ``send()`` was called, by whatever thread."""
        return Async(self, ref)

    def update_now(self) -> None:
        """Bring ``time`` up to date."""
        self.time = self.now()

    # -- doing it ----------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether anything can still happen."""
        timers = self.timers
        return (
            len(timers.heap) - timers.cancelled + self.external > 0
            or self.poller.waited_for()
            or bool(self.ready)
        )

    @property
    def busy(self) -> bool:
        """Whether callbacks are ready to run."""
        return bool(self.ready)

    def run(self) -> None:
        """Turn until nothing can happen any more."""
        while True:
            try:
                while self.turn():
                    pass
                return
            except ForkError:
                raise
            except BaseException as error:
                # While polling only a signal handler can raise: nobody's callback is to
                # blame.
                context, self.asleep = None if self.asleep else self, False
                self.handle_error(context, type(error), error, error.__traceback__)

    def turn(self) -> bool:
        """One turn; False if nothing can happen any more. Errors of callbacks come
        out."""
        ready, heap = self.ready, self.timers.heap
        self.budget = BUDGET
        due = False
        while True:
            while ready and self.budget > 0:
                self.budget -= 1
                callback = ready.popleft()
                if type(callback) is Waiter:
                    # not callback(): a call through C makes the stack to copy deeper
                    callback.wake()
                else:
                    callback()
            if not heap or heap[0][0] > self.time:
                break
            if due or not ready:
                self._fire_timers()
                break
            # What epoll has reported goes first, though it be beyond the budget: or
            # where the process stood still, who was answered in time would be told that
            # time is up.
            due, self.budget = True, len(ready)
        self.asleep = True
        timeout: float | None = 0.0
        if not ready:
            if not self.alive:
                self.asleep = False
                return False
            # The first of the heap may be a cancelled one: then we wake for nothing,
            # once.
            timeout = max(0.0, heap[0][0] - self.now()) if heap else None
        self.poller.poll(timeout, ready.append)
        self.asleep = False
        self.time = self.now()
        return True

    def _fire_timers(self) -> None:
        timers = self.timers
        before = timers.ticket
        while (callback := timers.pop_due(self.time, before)) is not None:
            callback()

    # -- being woken -------------------------------------------------------------------

    def wake(self) -> None:
        """Have the loop come back from polling; after appending to `ready`, from any
        thread."""
        self.asleep = False
        with suppress(BlockingIOError):  # full: the loop will wake in any case
            os.write(self.wake_descriptor, b"\0")

    def _drain_wake_pipe(self) -> None:
        with suppress(BlockingIOError):  # two events for one byte
            os.read(self._wake_read, 65536)

    def close(self) -> None:
        """Give back the descriptors; the loop can't run again."""
        self.poller.close()
        os.close(self._wake_read)
        os.close(self.wake_descriptor)

    def abandon(self) -> None:
        """After fork, in the child: close our copies and refuse to run."""
        self.close()
        self.poller = _ForkedPoller()


class _ForkedPoller:
    """Stands in for the poller in a forked child."""

    def register(self, fd: int) -> Any:
        raise ForkError("this hub belongs to the parent process")

    watch = register

    def refresh(self, fd: int) -> None:
        raise ForkError("this hub belongs to the parent process")

    rearm = refresh

    def unregister(self, registration: object, still_open: bool) -> None:
        """Nothing to forget."""

    def poll(self, timeout: float | None, schedule: object) -> None:
        raise ForkError(
            "this hub belongs to the parent process; it can't wait in a forked child"
        )

    def waited_for(self) -> bool:
        """True: the loop is to ask `poll`, which refuses."""
        return True

    def close(self) -> None:
        """Nothing to close."""
