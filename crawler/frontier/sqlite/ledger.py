"""The `KeyValue` and the `Ledger` of the durable store, in the store's transaction."""

from __future__ import annotations

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


class SqliteLedger(Database):
    """The tables of keys and values."""

    _contents: dict[str, Content]
    """Those that were set since the last commit."""

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
        if (fresh := self._contents.get(sha256)) is not None:
            return fresh
        query = "SELECT path, url FROM content WHERE sha256 = ?"
        row = self._db.execute(query, (sha256,)).fetchone()
        return None if row is None else Content(*row)

    @translate_sqlite_errors
    def set_content(self, sha256: str, content: Content) -> None:
        self._begin()
        self._contents[sha256] = content

    def _write_contents(self) -> None:
        rows = [(sha256, one.path, one.url) for sha256, one in self._contents.items()]
        self._db.executemany("INSERT OR REPLACE INTO content VALUES (?, ?, ?)", rows)
        self._contents.clear()

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
