"""Changes of URLs that are written together, later than they are made.

`PendingUpdates` are those since the last flush, which writes each kind at once.

`PendingPositions` are those of new URLs in `queue`. The links of a page lead to a few
places of that table, a page of the file each, so a row of fourteen bytes costs eight
kB there. In a crawl with a long queue they wait, by host, until the host is leased
from, or has waited longest of all. A commit says in `unplaced` from which URL on some
may be missing; they are found again in `url`.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from crawler.frontier.sqlite.database import first_column
from crawler.frontier.sqlite.tables import QUEUED
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


_SEQ_BITS = 48
_SEQ_MASK = (1 << _SEQ_BITS) - 1
_INSERT = "INSERT INTO queue VALUES (?, ?, ?, ?)"
_UNPLACED = "SELECT first_seq FROM unplaced"
MISSING = f"""
SELECT host_id, min(destination, 1) AS destination,
    iif(destination = 0, depth, 0) AS rank, seq
FROM url WHERE seq >= (SELECT first_seq FROM unplaced) AND state = {QUEUED}
    AND seq NOT IN (SELECT seq FROM retry)
"""
"""The rows that `queue` may lack; it has some of them."""


class PendingPositions:
    """Writes new rows of `queue` in the store's transaction.

    On opening, those that were not written are: `queue` is then complete.
    """

    def __init__(
        self, db: sqlite3.Connection, max_pending: int, long_queue: int
    ) -> None:
        """`max_pending`: positions that wait in memory, about fifty bytes each.

        `long_queue`: none waits while fewer URLs are queued: all of `queue` is cached.
        """
        self._db = db
        self._max_pending = max_pending
        self._long_queue = long_queue
        # (host_id, destination) to rank and number in one integer; who has waited
        # longest is first.
        self._waiting: OrderedDict[tuple[int, int], list[int]] = OrderedDict()
        self._count = 0
        self._first = first_column(db.execute(_UNPLACED), 0)
        """What `unplaced` says; 0: no row is missing."""
        if self._first:
            db.execute(f"INSERT OR IGNORE INTO queue {MISSING}")
            self._set_first(0)

    def put(self, positions: Iterable[QueuePosition], queued: int) -> None:
        """Positions of new URLs; `queued`: how many URLs wait in the crawl."""
        if queued < self._long_queue:
            self._db.executemany(_INSERT, positions)
            return
        for host_id, destination, rank, seq in positions:
            self._waiting.setdefault((host_id, destination), []).append(
                rank << _SEQ_BITS | seq
            )
            self._count += 1

    def place(self, host_id: int, destination: int) -> None:
        """Write those of one queue, before it is read or changed."""
        waiting = self._waiting.pop((host_id, destination), None)
        if waiting is None:
            return
        self._count -= len(waiting)
        waiting.sort()
        self._db.executemany(
            _INSERT,
            [
                (host_id, destination, one >> _SEQ_BITS, one & _SEQ_MASK)
                for one in waiting
            ],
        )

    def flush(self, next_seq: int) -> None:
        """Before a commit: write what is too much, or too old; say what is missing."""
        most, first = self._max_pending, 0
        while self._waiting:
            queue, waiting = next(iter(self._waiting.items()))
            first = waiting[0] & _SEQ_MASK
            if self._count <= most and next_seq - first <= 2 * most:
                break
            self.place(*queue)
            first = 0
        self._set_first(first)

    def _set_first(self, first: int) -> None:
        if first != self._first:
            self._db.execute("DELETE FROM unplaced")
            if first:
                self._db.execute("INSERT INTO unplaced VALUES (1, ?)", (first,))
            self._first = first
