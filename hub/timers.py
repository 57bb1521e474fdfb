"""Deadlines in order. Knows no clock, no greenlet and no loop: times are plain numbers.

Nearly all timers are cancelled, because most time-outs guard something that works. So
`cancel` must cost next to nothing, and must free what the timer would have called
before the deadline. It empties the timer and leaves it in the heap; when more than half
of the heap is cancelled timers, all of them are removed together. That is O(1) for each
cancel, without a heap pop.

An insertion is O(1) too in the common case: a heap compares a new entry with its parent
first, and a new deadline is mostly the latest. So there is no second structure (a FIFO
for each duration) beside the heap; the README has the measurement.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

__all__ = ["Timer", "Timers"]

_MIN_TO_SWEEP = 64  # cancelled timers; for fewer a sweep costs more than it saves


class Timer:
    """One deadline and what to call then; no callback once cancelled or fired."""

    __slots__ = ("callback", "deadline")

    deadline: float
    callback: Callable[[], object] | None


class Timers:
    """A heap of timers. ``len()`` counts those that may still fire."""

    __slots__ = ("cancelled", "heap", "ticket")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Timer]] = []
        """(deadline, ticket, timer), the earliest first, cancelled timers included."""
        self.cancelled = 0
        """How many timers of the heap are cancelled."""
        self.ticket = 0
        """The number of the next timer; equal deadlines fire in this order."""

    def __len__(self) -> int:
        return len(self.heap) - self.cancelled

    def add(self, deadline: float, callback: Callable[[], object]) -> Timer:
        """Add a timer for the absolute time ``deadline``."""
        timer = Timer()
        timer.deadline = deadline
        timer.callback = callback
        ticket = self.ticket
        self.ticket = ticket + 1
        heappush(self.heap, (deadline, ticket, timer))
        return timer

    def next_ticket(self) -> int:
        """Take a number, as if for a timer: it says what was there earlier."""
        ticket = self.ticket
        self.ticket = ticket + 1
        return ticket

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
        """Remove the earliest timer that is due and return its callback.

        A timer is due if its deadline is at or before ``now``.

        Returns None if there is none. A timer with a ticket from ``before`` on stays: a
        caller that takes one after the other passes the ticket of when it began, so
        that a timer that starts a timer for "at once" can't keep it for ever. It is one
        at a time because each callback may cancel the next timer.
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
