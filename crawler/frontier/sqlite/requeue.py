"""Asking again for URLs that have ended: all for another crawl, those that failed,
those whose records were lost.

Each is one transaction, which the caller commits: killed before that, the state is what
it was. It speaks with the tables of a store that was just opened, and whose memory is
read anew after it.

For another crawl everything that was ever to be fetched is queued, as if found a moment
ago. So the links of a page that has not changed need not be kept anywhere, for the URLs
they lead to are here. Decisions that were made where a URL was found stay decisions: no
later look at the URL itself could make them, and a find without them overturns them as
ever. `digest` and `answer` of a URL stay: they are what the new crawl compares with,
and asks with.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from crawler.frontier.sqlite.tables import DECIDED, ENDED, LANES, WAITING
from crawler.frontier.store import Ended
from crawler.model.crawl import Destination, Skip
from crawler.model.documents import LinkKind
from crawler.model.metadata import PER_CRAWL

Check = Callable[[str, LinkKind, Destination, int], Skip | None]
"""(url, kind, want, depth) -> why the scope refuses it, if it does."""

SCOPED = ("scope", "depth", "scheme")
"""Reasons that today's scope can tell again."""
FOUND_SO = (*SCOPED, "nofollow")
"""Reasons that were told where the URL was found. Of pictures so is "noai"; of pages it
was the answer that told it."""

_BATCH = 10_000

_REOPEN = f"""
DELETE FROM queue;
DELETE FROM later;
INSERT INTO skip SELECT seq, code, why FROM url
    WHERE state = {ENDED["skip"]}
        AND (code IN ({", ".join(map(repr, FOUND_SO))}) OR (code = 'noai' AND lane = 1));
UPDATE url SET state = {DECIDED}, code = NULL, why = NULL WHERE seq IN (SELECT seq FROM skip);
UPDATE url SET state = {WAITING}, code = NULL, why = NULL, attempts = 0, due = :now
    WHERE state != {DECIDED};
UPDATE host SET failures = 0, parkings = 0, trouble = '', parked = 0, ready_at = :now
    WHERE failures > 0 OR parked = 1;
UPDATE host SET cost_pages = 0, cost_bytes = 0, cost_seconds = 0, cost_until = 0;
"""

_QUEUE = f"""
INSERT INTO queue SELECT host_id, lane, iif(lane = 0, depth, 0), seq FROM url
    WHERE state = {WAITING};
"""

_NAME = (
    f"CASE state WHEN {WAITING} THEN 'queued' WHEN {DECIDED} THEN 'skip' "
    + " ".join(f"WHEN {number} THEN '{ended}'" for ended, number in ENDED.items())
    + " END"
)
"""Of `count`, for a URL's state."""

_COUNT = f"""
UPDATE host SET pages = 0, images = 0, claimed = 0;
UPDATE host SET pages = n FROM
    (SELECT host_id AS h, count(*) AS n FROM queue WHERE lane = 0 GROUP BY 1) WHERE host_id = h;
UPDATE host SET images = n FROM
    (SELECT host_id AS h, count(*) AS n FROM queue WHERE lane = 1 GROUP BY 1) WHERE host_id = h;
DELETE FROM count;
INSERT INTO count SELECT {_NAME}, count(*) FROM url GROUP BY 1;
INSERT INTO count SELECT {_NAME} || ' ' || coalesce(reason, code), count(*) FROM url
    LEFT JOIN skip USING (seq)
    WHERE state != {WAITING} AND coalesce(reason, code) IS NOT NULL GROUP BY 1;
"""

_FAILED = f"""
SELECT seq, host_id FROM url JOIN host USING (host_id) LEFT JOIN skip USING (seq)
WHERE state IN ({ENDED["error"]}, {ENDED["skip"]}, {DECIDED})
"""


_UNWRITTEN = f"""
SELECT seq, host_id FROM url
WHERE state NOT IN ({WAITING}, {DECIDED}, {ENDED["skip"]}) AND seq NOT IN (
    SELECT seq FROM written JOIN seen USING (url_id) JOIN url USING (seq)
    WHERE url.state = written.state
)
"""


def reopen(
    db: sqlite3.Connection, now: float, check: Check | None, *, keep_cached_fields: bool
) -> None:
    """Queue all URLs for another crawl.

    `check` is given where the scope may be another than before. `keep_cached_fields`: a
    server may be asked whether it still has what it sent; else all is asked for whole.
    """
    _run(db, _REOPEN, now)
    if not keep_cached_fields:
        db.execute("UPDATE url SET answer = NULL WHERE answer IS NOT NULL")
    if check is not None:
        _check_again(db, check)
    _run(db, _QUEUE, now)
    _run(db, _COUNT, now)
    db.executemany("DELETE FROM note WHERE kind = ?", [(kind,) for kind in PER_CRAWL])


def requeue(
    db: sqlite3.Connection, codes: tuple[str, ...], hosts: tuple[str, ...], now: float
) -> int:
    """Queue those with one of these codes, of these hosts; without codes all errors."""
    query, values = _FAILED, list(codes)
    query += f" AND coalesce(reason, code) IN ({_marks(codes)})" if codes else (
        f" AND state = {ENDED['error']}"
    )  # fmt: skip
    if hosts:
        query, values = f"{query} AND name IN ({_marks(hosts)})", [*values, *hosts]
    return _put_back(db, db.execute(query, values).fetchall(), now)


def requeue_unwritten(
    db: sqlite3.Connection, written: Iterable[tuple[int, Ended]], now: float
) -> int:
    """Queue those that have ended, but not in a record of `written`: (url_id, type), in
    order.

    Skips are left as they are.
    """
    db.execute(
        "CREATE TEMP TABLE written (url_id INTEGER PRIMARY KEY, state INTEGER NOT NULL)"
    )
    db.executemany(
        "INSERT OR REPLACE INTO written VALUES (?, ?)",
        ((identity, ENDED[kind]) for identity, kind in written),
    )
    lost = db.execute(_UNWRITTEN).fetchall()
    db.execute("DROP TABLE written")
    return _put_back(db, lost, now)


def _put_back(db: sqlite3.Connection, rows: list[tuple[int, int]], now: float) -> int:
    """Queue these URLs, (seq, host_id), as if they had never been asked for."""
    seqs = [(seq,) for seq, _ in rows]
    db.executemany("DELETE FROM skip WHERE seq = ?", seqs)
    db.executemany(  # pages that are lost are no longer on their host's account
        "UPDATE host SET cost_pages = cost_pages - 1 WHERE cost_pages > 0 AND host_id ="
        f" (SELECT host_id FROM url WHERE seq = ? AND state = {ENDED['page']})",
        seqs,
    )
    db.executemany(
        f"UPDATE url SET state = {WAITING}, attempts = 0, due = ?, code = NULL, why = NULL"
        " WHERE seq = ?",
        [(now, seq) for seq, _ in rows],
    )
    db.executemany(
        "INSERT INTO queue SELECT host_id, lane, iif(lane = 0, depth, 0), seq FROM url"
        " WHERE seq = ?",
        seqs,
    )
    db.executemany(
        "UPDATE host SET failures = 0, parkings = 0, trouble = '', parked = 0, ready_at = ?"
        " WHERE host_id = ? AND failures > 0",
        [(now, host_id) for host_id in {host_id for _, host_id in rows}],
    )
    _run(db, _COUNT, now)
    return len(rows)


def _check_again(db: sqlite3.Connection, check: Check) -> None:
    """Let today's scope decide about all URLs but those that their page has decided
    about."""
    query = """
        SELECT seq, url, kind, lane, depth, reason FROM url LEFT JOIN skip USING (seq)
        WHERE seq > ? ORDER BY seq LIMIT ?"""
    last = 0
    while rows := db.execute(query, (last, _BATCH)).fetchall():
        last = rows[-1][0]
        for seq, url, kind, lane, depth, reason in rows:
            if reason is None or reason in SCOPED:
                skip = check(url, kind, LANES[lane], depth)
                if skip is not None or reason is not None:
                    _decide(db, seq, skip)


def _decide(db: sqlite3.Connection, seq: int, skip: Skip | None) -> None:
    db.execute("DELETE FROM skip WHERE seq = ?", (seq,))
    if skip is not None:
        db.execute("INSERT INTO skip VALUES (?, ?, ?)", (seq, skip.reason, skip.rule))
    state = WAITING if skip is None else DECIDED
    db.execute("UPDATE url SET state = ? WHERE seq = ?", (state, seq))


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))


def _run(db: sqlite3.Connection, script: str, now: float) -> None:
    """One statement after the other: `executescript` would commit first."""
    for statement in script.split(";"):
        if statement.strip():
            db.execute(statement, {"now": now} if ":now" in statement else ())
