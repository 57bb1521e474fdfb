"""Reading a state from outside: during writes, after a kill, and an empty one."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from crawler.frontier.sqlite.lockfile import LOCK_NAME, LockFile, lock_holder
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Run
from crawler.inspect.status import read_status
from crawler.model.errors import StateError
from tests.helpers.frontier import FAR, found, lease_all


def test_a_crawl_is_seen_as_of_its_last_commit(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    assert read_status(tmp_path) is None
    store.set_run(Run("r", "{}", 3))
    store.add(
        [found("1"), found("2"), found("3"), found("4"), found("5", skip=FAR)], 0.0
    )
    one, two, three, _four = lease_all(store, 0.0)
    store.finish(one, "page")
    store.finish(two, "error", "reset")
    store.retry(three, 50.0)
    store.commit()
    store.add([found("6")], 0.0)
    status = read_status(tmp_path)
    store.close()
    assert status is not None
    assert status.run == Run("r", "{}", 3)
    assert (status.counts["page"], status.counts["error"], status.counts["queued"]) == (
        1,
        1,
        2,
    )
    assert (status.retries, status.next_retry) == (1, 50.0)
    assert status.reasons == {"error": {"reset": 1}, "skip": {FAR.reason: 1}}
    assert status.hosts == 1
    assert [(row.pages, row.images) for row in status.hosts_waiting] == [(1, 0)]


def test_the_process_at_work_is_named_until_it_ends(tmp_path: Path) -> None:
    assert lock_holder(tmp_path) is None
    store = SqliteStore(tmp_path)
    assert lock_holder(tmp_path) == os.getpid()
    store.close()
    assert lock_holder(tmp_path) is None
    again = SqliteStore(tmp_path)  # looking did not leave a lock behind
    again.close()


def test_what_is_no_state_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="holds no crawl"):
        read_status(tmp_path)
    (tmp_path / "frontier.sqlite3").write_bytes(
        b"not a database, but long enough to look at" * 9
    )
    with pytest.raises(StateError, match="damaged"):
        read_status(tmp_path)


def test_a_state_that_is_being_created_holds_no_crawl_yet(tmp_path: Path) -> None:
    (tmp_path / "frontier.sqlite3").touch()
    with pytest.raises(StateError, match="holds no crawl yet"):
        read_status(tmp_path)


def test_a_crawl_begins_while_a_reader_looks_at_the_lock(tmp_path: Path) -> None:
    """A reader holds the lock for some microseconds, to see whether it can."""
    with (tmp_path / LOCK_NAME).open("w") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        lock = LockFile(tmp_path, pause=lambda _: fcntl.flock(reader, fcntl.LOCK_UN))
    assert lock_holder(tmp_path) == os.getpid()
    lock.close()


def test_a_state_that_cannot_be_written_is_read(tmp_path: Path) -> None:
    """As on a file system that is mounted read-only; root may write any other."""
    store = SqliteStore(tmp_path)
    store.set_run(Run("r", "{}", 3))
    store.commit()
    store.close()
    (tmp_path / "frontier.sqlite3-wal").mkdir()  # SQLite can't create its log
    assert read_status(tmp_path) is not None
