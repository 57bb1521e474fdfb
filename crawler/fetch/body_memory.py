"""The body memory limit: how much memory all bodies in flight may take together.

`max_body` limits each body, but so many are read at once that their sum could reach
gigabytes. So a large body is read on only while all large bodies together are below the
limit. Until then the client reads nothing more of it, and TCP makes its server wait.
The body that became large first is always read on: when it is complete, it releases its
memory, so there is no deadlock. Small bodies never wait.
"""

from __future__ import annotations

from hub.lock import Condition

LARGE = 2**20
"""Size (bytes) from which on a body counts."""


class BodyMemoryLimit:
    """Limits the large bodies of one client to `limit` bytes, plus one whole body."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sizes: dict[object, int] = {}  # in the order in which they became large
        self._used = 0
        self._released = Condition()

    @property
    def used(self) -> int:
        """Memory that the large bodies take (bytes)."""
        return self._used

    def acquire(self, body: object, size: int) -> None:
        """Record that `body` has grown to `size` bytes; wait until it may grow on."""
        if size < LARGE:
            return
        self._used += size - self._sizes.get(body, 0)
        self._sizes[body] = size
        while self._used > self._limit and next(iter(self._sizes)) is not body:
            with self._released:
                self._released.wait()

    def release(self, body: object) -> None:
        """Release the memory of `body`, which is complete or given up."""
        size = self._sizes.pop(body, None)
        if size is not None:
            self._used -= size
            with self._released:
                self._released.notify_all()
