"""A copy of a shard's state: made beside the process that writes it, read, and begun.

SQLite copies the state as of one commit, over a connection of its own: with a log (WAL)
that waits for no commit, and no commit waits for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from crawler.frontier.mail import Mark
from crawler.frontier.sqlite.database import translate
from crawler.frontier.sqlite.private_folder import create_private_file

_INBOX = """
WITH RECURSIVE shards (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM shards WHERE n < ?)
INSERT OR IGNORE INTO inbox (shard, epoch, number)
SELECT n, 0, 0 FROM shards WHERE n <> ?
"""


class ShardState(Struct, frozen=True):
    """What the state of a shard tells of its last commit."""

    epoch: int
    marks: dict[int, Mark]
    """By sender: the last message that was taken."""
    positions: dict[str, Any]
    """By sink."""


def copy_state(path: Path, copy: Path) -> ShardState | None:
    """Copy a state as of its last commit, and read the copy; None without a run.

    Raises OutputError or StateError.
    """
    copy.unlink(missing_ok=True)
    create_private_file(copy)
    with _explained(path):
        with (
            closing(_opened(path, "mode=ro")) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            target.execute("PRAGMA synchronous = OFF")
            source.backup(target)
        with closing(_opened(copy, "immutable=1")) as db:
            return _read(db)


def read_state(path: Path) -> ShardState | None:
    """A state as of its last commit; None without a run.

    Raises OutputError or StateError.
    """
    with _explained(path), closing(_opened(path, "mode=ro")) as db:
        return _read(db)


def tell_all_senders(path: Path, shard: int, shards: int) -> None:
    """Let a shard tell all senders what it has, also those that it does not know.

    So they learn that it has gone back in time (`fleet/server_carrier.py`). Nothing
    else may use the file meanwhile. Raises OutputError or StateError.
    """
    with (
        _explained(path),
        closing(sqlite3.connect(path, isolation_level=None)) as db,
    ):
        db.execute(_INBOX, (shards - 1, shard))


def _opened(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, str(path)) from error


def _read(db: sqlite3.Connection) -> ShardState | None:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
    if "shard" not in tables or not db.execute("SELECT 1 FROM run").fetchone():
        return None
    (epoch,) = db.execute("SELECT epoch FROM shard").fetchone()
    inbox = db.execute("SELECT shard, epoch, number FROM inbox")
    marks = {shard: Mark(*mark) for shard, *mark in inbox}
    sinks = db.execute("SELECT name, position FROM sink")
    positions = {name: msgspec.msgpack.decode(one) for name, one in sinks}
    return ShardState(epoch, marks, positions)
