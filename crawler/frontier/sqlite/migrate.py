"""A state of an earlier format becomes one of today's, in one transaction.

Each step leads from one format to the next, so that a folder of any format from OLDEST
on ends as FORMAT. Killed in the middle, the state is as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from crawler.frontier.sqlite.incoming import decode_hops
from crawler.frontier.sqlite.requeue import recount
from crawler.frontier.sqlite.tables import (
    ENDED,
    FORMAT,
    PENDING_SKIP,
    QUEUED,
    SEEN_LOG,
    UNPLACED,
)
from crawler.model.stored_config import upgrade_from_4
from crawler.model.url import key_id, url_id

_4_TO_5 = """
ALTER TABLE url RENAME COLUMN lane TO destination;
ALTER TABLE url RENAME COLUMN due TO retry_at;
ALTER TABLE url RENAME COLUMN why TO detail;
ALTER TABLE url RENAME COLUMN answer TO cached_fields;
ALTER TABLE origin RENAME COLUMN at TO found_at;
ALTER TABLE queue RENAME COLUMN lane TO destination;
ALTER TABLE later RENAME TO retry;
ALTER TABLE retry RENAME COLUMN not_before TO retry_at;
ALTER TABLE host RENAME COLUMN trouble TO failure_code;
ALTER TABLE host RENAME COLUMN cost_pages TO used_pages;
ALTER TABLE host RENAME COLUMN cost_bytes TO used_bytes;
ALTER TABLE host RENAME COLUMN cost_seconds TO used_seconds;
ALTER TABLE host RENAME COLUMN cost_until TO used_until;
ALTER TABLE note RENAME TO metadata;
UPDATE metadata SET kind = 'added seed' WHERE kind = 'scope';
UPDATE metadata SET kind = 'poison url' WHERE kind = 'deadly';
UPDATE metadata SET kind = 'extraction' WHERE kind = 'reading';
UPDATE url SET code = 'robots_unavailable' WHERE code = 'robots_deferred';
UPDATE skip SET reason = 'robots_unavailable' WHERE reason = 'robots_deferred';
UPDATE host SET failure_code = 'robots_unavailable'
    WHERE failure_code = 'robots_deferred';
UPDATE count SET name = 'skip robots_unavailable'
    WHERE name = 'skip robots_deferred';
ALTER TABLE run RENAME COLUMN before TO previous_run_id;
ALTER TABLE sink RENAME TO old_sink;
CREATE TABLE sink (name TEXT PRIMARY KEY, position BLOB NOT NULL) WITHOUT ROWID
"""


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring a state of format `version`, from OLDEST to FORMAT, to FORMAT.

    No other process may use the state meanwhile.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, FORMAT):
            _STEPS[step](db)
        db.execute(f"PRAGMA user_version = {FORMAT}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _from_4(db: sqlite3.Connection) -> None:
    """Rename columns, values and settings, and make positions of sinks opaque."""
    for statement in _4_TO_5.split(";"):
        db.execute(statement)
    for name, offset in db.execute("SELECT name, offset FROM old_sink").fetchall():
        position = msgspec.msgpack.encode(offset)
        db.execute("INSERT INTO sink VALUES (?, ?)", (name, position))
    db.execute("DROP TABLE old_sink")
    for (config,) in db.execute("SELECT config FROM run").fetchall():
        db.execute("UPDATE run SET config = ?", (upgrade_from_4(config),))


_WITH_ESCAPES = """
SELECT seq, url, redirects FROM url
WHERE instr(url, '%') OR instr(redirects, '%')
"""
_WORTH = f"""
CASE state WHEN {QUEUED} THEN 1 WHEN {PENDING_SKIP} THEN 2 WHEN {ENDED["skip"]} THEN 3
    ELSE 0 END
"""
"""Which of several equivalent URLs is kept: the one that was fetched, if any."""


def _from_5(db: sqlite3.Connection) -> None:
    """Let equivalent URLs share a key, and keep one of them."""
    db.execute("CREATE TEMP TABLE rekeyed (seq INTEGER PRIMARY KEY, old_id, new_id)")
    for seq, url, redirects in db.execute(_WITH_ESCAPES):
        old = key_id(url)
        new = url_id(url, decode_hops(redirects) if redirects else ())
        if new != old:
            db.execute("INSERT INTO rekeyed VALUES (?, ?, ?)", (seq, old, new))
    db.execute("DELETE FROM seen WHERE url_id IN (SELECT old_id FROM rekeyed)")
    rows = db.execute(
        f"SELECT seq, new_id, {_WORTH} FROM rekeyed JOIN url USING (seq) ORDER BY 3, 1"
    ).fetchall()
    dropped = [_rekey(db, *row) for row in rows]
    lost = [(seq,) for seq in dropped if seq is not None]
    for table in ("url", "queue", "retry", "skip"):
        db.executemany(f"DELETE FROM {table} WHERE seq = ?", lost)
    if lost:
        recount(db)
    db.execute("DROP TABLE rekeyed")


def _rekey(db: sqlite3.Connection, seq: int, identity: int, worth: int) -> int | None:
    """Give a URL its new key; returns the URL that has to go, if two have it."""
    query = f"SELECT seq, {_WORTH} FROM seen JOIN url USING (seq) WHERE url_id = ?"
    holder = db.execute(query, (identity,)).fetchone()
    if holder is not None and (holder[1], holder[0]) < (worth, seq):
        return seq
    db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (identity, seq))
    return None if holder is None else int(holder[0])


def _from_6(db: sqlite3.Connection) -> None:
    """Make a place for what is known of images."""
    db.execute("ALTER TABLE url ADD COLUMN context BLOB")


def _from_7(db: sqlite3.Connection) -> None:
    """Make a place for the links of documents.

    Those of documents that were fetched before are not known, so the next crawl fetches
    them whole, instead of being told that they have not changed.
    """
    db.execute("CREATE TABLE outlink (seq INTEGER PRIMARY KEY, links BLOB NOT NULL)")
    db.execute("UPDATE url SET cached_fields = NULL WHERE destination = 0")


def _from_8(db: sqlite3.Connection) -> None:
    """Make a place for the URLs that are not merged into `seen`; all so far are."""
    for statement in SEEN_LOG.split(";"):
        db.execute(statement)


def _from_9(db: sqlite3.Connection) -> None:
    """Make a place for the number from which on `queue` may lack rows."""
    db.execute(UNPLACED)


_STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {
    4: _from_4,
    5: _from_5,
    6: _from_6,
    7: _from_7,
    8: _from_8,
    9: _from_9,
}
"""By the format that a step begins with."""
