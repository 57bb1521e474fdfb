"""A look at a crawl's state from outside: read only, while a crawl writes it or after
its death.

What is seen is the last commit. Leases live in the crawl's own process, so URLs that
are being fetched at this moment count as queued here.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from crawler.frontier.sqlite.database import FILE_NAME, explain, open_read_only
from crawler.frontier.store import STATES, Run, State

TOP_HOSTS = 10


class HostRow(Struct, frozen=True):
    """A host with work: URLs queued, and since or from when it may be asked (epoch
    seconds)."""

    name: str
    pages: int
    images: int
    ready_at: float


class Status(Struct, frozen=True):
    """A crawl as its state tells it."""

    run: Run
    counts: dict[State, int]
    hosts: int
    received: int
    """Body bytes, of all hosts."""
    hosts_waiting: tuple[HostRow, ...]
    """Those with the longest queues."""
    retries: int
    """URLs that failed and wait for another attempt, counted in `queued` as well."""
    next_retry: float | None
    """When the first of them is due, epoch seconds."""
    codes: dict[str, dict[str, int]]
    """`error_code` of the errors and `reason` of the skips, with their numbers, largest
    first."""
    changes: dict[str, int]
    """Of what a further crawl has fetched: new, changed, unchanged; empty in a first
    crawl."""
    pid: int | None
    """The process that is crawling now."""


def read_status(folder: Path) -> Status | None:
    """The status of the state in `folder`; None if its crawl never began. Raises
    StateError."""
    try:
        with closing(open_read_only(folder)) as db:
            db.execute("BEGIN")  # all that follows is seen at one moment
            return _read(db, holder(folder))
    except sqlite3.Error as error:
        raise explain(error, FILE_NAME) from error


def _read(db: sqlite3.Connection, pid: int | None) -> Status | None:
    row = db.execute("SELECT run_id, config, seq, before FROM run").fetchone()
    if row is None:
        return None
    counts: Counter[str] = Counter(dict(db.execute("SELECT name, n FROM count")))
    retries, next_retry = db.execute(
        "SELECT count(*), min(not_before) FROM later"
    ).fetchone()
    query = "SELECT count(*), coalesce(sum(cost_bytes), 0) FROM host"
    known, received = db.execute(query).fetchone()
    hosts = db.execute(
        "SELECT name, pages, images, ready_at FROM host WHERE pages + images > 0"
        " ORDER BY pages + images DESC LIMIT ?",
        (TOP_HOSTS,),
    )
    return Status(
        run=Run(*row),
        counts={state: counts[state] for state in STATES},
        hosts=known,
        received=received,
        hosts_waiting=tuple(HostRow(*host) for host in hosts),
        retries=retries,
        next_retry=next_retry,
        codes={"error": _codes(counts, "error"), "skip": _codes(counts, "skip")},
        changes=changes_in(counts),
        pid=pid,
    )


def changes_in(counts: Counter[str]) -> dict[str, int]:
    """The counts by state and code, of those whose code says how they have changed."""
    changes: Counter[str] = Counter()
    for name, count in counts.items():
        state, _, code = name.partition(" ")
        if code and state not in ("error", "skip"):
            changes[code] += count
    return {how: n for how, n in changes.items() if n}


def _codes(counts: Counter[str], state: State) -> dict[str, int]:
    return {
        name.removeprefix(f"{state} "): n
        for name, n in counts.most_common()
        if n and name.startswith(f"{state} ")
    }


def holder(folder: Path) -> int | None:
    """The process that holds the lock of the folder, or None."""
    try:
        fd = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(fd, 32).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else 0
    except OSError:
        return None
    finally:
        os.close(fd)
    return None
