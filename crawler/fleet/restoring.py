"""Puts the newest snapshot of a shard into the folder of a machine that has taken it.

The state comes last, and whole: a shard has one when all its files are there. So a
machine that is killed meanwhile begins with that again. What is missing or cut off all
the same is found when the shard is opened, as after a power cut
(`workspace/recovery.py`), and fetched again.

Nothing here switches: it runs in a thread of the parent.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path, PurePath

from crawler.fleet.snapshots import Snapshot, SnapshotStore
from crawler.frontier.sqlite.database import FILE_NAME, shard_folder, translate
from crawler.frontier.sqlite.private_folder import (
    create_private_file,
    open_private_folder,
)
from crawler.model.errors import StateError
from crawler.output.compression import damage, open_unpacked
from crawler.output.sink import refused
from crawler.workspace.paths import state_folder

_NEW = "restored"
_DOWNLOADS = 8
"""Pictures that are fetched at once."""
_INBOX = """
WITH RECURSIVE shards (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM shards WHERE n < ?)
INSERT OR IGNORE INTO inbox (shard, epoch, number)
SELECT n, 0, 0 FROM shards WHERE n <> ?
"""


def restore(store: SnapshotStore, folder: Path, shard: int) -> Snapshot | None:
    """Put the newest snapshot of a shard into the crawl's `folder`, which lacks it.

    None if there is no snapshot: the shard has never begun. Raises StorageError,
    OutputError, and StateError for a snapshot that can't be used.
    """
    snapshot = store.newest(shard)
    if snapshot is None:
        return None
    try:
        for stream in snapshot.streams:
            store.fetch_stream(stream, _place(folder, stream.path))
        _restore_files(store, folder, shard)
        _restore_state(store, snapshot, state_folder(shard_folder(folder, shard)))
    except OSError as error:
        raise refused(error, error.filename or folder) from error
    return snapshot


def tell_all_senders(db: sqlite3.Connection, shard: int, shards: int) -> None:
    """Let a shard tell all senders what it has, also those that it does not know.

    So they learn that it has gone back in time (`server_carrier.py`).
    """
    db.execute(_INBOX, (shards - 1, shard))


def _restore_files(store: SnapshotStore, folder: Path, shard: int) -> None:
    def fetch(found: tuple[str, str]) -> None:
        key, path = found
        store.fetch(key, _place(folder, path))

    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        for _ in pool.map(fetch, store.files(shard)):
            pass


def _restore_state(store: SnapshotStore, snapshot: Snapshot, state: Path) -> None:
    open_private_folder(state, ())
    packed, new = state / f"{_NEW}.zst", state / _NEW
    for file in (packed, new):
        create_private_file(file)
    store.fetch(snapshot.state, packed)
    damages: tuple[type[Exception], ...] = (EOFError, *damage(".zst"))
    try:
        with open_unpacked(packed, ".zst") as source, new.open("wb") as out:
            shutil.copyfileobj(source, out)
    except damages as error:
        raise StateError(f"{store.where}/{snapshot.state} is damaged") from error
    packed.unlink()
    try:
        with closing(sqlite3.connect(new, isolation_level=None)) as db:
            tell_all_senders(db, snapshot.shard, snapshot.shards)
    except sqlite3.Error as error:
        raise translate(error, str(new)) from error
    with new.open("rb") as written:
        os.fsync(written.fileno())
    os.replace(new, state / FILE_NAME)


def _place(folder: Path, path: str) -> Path:
    """The file at a path of a snapshot, whose folder is made."""
    if ".." in PurePath(path).parts:
        raise StateError(f"the snapshot names a file outside of the folder: {path}")
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    return file
