"""Whether a call may wait in the hub, or has to block its native thread; `NativeWait`.

What `hub.patch` puts in place of the standard library asks here at each call. So native
threads without a hub (the workers of a pool, an asyncio loop) keep what they had.
"""

import threading
from _thread import allocate_lock
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from greenlet import getcurrent

from hub.current import get_hub_if_any

__all__ = ["NativeWait", "blocking", "cooperative"]


class _Blocking(threading.local):
    depth = 0


_blocking = _Blocking()


def cooperative() -> bool:
    """Whether the current greenlet may wait: its thread has a hub, and it is not that.

    False within `blocking`.
    """
    hub = get_hub_if_any()
    return hub is not None and getcurrent() is not hub and not _blocking.depth


@contextmanager
def blocking() -> Iterator[None]:
    """Let nothing inside wait in the hub, so that no other greenlet runs meanwhile."""
    _blocking.depth += 1
    try:
        yield
    finally:
        _blocking.depth -= 1


class NativeWait:
    """One wait of a native thread that has no hub: it blocks until `wake_soon`."""

    __slots__ = ("_lock",)

    hub = None

    def __init__(self) -> None:
        self._lock = allocate_lock()
        self._lock.acquire()

    def wake_soon(self) -> None:
        """End the wait. From any thread."""
        self._lock.release()

    def get(self) -> None:
        """Block without limit."""
        self._lock.acquire()

    def wait(self, timeout: Any) -> bool:
        """Block for at most ``timeout`` seconds; return False if they were over.

        None means no limit.
        """
        if timeout is None:
            return self._lock.acquire()
        limit = min(max(0.0, float(timeout)), threading.TIMEOUT_MAX)
        return self._lock.acquire(timeout=limit)
