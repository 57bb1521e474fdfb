"""The `KeyValue` and the `Ledger` of the durable store, in the store's transaction."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from crawler.frontier.sqlite.database import (
    Database,
    first_column,
    translate_sqlite_errors,
)
from crawler.frontier.store import Content, Run, State

RUN = "SELECT run_id, config, seq, previous_run_id FROM run"
_FILTER_BYTES = 1 << 20
"""The size of the filter (bytes)."""
_FIND = "SELECT path, url FROM content WHERE sha256 = ?"
_PUT = "INSERT OR REPLACE INTO content VALUES (?, ?, ?)"


class ContentRows:
    """Reads and writes the table `content`: files on disk by the hash of their bytes.

    It does so within the open transaction of the store. What is put is gathered, and
    written at a commit. A filter in memory, by the lowest bits of Python's hash of the
    key, says which contents the table may have: most pictures are new, and need not be
    looked for there. A state that was opened again has no filter.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.pending: dict[str, Content] = {}
        """Those that were set since the last commit."""
        is_empty = db.execute("SELECT 1 FROM content").fetchone() is None
        self._filter = bytearray(_FILTER_BYTES) if is_empty else None

    def find(self, sha256: str) -> Content | None:
        if (fresh := self.pending.get(sha256)) is not None:
            return fresh
        if self._filter is not None and not self._filter[hash(sha256) % _FILTER_BYTES]:
            return None
        row = self._db.execute(_FIND, (sha256,)).fetchone()
        return None if row is None else Content(*row)

    def put(self, sha256: str, content: Content) -> None:
        self.pending[sha256] = content
        if self._filter is not None:
            self._filter[hash(sha256) % _FILTER_BYTES] = 1

    def flush(self) -> None:
        """Write what was put."""
        rows = [(sha256, one.path, one.url) for sha256, one in self.pending.items()]
        self._db.executemany(_PUT, rows)
        self.pending.clear()


class SqliteLedger(Database):
    """The tables of keys and values."""

    _contents: ContentRows

    @translate_sqlite_errors
    def get(self, kind: str, key: str) -> bytes | None:
        query = "SELECT value FROM metadata WHERE kind = ? AND key = ?"
        value: bytes | None = first_column(self._db.execute(query, (kind, key)), None)
        return value

    @translate_sqlite_errors
    def set(self, kind: str, key: str, value: bytes | None) -> None:
        self._begin()
        if value is None:
            query = "DELETE FROM metadata WHERE kind = ? AND key = ?"
            self._db.execute(query, (kind, key))
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO metadata VALUES (?, ?, ?)", (kind, key, value)
            )

    @translate_sqlite_errors
    def items(self, kind: str) -> Iterator[tuple[str, bytes]]:
        query = "SELECT key, value FROM metadata WHERE kind = ? ORDER BY key"
        return iter(self._db.execute(query, (kind,)).fetchall())

    @translate_sqlite_errors
    def content(self, sha256: str) -> Content | None:
        return self._contents.find(sha256)

    @translate_sqlite_errors
    def set_content(self, sha256: str, content: Content) -> None:
        self._begin()
        self._contents.put(sha256, content)

    @translate_sqlite_errors
    def position(self, sink: str) -> Any:
        query = "SELECT position FROM sink WHERE name = ?"
        position: bytes | None = first_column(self._db.execute(query, (sink,)), None)
        return None if position is None else msgspec.msgpack.decode(position)

    @translate_sqlite_errors
    def set_position(self, sink: str, position: Any) -> None:
        self._begin()
        row = (sink, msgspec.msgpack.encode(position))
        self._db.execute("INSERT OR REPLACE INTO sink VALUES (?, ?)", row)

    @translate_sqlite_errors
    def run(self) -> Run | None:
        row = self._db.execute(RUN).fetchone()
        return None if row is None else Run(*row)

    @translate_sqlite_errors
    def set_run(self, run: Run) -> None:
        self._begin()
        row = (run.run_id, run.config, run.seq, run.previous_run_id)
        self._db.execute("INSERT OR REPLACE INTO run VALUES (1, ?, ?, ?, ?)", row)


def changes_in(counts: Counter[str]) -> dict[str, int]:
    """The counts, by state and code, of the codes that tell how URLs have changed."""
    changes: Counter[str] = Counter()
    for name, count in counts.items():
        state, _, code = name.partition(" ")
        if code and state not in ("error", "skip"):
            changes[code] += count
    return {how: n for how, n in changes.items() if n}


def codes_in(counts: Counter[str], state: State) -> dict[str, int]:
    """Those of the codes with which URLs ended in one state, the largest first."""
    return {
        name.removeprefix(f"{state} "): n
        for name, n in counts.most_common()
        if n and name.startswith(f"{state} ")
    }
