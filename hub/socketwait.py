"""The waits of a cooperative socket: a real one, its flags in the poller, its time-out.

The calls of a socket that may wait are in socketobject.py, which describes them; those
that never do are in socketbase.py.
"""

import socket as _standard
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hub.current import get_hub
from hub.errors import ConcurrentObjectUseError
from hub.hub import Hub, give_way
from hub.loop import MAX_CALLBACKS
from hub.poller import Direction, Registration
from hub.socketbase import SocketBase

__all__ = ["DONT_WAIT", "WaitingSocket"]

_STREAMS = (_standard.SOCK_STREAM,)
DONT_WAIT = int(_standard.MSG_DONTWAIT)  # as an enum each `&` is seven calls


class WaitingSocket(SocketBase):
    """A real socket, and how a call on it is repeated until it works."""

    __slots__ = (
        "_calls",
        "_files",
        "_reading",
        "_registration",
        "_shared",
        "_stream",
        "_writing",
    )

    def _adopt(self, sock: Any) -> None:
        self._sock = sock
        self._timeout = _standard.getdefaulttimeout()
        self._stream = sock.type in _STREAMS
        self._registration: Registration | None = None
        self._reading: Direction | None = None
        self._writing: Direction | None = None
        self._files = 0
        self._closed = False
        self._shared = False
        self._calls = 0
        """Calls in a row that did not wait, though more may be done without a wait."""

    # -- waiting -----------------------------------------------------------------------

    def _watch(self, hub: Hub) -> Registration:
        """Register with the poller of ``hub``, and leave another thread's."""
        registration = self._registration
        if registration is not None:
            if (
                registration.reading.callback is not None
                or registration.writing.callback is not None
            ):
                raise ConcurrentObjectUseError(f"another thread waits for {self!r}")
            registration.poller.unregister(registration, still_open=True)
        registration = self._registration = hub.loop.poller.register(
            self._sock.fileno()
        )
        self._reading, self._writing = registration.reading, registration.writing
        registration.reading.ready = registration.writing.ready = True  # unknown: try
        return registration

    def watch(self) -> None:
        """Register with the poller now, unless that was done; never raises OSError.

        For `select`, which would otherwise register it for each wait.
        """
        if self._registration is None:
            with suppress(OSError):
                self._watch(get_hub())

    def _wait_readable(self) -> None:
        """Park until there is something to read (after EAGAIN, or flag clear)."""
        hub = get_hub()
        registration = self._registration
        if registration is None or registration.poller is not hub.loop.poller:
            registration = self._watch(hub)
        direction = registration.reading
        direction.ready = False
        self._calls = 0
        if not hub.wait_for_watcher(direction, self._timeout):
            raise TimeoutError("timed out")

    def _wait_writable(self, timeout: float | None) -> None:
        hub = get_hub()
        registration = self._registration
        if registration is None or registration.poller is not hub.loop.poller:
            registration = self._watch(hub)
        direction = registration.writing
        direction.ready = False
        self._calls = 0
        if not hub.wait_for_watcher(direction, timeout):
            raise TimeoutError("timed out")

    def _give_way(self, flags: int = 0) -> None:
        """Let the others run, if this greenlet has made enough calls without a wait.

        Enough are as many as a turn has callbacks, or those that last longer than a
        turn. Called before a call that may do without: what has been received can't be
        lost here.
        """
        if self._timeout == 0.0 or flags & DONT_WAIT:
            return
        hub = get_hub()
        if self._calls >= MAX_CALLBACKS or hub.loop.now() >= hub.loop.slice_end:
            self._calls = 0
            give_way(hub)

    def _read(self, call: Callable[..., Any], *args: Any, flags: int = 0) -> Any:
        """Repeat ``call(*args)`` until it works. Only EAGAIN clears the flag."""
        while True:
            direction = self._reading
            if direction is None or direction.ready or flags or self._timeout == 0.0:
                if self._calls:
                    self._give_way(flags)
                try:
                    result = call(*args)
                except BlockingIOError:
                    if self._timeout == 0.0 or flags & DONT_WAIT:
                        raise
                else:
                    self._calls += 1
                    return result
            self._wait_readable()

    def _write(self, call: Callable[..., Any], *args: Any, flags: int = 0) -> Any:
        while True:
            direction = self._writing
            if direction is None or direction.ready or flags or self._timeout == 0.0:
                if self._calls:
                    self._give_way(flags)
                try:
                    result = call(*args)
                except BlockingIOError:
                    if self._timeout == 0.0 or flags & DONT_WAIT:
                        raise
                else:
                    self._calls += 1
                    return result
            self._wait_writable(self._timeout)
