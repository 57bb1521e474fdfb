"""Which contents (pictures, saved bodies) the shards of a crawl have, all together.

A shard that meets bytes for the first time looks here whether another shard has them.
If so, its record says whose they are (`dup_of`), and names the other's file. It may
name that only once the record of the other is committed: until then the other may be
killed, and removes the file when it is opened again. So a row has the URL at once, and
the path after the commit; meanwhile another shard keeps a file of its own.

Two shards that meet the same bytes within the same moment may both keep them unsaid.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from crawler.frontier.sqlite.database import SHARED_CONTENTS, open_shared
from crawler.frontier.store import Content

NOWHERE = "images/-"
"""Stands for the path of a file that is not there yet; no crawl names one so."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS content (
    sha256 TEXT PRIMARY KEY, shard INTEGER NOT NULL, path TEXT, url TEXT
) WITHOUT ROWID;
"""
_FIND = "SELECT path, url FROM content WHERE sha256 = ? AND shard != ?"
_CLAIM = "INSERT OR IGNORE INTO content VALUES (?, ?, NULL, ?)"
_SET_URL = "UPDATE content SET url = ? WHERE sha256 = ? AND shard = ?"
_PUBLISH = "UPDATE content SET path = ? WHERE sha256 = ? AND shard = ?"


class SharedContents:
    """The index in the state of the crawl, `folder`, as shard `shard` uses it."""

    def __init__(self, folder: Path, shard: int) -> None:
        self._shard = shard
        self._db = open_shared(folder / SHARED_CONTENTS, "NORMAL", _SCHEMA)

    def find(self, sha256: str) -> Content | None:
        """The content as another shard has it. Its path may be NOWHERE."""
        row = self._db.execute(_FIND, (sha256, self._shard)).fetchone()
        return None if row is None else Content(row[0] or NOWHERE, row[1])

    def claim(self, sha256: str, url: str | None) -> None:
        """The shard has this content, of that URL, unless another one has it."""
        if not self._db.execute(_CLAIM, (sha256, self._shard, url)).rowcount:
            self._db.execute(_SET_URL, (url, sha256, self._shard))

    def publish(self, contents: Iterable[tuple[str, str]]) -> None:
        """(sha256, path) of files whose records are committed."""
        rows = [(path, sha256, self._shard) for sha256, path in contents]
        if rows:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(_PUBLISH, rows)
            self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()
