"""How fast all requests together may receive.

Theory. Each piece that has come is paid for with time: at `limit` bytes a second a
piece of n bytes takes n/limit seconds, and whoever received it waits until that time is
over before it receives again. The times of all pieces stand in one row, so that the sum
keeps the limit however many receive, and each waits its turn. A waiting receiver lets
TCP's window fill, which slows its server down. Time in which nobody received is not
saved up, for a limit is one of every second.
"""

from __future__ import annotations

from collections.abc import Callable

import hub

_PIECES_A_SECOND = 20
_SMALLEST, _LARGEST = 512, 64 * 2**10


class BandwidthLimiter:
    """Holds what is received to `limit` bytes a second. `clock`: seconds, monotonic."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._paid_until = 0.0
        self.piece = max(_SMALLEST, min(_LARGEST, limit // _PIECES_A_SECOND))
        """Bytes to receive at once: small enough that the waits are short."""

    def pay(self, size: int) -> None:
        """`size` bytes were received: wait until they may have come. Switches."""
        now = self._clock()
        self._paid_until = max(self._paid_until, now) + size / self._limit
        hub.sleep(self._paid_until - now)
