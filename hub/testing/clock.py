"""Clocks for tests, and the pollers that belong to them.

`VirtualClock` jumps. When nothing is ready and no thread works, waiting would only pass
time; so its poller moves the clock to the next deadline instead. Real descriptors still
work: they are polled before each jump, and waited for while a thread works or when
there is no deadline.

`SteadyClock` is real time without the machine's stalls. When the process is stopped or
gets no CPU for a while, real time-outs expire although no peer was slow. So this clock
is read often, because polls take at most `MAX_STEP` seconds, and it counts the time
between two readings as no more than that.
"""

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from hub.poller import Callback, EpollPoller, Registration

if TYPE_CHECKING:
    from hub.loop import Loop

__all__ = ["MAX_STEP", "SteadyClock", "SteadyPoller", "VirtualClock", "VirtualPoller"]

MAX_STEP = 0.02
"""How far a steady clock moves between two readings at most (s); more is a stall."""

_FIRST_SIMULATED = 1 << 30  # descriptors from here on are simulated


class VirtualClock:
    """Seconds that pass only when a poller or a test moves ``time``."""

    def __init__(self, start: float = 0.0) -> None:
        self.time = start
        self.jumps = 0

    def __call__(self) -> float:
        return self.time


class VirtualPoller(EpollPoller):
    """epoll for real descriptors, flags alone for simulated ones, jumps for time."""

    __slots__ = ("_next_simulated", "clock", "loop")

    loop: "Loop"

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock = clock
        self._next_simulated = _FIRST_SIMULATED

    def new_descriptor(self) -> int:
        """Return a number for a simulated socket."""
        self._next_simulated += 1
        return self._next_simulated

    def register(self, fd: int) -> Registration:
        """Watch a simulated or a real socket."""
        if fd < _FIRST_SIMULATED:
            return super().register(fd)
        registration = self._registrations[fd] = Registration(self, fd, owned=True)
        return registration

    def rearm(self, fd: int) -> None:
        """Have the present state of a real socket reported again."""
        if fd < _FIRST_SIMULATED:
            super().rearm(fd)

    def unregister(self, registration: Registration, still_open: bool) -> None:
        """Forget a registration."""
        super().unregister(
            registration, still_open and registration.fd < _FIRST_SIMULATED
        )

    def report(self, fd: int, mask: int) -> None:
        """Process one event of a simulated descriptor."""
        self.take([(fd, mask)], self.loop.call_soon)

    def waited_for(self) -> bool:
        """Whether a greenlet waits for a real descriptor.

        Simulated descriptors don't count: only a timer can change their state.
        """
        return self._observing > 0 or any(
            direction.callback is not None and direction.ref
            for registration in self._registrations.values()
            if registration.fd < _FIRST_SIMULATED
            for direction in (registration.reading, registration.writing)
        )

    def poll(
        self, timeout: float | None, schedule: Callable[[Callback], object]
    ) -> None:
        """Process real events; if there are none, jump."""
        super().poll(0.0, schedule)
        if timeout == 0.0 or self.loop.busy:
            return
        if timeout is None or self.loop.external > 0:
            super().poll(None, schedule)  # a thread or a signal takes real time
        else:
            self.clock.time += timeout
            self.clock.jumps += 1


class SteadyClock:
    """Monotonic seconds, at most `MAX_STEP` from one reading to the next."""

    def __init__(self, real: Callable[[], float] = monotonic) -> None:
        self._real = real
        self._seen = self.time = real()

    def __call__(self) -> float:
        now = self._real()
        self.time += min(now - self._seen, MAX_STEP)
        self._seen = now
        return self.time


class SteadyPoller(EpollPoller):
    """epoll for at most `MAX_STEP` seconds while there is a deadline."""

    __slots__ = ()

    def poll(
        self, timeout: float | None, schedule: Callable[[Callback], object]
    ) -> None:
        """Process events; without any, return so that the loop reads its clock."""
        super().poll(timeout if timeout is None else min(timeout, MAX_STEP), schedule)
