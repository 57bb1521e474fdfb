"""The cooperative versions of ``select`` and ``selectors``.

Each function here calls the real one without waiting. If nothing is ready, it observes
the descriptors in the hub's poller, and calls again after each change. This takes no
`Direction` of a socket, so any number of greenlets may select on a descriptor that
another one reads. Of ``epoll`` and ``EpollSelector`` the epoll descriptor is observed:
it changes with each of its own.

As on Linux itself, a descriptor that is closed during the wait is none that becomes
ready; one that was closed before is an error (EBADF).
"""

import errno
import math
import select as _standard
import selectors as _selectors
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import index
from select import epoll as _epoll  # the originals, also while they are patched
from select import poll as _poll
from select import select as _original_select
from typing import Any, TypeVar

from hub.current import get_hub
from hub.hub import give_way
from hub.socketobject import socket

__all__ = [
    "DefaultSelector",
    "EpollSelector",
    "PollSelector",
    "SelectSelector",
    "epoll",
    "poll",
    "select",
]

T = TypeVar("T")

_READABLE = _standard.EPOLLIN | _standard.EPOLLPRI
_WRITABLE = _standard.EPOLLOUT


def _descriptor(thing: Any) -> int:
    if not isinstance(thing, int) and not hasattr(thing, "fileno"):
        raise TypeError("argument must be an int, or have a fileno() method")
    number = thing if isinstance(thing, int) else thing.fileno()
    if not isinstance(number, int):
        raise TypeError("fileno() returned a non-integer")
    if number < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({number})")
    return number


def _poll_until_ready(
    look: Callable[[], T],
    masks: Callable[[], Mapping[int, int]],
    timeout: float | None,
) -> T:
    """Call ``look`` until it finds something or ``timeout`` seconds are over.

    In between wait for a change of the descriptors in ``masks()``. What changed may
    have changed back by the time of the next call.
    """
    found = look()
    if timeout is not None and timeout <= 0:
        return found
    hub = get_hub()
    loop = hub.loop
    if found:
        if loop.now() >= loop.slice_end:
            give_way(hub)  # a loop of calls that find something would run alone
        return found
    deadline = None if timeout is None else loop.now() + timeout
    observer = loop.poller.observe(masks())
    try:
        while not found:
            rest = None if deadline is None else max(0.0, deadline - loop.now())
            if not observer.changed and not hub.wait_for_watcher(observer, rest):
                break
            observer.changed = False
            found = look()
    finally:
        loop.poller.unobserve(observer)
    return found


_Lists = list[list[Any] | tuple[Any, ...]]
_Found = tuple[list[Any], list[Any], list[Any]]

_WAITED_FOR = (_standard.POLLIN, _standard.POLLOUT, _standard.POLLPRI)
_BROKEN = _standard.POLLERR | _standard.POLLHUP
_HITS = (_standard.POLLIN | _BROKEN, _standard.POLLOUT | _BROKEN, _standard.POLLPRI)


def _look(lists: _Lists) -> _Found | None:
    """Return what is ready; None if nothing is."""
    try:
        found = _original_select(lists[0], lists[1], lists[2], 0)
    except ValueError:  # it takes no descriptors from 1024 on
        found = _look_by_poll(lists)
    return found if any(found) else None


def _look_by_poll(lists: _Lists) -> _Found:
    poller = _poll()
    for fd, mask in _masks(lists).items():
        poller.register(fd, mask)
    events = dict(poller.poll(0))
    if any(mask & _standard.POLLNVAL for mask in events.values()):
        raise OSError(errno.EBADF, "Bad file descriptor")
    ready = [
        [thing for thing in things if events.get(_descriptor(thing), 0) & hit]
        for things, hit in zip(lists, _HITS, strict=True)
    ]
    return ready[0], ready[1], ready[2]


def _masks(lists: _Lists) -> dict[int, int]:
    """The events to wait for, of each descriptor.

    Our sockets are registered for good here, and not at each wait.
    """
    masks: dict[int, int] = {}
    for things, mask in zip(lists, _WAITED_FOR, strict=True):
        for thing in things:
            fd = _descriptor(thing)
            masks[fd] = masks.get(fd, 0) | mask
            if isinstance(thing, socket):
                thing.watch()
    return masks


def select(
    rlist: Iterable[Any],
    wlist: Iterable[Any],
    xlist: Iterable[Any],
    timeout: float | None = None,
) -> _Found:
    """Return those of the three lists that are ready; empty lists after ``timeout``.

    ``timeout`` in seconds. Raises ValueError if it is negative, OSError (EBADF) for a
    descriptor that is not open.
    """
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    lists: _Lists = [  # a list is not copied: its items may shorten it in fileno()
        things if isinstance(things, list | tuple) else list(things)
        for things in (rlist, wlist, xlist)
    ]
    found = _poll_until_ready(partial(_look, lists), partial(_masks, lists), timeout)
    return ([], [], []) if found is None else found


_MAX_MILLISECONDS = 2**31 - 1  # a C int


def _seconds(milliseconds: float) -> float | None:
    """Return seconds; None, no limit, for a negative number, however small it is."""
    if isinstance(milliseconds, float):
        away_from_zero = math.floor if milliseconds < 0 else math.ceil
        number = away_from_zero(milliseconds)
    else:
        number = index(milliseconds)
    if abs(number) > _MAX_MILLISECONDS:
        raise OverflowError("timeout is too large")
    return None if number < 0 else number / 1000


class poll:
    """As select.poll."""

    def __init__(self) -> None:
        self._real = _poll()
        self._masks: dict[int, int] = {}
        self._polled = False

    def register(
        self,
        fd: Any,
        eventmask: int = _standard.POLLIN | _standard.POLLPRI | _standard.POLLOUT,
    ) -> None:
        """Watch ``fd`` for ``eventmask``."""
        self._real.register(fd, eventmask)
        self._masks[_descriptor(fd)] = eventmask

    def modify(self, fd: Any, eventmask: int) -> None:
        """Watch for other events; FileNotFoundError if ``fd`` is not registered."""
        self._real.modify(fd, eventmask)
        self._masks[_descriptor(fd)] = eventmask

    def unregister(self, fd: Any) -> None:
        """Stop watching ``fd``; KeyError if it is not registered."""
        self._real.unregister(fd)
        del self._masks[_descriptor(fd)]

    def poll(self, timeout: float | None = None) -> list[tuple[int, int]]:
        """Return (descriptor, events) of those that are ready.

        ``timeout`` in milliseconds, rounded up; unless it is 0 the others run first.
        Raises RuntimeError while another greenlet polls with this object; TypeError,
        ValueError and OverflowError for what is no time, as the standard library.
        """
        seconds = None if timeout is None else _seconds(timeout)
        if self._polled:
            raise RuntimeError("concurrent poll() invocation")
        self._polled = True
        try:
            if seconds != 0:
                give_way(get_hub())  # at each call, as in gevent
            return _poll_until_ready(
                partial(self._real.poll, 0), self._masks.copy, seconds
            )
        finally:
            self._polled = False


class epoll:
    """As select.epoll."""

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        self._real = _epoll(sizehint, flags)

    @classmethod
    def fromfd(cls, fd: int) -> "epoll":
        """Make one from an existing epoll descriptor."""
        self = cls.__new__(cls)
        self._real = _epoll.fromfd(fd)
        return self

    def register(self, fd: Any, eventmask: int = _READABLE | _WRITABLE) -> None:
        """Watch ``fd`` for ``eventmask``."""
        self._real.register(fd, eventmask)

    def modify(self, fd: Any, eventmask: int) -> None:
        """Watch ``fd`` for other events."""
        self._real.modify(fd, eventmask)

    def unregister(self, fd: Any) -> None:
        """Stop watching ``fd``."""
        self._real.unregister(fd)

    def poll(
        self, timeout: float | None = None, maxevents: int = -1
    ) -> list[tuple[int, int]]:
        """Return (descriptor, events) of those that are ready.

        ``timeout`` in seconds.
        """
        seconds = None if timeout is None or timeout < 0 else timeout
        return _poll_until_ready(
            partial(self._real.poll, 0, maxevents), self._epoll_mask, seconds
        )

    def _epoll_mask(self) -> dict[int, int]:
        return {self._real.fileno(): _READABLE}

    def close(self) -> None:
        """Close the descriptor."""
        self._real.close()

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self._real.closed

    def fileno(self) -> int:
        """The descriptor."""
        return self._real.fileno()

    def __enter__(self) -> "epoll":
        if self.closed:
            raise ValueError("I/O operation on closed epoll object")
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


# -- selectors -------------------------------------------------------------------------

_Ready = list[tuple[_selectors.SelectorKey, int]]


class EpollSelector(_selectors.EpollSelector):
    """As selectors.EpollSelector."""

    def select(self, timeout: float | None = None) -> _Ready:
        """Return (key, events) of those that are ready; ``timeout`` in seconds."""
        return _poll_until_ready(
            lambda: super(EpollSelector, self).select(0),
            lambda: {self.fileno(): _READABLE},
            timeout,
        )


def _masks_of(selector: _selectors.BaseSelector) -> dict[int, int]:
    masks = {}
    for key in (selector.get_map() or {}).values():
        read = _standard.POLLIN if key.events & _selectors.EVENT_READ else 0
        masks[key.fd] = read | (
            _standard.POLLOUT if key.events & _selectors.EVENT_WRITE else 0
        )
    return masks


class PollSelector(_selectors.PollSelector):
    """As selectors.PollSelector."""

    def select(self, timeout: float | None = None) -> _Ready:
        """Return (key, events) of those that are ready; ``timeout`` in seconds."""
        return _poll_until_ready(
            lambda: super(PollSelector, self).select(0),
            partial(_masks_of, self),
            timeout,
        )


class SelectSelector(_selectors.SelectSelector):
    """As selectors.SelectSelector."""

    def select(self, timeout: float | None = None) -> _Ready:
        """Return (key, events) of those that are ready; ``timeout`` in seconds."""
        return _poll_until_ready(
            lambda: super(SelectSelector, self).select(0),
            partial(_masks_of, self),
            timeout,
        )


DefaultSelector = EpollSelector


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    source = _standard if hasattr(_standard, name) else _selectors
    value = globals()[name] = getattr(source, name)
    return value
