"""Workers that wait for a lease: how they sleep, and how they are woken.

All sleep on one condition and share one timer, set to the moment when the next host or
the next retry falls due. A worker that is woken looks itself for a URL.
"""

from __future__ import annotations

from math import inf

import hub
from hub.lock import Condition
from hub.timers import Timer


class IdleWorkers:
    """The workers that have nothing to do. Only `sleep` switches."""

    def __init__(self) -> None:
        self.asleep = 0
        self._wakeup = Condition()
        self._alarm: tuple[float, Timer] | None = None

    def sleep(self) -> None:
        """Wait until woken."""
        self.asleep += 1
        try:
            with self._wakeup:
                self._wakeup.wait()
        finally:
            self.asleep -= 1

    def wake(self, workers: int) -> None:
        if workers:
            with self._wakeup:
                self._wakeup.notify(workers)

    def set_alarm(self, due: float, now: float) -> None:
        """Have a worker woken at `due`, or at an earlier moment that was set before."""
        if self._alarm is not None:
            if self._alarm[0] <= due:
                return
            self.cancel_alarm()
        if due != inf:
            delay = max(0.0, due - now)
            self._alarm = due, hub.get_hub().loop.call_later(delay, self._ring)

    def cancel_alarm(self) -> None:
        if self._alarm is not None:
            hub.get_hub().loop.timers.cancel(self._alarm[1])
            self._alarm = None

    def _ring(self) -> None:
        # This runs in the hub, where no one would catch an error of the store. So a
        # worker is woken, and it looks in the store.
        self._alarm = None
        self.wake(1)
