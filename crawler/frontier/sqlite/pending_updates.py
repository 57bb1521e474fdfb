"""What ended since the last look: gathered, and written in two statements for all of
it."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from crawler.model.crawl import StoredResponse


class Place(NamedTuple):
    """Where the row of a leased URL stands: the key of `queue`."""

    host_id: int
    lane: int
    rank: int
    seq: int


_Row = tuple[int, str | None, str | None, bytes | None, bytes | None, bytes | None, int]
# The digest comes twice: Python 3.12 takes numbered placeholders for names, and warns.
_END = """
UPDATE url SET state = ?, code = ?, why = ?, digest = coalesce(?, digest),
    answer = iif(? IS NULL, answer, ?)
WHERE seq = ?
"""


class Endings:
    """Speaks with `url` and `queue` inside the store's transaction, which must be open.

    Until `flush` the tables still say that these URLs wait: whoever reads there flushes
    first.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._places: list[Place] = []
        self._states: list[_Row] = []

    def put(
        self,
        place: Place,
        state: int,
        code: str | None,
        detail: str | None,
        stored: StoredResponse | None,
    ) -> None:
        digest, answer = (
            (None, None) if stored is None else (stored.digest, stored.cached_fields)
        )
        self._places.append(place)
        self._states.append((state, code, detail, digest, digest, answer, place.seq))

    def flush(self) -> None:
        if not self._places:
            return
        self._db.executemany(
            "DELETE FROM queue WHERE host_id = ? AND lane = ? AND rank = ? AND seq = ?",
            self._places,
        )
        self._db.executemany(_END, self._states)
        self._places.clear()
        self._states.clear()
