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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

from crawler.fleet.snapshots import Snapshot, SnapshotStore
from crawler.frontier.sqlite.database import FILE_NAME, shard_folder
from crawler.frontier.sqlite.private_folder import (
    create_private_file,
    open_private_folder,
)
from crawler.frontier.sqlite.shard_copy import tell_all_senders
from crawler.model.errors import StateError
from crawler.output.compression import damage, open_unpacked
from crawler.output.sink import refused
from crawler.workspace.paths import state_folder

_NEW = "restored"
_DOWNLOADS = 8
"""Pictures that are fetched at once."""


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
    tell_all_senders(new, snapshot.shard, snapshot.shards)
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
