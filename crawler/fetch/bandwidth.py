"""The bandwidth limiter: how fast all requests together may receive.

Theory. At `limit` bytes per second, a piece of n bytes takes n/limit seconds. The
limiter books the pieces of all receivers one after another on one time line, and each
receiver sleeps until the end of its own booking before it receives again. So the sum
keeps to the limit, however many receive. While a receiver sleeps, TCP's window fills
and slows its server down. Idle time is not credited: the limit holds for every second.
"""

from __future__ import annotations

from collections.abc import Callable

import hub

_PIECES_PER_SECOND = 20
_MIN_PIECE, _MAX_PIECE = 512, 64 * 2**10


class BandwidthLimiter:
    """Limits receiving to `limit` bytes per second.

    `clock` returns monotonic time (seconds).
    """

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._busy_until = 0.0
        self.piece = max(_MIN_PIECE, min(_MAX_PIECE, limit // _PIECES_PER_SECOND))
        """Size of one receive (bytes), small enough to keep each wait short."""

    def acquire(self, size: int) -> None:
        """Wait until the `size` bytes just received fit the limit. Switches."""
        now = self._clock()
        self._busy_until = max(self._busy_until, now) + size / self._limit
        hub.sleep(self._busy_until - now)
