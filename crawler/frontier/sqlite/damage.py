"""What is wrong in a state that cannot be used.

SQLite checks its pages, but not what a cosmic ray, another program or a copy that was
cut has put into a column. A crawl does not look at each value it reads, which would
cost it time at every URL. When a command fails for no reason of its own, the whole
state is checked instead, and if a value is one that a crawl never writes, the failure
is the state's and is said in one sentence.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import get_args

import msgspec

from crawler.frontier.sqlite.database import DAMAGED, FILE_NAME
from crawler.frontier.sqlite.link_rows import read_links
from crawler.frontier.sqlite.seen_set import BUCKETS
from crawler.frontier.sqlite.tables import DESTINATIONS, ENDED, SCHEMA
from crawler.model.config import from_json
from crawler.model.documents import LinkKind
from crawler.model.errors import StateError, Stop, is_out_of_memory
from crawler.model.http import Hop

_TYPES = {
    "INTEGER": ("integer",),
    "REAL": ("real", "integer"),
    "TEXT": ("text",),
    "BLOB": ("blob",),
}
MAX_INTEGER = 2**60
MAX_SECONDS = 1e12
"""Seconds since the epoch, and spans; 30,000 years."""

_URLS = (
    ("url", "url"),
    ("origin", "parent_url"),
    ("origin", "seed_url"),
    ("content", "url"),
)
_CONDITIONS = (
    ("run", "run_id", "length(run_id) != 26"),  # a ULID
    ("url", "state", f"state NOT BETWEEN 0 AND {max(ENDED.values())}"),
    ("url", "destination", f"destination NOT BETWEEN 0 AND {len(DESTINATIONS) - 1}"),
    ("url", "kind", f"kind NOT IN ({', '.join(map(repr, get_args(LinkKind)))})"),
    ("url", "host_id", "host_id NOT IN (SELECT host_id FROM host)"),
    ("url", "origin_id", "origin_id NOT IN (SELECT origin_id FROM origin)"),
    *(
        (t, "seq", "seq NOT IN (SELECT seq FROM url)")
        for t in ("queue", "retry", "skip", "outlink")
    ),
    ("queue", "host_id", "host_id NOT IN (SELECT host_id FROM host)"),
    ("unmerged", "url_ids", "length(url_ids) % 8 OR NOT length(url_ids)"),
    ("unmerged", "first_seq", "first_seq NOT IN (SELECT seq FROM url)"),
    ("merged", "bucket", f"bucket NOT BETWEEN 0 AND {BUCKETS - 1}"),
    *((table, name, f"{name} NOT LIKE 'http%://_%'") for table, name in _URLS),
)
_OTHER_HOST = """
SELECT 1 FROM url JOIN host USING (host_id) WHERE instr(url, '://' || name) = 0 LIMIT 1
"""
_ANY_INTEGER = (("seen", "url_id"),)


@contextmanager
def explain_damage(folder: Path) -> Iterator[None]:
    """Raise StateError for a failure of the block if the state in `folder` is damaged.

    A Stop, an OSError and a lack of memory have their own reasons.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, Stop | OSError) or is_out_of_memory(error):
            raise
        damage = find_damage(folder)
        if damage is None and isinstance(error, msgspec.MsgspecError | sqlite3.Error):
            damage = str(error)
        if damage is None:
            raise
        raise StateError(
            f"the crawl's state ({FILE_NAME}): {damage}; {DAMAGED}"
        ) from error


def find_damage(folder: Path) -> str | None:
    """The first value, table or page of the state that no crawl has written so."""
    if not (folder / FILE_NAME).exists():
        return None
    address = f"{(folder / FILE_NAME).absolute().as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as db:
            return next(_damages(db), None)
    except sqlite3.Error as error:
        return str(error)


def _damages(db: sqlite3.Connection) -> Iterator[str]:
    checked = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if checked != "ok":
        yield str(checked)
    with closing(sqlite3.connect(":memory:")) as whole:
        whole.executescript(SCHEMA)
        tables = [
            row[0]
            for row in whole.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            )
        ]
        for table in tables:
            yield from _of_table(db, table, _columns(whole, table))
    for table, column, wrong in _CONDITIONS:
        if _has(db, table, wrong):
            yield _wrong_value(table, column)
    if db.execute(_OTHER_HOST).fetchone() is not None:
        yield _wrong_value("host", "name")
    yield from _of_encoded(db)


def _columns(db: sqlite3.Connection, table: str) -> dict[str, tuple[str, bool]]:
    """Type by name of column, and whether it may be NULL."""
    rows = db.execute(f"PRAGMA table_info({table})")
    return {name: (kind, not (full or key)) for _, name, kind, full, _, key in rows}


def _of_table(
    db: sqlite3.Connection, table: str, columns: dict[str, tuple[str, bool]]
) -> Iterator[str]:
    present = _columns(db, table)
    if not present:
        yield f"the table {table} is missing"
    for column, (kind, may_be_null) in columns.items():
        if column not in present:
            yield f"the column {table}.{column} is missing"
        types = (*_TYPES[kind], *(["null"] if may_be_null else []))
        wrong = f"typeof({column}) NOT IN ({', '.join(map(repr, types))})"
        if (table, column) not in _ANY_INTEGER and kind in ("INTEGER", "REAL"):
            most = MAX_INTEGER if kind == "INTEGER" else MAX_SECONDS
            wrong += f" OR {column} NOT BETWEEN 0 AND {most}"
        if _has(db, table, wrong):
            yield _wrong_value(table, column)


def _of_encoded(db: sqlite3.Connection) -> Iterator[str]:
    """Values in JSON and in MessagePack."""
    hops = msgspec.json.Decoder(tuple[Hop, ...]).decode
    for table, column, decode in (
        ("run", "config", lambda text: from_json(text.encode())),
        ("url", "redirects", hops),
        ("sink", "position", msgspec.msgpack.decode),
        ("url", "cached_fields", msgspec.msgpack.decode),
    ):
        query = f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL"
        try:
            for (value,) in db.execute(query):
                decode(value)
        except (msgspec.MsgspecError, StateError, UnicodeError):
            yield _wrong_value(table, column)
    try:
        for _ in read_links(db):
            pass
    except (msgspec.MsgspecError, zlib.error, ValueError, IndexError):
        yield _wrong_value("outlink", "links")


def _has(db: sqlite3.Connection, table: str, condition: str) -> bool:
    query = f"SELECT 1 FROM {table} WHERE {condition} LIMIT 1"
    return db.execute(query).fetchone() is not None


def _wrong_value(table: str, column: str) -> str:
    return f"{table}.{column} holds a value that no crawl writes"
