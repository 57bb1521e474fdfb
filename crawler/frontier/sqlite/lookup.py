"""Questions to a crawl's state: what became of a URL, what waits for which host, and
why.

Read only, as `reader.py`: the last commit is seen, while a crawl writes or after its
death. What a question costs is said where it is more than a look at an index.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from crawler.frontier.sqlite.database import (
    FILE_NAME,
    explain,
    first_column,
    open_read_only,
)
from crawler.frontier.sqlite.hosts import THROTTLE, USAGE
from crawler.frontier.sqlite.tables import DECIDED, ENDED, LANES, WAITING
from crawler.frontier.store import Content, Run, State
from crawler.frontier.throttle import HostThrottle
from crawler.model.crawl import Destination
from crawler.model.documents import LinkKind
from crawler.model.host import NO_USAGE, HostUsage
from crawler.model.http import Hop
from crawler.model.reasons import SkipReason
from crawler.model.url import url_id, url_id_hex

_STATES: dict[int, State] = {
    WAITING: "queued",
    DECIDED: "skip",
    **{number: ended for ended, number in ENDED.items()},
}
_FETCHED: tuple[State, ...] = ("page", "file", "image", "redirect", "error")
"""How a URL ends that was asked for ..."""
_JUDGED_BY_BODY: tuple[SkipReason, ...] = ("filter_dimensions", "duplicate_content")
"""... and a skip, if it was for one of these. `url.attempts` are those before the last
one."""
_NUMBERS = {
    state: [n for n, s in _STATES.items() if s == state] for state in _STATES.values()
}

_URL = """
SELECT url.url, host.name, url.kind, url.lane, url.depth, url.state, url.attempts, url.due,
    coalesce(skip.reason, url.code), coalesce(skip.rule, url.why), url.redirects,
    origin.parent_url, origin.seed_url, origin.at
FROM url JOIN host USING (host_id) JOIN origin USING (origin_id) LEFT JOIN skip USING (seq)
"""
_HOST = f"name, pages, images, ready_at, parked, {USAGE}, {THROTTLE}"
_CODE = "coalesce(skip.reason, url.code)"


class UrlRow(Struct, frozen=True):
    """One URL, as the state has it."""

    url: str
    url_id: str
    host: str
    kind: LinkKind
    destination: Destination
    depth: int
    state: State
    """`skip` also while a later find may still overturn it; what is being fetched is
    queued."""
    attempts: int
    """Requests made for it."""
    retry_at: float | None
    """Of a URL that failed and waits for another attempt: from when on, epoch
    seconds."""
    code: str | None
    """`error_code` (of one that waits: of its last attempt), `reason` of a skip, or of
    what was fetched in a further crawl whether it is new, changed or unchanged."""
    detail: str | None
    """The same in words: message, rule, double of what."""
    redirects: tuple[Hop, ...]
    parent_url: str | None
    seed_url: str | None
    found_at: float


class HostInfo(Struct, frozen=True):
    """One host: what waits for it, and what has become of its URLs."""

    name: str
    pages: int
    """Queued, those that wait for a retry left out."""
    images: int
    ready_at: float
    """It is not to be asked before, epoch seconds."""
    parked: bool
    """It did not answer, and is left alone until `ready_at`."""
    throttle: HostThrottle
    """What it has taught us: Crawl-delay, slowdown, failures in a row."""
    usage: HostUsage = NO_USAGE
    """What it has cost so far."""
    ended: dict[State, int] = {}


class Waiting(Struct, frozen=True):
    """URLs that wait for another attempt after the same kind of failure."""

    code: str | None
    host: str
    urls: int
    next_at: float


class Lookup:
    """The state in `folder`. Use it as `with lookup(folder) as state:`."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def run(self) -> Run | None:
        """The crawl it belongs to; None if that never began."""
        row = self._db.execute("SELECT run_id, config, seq, before FROM run").fetchone()
        return None if row is None else Run(*row)

    def url(self, url: str) -> UrlRow | None:
        """The canonical `url`; None if the crawl has not met it."""
        query = f"{_URL} WHERE seq = (SELECT seq FROM seen WHERE url_id = ?)"
        row = self._db.execute(query, (url_id(url),)).fetchone()
        return None if row is None else _url_row(row)

    def urls(
        self, states: tuple[State, ...], hosts: tuple[str, ...], codes: tuple[str, ...]
    ) -> Iterator[UrlRow]:
        """All URLs that fit, in order of discovery; an empty filter lets all pass.
        Reads all."""
        numbers = [number for state in states for number in _NUMBERS[state]]
        where, values = _where(
            {"url.state": numbers, "host.name": list(hosts), _CODE: list(codes)}
        )
        for row in self._db.execute(f"{_URL} {where} ORDER BY seq", values):
            yield _url_row(row)

    def ahead(self, row: UrlRow) -> int:
        """How many URLs of its host are to be fetched before this queued one. Counts
        them."""
        query = """
            SELECT count(*) FROM queue JOIN
                (SELECT host_id AS h, lane AS l, rank AS r, seq AS s FROM queue JOIN url
                    USING (seq, host_id, lane)
                    WHERE seq = (SELECT seq FROM seen WHERE url_id = ?))
            WHERE host_id = h AND lane = l AND (rank, seq) < (r, s)"""
        count: int = first_column(self._db.execute(query, (url_id(row.url),)), 0)
        return count

    def count(self, state: State) -> int:
        """URLs in this state; kept, not counted."""
        count = self._db.execute("SELECT n FROM count WHERE name = ?", (state,))
        return int(first_column(count, 0))

    def received(self) -> int:
        """Body bytes of all hosts. Reads all hosts."""
        return int(
            first_column(self._db.execute("SELECT sum(cost_bytes) FROM host"), 0)
        )

    def host(self, name: str) -> HostInfo | None:
        query = f"SELECT {_HOST} FROM host WHERE name = ?"
        row = self._db.execute(query, (name,)).fetchone()
        return None if row is None else _host(row)

    def hosts(self) -> Iterator[HostInfo]:
        """All hosts, those with the most work first. Reads all URLs once, to count
        them."""
        ended: dict[int, dict[State, int]] = {}
        query = (
            "SELECT host_id, state, count(*) FROM url WHERE state != ? GROUP BY 1, 2"
        )
        for host_id, state, count in self._db.execute(query, (WAITING,)):
            counts = ended.setdefault(host_id, {})
            counts[_STATES[state]] = counts.get(_STATES[state], 0) + count
        query = (
            f"SELECT host_id, {_HOST} FROM host ORDER BY pages + images DESC, host_id"
        )
        for host_id, *row in self._db.execute(query):
            yield _host(row, ended.get(host_id, {}))

    def busiest(self, limit: int) -> list[HostInfo]:
        """The hosts with the longest queues."""
        rows = self._db.execute(
            f"SELECT {_HOST} FROM host WHERE pages + images > 0"
            " ORDER BY pages + images DESC LIMIT ?",
            (limit,),
        )
        return [_host(row) for row in rows]

    def cooling(self, now: float, limit: int) -> tuple[int, int, list[HostInfo]]:
        """Hosts with work that may not be asked now, and their URLs; the first `limit`
        of them."""
        where = "WHERE pages + images > 0 AND ready_at > ?"
        hosts, urls = self._db.execute(
            f"SELECT count(*), coalesce(sum(pages + images), 0) FROM host {where}",
            (now,),
        ).fetchone()
        rows = self._db.execute(
            f"SELECT {_HOST} FROM host {where} ORDER BY pages + images DESC LIMIT ?",
            (now, limit),
        )
        return hosts, urls, [_host(row) for row in rows]

    def waiting(self, limit: int) -> list[Waiting]:
        """What waits for another attempt, by code and host, the largest first."""
        rows = self._db.execute(
            "SELECT code, name, count(*), min(not_before) FROM later JOIN url USING (seq)"
            " JOIN host USING (host_id) GROUP BY 1, 2 ORDER BY 3 DESC LIMIT ?",
            (limit,),
        )
        return [Waiting(*row) for row in rows]

    def get(self, kind: str, key: str) -> bytes | None:
        query = "SELECT value FROM note WHERE kind = ? AND key = ?"
        value: bytes | None = first_column(self._db.execute(query, (kind, key)), None)
        return value

    def items(self, kind: str) -> list[tuple[str, bytes]]:
        query = "SELECT key, value FROM note WHERE kind = ? ORDER BY key"
        return self._db.execute(query, (kind,)).fetchall()

    def image_file(self, url: str) -> Content | None:
        """The file with the picture of `url`, if it was the first with these bytes.
        Reads all."""
        query = "SELECT path, url FROM content WHERE url = ?"
        row = self._db.execute(query, (url,)).fetchone()
        return None if row is None else Content(*row)


@contextmanager
def lookup(folder: Path) -> Iterator[Lookup]:
    """The state in `folder`, as of one moment. Raises StateError."""
    try:
        db = open_read_only(folder)
        try:
            db.execute("BEGIN")
            yield Lookup(db)
        finally:
            db.close()
    except sqlite3.Error as error:
        raise explain(error, FILE_NAME) from error


def _host(row: Sequence[Any], ended: dict[State, int] | None = None) -> HostInfo:
    name, pages, images, ready_at, parked, *more = row
    usage, throttle = HostUsage(*more[:4]), HostThrottle(*more[4:])
    return HostInfo(
        name, pages, images, ready_at, bool(parked), throttle, usage, ended or {}
    )


_hops = msgspec.json.Decoder(tuple[Hop, ...])


def _url_row(row: tuple[Any, ...]) -> UrlRow:
    url, host, kind, lane, depth, state, attempts, due, code, detail, hops, *origin = (
        row
    )
    return UrlRow(
        url,
        url_id_hex(url),
        host,
        kind,
        LANES[lane],
        depth,
        _STATES[state],
        attempts + (_STATES[state] in _FETCHED or code in _JUDGED_BY_BODY),
        due if state == WAITING else None,
        code,
        detail,
        _hops.decode(hops) if hops else (),
        *origin,
    )


def _where(filters: dict[str, list[Any]]) -> tuple[str, list[Any]]:
    """Column to the values it may have, as SQL."""
    given = {column: values for column, values in filters.items() if values}
    terms = [
        f"{column} IN ({', '.join('?' * len(values))})"
        for column, values in given.items()
    ]
    where = f"WHERE {' AND '.join(terms)}" if terms else ""
    return where, [value for values in given.values() for value in values]
