"""Queueing URLs again: all for a recrawl, those that failed, those without a record.

Each is one transaction, which the caller commits: killed before that, the state is what
it was. The functions use the tables of a store that was just opened; the store reads
what it has in memory anew after them.

For another crawl every URL that was ever to be fetched is queued, as if found a moment
ago. So the links of a page that has not changed need not be stored anywhere, for the
URLs they lead to are here. Decisions that were made where a URL was found stay
decisions: no later look at the URL itself could make them, and a find without them
overturns them as ever. `digest` and `cached_fields` of a URL stay: the new crawl
compares with the one, and makes conditional requests with the other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from crawler.frontier.sqlite.seen_set import SeenSet
from crawler.frontier.sqlite.tables import DESTINATIONS, ENDED, PENDING_SKIP, QUEUED
from crawler.frontier.store import Ended
from crawler.model.crawl import Destination, Skip
from crawler.model.documents import LinkKind
from crawler.model.metadata import PER_CRAWL

Check = Callable[[str, LinkKind, Destination, int], Skip | None]
"""(url, kind, destination, depth) -> why the scope refuses it, if it does."""

SCOPED = ("scope", "depth", "scheme")
"""Reasons that today's scope decides about again."""
DECIDED_ON_DISCOVERY = (*SCOPED, "nofollow")
"""Reasons that were found on discovery.

"noai" is one of them for an image; for a page its response gave the reason.
"""

Again = Callable[[str, str], bool]
"""(reason of a skip or error_code, rule or message) -> whether it is checked anew."""

_BATCH = 10_000

_FORGIVE = """failures = 0, parkings = 0, failure_code = '', parked = 0"""

_REQUEUE_ALL = f"""
DELETE FROM queue;
DELETE FROM retry;
INSERT INTO skip SELECT seq, code, detail FROM url
    WHERE state = {ENDED["skip"]} AND (
        code IN ({", ".join(map(repr, DECIDED_ON_DISCOVERY))})
        OR (code = 'noai' AND destination > 0));
UPDATE url SET state = {PENDING_SKIP}, code = NULL, detail = NULL
    WHERE seq IN (SELECT seq FROM skip);
UPDATE url SET
    state = {QUEUED}, code = NULL, detail = NULL, attempts = 0, retry_at = :now
    WHERE state != {PENDING_SKIP};
UPDATE host SET {_FORGIVE}, ready_at = :now WHERE failures > 0 OR parked = 1;
UPDATE host SET used_pages = 0, used_bytes = 0, used_seconds = 0, used_until = 0;
"""

_ENQUEUE = """
INSERT INTO queue SELECT host_id, min(destination, 1),
        iif(destination = 0, depth, 0), seq
    FROM url WHERE"""

_NAME = (
    f"CASE state WHEN {QUEUED} THEN 'queued' WHEN {PENDING_SKIP} THEN 'skip' "
    + " ".join(f"WHEN {number} THEN '{ended}'" for ended, number in ENDED.items())
    + " END"
)
"""The name in `count` of a URL's state."""

_COUNT = f"""
UPDATE host SET pages = 0, images = 0, claimed = 0;
UPDATE host SET pages = n FROM (
    SELECT host_id AS h, count(*) AS n FROM queue WHERE destination = 0 GROUP BY 1
) WHERE host_id = h;
UPDATE host SET images = n FROM (
    SELECT host_id AS h, count(*) AS n FROM queue WHERE destination = 1 GROUP BY 1
) WHERE host_id = h;
DELETE FROM count;
INSERT INTO count SELECT {_NAME}, count(*) FROM url GROUP BY 1;
INSERT INTO count SELECT {_NAME} || ' ' || coalesce(reason, code), count(*) FROM url
    LEFT JOIN skip USING (seq)
    WHERE state != {QUEUED} AND coalesce(reason, code) IS NOT NULL GROUP BY 1;
"""

_FAILED = f"""
SELECT seq, host_id FROM url JOIN host USING (host_id) LEFT JOIN skip USING (seq)
WHERE state IN ({ENDED["error"]}, {ENDED["skip"]}, {PENDING_SKIP})
"""

_UNWRITTEN = f"""
SELECT seq, host_id FROM url
WHERE state NOT IN ({QUEUED}, {PENDING_SKIP}, {ENDED["skip"]}) AND seq NOT IN (
    SELECT seq FROM written JOIN url USING (seq)
    WHERE url.state = written.state
)
"""


def requeue_all(
    db: sqlite3.Connection, now: float, check: Check | None, *, keep_cached_fields: bool
) -> None:
    """Queue all URLs for another crawl.

    `check` is given where the scope may be another than before. `keep_cached_fields`:
    requests may be conditional; if not, every response is fetched whole.
    """
    _run(db, _REQUEUE_ALL, now)
    if not keep_cached_fields:
        forget_responses(db)
    if check is not None:
        _check_again(db, check)
    _run(db, f"{_ENQUEUE} state = {QUEUED}", now)
    recount(db)
    db.executemany(
        "DELETE FROM metadata WHERE kind = ?", [(kind,) for kind in PER_CRAWL]
    )


def forget_responses(db: sqlite3.Connection) -> None:
    """Forget what conditional requests are made of."""
    db.execute("UPDATE url SET cached_fields = NULL WHERE cached_fields IS NOT NULL")


def requeue_failed(
    db: sqlite3.Connection, reasons: tuple[str, ...], hosts: tuple[str, ...], now: float
) -> int:
    """Queue the URLs that ended for one of `reasons`, of these hosts.

    Without `reasons`, those that ended in an error are meant."""
    query, values = _FAILED, list(reasons)
    query += f" AND coalesce(reason, code) IN ({_marks(reasons)})" if reasons else (
        f" AND state = {ENDED['error']}"
    )  # fmt: skip
    if hosts:
        query, values = f"{query} AND name IN ({_marks(hosts)})", [*values, *hosts]
    return _put_back(db, db.execute(query, values).fetchall(), now)


def check_refused(
    db: sqlite3.Connection, now: float, check: Check, again: Again, *, queued: bool
) -> None:
    """Decide anew about refused URLs, and with `queued` about those that wait.

    Refused URLs for whose reason `again` is true are queued if `check` has nothing
    against them. URLs that wait become skips where it has.
    """
    states = [PENDING_SKIP, ENDED["skip"], ENDED["error"], *([QUEUED] * queued)]
    query = f"""
        SELECT seq, host_id, url, kind, destination, depth, state,
            coalesce(reason, code), coalesce(rule, detail)
        FROM url LEFT JOIN skip USING (seq)
        WHERE seq > ? AND state IN ({", ".join(map(str, states))})
        ORDER BY seq LIMIT ?"""
    last, allowed = 0, []
    while rows := db.execute(query, (last, _BATCH)).fetchall():
        last = rows[-1][0]
        for seq, host_id, url, kind, destination, depth, state, reason, rule in rows:
            if state != QUEUED and not again(reason or "", rule or ""):
                continue
            skip = check(url, kind, DESTINATIONS[destination], depth)
            if skip is not None and state != QUEUED:
                as_external = check(url, kind, "external", depth)
                skip = _unless_external(db, seq, skip, as_external)
            if skip is None and state != QUEUED:
                allowed.append((seq, host_id))
            elif skip is not None and state in (QUEUED, PENDING_SKIP):
                _refuse(db, seq, skip)
    _put_back(db, allowed, now)


def _refuse(db: sqlite3.Connection, seq: int, skip: Skip) -> None:
    """A URL that waits, or is refused for another reason, becomes this skip."""
    db.execute(
        "DELETE FROM queue WHERE (host_id, destination, rank, seq) IN (SELECT host_id,"
        " destination, iif(destination = 0, depth, 0), seq FROM url WHERE seq = ?)",
        (seq,),
    )
    db.execute(
        "DELETE FROM retry WHERE (retry_at, seq) IN"
        " (SELECT retry_at, seq FROM url WHERE seq = ?)",
        (seq,),
    )
    db.execute("UPDATE url SET code = NULL, detail = NULL WHERE seq = ?", (seq,))
    _decide(db, seq, skip)


def requeue_unwritten(
    db: sqlite3.Connection,
    seen: SeenSet,
    written: Iterable[tuple[int, Ended]],
    now: float,
) -> int:
    """Queue the URLs that have ended, but not in a record of `written`.

    `written` gives (url_id, type) in order. Skips are left as they are.
    """
    db.execute(
        "CREATE TEMP TABLE written (seq INTEGER PRIMARY KEY, state INTEGER NOT NULL)"
    )
    db.executemany(
        "INSERT OR REPLACE INTO written VALUES (?, ?)",
        ((seen.number_of(identity), ENDED[kind]) for identity, kind in written),
    )
    lost = db.execute(_UNWRITTEN).fetchall()
    db.execute("DROP TABLE written")
    return _put_back(db, lost, now)


def _put_back(db: sqlite3.Connection, rows: list[tuple[int, int]], now: float) -> int:
    """Queue these URLs, (seq, host_id), as if they had never been fetched."""
    seqs = [(seq,) for seq, _ in rows]
    db.executemany("DELETE FROM skip WHERE seq = ?", seqs)
    db.executemany(  # lost pages no longer count towards their host's usage
        "UPDATE host SET used_pages = used_pages - 1 WHERE used_pages > 0 AND host_id ="
        f" (SELECT host_id FROM url WHERE seq = ? AND state = {ENDED['page']})",
        seqs,
    )
    db.executemany(
        f"UPDATE url SET state = {QUEUED}, attempts = 0, retry_at = ?, code = NULL,"
        " detail = NULL WHERE seq = ?",
        [(now, seq) for seq, _ in rows],
    )
    db.executemany(f"{_ENQUEUE} seq = ?", seqs)
    db.executemany(
        f"UPDATE host SET {_FORGIVE}, ready_at = ? WHERE host_id = ? AND failures > 0",
        [(now, host_id) for host_id in {host_id for _, host_id in rows}],
    )
    recount(db)
    return len(rows)


def recount(db: sqlite3.Connection) -> None:
    """Count the URLs of each state and code, and those that wait for each host."""
    _run(db, _COUNT, 0.0)


def _check_again(db: sqlite3.Connection, check: Check) -> None:
    """Let today's scope decide about all URLs that their page did not decide about."""
    query = """
        SELECT seq, url, kind, destination, depth, reason
        FROM url LEFT JOIN skip USING (seq)
        WHERE seq > ? ORDER BY seq LIMIT ?"""
    last = 0
    while rows := db.execute(query, (last, _BATCH)).fetchall():
        last = rows[-1][0]
        for seq, url, kind, destination, depth, reason in rows:
            if reason is None or reason in SCOPED:
                skip = check(url, kind, DESTINATIONS[destination], depth)
                if skip is not None:
                    as_external = check(url, kind, "external", depth)
                    skip = _unless_external(db, seq, skip, as_external)
                if skip is not None or reason is not None:
                    _decide(db, seq, skip)


def _unless_external(
    db: sqlite3.Connection, seq: int, skip: Skip, as_external: Skip | None
) -> Skip | None:
    """None for a URL out of scope that may be requested, and not followed.

    `as_external` is what the checks say of that.
    """
    if as_external is not None or skip.reason != "scope":
        return skip
    number = DESTINATIONS.index("external")
    db.execute("UPDATE url SET destination = ? WHERE seq = ?", (number, seq))
    return None


def _decide(db: sqlite3.Connection, seq: int, skip: Skip | None) -> None:
    db.execute("DELETE FROM skip WHERE seq = ?", (seq,))
    if skip is not None:
        db.execute("INSERT INTO skip VALUES (?, ?, ?)", (seq, skip.reason, skip.rule))
    state = QUEUED if skip is None else PENDING_SKIP
    db.execute("UPDATE url SET state = ? WHERE seq = ?", (state, seq))


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))


def _run(db: sqlite3.Connection, script: str, now: float) -> None:
    """One statement after the other: `executescript` would commit first."""
    for statement in script.split(";"):
        if statement.strip():
            db.execute(statement, {"now": now} if ":now" in statement else ())
