"""The cooperative versions of ``select`` and ``selectors``.

An epoll descriptor can itself be polled: it is readable when one of its own is ready.
So each function here calls the real one without waiting. If nothing is ready, it waits
in the hub for an epoll descriptor that holds the same set. This takes no `Direction` of
a socket, so any number of greenlets may select on a descriptor that another one reads.

``epoll`` and ``EpollSelector`` have such a descriptor; for ``select`` and ``poll`` one
is made for the time of the wait.
"""

import errno
import math
import select as _standard
import selectors as _selectors
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from operator import index
from select import epoll as _epoll  # the originals, also while they are patched
from select import poll as _poll
from select import select as _select
from typing import Any, TypeVar

from hub.current import get_hub
from hub.hub import give_way
from hub.loop import READ

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
    poll_now: Callable[[], T], epoll_fileno: Callable[[], int], timeout: float | None
) -> T:
    """Call ``poll_now`` until it returns something or ``timeout`` seconds are over.

    In between wait for the descriptor ``epoll_fileno()``. An event may be gone again by
    the time of the next call.
    """
    waits = _may_wait(timeout)
    found = poll_now()
    if found or not waits:
        return found
    return _wait_until_ready(poll_now, epoll_fileno, timeout)


def _may_wait(timeout: float | None) -> bool:
    """Whether the call may wait; such a call gives way when the slice is over.

    A loop of calls that find something would run alone otherwise.
    """
    waits = timeout is None or timeout > 0
    if waits and (hub := get_hub()).loop.now() >= hub.loop.slice_end:
        give_way(hub)
    return waits


def _wait_until_ready(
    poll_now: Callable[[], T], epoll_fileno: Callable[[], int], timeout: float | None
) -> T:
    """As `_poll_until_ready`, after a first call that has found nothing."""
    hub = get_hub()
    found = None
    deadline = None if timeout is None else hub.loop.now() + timeout
    while not found:
        rest = None if deadline is None else deadline - hub.loop.now()
        if rest is not None and rest <= 0:
            break
        with hub.loop.io(epoll_fileno(), READ) as watcher:
            hub.wait_for_watcher(watcher, rest)
        found = poll_now()
    return poll_now() if found is None else found


class _TemporaryEpoll:
    """An epoll descriptor that lives for one wait."""

    def __init__(self, masks: Mapping[int, int]) -> None:
        self._masks = masks
        self._real: _epoll | None = None

    def fileno(self) -> int:
        """The descriptor."""
        return self._made().fileno()

    def poll(self) -> list[tuple[int, int]]:
        """What is ready now."""
        return self._made().poll(0)

    def _made(self) -> _epoll:
        """The epoll object, made on first use."""
        if self._real is None:
            self._real = _epoll()
            for fd, mask in self._masks.items():
                self._real.register(fd, mask)
        return self._real

    def __enter__(self) -> "_TemporaryEpoll":
        return self

    def __exit__(self, *exc: object) -> None:
        if self._real is not None:
            self._real.close()


def _poll_now(masks: Mapping[int, int]) -> list[tuple[int, int]]:
    poller = _poll()
    for fd, mask in masks.items():
        poller.register(fd, mask)
    return poller.poll(0)


def select(
    rlist: Iterable[Any],
    wlist: Iterable[Any],
    xlist: Iterable[Any],
    timeout: float | None = None,
) -> tuple[list[Any], list[Any], list[Any]]:
    """Return those of the three lists that are ready; empty lists after ``timeout``.

    ``timeout`` in seconds. Raises ValueError if it is negative, OSError (EBADF) for a
    descriptor that is not open.
    """
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    lists = [  # a list is not copied: its items may shorten it in fileno()
        things if isinstance(things, list | tuple) else list(things)
        for things in (rlist, wlist, xlist)
    ]
    waits = _may_wait(timeout)
    found = None
    with suppress(ValueError):  # it takes no descriptors from 1024 on
        found = _select(lists[0], lists[1], lists[2], 0)
    if found is not None and (not waits or any(found)):
        return found
    wanted = [[(thing, _descriptor(thing)) for thing in things] for things in lists]
    masks: dict[int, int] = {}
    for things, mask in zip(
        wanted, (_standard.POLLIN, _standard.POLLOUT, _standard.POLLPRI), strict=True
    ):
        for _, fd in things:
            masks[fd] = masks.get(fd, 0) | mask

    events = dict(_poll_now(masks)) if found is None else {}
    if waits and not events:
        with _TemporaryEpoll(masks) as epoll:
            events = dict(_wait_until_ready(epoll.poll, epoll.fileno, timeout))
    if any(mask & _standard.POLLNVAL for mask in events.values()):
        raise OSError(errno.EBADF, "Bad file descriptor")
    broken = _standard.POLLERR | _standard.POLLHUP
    hits = (_standard.POLLIN | broken, _standard.POLLOUT | broken, _standard.POLLPRI)
    ready = [
        [thing for thing, fd in things if events.get(fd, 0) & hit]
        for things, hit in zip(wanted, hits, strict=True)
    ]
    return ready[0], ready[1], ready[2]


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

        ``timeout`` in milliseconds, rounded up. Raises RuntimeError while another
        greenlet polls with this object; TypeError, ValueError and OverflowError for
        what is no time, as the standard library.
        """
        seconds = None if timeout is None else _seconds(timeout)
        if self._polled:
            raise RuntimeError("concurrent poll() invocation")
        self._polled = True
        try:
            with _TemporaryEpoll(self._masks) as temporary:
                return _poll_until_ready(
                    lambda: self._real.poll(0), temporary.fileno, seconds
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
            lambda: self._real.poll(0, maxevents), self._real.fileno, seconds
        )

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
            lambda: super(EpollSelector, self).select(0), self.fileno, timeout
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
        with _TemporaryEpoll(_masks_of(self)) as temporary:
            return _poll_until_ready(
                lambda: super(PollSelector, self).select(0),
                temporary.fileno,
                timeout,
            )


class SelectSelector(_selectors.SelectSelector):
    """As selectors.SelectSelector."""

    def select(self, timeout: float | None = None) -> _Ready:
        """Return (key, events) of those that are ready; ``timeout`` in seconds."""
        with _TemporaryEpoll(_masks_of(self)) as temporary:
            return _poll_until_ready(
                lambda: super(SelectSelector, self).select(0),
                temporary.fileno,
                timeout,
            )


DefaultSelector = EpollSelector


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    source = _standard if hasattr(_standard, name) else _selectors
    value = globals()[name] = getattr(source, name)
    return value
