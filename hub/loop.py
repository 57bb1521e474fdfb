"""The event loop: in each turn callbacks, then timers that are due, then the poll.

    turn:   1. run ready callbacks (each may resume a greenlet): MAX_CALLBACKS, or all
               that are there if a timer is due, and for no longer than SLICE
            2. fire the timers that were due when the turn began
            3. poll: without waiting if anything is ready, else until the next
               deadline, else without limit

The loop knows nothing of sockets, and of greenlets only that a `Waiter` in its list
resumes one. The clock and the poller are arguments, so that time and network can be
simulated (``hub.testing``).

The budget keeps ready callbacks from starving descriptors: after that many of them
epoll is asked, without waiting, and what it reports goes to the end of the same list.
It is a count for callbacks that do little, and a time for those that compute: the clock
is read after each. So a timer is late by two callbacks at most: the one that runs when
it becomes due, and the one that ends the next slice. To read the clock costs 8 % of a
switch or more; so after `QUICK_TURNS` turns in a row whose callbacks took less than a
tenth of a slice each, it is read after every 16th only, until a turn is not quick. The
budget is given out in parts, and the clock is read when one is used up (`renew`): a
switch looks at one number.

Answers come before time-outs, also when both are there after a stall of the process:
what was ready when a timer became due runs first, as far as the slice goes, and a wait
that was answered does not time out, even if its greenlet has not run yet
(`is_answered`).

`call_soon` may be called from any native thread: appending to a deque is atomic. The
loop sets ``asleep`` before its last look at the list, and a caller reads ``asleep``
after it has appended. So either the loop sees the callback, or the caller sees that the
loop is asleep and writes one byte to the wake-up pipe. While the loop is awake a
wake-up makes no system call. Python's C-level signal handler writes to the same pipe
(``signal.set_wakeup_fd``), so a Ctrl-C between the last look and epoll_wait is noticed
at once.
"""

import os
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any

from greenlet import greenlet

from hub.errors import ForkError
from hub.poller import Poller
from hub.timers import Timer, Timers
from hub.waiter import Waiter
from hub.watchers import Async, Callback, Io, TimerWatcher

__all__ = ["MAX_CALLBACKS", "READ", "SLICE", "WRITE", "Loop"]

MAX_CALLBACKS = 100
"""How many callbacks run in one turn."""

SLICE = 0.001
"""After how long a turn starts no further callback (s)."""

QUICK_TURNS = 32
"""After how many quick turns the clock is read less often."""

_QUICK = SLICE / 10  # for one callback, on the average of a turn (s)
_QUICK_PART = 16  # callbacks between two looks at the clock

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

    ``clock`` returns monotonic seconds. ``handle_error`` is called with (context, type,
    value, traceback) when a callback raises; the loop goes on.
    """

    def __init__(self, clock: Callable[[], float], poller: Poller) -> None:
        self.now = clock
        """The clock: returns monotonic seconds."""
        self.time = clock()
        """What the clock showed when the loop last came back from polling (s)."""
        self.asleep = False
        """Whether the loop polls, or is about to."""
        self.closed = False
        self.poller = poller
        self.timers = Timers()
        self.external = 0
        """The number of other things that keep the loop alive.

        Timers and watched descriptors are not included.

        A task in a native thread adds one, and so does an active `Async` or signal
        watcher with ``ref``. A timer that must not keep the loop alive subtracts one.
        """
        self.budget = 0
        """How many more callbacks run before the next look at the clock."""
        self.slice_end = self.time
        """When this turn has lasted long enough (s): it polls then."""
        self.part = 1
        """How many callbacks run between two looks at the clock."""
        self._rest = 0  # callbacks that may run in this turn, beyond `budget`
        self._quick_turns = 0
        self.handle_error: ErrorHandler = _print_error
        self.ready: deque[Callable[[], object]] = deque()
        """Waiters and callbacks without arguments, to be called in this order.

        The loop's own thread may append here; other threads use `call_soon`.
        """
        self._wake_read, self.wake_descriptor = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        direction = poller.watch(self._wake_read).reading
        direction.ref = False
        direction.start(self._drain_wake_pipe)

    # -- scheduling --------------------------------------------------------------------

    def call_soon(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` in a coming turn. From any thread; wakes the loop."""
        self.ready.append(callback)
        if self.asleep:
            self.wake()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` in ``delay`` seconds; ``timers.cancel`` takes it back."""
        return self.timers.add(self.now() + delay, callback)

    def run_callback(self, callback: Callable[..., object], *args: Any) -> Callback:
        """As `call_soon`, with arguments; the result's ``stop`` takes the call back."""
        call = Callback(callback, args)
        self.call_soon(call)
        return call

    run_callback_threadsafe = run_callback

    def io(self, fd: int, events: int, ref: bool = True) -> Io:
        """A watcher that calls whenever ``fd`` is ready for READ, WRITE or either."""
        return Io(self, fd, bool(events & READ), bool(events & WRITE), ref)

    def timer(
        self, after: float, repeat: float = 0.0, ref: bool = True
    ) -> TimerWatcher:
        """A watcher that calls ``after`` seconds after its start.

        It calls again every ``repeat`` seconds, if that is not 0.
        """
        return TimerWatcher(self, after, repeat, ref)

    def async_(self, ref: bool = True) -> Async:
        """A watcher that calls after ``send()`` was called, from any thread."""
        return Async(self, ref)

    def update_now(self) -> None:
        """Set `time` to the present."""
        self.time = self.now()

    # -- running -----------------------------------------------------------------------

    @property
    def alive(self) -> bool:
        """Whether anything can still happen."""
        timers = self.timers
        return (
            len(timers.heap) - timers.cancelled + self.external > 0
            or self.poller.waited_for()
            or self.busy
        )

    @property
    def busy(self) -> bool:
        """Whether callbacks are ready to run."""
        return bool(self.ready)

    def run(self) -> None:
        """Run turns until nothing can happen any more."""
        while True:
            try:
                while self.turn():
                    pass
                return
            except ForkError:
                raise
            except BaseException as error:
                if self.closed:
                    raise  # the end of the hub
                # Only a signal handler can raise while the loop polls: no context then.
                context, self.asleep = None if self.asleep else self, False
                self.handle_error(context, type(error), error, error.__traceback__)

    def turn(self) -> bool:
        """Run one turn; return False if nothing can happen any more.

        Raises what a callback raises.
        """
        ready, heap = self.ready, self.timers.heap
        due = bool(heap) and heap[0][0] <= self.time
        # What epoll has reported runs before a timer, even beyond the budget: after a
        # stall of the process, a wait that was answered in time must not time out.
        callbacks = max(MAX_CALLBACKS, len(ready)) if due else MAX_CALLBACKS
        self.budget = part = self.part
        self._rest = callbacks - part
        slice_end = self.slice_end = self.time + SLICE
        while ready and (budget := self.budget or self.renew()):
            self.budget = budget - 1
            callback = ready.popleft()
            if type(callback) is Waiter:
                # not callback(): a call through C makes the stack to copy deeper
                callback.wake()
            else:
                callback()
        if due:
            self._fire_timers()
        self.asleep = True
        timeout: float | None = 0.0
        if not ready:
            if not self.alive:
                self.asleep = False
                return False
            # The first timer may be a cancelled one: one useless wake-up then.
            timeout = max(0.0, heap[0][0] - self.now()) if heap else None
        self.poller.poll(timeout, ready.append)
        self.asleep = False
        self.time = time = self.now()
        if self._quick_turns < QUICK_TURNS or (timeout == 0.0 and time >= slice_end):
            left = self.budget + self._rest
            self._judge(
                timeout == 0.0 and time >= slice_end + (callbacks - left) * _QUICK
            )
        return True

    def _judge(self, slow: bool) -> None:
        """Decide how often the next turns read the clock."""
        self._quick_turns = 0 if slow else self._quick_turns + 1
        self.part = 1 if self._quick_turns < QUICK_TURNS else _QUICK_PART

    def renew(self) -> int:
        """Return the next part of the budget, which was used up; 0: the turn is over.

        It is over after its last callback, or when the slice is.
        """
        rest = self._rest
        if not rest or self.now() >= self.slice_end:
            return 0
        part = self.part
        if part > rest:  # min() would be a third of this call
            part = rest
        self._rest = rest - part
        self.budget = part
        return part

    def end_turn(self) -> None:
        """Let no further callback run before the next poll."""
        self.budget = self._rest = 0

    def _fire_timers(self) -> None:
        timers = self.timers
        before, end = timers.ticket, self.now() + SLICE
        while (callback := timers.pop_due(self.time, before)) is not None:
            callback()
            if self.now() >= end:
                break  # the rest is due in the next turn still

    def give_turn(self, waiter: Waiter) -> None:
        """Resume ``waiter`` after a full turn.

        That is: after what is ready now, a poll, and the timers that are due then.
        """
        self.timers.add(self.time, partial(self.ready.append, waiter))

    def answered(self) -> set[Waiter]:
        """Return the waiters whose wait is over, and only their turn has not come.

        A ``sleep(0)`` is not answered: it only waits for its turn.
        """
        listed = {entry for entry in self.ready if type(entry) is Waiter}
        done = {waiter for waiter in listed if waiter.ready()}
        return done | (listed.intersection(self.poller.callbacks()) if listed else done)

    def is_answered(self, target: greenlet) -> bool:
        """Whether the wait of ``target`` is over, and only its turn has not come."""
        for entry in self.ready:
            if type(entry) is Waiter and entry.greenlet is target:
                return entry.ready() or entry in set(self.poller.callbacks())
        return False

    # -- waking and closing ------------------------------------------------------------

    def wake(self) -> None:
        """End the poll; called after an append to `ready`, from any thread."""
        self.asleep = False
        with suppress(BlockingIOError):  # full: the loop wakes in any case
            os.write(self.wake_descriptor, b"\0")

    def _drain_wake_pipe(self) -> None:
        with suppress(BlockingIOError):  # two events for one byte
            os.read(self._wake_read, 65536)

    def close(self) -> None:
        """Close the descriptors; the loop can't run again."""
        self.closed = True
        self.poller.close()
        os.close(self._wake_read)
        os.close(self.wake_descriptor)

    def abandon(self) -> None:
        """In a forked child: close the child's copies, and refuse to run."""
        self.close()
        self.closed = False
        self.poller = _ForkedPoller()


class _ForkedPoller:
    """Takes the place of the poller in a forked child, and refuses."""

    def register(self, fd: int) -> Any:
        raise ForkError("this hub belongs to the parent process")

    watch = register

    def observe(self, masks: object) -> Any:
        raise ForkError("this hub belongs to the parent process")

    def unobserve(self, observer: object) -> None:
        """Does nothing."""

    def refresh(self, fd: int) -> None:
        raise ForkError("this hub belongs to the parent process")

    rearm = refresh

    def unregister(self, registration: object, still_open: bool) -> None:
        """Does nothing."""

    def poll(self, timeout: float | None, schedule: object) -> None:
        raise ForkError(
            "this hub belongs to the parent process; it can't wait in a forked child"
        )

    def callbacks(self) -> Any:
        """Return none: nothing is called any more."""
        return iter(())

    def waited_for(self) -> bool:
        """Return True, so that the loop calls `poll`, which refuses."""
        return True

    def close(self) -> None:
        """Does nothing."""
