"""Whether a call may wait in the hub, or has to block its native thread.

What `hub.patch` puts in place of the standard library asks here at each call. So native
threads without a hub (the workers of a pool, an asyncio loop) keep what they had.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from greenlet import getcurrent

from hub.current import get_hub_if_any

__all__ = ["blocking", "cooperative"]


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
