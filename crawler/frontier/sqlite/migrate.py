"""A state of an earlier format becomes one of today's, in one transaction.

Each step leads from one format to the next, so that a folder of any format from OLDEST
on ends as FORMAT. Killed in the middle, the state is as it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

from crawler.frontier.sqlite.tables import FORMAT
from crawler.model.stored_config import upgrade_from_4

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


_STEPS: dict[int, Callable[[sqlite3.Connection], None]] = {4: _from_4}
"""By the format that a step begins with."""
