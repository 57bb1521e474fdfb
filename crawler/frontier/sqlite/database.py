"""Opening the SQLite file, and saying in words what is wrong with it.

A file is ours if its `application_id` says so. Its `user_version` is its format: an
earlier one is migrated when the file is opened (`migrate.py`), a later one is refused.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from crawler.frontier.sqlite.lockfile import LockFile
from crawler.frontier.sqlite.private_folder import create_private_file
from crawler.frontier.sqlite.tables import FORMAT, OLDEST, SCHEMA
from crawler.model.errors import OutputError, StateError, UsageError

D = TypeVar("D", bound="Database")
P = ParamSpec("P")
R = TypeVar("R")

STATE_FOLDER = "state"
"""In a crawl's folder."""
SHARDS_FOLDER = "shards"
"""In the state of a crawl that is cut into shards: the folders of these."""
FLEET_FILE = "fleet.sqlite3"
"""There as well: what the shards have in common (`fleet_file.py`)."""
SHARED_CONTENTS = "contents.sqlite3"
"""And the contents of all shards (`shared_contents.py`)."""
FILE_NAME = "frontier.sqlite3"
FILE_NAMES = tuple(f"{FILE_NAME}{end}" for end in ("", "-wal", "-shm", "-journal"))
"""The database, and what SQLite makes beside it, of the same mode."""
APPLICATION_ID = 0x4F726277  # "Orbw"

_CACHE_KIB = 32 * 1024
_CHECKPOINT_PAGES = 4096
_BUSY_S = 10.0
_SHARED_BUSY_S = 30.0
_RETRY_S = 0.01

_FULL = "the disk is full; make room, then `orbweb resume`"
_REFUSED = "it can't be written; check its owner and mode, then `orbweb resume`"
_FAILED = "reading or writing it failed; check the disk, then `orbweb resume`"
DAMAGED = "it is damaged; restore the folder from a copy, or begin anew with --fresh"
_BUSY = "another program keeps it locked; end that, then `orbweb resume`"

# Primary result codes (https://www.sqlite.org/rescode.html), the error that each is,
# and what to do.
_EXPLANATIONS: dict[int, tuple[type[OutputError] | type[StateError], str]] = {
    sqlite3.SQLITE_FULL: (OutputError, _FULL),
    sqlite3.SQLITE_READONLY: (OutputError, _REFUSED),
    sqlite3.SQLITE_CANTOPEN: (OutputError, _REFUSED),
    sqlite3.SQLITE_PERM: (OutputError, _REFUSED),
    sqlite3.SQLITE_IOERR: (OutputError, _FAILED),
    sqlite3.SQLITE_CORRUPT: (StateError, DAMAGED),
    sqlite3.SQLITE_NOTADB: (StateError, DAMAGED),
    sqlite3.SQLITE_BUSY: (StateError, _BUSY),
    sqlite3.SQLITE_LOCKED: (StateError, _BUSY),
}

# Where SQLite cannot allocate or map memory; of plain NOMEM Python makes MemoryError.
_NO_MEMORY = (sqlite3.SQLITE_IOERR_NOMEM, sqlite3.SQLITE_IOERR_SHMMAP)


def translate(error: sqlite3.Error, where: str) -> Exception:
    """The OutputError, StateError or MemoryError that `error` is.

    Returns `error` itself if it can only be a defect of this program.
    """
    code = getattr(error, "sqlite_errorcode", None)
    if code in _NO_MEMORY:
        return MemoryError(f"the crawl's state ({where}): {error}")
    if code is None or code & 0xFF not in _EXPLANATIONS:
        return error
    kind, advice = _EXPLANATIONS[code & 0xFF]
    return kind(f"the crawl's state ({where}): {error}; {advice}")


def holds_crawl(folder: Path | str) -> bool:
    """Whether there is the state of a crawl, or of an extraction, in `folder`."""
    return (Path(folder) / STATE_FOLDER / FILE_NAME).exists() or has_fleet(folder)


def no_crawl(folder: Path | str) -> UsageError:
    """What is said of a folder that holds none, also if it has an empty state/."""
    text = f"{folder} holds no crawl; start one with `orbweb crawl URL`"
    if (Path(folder) / STATE_FOLDER).is_dir() and not holds_crawl(folder):
        text += f" (its folder {STATE_FOLDER} has no {FILE_NAME})"
    return UsageError(text)


def has_fleet(folder: Path | str) -> bool:
    """Whether the crawl in `folder` is cut into shards."""
    return (Path(folder) / STATE_FOLDER / FLEET_FILE).is_file()


def shard_folder(folder: Path | str, shard: int) -> Path:
    """The folder of one shard of the crawl in `folder`, which is one of a crawl."""
    return Path(folder) / STATE_FOLDER / SHARDS_FOLDER / f"{shard:03}"


class Database:
    """A connection with a transaction, for methods that `translate_sqlite_errors`."""

    _db: sqlite3.Connection
    failure: BaseException | None = None
    """The first error, of any kind; after it nothing may be committed.

    It may have stopped a method between two of its changes, or SQLite may have rolled
    the transaction back, which counters and caches in memory do not know.
    """

    def _begin(self) -> None:
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")


def first_column(cursor: sqlite3.Cursor, otherwise: Any) -> Any:
    """The first column of the first row; `otherwise` if that is missing or NULL."""
    row = cursor.fetchone()
    return otherwise if row is None or row[0] is None else row[0]


def translate_sqlite_errors(
    method: Callable[Concatenate[D, P], R],
) -> Callable[Concatenate[D, P], R]:
    """Let errors of SQLite leave the method as OutputError or StateError.

    Once the method has raised any error, every further call raises that one again.
    """

    @wraps(method)
    def call(self: D, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if self.failure is not None:
            raise self.failure
        try:
            return method(self, *args, **kwargs)
        except sqlite3.Error as error:
            self.failure = translate(error, FILE_NAME)
            raise self.failure from error
        except BaseException as error:
            self.failure = error
            raise

    return call


def open_database(folder: Path) -> sqlite3.Connection:
    """The database of `folder`, which is locked by the caller.

    It is created if it is missing, migrated if it is of an earlier format, and ready
    for use by one thread at a time. Raises StateError if it is of a format that cannot
    be read, of another program or damaged; OutputError if the folder cannot be written.
    """
    path = folder / FILE_NAME
    create_private_file(path)
    return _open(path, path.absolute().as_uri(), _prepare)


def open_read_only(folder: Path) -> sqlite3.Connection:
    """The database of `folder` as of its last commit, also while a crawl writes it.

    One of an earlier format is migrated first, which needs the folder's lock. One that
    can't be written, as on a read-only file system, has no log if no crawl is at work;
    SQLite opens it then only as a file that never changes.
    """
    path = folder / FILE_NAME
    if not path.is_file():  # a FIFO would be waited for
        raise StateError(f"{folder} holds no crawl: there is no {FILE_NAME} in it")
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        db = _open(path, address, _check)
    except OutputError:
        log = path.with_name(f"{FILE_NAME}-wal")
        if log.is_file() and log.stat().st_size:
            raise
        return _open(path, f"{address}&immutable=1", _check)
    if _version(db) == FORMAT:
        return db
    db.close()
    with closing(LockFile(folder)):
        open_database(folder).close()
    return _open(path, address, _check)


def open_shared(path: Path, synchronous: str, schema: str) -> sqlite3.Connection:
    """A database that several processes may open, and so create, at the same moment.

    Each statement waits for the others; `schema` must change nothing that is there.
    Raises OutputError or StateError.
    """
    create_private_file(path)
    with ExitStack() as undo:
        try:
            db = sqlite3.connect(path, timeout=_SHARED_BUSY_S, isolation_level=None)
            undo.callback(db.close)
            _use_log(db)
            db.execute(f"PRAGMA synchronous = {synchronous}")
            db.executescript(schema)
        except sqlite3.Error as error:
            raise translate(error, str(path)) from error
        undo.pop_all()
        return db


def _use_log(db: sqlite3.Connection) -> None:
    """Set the journal mode WAL.

    SQLite reads the file before it asks for the lock to write, and does not wait for
    that while another connection has it, since the two might wait for each other
    (https://www.sqlite.org/c3ref/busy_handler.html). So we begin again.
    """
    end = time.monotonic() + _SHARED_BUSY_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > end:
                raise
            time.sleep(_RETRY_S)
        else:
            return


def sync_commits(folder: Path) -> None:
    """Make what the store in `folder` has committed durable: nothing waits in the log.

    Raises OutputError. Closing the log of a database releases none of its locks, which
    closing the database itself would.
    """
    for path in (folder / f"{FILE_NAME}-wal", folder):
        try:
            fd = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # without a log, each commit is durable
        try:
            os.fsync(fd)
        except OSError as error:
            raise OutputError(f"{path}: {error.strerror}") from error
        finally:
            os.close(fd)


def _open(
    path: Path, address: str, prepare: Callable[[sqlite3.Connection, Path], None]
) -> sqlite3.Connection:
    with ExitStack() as undo:
        try:
            db = sqlite3.connect(
                address,
                timeout=_BUSY_S,
                isolation_level=None,
                check_same_thread=False,
                uri=True,
            )
            undo.callback(db.close)
            prepare(db, path)
        except sqlite3.Error as error:
            raise translate(error, str(path)) from error
        undo.pop_all()
        return db


def _prepare(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA synchronous = NORMAL")
    if _is_empty(db):
        _use_log(db)
        _create(db)
    _check(db, path)
    if (version := _version(db)) != FORMAT:
        from crawler.frontier.sqlite.migrate import migrate

        migrate(db, version)
    db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")


def _is_empty(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT 1 FROM sqlite_master").fetchone() is None


def _create(db: sqlite3.Connection) -> None:
    """Create all tables in one transaction.

    A crash leaves an empty file or a complete one.
    """
    db.executescript(
        f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA application_id = {APPLICATION_ID};"
        f"PRAGMA user_version = {FORMAT}; COMMIT;"
    )


def _check(db: sqlite3.Connection, path: Path) -> None:
    """Raise StateError unless the file is ours and of a format that can be read."""
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        if _is_empty(db):  # another process is about to create the tables, or died
            raise StateError(f"{path.parent} holds no crawl yet: {path.name} is empty")
        raise StateError(
            f"{path} was not made by orbweb; name another folder with --dir"
        )
    version = _version(db)
    if version > FORMAT:
        raise StateError(
            f"{path} has state format {version}, and this orbweb reads formats up to "
            f"{FORMAT}: use the later orbweb, or begin anew with --fresh"
        )
    if version < OLDEST:
        raise StateError(
            f"{path} has state format {version}, and this orbweb reads formats from "
            f"{OLDEST} on: go on with the orbweb that began this crawl, or begin anew "
            "with --fresh"
        )


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version
