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
greenlet waits. `observe` is for `select`, which looks at the state itself: its
greenlet is woken by a change, edge-triggered, and excludes no other.

Each direction holds one waiter. A second one *is* the ConcurrentObjectUseError: two
greenlets that read one stream would each get random parts of it.

No code runs while events are processed: callbacks are given to ``schedule``. So no
descriptor can be closed, and its number reused, in the middle of a batch.
"""

import select
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from select import epoll
from typing import Protocol

from hub.errors import ConcurrentObjectUseError

__all__ = [
    "Callback",
    "Direction",
    "EpollPoller",
    "Observer",
    "Poller",
    "Registration",
]

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


class Observer:
    """Waits for a change of any of several descriptors: a watcher.

    ``masks``: the events of each, as for select.poll. Any number of observers may share
    a descriptor. ``changed`` says whether there was an event since it was last cleared,
    also while no greenlet waited.
    """

    __slots__ = ("callback", "changed", "masks")

    name = "select"

    def __init__(self, masks: Mapping[int, int]) -> None:
        self.masks = masks
        self.changed = False
        self.callback: Callback | None = None

    def start(self, callback: Callback) -> None:
        """Schedule ``callback`` at the next event."""
        self.callback = callback

    def stop(self) -> None:
        """Forget the callback. Idempotent."""
        self.callback = None

    def wants(self, fd: int, mask: int) -> bool:
        """Whether an event ``mask`` of ``fd`` may be one of those it waits for."""
        wanted = self.masks[fd]
        return bool(mask & (wanted | _FAILED)) or bool(wanted & ~_EDGE)

    def __repr__(self) -> str:
        return f"<descriptors {', '.join(map(str, self.masks))}>"


class Registration:
    """One watched descriptor. Its directions hold no reference to it: no cycle.

    ``owned``: it belongs to a socket of ours, which unregisters it. ``mask``: what the
    kernel was asked for.
    """

    __slots__ = (
        "failed",
        "fd",
        "mask",
        "observers",
        "owned",
        "poller",
        "reading",
        "sticky",
        "writing",
    )

    def __init__(self, poller: "Poller", fd: int, owned: bool) -> None:
        self.poller = poller
        self.fd = fd
        self.owned = owned
        self.mask = _EDGE if owned else 0
        self.sticky = False
        self.failed = False
        self.observers: tuple[Observer, ...] = ()
        self.reading = (
            Direction(fd, "read") if owned else LevelDirection(fd, "read", poller)
        )
        self.writing = (
            Direction(fd, "write") if owned else LevelDirection(fd, "write", poller)
        )

    def notify_observers(
        self, mask: int, schedule: Callable[[Callback], object]
    ) -> None:
        """Tell the observers of an event, and schedule those that wait."""
        for observer in self.observers:
            if observer.wants(self.fd, mask):
                observer.changed = True
                if observer.callback is not None:
                    schedule(observer.callback)

    def wanted(self) -> int:
        """The events that are waited for: level-triggered without observers."""
        if self.owned:
            return _EDGE
        mask = 0
        if self.reading.callback is not None:
            mask |= select.EPOLLIN
        if self.writing.callback is not None:
            mask |= select.EPOLLOUT
        for observer in self.observers:
            mask |= observer.masks[self.fd] | select.EPOLLET
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

    def observe(self, masks: Mapping[int, int]) -> Observer:
        """Return an observer of the descriptors in ``masks``, until `unobserve`."""
        ...

    def unobserve(self, observer: Observer) -> None:
        """Forget ``observer``."""
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
        """The callbacks of all that is waited for."""
        ...

    def waited_for(self) -> bool:
        """Whether a greenlet waits for a descriptor, in a direction with ``ref``."""
        ...

    def close(self) -> None:
        """Close what the poller holds."""
        ...


class EpollPoller:
    """A poller on Linux's epoll."""

    __slots__ = ("_epoll", "_last_seen", "_observing", "_registrations")

    def __init__(self) -> None:
        self._epoll = epoll()  # the original, whatever is patched
        self._registrations: dict[int, Registration] = {}
        self._observing = 0
        self._last_seen: Direction | None = None
        """Where `waited_for` last found a waiter."""

    def __len__(self) -> int:
        return len(self._registrations)

    def register(self, fd: int) -> Registration:
        """Watch a socket of ours; raises OSError if the descriptor can't be polled."""
        known = self._registrations.get(fd)
        if known is not None and not known.owned:
            known.owned = True  # who waits by `watch` or `observe` shares this one
            self._update(known)
            return known
        self._epoll.register(fd, _EDGE)
        registration = self._registrations[fd] = Registration(self, fd, owned=True)
        return registration

    def watch(self, fd: int) -> Registration:
        """Return the registration of any descriptor."""
        registration = self._registrations.get(fd)
        if registration is None:
            registration = self._registrations[fd] = Registration(self, fd, owned=False)
        return registration

    def rearm(self, fd: int) -> None:
        """If ``fd`` is edge-triggered, have its present state reported again."""
        registration = self._registrations.get(fd)
        if registration is not None and registration.mask & select.EPOLLET:
            self._epoll.modify(fd, registration.mask)

    def refresh(self, fd: int) -> None:
        """Register a descriptor given to `watch` for just what is waited for."""
        registration = self._registrations.get(fd)
        if registration is not None:
            self._update(registration)

    def observe(self, masks: Mapping[int, int]) -> Observer:
        """Return an observer of the descriptors in ``masks``.

        One that can't be polled never changes: a regular file, or one that is closed.
        """
        observer = Observer(masks)
        self._observing += 1
        for fd in masks:
            registration = self._registrations.get(fd) or self.watch(fd)
            registration.observers += (observer,)
            if not registration.owned:
                with suppress(OSError):
                    self._update(registration)
        return observer

    def unobserve(self, observer: Observer) -> None:
        """Forget it. What is not our socket is watched for others alone then."""
        self._observing -= 1
        for fd in observer.masks:
            registration = self._registrations.get(fd)
            if registration is None or observer not in registration.observers:
                continue  # its socket was closed
            observers = list(registration.observers)
            observers.remove(observer)
            registration.observers = tuple(observers)
            if not registration.owned:
                with suppress(OSError):
                    self._update(registration)

    def _update(self, registration: Registration) -> None:
        """Ask the kernel for what is wanted of a descriptor."""
        fd, mask = registration.fd, registration.wanted()
        if not mask:
            del self._registrations[fd]
            if registration.mask:
                self._forget(fd)
        elif mask != registration.mask:
            self._set(fd, mask, bool(registration.mask))
        registration.mask = mask

    def _set(self, fd: int, mask: int, known: bool) -> None:
        if known:
            with suppress(FileNotFoundError):  # another file has the number by now
                self._epoll.modify(fd, mask)
                return
        self._epoll.register(fd, mask)

    def _forget(self, fd: int) -> None:
        with suppress(OSError):  # already closed, and so unregistered by the kernel
            self._epoll.unregister(fd)

    def unregister(self, registration: Registration, still_open: bool) -> None:
        """Forget it before its descriptor is closed, duplicated or given away."""
        if self._registrations.get(registration.fd) is not registration:
            return
        if still_open and registration.observers:
            registration.owned = False
        else:
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
            if registration.observers:
                registration.notify_observers(mask, schedule)

    def callbacks(self) -> Iterator[Callback]:
        """The callbacks of all that is waited for."""
        for registration in self._registrations.values():
            for direction in (registration.reading, registration.writing):
                if direction.callback is not None:
                    yield direction.callback
            for observer in registration.observers:
                if observer.callback is not None:
                    yield observer.callback

    def waited_for(self) -> bool:
        """Whether a greenlet waits for a descriptor.

        The loop asks before each poll without a deadline. To count at every start and
        stop would cost more than this search: in most cases a greenlet still waits in
        the direction where one waited the last time.
        """
        if self._observing:
            return True
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
