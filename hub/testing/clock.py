"""Clocks for tests, and the pollers that go with them: the ground of ``hub.testing``.

One clock jumps.

When nothing is ready and no thread is at work, waiting would only pass time. So the
poller moves the clock to the next deadline instead. Real descriptors still work: they
are looked at before each jump, and waited for while a thread works or when there is no
deadline at all.

The other one is real time without the machine's stalls. Where the process was stopped,
or got no CPU for a while, real time-outs expire that nobody would have seen otherwise.
So this clock is read often, by polls of at most `MAX_STEP` seconds, and takes what lies
between two looks for no more than that.
"""

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from hub.poller import Callback, EpollPoller, Registration

if TYPE_CHECKING:
    from hub.loop import Loop

__all__ = ["MAX_STEP", "SteadyClock", "SteadyPoller", "VirtualClock", "VirtualPoller"]

MAX_STEP = 0.02
"""Seconds between two looks at a steady clock that count; what is more is a stall."""

_FIRST_SIMULATED = 1 << 30  # descriptors from here on exist in no kernel


class VirtualClock:
    """Seconds that pass only when told to."""

    def __init__(self, start: float = 0.0) -> None:
        self.time = start
        self.jumps = 0

    def __call__(self) -> float:
        return self.time


class VirtualPoller(EpollPoller):
    """epoll for real descriptors, entries without a kernel for simulated ones, jumps
    for time."""

    __slots__ = ("_next_simulated", "clock", "loop")

    loop: "Loop"

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock = clock
        self._next_simulated = _FIRST_SIMULATED

    def new_descriptor(self) -> int:
        """A descriptor for a simulated socket."""
        self._next_simulated += 1
        return self._next_simulated

    def register(self, fd: int) -> Registration:
        """Watch a simulated or a real socket."""
        if fd < _FIRST_SIMULATED:
            return super().register(fd)
        registration = self._registrations[fd] = Registration(self, fd, edge=True)
        return registration

    def rearm(self, fd: int) -> None:
        """Have the present state of a real socket reported again."""
        if fd < _FIRST_SIMULATED:
            super().rearm(fd)

    def unregister(self, registration: Registration, still_open: bool) -> None:
        """Forget an entry."""
        super().unregister(
            registration, still_open and registration.fd < _FIRST_SIMULATED
        )

    def report(self, fd: int, mask: int) -> None:
        """What the simulated network has to say about one of its descriptors."""
        self.take([(fd, mask)], self.loop.call_soon)

    def waited_for(self) -> bool:
        """Whether somebody waits for a real descriptor: a simulated one needs a timer
        to stir."""
        return any(
            direction.callback is not None and direction.ref
            for registration in self._registrations.values()
            if registration.fd < _FIRST_SIMULATED
            for direction in (registration.reading, registration.writing)
        )

    def poll(
        self, timeout: float | None, schedule: Callable[[Callback], object]
    ) -> None:
        """Take in real events; without any, jump."""
        super().poll(0.0, schedule)
        if timeout == 0.0 or self.loop.busy:
            return
        if timeout is None or self.loop.external > 0:
            super().poll(None, schedule)  # a thread, a signal: that is real time
        else:
            self.clock.time += timeout
            self.clock.jumps += 1


class SteadyClock:
    """Monotonic seconds, of which no more than `MAX_STEP` pass from one look to the
    next."""

    def __init__(self, real: Callable[[], float] = monotonic) -> None:
        self._real = real
        self._seen = self.time = real()

    def __call__(self) -> float:
        now = self._real()
        self.time += min(now - self._seen, MAX_STEP)
        self._seen = now
        return self.time


class SteadyPoller(EpollPoller):
    """epoll, for no longer than `MAX_STEP` while somebody waits for a time."""

    __slots__ = ()

    def poll(
        self, timeout: float | None, schedule: Callable[[Callback], object]
    ) -> None:
        """Take in events; without any the loop looks at its clock and comes back."""
        super().poll(timeout if timeout is None else min(timeout, MAX_STEP), schedule)
