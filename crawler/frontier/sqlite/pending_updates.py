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


# What has no code has no detail. Columns that are NULL are in the statement, and not
# among its values: for each None, and for each object of the type bytes, the module
# sqlite3 looks for an adapter, which takes as long as half of the statement.
_STORED = """
UPDATE url SET state = ?, digest = ?, cached_fields = ?, code = NULL, detail = NULL
WHERE seq = ?
"""
_ENDED = "UPDATE url SET state = ?, code = ?, detail = ? WHERE seq = ?"
_RESPONSE = "UPDATE url SET digest = ?, cached_fields = ? WHERE seq = ?"
_DELETE = """
DELETE FROM queue
WHERE host_id = ? AND destination = ? AND rank = ? AND seq BETWEEN ? AND ?
"""


class PendingUpdates:
    """Writes to `url` and `queue` in the store's transaction, which must be open.

    Until `flush` the tables still say that these URLs wait; a reader flushes first.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._positions: list[QueuePosition] = []
        self._stored: list[tuple[int, bytearray, bytearray | None, int]] = []
        self._ended: list[tuple[int, str | None, str | None, int]] = []
        self._responses: list[tuple[bytearray, bytearray | None, int]] = []

    def put(
        self,
        position: QueuePosition,
        state: int,
        code: str | None,
        detail: str | None,
        stored: StoredResponse | None,
    ) -> None:
        """The URL at `position` has ended in `state`.

        Without `stored` it keeps the response that it has.
        """
        self._positions.append(position)
        seq = position.seq
        if stored is None:
            self._ended.append((state, code, detail, seq))
            return
        fields = stored.cached_fields
        response = (
            bytearray(stored.digest),
            None if fields is None else bytearray(fields),
        )
        if code is None and detail is None:  # most often
            self._stored.append((state, *response, seq))
        else:
            self._ended.append((state, code, detail, seq))
            self._responses.append((*response, seq))

    def flush(self) -> None:
        if not self._positions:
            return
        self._db.executemany(_DELETE, _runs(self._positions))
        self._db.executemany(_STORED, self._stored)
        self._db.executemany(_ENDED, self._ended)
        self._db.executemany(_RESPONSE, self._responses)
        for done in (self._positions, self._stored, self._ended, self._responses):
            done.clear()


def _runs(positions: list[QueuePosition]) -> list[tuple[int, int, int, int, int]]:
    """The positions as ranges of consecutive numbers, which one statement deletes.

    The pictures of a page have such numbers, and end together.
    """
    positions.sort()
    runs: list[tuple[int, int, int, int, int]] = []
    first = positions[0]
    before: tuple[int, ...] = first
    for position in positions:
        host_id, destination, rank, seq = position
        if (host_id, destination, rank, seq - 1) != before and before is not position:
            runs.append((*first, before[3]))
            first = position
        before = position
    runs.append((*first, before[3]))
    return runs
