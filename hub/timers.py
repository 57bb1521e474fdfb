"""Deadlines in order. Knows no clock, no greenlet, no loop: times are plain numbers
given to it.

Nearly all timers are cancelled: a time-out guards something that works. So `cancel`
must cost next to nothing, and must not wait for the deadline to free what the timer
would have called. Here it empties the timer and leaves its shell in the heap; when more
than half of the heap is shells, they are swept out together. That is O(1) a cancel, and
no heap pop.

An insertion is O(1) too in the common case: a heap compares a new entry with its parent
first, and a new deadline is mostly the latest. That is why there is no second structure
(a FIFO for each duration) beside the heap; the README has the measurement.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

__all__ = ["Timer", "Timers"]

_MIN_TO_SWEEP = 64  # shells; below this many a sweep is not worth its call


class Timer:
    """One deadline and what to call then; ``callback`` is None once cancelled or
    fired."""

    __slots__ = ("callback", "deadline")

    deadline: float
    callback: Callable[[], object] | None


class Timers:
    """A heap of timers. ``len()`` counts those that may still fire."""

    __slots__ = ("cancelled", "heap", "ticket")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Timer]] = []
        """(deadline, ticket, timer), the earliest first, shells among them."""
        self.cancelled = 0
        """How many of them are shells."""
        self.ticket = 0
        """The number that the next timer gets: equal deadlines fire in this order."""

    def __len__(self) -> int:
        return len(self.heap) - self.cancelled

    def add(self, deadline: float, callback: Callable[[], object]) -> Timer:
        """A timer for the absolute time ``deadline``."""
        timer = Timer()
        timer.deadline = deadline
        timer.callback = callback
        ticket = self.ticket
        self.ticket = ticket + 1
        heappush(self.heap, (deadline, ticket, timer))
        return timer

    def cancel(self, timer: Timer) -> None:
        """Make sure that ``timer`` never fires. Idempotent, also after it has fired."""
        if timer.callback is not None:
            timer.callback = None
            self.cancelled = cancelled = self.cancelled + 1
            if cancelled > _MIN_TO_SWEEP and cancelled * 2 > len(self.heap):
                self._sweep()

    def _sweep(self) -> None:
        self.heap[:] = [entry for entry in self.heap if entry[2].callback is not None]
        heapify(self.heap)
        self.cancelled = 0

    def pop_due(self, now: float, before: int) -> Callable[[], object] | None:
        """End the earliest timer with a deadline up to ``now``; returns what it calls,
        or None.

        Timers with a ticket from ``before`` on stay: a caller that takes one after the
        other gives the ticket of when it began, so that a timer that starts a timer for
        "at once" can't keep it for ever. One at a time, because each may cancel the
        next.
        """
        heap = self.heap
        while heap and heap[0][0] <= now:
            if (callback := heap[0][2].callback) is None:
                heappop(heap)
                self.cancelled -= 1
            elif heap[0][1] >= before:
                break
            else:
                heappop(heap)[2].callback = None
                return callback
        return None
