"""How much the bodies that are under way may hold together.

`max_body` bounds each, and so many are read at once that their sum would be gigabytes.
So a body that has grown large goes on only while all large ones together have room;
until then nothing more is read of it, and TCP makes its server wait. The one that has
been large for the longest always goes on: it will end, and then there is room. Small
bodies never wait for anybody.
"""

from __future__ import annotations

from hub.lock import Condition

LARGE = 2**20
"""Bytes, from which on a body counts."""


class BodyMemory:
    """Holds the large bodies of one client to `limit` bytes in all, and one body
    more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sizes: dict[object, int] = {}  # the one that came first is first
        self._taken = 0
        self._left = Condition()

    @property
    def taken(self) -> int:
        """Bytes that the large bodies hold."""
        return self._taken

    def take(self, body: object, size: int) -> None:
        """`body` has grown to `size` bytes: note it, and wait until it may grow
        further."""
        if size < LARGE:
            return
        self._taken += size - self._sizes.get(body, 0)
        self._sizes[body] = size
        while self._taken > self._limit and next(iter(self._sizes)) is not body:
            with self._left:
                self._left.wait()

    def leave(self, body: object) -> None:
        """The body is whole, or given up."""
        size = self._sizes.pop(body, None)
        if size is not None:
            self._taken -= size
            with self._left:
                self._left.notify_all()
