"""What a crawl must not forget beside its URLs: notes, where pictures are, offsets, its
own run."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.frontier.sqlite.database import Fallible, explained, first_column
from crawler.frontier.store import Content, Run


class MetadataTables(Fallible):
    """The part of the durable store that is keys and values, in the store's
    transaction."""

    _contents: dict[str, Content]
    """What was remembered since the last commit."""

    @explained
    def get(self, kind: str, key: str) -> bytes | None:
        query = "SELECT value FROM note WHERE kind = ? AND key = ?"
        value: bytes | None = first_column(self._db.execute(query, (kind, key)), None)
        return value

    @explained
    def set(self, kind: str, key: str, value: bytes | None) -> None:
        self._begin()
        if value is None:
            self._db.execute("DELETE FROM note WHERE kind = ? AND key = ?", (kind, key))
        else:
            self._db.execute(
                "INSERT OR REPLACE INTO note VALUES (?, ?, ?)", (kind, key, value)
            )

    @explained
    def items(self, kind: str) -> Iterator[tuple[str, bytes]]:
        query = "SELECT key, value FROM note WHERE kind = ? ORDER BY key"
        return iter(self._db.execute(query, (kind,)).fetchall())

    @explained
    def content(self, sha256: str) -> Content | None:
        if (fresh := self._contents.get(sha256)) is not None:
            return fresh
        query = "SELECT path, url FROM content WHERE sha256 = ?"
        row = self._db.execute(query, (sha256,)).fetchone()
        return None if row is None else Content(*row)

    @explained
    def set_content(self, sha256: str, content: Content) -> None:
        self._begin()
        self._contents[sha256] = content

    def _write_contents(self) -> None:
        rows = [(sha256, one.path, one.url) for sha256, one in self._contents.items()]
        self._db.executemany("INSERT OR REPLACE INTO content VALUES (?, ?, ?)", rows)
        self._contents.clear()

    @explained
    def position(self, sink: str) -> int | None:
        query = "SELECT offset FROM sink WHERE name = ?"
        offset: int | None = first_column(self._db.execute(query, (sink,)), None)
        return offset

    @explained
    def set_position(self, sink: str, offset: int) -> None:
        self._begin()
        self._db.execute("INSERT OR REPLACE INTO sink VALUES (?, ?)", (sink, offset))

    @explained
    def run(self) -> Run | None:
        row = self._db.execute("SELECT run_id, config, seq, before FROM run").fetchone()
        return None if row is None else Run(*row)

    @explained
    def set_run(self, run: Run) -> None:
        self._begin()
        row = (run.run_id, run.config, run.seq, run.before)
        self._db.execute("INSERT OR REPLACE INTO run VALUES (1, ?, ?, ?, ?)", row)
