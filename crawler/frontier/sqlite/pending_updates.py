"""Changes of URLs since the last flush, which writes them in two statements."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from crawler.model.crawl import StoredResponse


class QueuePosition(NamedTuple):
    """Where the row of a leased URL stands: the key of `queue`."""

    host_id: int
    destination: int
    rank: int
    seq: int


_Row = tuple[int, str | None, str | None, bytes | None, bytes | None, bytes | None, int]
# The digest comes twice: Python 3.12 takes numbered placeholders for names, and warns.
_UPDATE = """
UPDATE url SET state = ?, code = ?, detail = ?, digest = coalesce(?, digest),
    cached_fields = iif(? IS NULL, cached_fields, ?)
WHERE seq = ?
"""
_DELETE = """
DELETE FROM queue WHERE host_id = ? AND destination = ? AND rank = ? AND seq = ?
"""


class PendingUpdates:
    """Writes to `url` and `queue` in the store's transaction, which must be open.

    Until `flush` the tables still say that these URLs wait; a reader flushes first.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._positions: list[QueuePosition] = []
        self._rows: list[_Row] = []

    def put(
        self,
        position: QueuePosition,
        state: int,
        code: str | None,
        detail: str | None,
        stored: StoredResponse | None,
    ) -> None:
        """The URL at `position` has ended in `state`."""
        digest, fields = (
            (None, None) if stored is None else (stored.digest, stored.cached_fields)
        )
        self._positions.append(position)
        self._rows.append((state, code, detail, digest, digest, fields, position.seq))

    def flush(self) -> None:
        if not self._positions:
            return
        self._db.executemany(_DELETE, self._positions)
        self._db.executemany(_UPDATE, self._rows)
        self._positions.clear()
        self._rows.clear()
