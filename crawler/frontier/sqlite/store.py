"""The durable store: one SQLite file in the crawl's folder.

The tables and their reasons are in `tables.py`.

WAL with `synchronous=NORMAL`: a commit is a write to the log and no fsync, so that it
survives the death of the process, though the last ones may be lost with the machine's
power; the file stays consistent in either case. Readers (`orbweb status`) see the last
commit while the crawl runs.

A transaction is open from the first change to `commit`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.frontier.sqlite.database import (
    FILE_NAMES,
    open_database,
    translate_sqlite_errors,
)
from crawler.frontier.sqlite.host_table import SqliteHostTable
from crawler.frontier.sqlite.incoming import IncomingUrls
from crawler.frontier.sqlite.leases import Leases
from crawler.frontier.sqlite.ledger import SqliteLedger, changes_in, codes_in
from crawler.frontier.sqlite.lockfile import LOCK_NAME
from crawler.frontier.sqlite.private_folder import open_private_folder
from crawler.frontier.sqlite.seen_set import MAX_UNMERGED
from crawler.frontier.store import Ended

if TYPE_CHECKING:
    from crawler.frontier.sqlite.requeue import Again, Check


class SqliteStore(IncomingUrls, Leases, SqliteHostTable, SqliteLedger):
    """A `Store` in `folder`, which is created if need be.

    `more_files` are the names of other files of the folder, which become private too.
    `max_unmerged`: how many new URLs wait in memory to be merged (`seen_set.py`), and
    four times as many as there are positions that wait (`pending_updates.py`).
    Opening it takes back all leases. Raises StateError if another process has it open,
    or if it is of a format that cannot be read or damaged; OutputError if it cannot be
    written.
    """

    def __init__(
        self,
        folder: Path,
        more_files: tuple[str, ...] = (),
        max_unmerged: int = MAX_UNMERGED,
    ) -> None:
        open_private_folder(folder, (*FILE_NAMES, LOCK_NAME, *more_files))
        super().__init__(folder, max_unmerged)
        with ExitStack() as undo:
            undo.callback(self._lock.close)
            self._db = open_database(folder)
            undo.callback(self._close_database)
            self._load()
            undo.pop_all()

    @translate_sqlite_errors
    def requeue_failed(
        self, reasons: tuple[str, ...], hosts: tuple[str, ...], now: float
    ) -> int:
        """Queue failed URLs again, as if they had never been fetched; returns how many.

        Those with one of these `error_code`s (or `reason`s of skips), of these hosts;
        with no code named, all errors. Their hosts are no longer parked or given up.
        Reads all URLs. Just after opening, as `requeue_all`.
        """
        from crawler.frontier.sqlite import requeue

        self._begin()
        count = requeue.requeue_failed(self._db, reasons, hosts, now)
        self._load()
        return count

    @translate_sqlite_errors
    def requeue_unwritten(
        self, written: Iterable[tuple[int, Ended]], now: float
    ) -> int:
        """Queue the URLs again that have ended, but not in a record of `written`.

        `written` gives (url_id, type). Returns how many they are. Reads all URLs. Just
        after opening, as `requeue_all`.
        """
        from crawler.frontier.sqlite import requeue

        self._begin()
        count = requeue.requeue_unwritten(self._db, self._seen, written, now)
        self._load()
        return count

    @translate_sqlite_errors
    def requeue_all(
        self, now: float, check: Check | None, *, keep_cached_fields: bool
    ) -> None:
        """Queue every URL again for a recrawl (`requeue.py`), just after opening."""
        from crawler.frontier.sqlite import requeue

        self._begin()
        requeue.requeue_all(self._db, now, check, keep_cached_fields=keep_cached_fields)
        self._load()

    @translate_sqlite_errors
    def check_refused(
        self, now: float, check: Check, again: Again, *, queued: bool
    ) -> None:
        """Decide anew about URLs that were refused (`requeue.py`). After opening."""
        from crawler.frontier.sqlite import requeue

        self._begin()
        requeue.check_refused(self._db, now, check, again, queued=queued)
        self._load()

    @translate_sqlite_errors
    def forget_responses(self) -> None:
        """Make no request conditional on a response that was stored so far."""
        from crawler.frontier.sqlite import requeue

        self._begin()
        requeue.forget_responses(self._db)

    def changes(self) -> dict[str, int]:
        return changes_in(self._counts)

    def codes(self) -> dict[str, int]:
        return {
            **codes_in(self._counts, "error"),
            **codes_in(self._counts, "skip"),
        }

    @translate_sqlite_errors
    def commit(self) -> None:
        if not self._db.in_transaction:
            return
        self._updates.flush()
        self._links.flush()
        self._seen.flush()
        self._positions.flush(self._next_seq)
        self._contents.flush()
        self._hosts.flush()
        rows = [(name, self._counts[name]) for name in self._changed]
        self._db.executemany("INSERT OR REPLACE INTO count VALUES (?, ?)", rows)
        self._changed.clear()
        self._db.execute("COMMIT")

    def close(self) -> None:
        """Roll back what was not committed, and release the state."""
        try:
            self._close_database()
        finally:
            self._lock.close()

    def _close_database(self) -> None:
        # A cursor in the traceback of an error would keep a closed connection, and its
        # transaction, alive.
        with suppress(sqlite3.Error):
            self._db.rollback()
        self._db.close()
