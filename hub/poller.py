"""Which descriptors are watched, and what epoll reported about them.

A socket is registered once, for both directions and edge-triggered, when a call on it
would block for the first time; it is never unregistered before close. epoll then
reports only *changes*, so what it reported is kept: each direction (`Direction`) has a
``ready`` flag. The rules:

* epoll reports a direction: its flag is set, and its waiter is scheduled.
* A call fails with EAGAIN: the flag is cleared. Only this proves "drained".
* A short read of a stream (fewer bytes than asked for) also means drained, which
  saves the EAGAIN. It does not once the peer has closed or has sent urgent data (the
  registration is ``sticky`` then): no change follows, and the end would be missed.
* Flag clear: wait without trying. Flag set: try. A flag that is set wrongly costs one
  EAGAIN; one that is cleared wrongly would hang a greenlet, so in doubt it stays set.

A descriptor that is not our socket (`watch`: a pipe, a C library's socket) is read by
code that does not report EAGAIN. It is registered level-triggered, and only while a
greenlet waits.

Each direction holds one waiter. A second one *is* the ConcurrentObjectUseError: two
greenlets that read one stream would each get random parts of it.

No code runs while events are processed: callbacks are given to ``schedule``. So no
descriptor can be closed, and its number reused, in the middle of a batch.
"""

import select
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from select import epoll
from typing import Protocol

from hub.errors import ConcurrentObjectUseError

__all__ = ["Callback", "Direction", "EpollPoller", "Poller", "Registration"]

Callback = Callable[[], object]

_READ = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_WRITE = select.EPOLLOUT | select.EPOLLHUP | select.EPOLLERR
_STICKY = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR | select.EPOLLPRI
_EDGE = (
    select.EPOLLIN
    | select.EPOLLOUT
    | select.EPOLLRDHUP
    | select.EPOLLPRI
    | select.EPOLLET
)
_FAILED = select.EPOLLERR | select.EPOLLHUP


class Direction:
    """One direction of a descriptor: a watcher, for `Hub.wait_for_watcher`."""

    __slots__ = ("callback", "fd", "name", "ready", "ref")

    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self.name = name
        self.ready = False
        self.ref = True
        """Whether a waiter here keeps the loop alive."""
        self.callback: Callback | None = None

    def start(self, callback: Callback) -> None:
        """Schedule ``callback`` at the next event; raises ConcurrentObjectUseError."""
        if self.callback is not None:
            raise ConcurrentObjectUseError(
                f"another greenlet already waits to {self.name} descriptor {self.fd}; "
                "let one greenlet do it, or guard it with a Semaphore"
            )
        self.callback = callback

    def stop(self) -> None:
        """Forget the callback. Idempotent."""
        self.callback = None

    def __repr__(self) -> str:
        return f"<{self.name} of descriptor {self.fd}>"


class LevelDirection(Direction):
    """A direction that is registered only while a greenlet waits."""

    __slots__ = ("poller",)

    def __init__(self, fd: int, name: str, poller: "Poller") -> None:
        super().__init__(fd, name)
        self.poller = poller

    def start(self, callback: Callback) -> None:
        """As `Direction.start`.

        OSError if the descriptor is closed or can't be polled.
        """
        super().start(callback)
        try:
            self.poller.refresh(self.fd)
        except OSError:
            self.callback = None
            raise

    def stop(self) -> None:
        """Forget the callback. Idempotent."""
        self.callback = None
        self.poller.refresh(self.fd)


class Registration:
    """One watched descriptor. Its directions hold no reference to it: no cycle."""

    __slots__ = (
        "edge",
        "failed",
        "fd",
        "mask",
        "poller",
        "reading",
        "sticky",
        "writing",
    )

    def __init__(self, poller: "Poller", fd: int, edge: bool) -> None:
        self.poller = poller
        self.fd = fd
        self.edge = edge
        self.mask = 0
        self.sticky = False
        self.failed = False
        self.reading = (
            Direction(fd, "read") if edge else LevelDirection(fd, "read", poller)
        )
        self.writing = (
            Direction(fd, "write") if edge else LevelDirection(fd, "write", poller)
        )

    def wanted(self) -> int:
        """The events that a greenlet waits for, as a level-triggered mask."""
        mask = 0
        if self.reading.callback is not None:
            mask |= select.EPOLLIN
        if self.writing.callback is not None:
            mask |= select.EPOLLOUT
        return mask


class Poller(Protocol):
    """What the loop needs of a poller; the simulated network has another one."""

    def register(self, fd: int) -> Registration:
        """Watch a socket of ours, edge-triggered, until `unregister`."""
        ...

    def watch(self, fd: int) -> Registration:
        """Return the registration of any descriptor; new ones are level-triggered."""
        ...

    def refresh(self, fd: int) -> None:
        """Adapt the registration of a descriptor given to `watch` to its waiters."""
        ...

    def rearm(self, fd: int) -> None:
        """If ``fd`` is edge-triggered, have its present state reported again."""
        ...

    def unregister(self, registration: Registration, still_open: bool) -> None:
        """Forget ``registration``; ``still_open``: tell the kernel too.

        The kernel forgets a descriptor by itself when its last duplicate is closed.
        """
        ...

    def poll(
        self, timeout: float | None, schedule: Callable[[Callback], object]
    ) -> None:
        """Process events.

        Wait at most ``timeout`` seconds for the first (None: no limit).
        """
        ...

    def callbacks(self) -> Iterator[Callback]:
        """The callbacks of the directions that are waited for."""
        ...

    def waited_for(self) -> bool:
        """Whether a greenlet waits for a descriptor, in a direction with ``ref``."""
        ...

    def close(self) -> None:
        """Close what the poller holds."""
        ...


class EpollPoller:
    """A poller on Linux's epoll."""

    __slots__ = ("_epoll", "_last_seen", "_registrations")

    def __init__(self) -> None:
        self._epoll = epoll()  # the original, whatever is patched
        self._registrations: dict[int, Registration] = {}
        self._last_seen: Direction | None = None
        """Where `waited_for` last found a waiter."""

    def __len__(self) -> int:
        return len(self._registrations)

    def register(self, fd: int) -> Registration:
        """Watch a socket of ours; raises OSError if the descriptor can't be polled."""
        known = self._registrations.get(fd)
        if known is not None and known.mask:
            known.edge = True  # a greenlet waits by `watch`: it shares this one
            self._epoll.modify(fd, _EDGE)
            return known
        self._epoll.register(fd, _EDGE)
        registration = self._registrations[fd] = Registration(self, fd, edge=True)
        return registration

    def watch(self, fd: int) -> Registration:
        """Return the registration of any descriptor."""
        registration = self._registrations.get(fd)
        if registration is None:
            registration = self._registrations[fd] = Registration(self, fd, edge=False)
        return registration

    def rearm(self, fd: int) -> None:
        """If ``fd`` is one of our sockets, have its present state reported again."""
        registration = self._registrations.get(fd)
        if registration is not None and registration.edge:
            self._epoll.modify(fd, _EDGE)

    def refresh(self, fd: int) -> None:
        """Register a level-triggered descriptor for just what is waited for."""
        registration = self._registrations.get(fd)
        if (
            registration is None
            or registration.edge
            or (mask := registration.wanted()) == registration.mask
        ):
            return
        if not mask:
            del self._registrations[fd]
            self._forget(fd)
        elif registration.mask:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        registration.mask = mask

    def _forget(self, fd: int) -> None:
        with suppress(OSError):  # already closed, and so unregistered by the kernel
            self._epoll.unregister(fd)

    def unregister(self, registration: Registration, still_open: bool) -> None:
        """Forget it before its descriptor is closed, duplicated or given away."""
        if self._registrations.get(registration.fd) is registration:
            del self._registrations[registration.fd]
            if still_open:
                self._forget(registration.fd)

    def poll(
        self, timeout: float | None, schedule: Callable[[Callback], object]
    ) -> None:
        """Process events."""
        self.take(self._epoll.poll(timeout), schedule)

    def take(
        self, events: Iterable[tuple[int, int]], schedule: Callable[[Callback], object]
    ) -> None:
        """Set the flags that each (descriptor, mask) names; schedule the waiters."""
        registrations = self._registrations
        for fd, mask in events:
            registration = registrations.get(fd)
            if registration is None:
                continue
            if mask & _STICKY:
                registration.sticky = True
                if mask & _FAILED:
                    registration.failed = True
            if mask & _READ:
                direction = registration.reading
                direction.ready = True
                if direction.callback is not None:
                    schedule(direction.callback)
            if mask & _WRITE:
                direction = registration.writing
                direction.ready = True
                if direction.callback is not None:
                    schedule(direction.callback)

    def callbacks(self) -> Iterator[Callback]:
        """The callbacks of the directions that are waited for."""
        for registration in self._registrations.values():
            for direction in (registration.reading, registration.writing):
                if direction.callback is not None:
                    yield direction.callback

    def waited_for(self) -> bool:
        """Whether a greenlet waits for a descriptor.

        The loop asks before each poll without a deadline. To count at every start and
        stop would cost more than this search: in most cases a greenlet still waits in
        the direction where one waited the last time.
        """
        seen = self._last_seen
        if seen is not None and seen.callback is not None and seen.ref:
            return True
        for registration in self._registrations.values():
            for direction in (registration.reading, registration.writing):
                if direction.callback is not None and direction.ref:
                    self._last_seen = direction
                    return True
        self._last_seen = None
        return False

    def close(self) -> None:
        """Close the epoll descriptor."""
        self._epoll.close()
        self._registrations.clear()
