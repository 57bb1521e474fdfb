"""What the parts of the durable store share: memory, and common tables.

The store is one class in several files, one for each protocol, since all of them work
in one transaction and on the same few caches.
"""

from __future__ import annotations

from collections import Counter
from math import inf
from pathlib import Path

from crawler.frontier.sqlite.database import (
    Database,
    first_column,
    translate_sqlite_errors,
)
from crawler.frontier.sqlite.host_rows import HostRows
from crawler.frontier.sqlite.ledger import ContentRows
from crawler.frontier.sqlite.link_rows import LinkRows
from crawler.frontier.sqlite.lockfile import LockFile
from crawler.frontier.sqlite.pending_updates import (
    PendingPositions,
    PendingUpdates,
    QueuePosition,
)
from crawler.frontier.sqlite.seen_set import SeenCache, SeenSet
from crawler.frontier.sqlite.tables import DESTINATIONS
from crawler.model.crawl import Destination

_DUE = """
SELECT retry.retry_at, seq, host_id, destination, depth FROM retry JOIN url USING (seq)
WHERE retry.retry_at <= ?
"""


class StorePart(Database):
    """The memory of a store, and what changes `queue`, `retry` and `count`."""

    def __init__(self, folder: Path, max_unmerged: int) -> None:
        """Lock `folder` and open its database: `store.py`."""
        self._max_unmerged = max_unmerged
        self._lock = LockFile(folder)
        self._leased: dict[int, QueuePosition] = {}
        self._leased_seqs: dict[tuple[int, int], set[int]] = {}
        self._changed: set[str] = set()

    @translate_sqlite_errors
    def _load(self) -> None:
        """Read what is kept in memory from the tables."""
        db = self._db
        self._begin()
        self._recent = SeenCache()
        self._hosts = HostRows(db)
        self._contents = ContentRows(db)
        self._updates = PendingUpdates(db)
        self._positions = PendingPositions(
            db, self._max_unmerged // 4, self._max_unmerged // 2
        )
        self._seen = SeenSet(db, self._max_unmerged)
        self._links = LinkRows(db, self._seen)
        self._next_seq = first_column(db.execute("SELECT max(seq) + 1 FROM url"), 1)
        self._next_retry = self._first_retry()
        counts = db.execute("SELECT name, n FROM count")
        self._counts: Counter[str] = Counter(dict(counts))

    def _enqueue(self, position: QueuePosition, now: float) -> None:
        self._db.execute("INSERT INTO queue VALUES (?, ?, ?, ?)", position)
        self._hosts.count(position.host_id, position.destination, 1, now)

    def _promote(self, now: float) -> None:
        """Put the retries that are due back into their hosts' queues."""
        if now < self._next_retry:
            return
        self._begin()
        due = self._db.execute(_DUE, (now,)).fetchall()
        for retry_at, seq, host_id, destination, depth in due:
            rank = rank_of(DESTINATIONS[destination], depth)
            self._enqueue(QueuePosition(host_id, *rank, seq), retry_at)
        self._db.execute("DELETE FROM retry WHERE retry_at <= ?", (now,))
        self._next_retry = self._first_retry()

    def _first_retry(self) -> float:
        query = "SELECT min(retry_at) FROM retry"
        moment: float = first_column(self._db.execute(query), inf)
        return moment

    def _tally(self, name: str, change: int) -> None:
        """Count a state, or "STATE CODE" for the codes of errors and skips."""
        if change:
            self._counts[name] += change
            self._changed.add(name)

    def _seqs(self, host_id: int, destination: int) -> set[int]:
        """The numbers of the leased URLs of one queue."""
        return self._leased_seqs.get((host_id, destination)) or set()


def rank_of(destination: Destination, depth: int) -> tuple[int, int]:
    """The queue as a number, and the rank in it.

    Pages go by depth and then by discovery, images and style sheets by discovery alone.
    """
    return (0, depth) if destination == "page" else (1, 0)
