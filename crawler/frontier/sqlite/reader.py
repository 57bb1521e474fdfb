"""The `StateReader` of the durable store: all queries from outside the store."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from crawler.frontier.sqlite import host_waits
from crawler.frontier.sqlite.damage import explain_damage
from crawler.frontier.sqlite.database import (
    FILE_NAME,
    first_column,
    open_read_only,
    translate,
)
from crawler.frontier.sqlite.host_rows import THROTTLE, USAGE
from crawler.frontier.sqlite.ledger import RUN, changes_in, codes_in
from crawler.frontier.sqlite.link_rows import read_links
from crawler.frontier.sqlite.pending_updates import MISSING
from crawler.frontier.sqlite.seen_set import SeenSet
from crawler.frontier.sqlite.tables import DESTINATIONS, ENDED, PENDING_SKIP, QUEUED
from crawler.frontier.state_reader import (
    HostInfo,
    RetryGroup,
    StateReader,
    Totals,
    UrlRow,
)
from crawler.frontier.store import STATES, Content, Run, State
from crawler.frontier.throttle import HostThrottle
from crawler.frontier.waits import HostGroup, HostWork, RetryCount
from crawler.model.config import from_json
from crawler.model.host import HostUsage
from crawler.model.http import Hop
from crawler.model.link_graph import SourceLinks
from crawler.model.policy_config import PolitenessConfig
from crawler.model.reasons import SkipReason
from crawler.model.url import key_id, redirected_key, url_id, url_id_hex

_STATES: dict[int, State] = {
    QUEUED: "queued",
    PENDING_SKIP: "skip",
    **{number: ended for ended, number in ENDED.items()},
}
_FETCHED: tuple[State, ...] = ("page", "file", "image", "redirect", "error")
"""States of URLs for which a last request was made; `url.attempts` are those before."""
_DECIDED_BY_BODY: tuple[SkipReason, ...] = (
    "filter_dimensions", "filter_bytes", "filter_format", "duplicate_content",
    "not_kept",
)  # fmt: skip
"""Reasons of skips for which that holds as well."""
_NUMBERS = {
    state: [n for n, s in _STATES.items() if s == state] for state in _STATES.values()
}

_URL = """
SELECT url.url, host.name, url.kind, url.destination, url.depth, url.state,
    url.attempts, url.retry_at, coalesce(skip.reason, url.code),
    coalesce(skip.rule, url.detail), url.redirects, origin.parent_url, origin.seed_url,
    origin.found_at
FROM url JOIN host USING (host_id) JOIN origin USING (origin_id)
    LEFT JOIN skip USING (seq)
"""
_HOST = f"name, pages, images, ready_at, parked, {USAGE}, {THROTTLE}"
_CODE = "coalesce(skip.reason, url.code)"
_POSITION = f"""
SELECT host_id, min(destination, 1), iif(destination = 0, depth, 0), seq FROM url
WHERE seq = ? AND state = {QUEUED} AND seq NOT IN (SELECT seq FROM retry)
"""
_BEFORE = "host_id = ? AND destination = ? AND (rank, seq) < (?, ?)"
_URLS_BEFORE = f"""
SELECT count(*) FROM (
    SELECT seq FROM queue WHERE {_BEFORE}
    UNION SELECT seq FROM ({MISSING}) WHERE {_BEFORE})
"""
_RETRIES = """
SELECT code, name, count(*), min(retry.retry_at)
FROM retry JOIN url USING (seq) JOIN host USING (host_id)
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT ?
"""
_EXTERNAL = f"""
SELECT seq FROM url LEFT JOIN skip USING (seq)
WHERE destination = {DESTINATIONS.index("external")}
    OR state IN ({PENDING_SKIP}, {ENDED["skip"]}) AND {_CODE} = 'scope'
"""
_BY_STATE = "SELECT host_id, state, count(*) FROM url WHERE state != ? GROUP BY 1, 2"


@contextmanager
def open_state(folder: Path) -> Iterator[StateReader]:
    """The state in `folder` as of one moment. Raises StateError."""
    with explain_damage(folder):
        try:
            db = open_read_only(folder)
            try:
                db.execute("BEGIN")
                yield SqliteStateReader(db)
            finally:
                db.close()
        except sqlite3.Error as error:
            raise translate(error, FILE_NAME) from error


class SqliteStateReader:
    """A `StateReader` of an open transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @cached_property
    def _seen(self) -> SeenSet:
        return SeenSet(self._db)  # which reads what is not merged

    # The crawl

    def run(self) -> Run | None:
        row = self._db.execute(RUN).fetchone()
        if row is None:
            return None
        run = Run(*row)
        from_json(run.config.encode())  # read later, where no damage is explained
        return run

    def totals(self) -> Totals | None:
        run = self.run()
        if run is None:
            return None
        counts: Counter[str] = Counter(
            dict(self._db.execute("SELECT name, n FROM count"))
        )
        retries, next_retry = self._db.execute(
            "SELECT count(*), min(retry_at) FROM retry"
        ).fetchone()
        hosts, images = self._db.execute(
            "SELECT count(*), coalesce(sum(images), 0) FROM host"
        ).fetchone()
        return Totals(
            run=run,
            counts={state: counts[state] for state in STATES},
            hosts=hosts,
            received_bytes=self.received_bytes(),
            retries=retries,
            next_retry=next_retry,
            reasons={
                "error": codes_in(counts, "error"),
                "skip": codes_in(counts, "skip"),
            },
            changes=changes_in(counts),
            queued_images=images,
        )

    def count(self, state: State) -> int:
        count = self._db.execute("SELECT n FROM count WHERE name = ?", (state,))
        return int(first_column(count, 0))

    def received_bytes(self) -> int:
        query = "SELECT sum(used_bytes) FROM host"
        return int(first_column(self._db.execute(query), 0))

    # URLs

    def url(self, url: str) -> UrlRow | None:
        found = self._row(url_id(url))
        if found is None or found.url != url:
            found = self._row(key_id(redirected_key(url))) or found
        return found

    def _row(self, identity: int) -> UrlRow | None:
        query = f"{_URL} WHERE seq = ?"
        row = self._db.execute(query, (self._seen.number_of(identity),)).fetchone()
        return None if row is None else _url_row(row)

    def urls(
        self,
        states: tuple[State, ...],
        hosts: tuple[str, ...],
        reasons: tuple[str, ...],
    ) -> Iterator[UrlRow]:
        numbers = [number for state in states for number in _NUMBERS[state]]
        where, values = _where(
            {"url.state": numbers, "host.name": list(hosts), _CODE: list(reasons)}
        )
        for row in self._db.execute(f"{_URL} {where} ORDER BY seq", values):
            yield _url_row(row)

    def urls_before(self, row: UrlRow) -> int:
        number = self._seen.number_of(url_id(row.url, row.redirects))
        position = self._db.execute(_POSITION, (number,)).fetchone()
        if position is None:
            return 0
        return int(first_column(self._db.execute(_URLS_BEFORE, position * 2), 0))

    def url_states(self) -> bytearray:
        last = first_column(self._db.execute("SELECT max(seq) FROM url"), 0)
        states = bytearray(last + 1)
        numbers = {n: STATES.index(state) + 1 for n, state in _STATES.items()}
        for seq, number in self._db.execute("SELECT seq, state FROM url"):
            states[seq] = numbers[number]
        return states

    def external_urls(self) -> bytearray:
        last = first_column(self._db.execute("SELECT max(seq) FROM url"), 0)
        external = bytearray(last + 1)
        for (seq,) in self._db.execute(_EXTERNAL):
            external[seq] = 1
        return external

    def url_at(self, number: int) -> UrlRow:
        query = f"{_URL} WHERE url.seq = ?"
        return _url_row(self._db.execute(query, (number,)).fetchone())

    def number_of(self, url: str) -> int:
        find = self._seen.number_of
        return find(key_id(redirected_key(url))) or find(url_id(url))

    def source_links(self) -> Iterator[SourceLinks]:
        return read_links(self._db)

    def links_of(self, number: int) -> SourceLinks | None:
        return next(read_links(self._db, "url.seq = ?", (number,)), None)

    def pages_without_links(self) -> int:
        query = (
            "SELECT count(*) FROM url LEFT JOIN outlink USING (seq)"
            " WHERE state = ? AND outlink.seq IS NULL"
        )
        return int(first_column(self._db.execute(query, (ENDED["page"],)), 0))

    def redirects(self) -> Iterator[SourceLinks]:
        return read_links(self._db, "url.state = ?", (ENDED["redirect"],))

    def retries(self, limit: int) -> list[RetryGroup]:
        return [RetryGroup(*row) for row in self._db.execute(_RETRIES, (limit,))]

    # Hosts

    def host(self, name: str) -> HostInfo | None:
        query = f"SELECT {_HOST} FROM host WHERE name = ?"
        row = self._db.execute(query, (name,)).fetchone()
        return None if row is None else _host(row)

    def hosts(self) -> Iterator[HostInfo]:
        ended: dict[int, dict[State, int]] = {}
        for host_id, state, count in self._db.execute(_BY_STATE, (QUEUED,)):
            counts = ended.setdefault(host_id, {})
            counts[_STATES[state]] = counts.get(_STATES[state], 0) + count
        query = (
            f"SELECT host_id, {_HOST} FROM host ORDER BY pages + images DESC, host_id"
        )
        for host_id, *row in self._db.execute(query):
            yield _host(row, ended.get(host_id, {}))

    def busiest(self, limit: int) -> list[HostInfo]:
        rows = self._db.execute(
            f"SELECT {_HOST} FROM host WHERE pages + images > 0"
            " ORDER BY pages + images DESC LIMIT ?",
            (limit,),
        )
        return [_host(row) for row in rows]

    def host_groups(self, now: float) -> list[HostGroup]:
        return host_waits.host_groups(self._db, now)

    def names_of_group(self, group: HostGroup, now: float, limit: int) -> list[str]:
        return host_waits.names_of_group(self._db, group, now, limit)

    def retry_counts(self, now: float) -> list[RetryCount]:
        return host_waits.retry_counts(self._db, now)

    def slowest_hosts(
        self, config: PolitenessConfig, pages_left: int, limit: int
    ) -> list[HostWork]:
        return host_waits.slowest_hosts(self._db, config, pages_left, limit)

    # Values and contents

    def get(self, kind: str, key: str) -> bytes | None:
        query = "SELECT value FROM metadata WHERE kind = ? AND key = ?"
        value: bytes | None = first_column(self._db.execute(query, (kind, key)), None)
        return value

    def items(self, kind: str) -> list[tuple[str, bytes]]:
        query = "SELECT key, value FROM metadata WHERE kind = ? ORDER BY key"
        return self._db.execute(query, (kind,)).fetchall()

    def image_file(self, url: str) -> Content | None:
        query = "SELECT path, url FROM content WHERE url = ?"
        row = self._db.execute(query, (url,)).fetchone()
        return None if row is None else Content(*row)


def _host(row: Sequence[Any], ended: dict[State, int] | None = None) -> HostInfo:
    name, pages, images, ready_at, parked, *more = row
    usage, throttle = HostUsage(*more[:4]), HostThrottle(*more[4:])
    return HostInfo(
        name, pages, images, ready_at, bool(parked), throttle, usage, ended or {}
    )


_hops = msgspec.json.Decoder(tuple[Hop, ...])


def _url_row(row: tuple[Any, ...]) -> UrlRow:
    (
        url,
        host,
        kind,
        number,
        depth,
        state,
        attempts,
        due,
        code,
        detail,
        hops,
        *origin,
    ) = row
    fetched = _STATES[state] in _FETCHED or code in _DECIDED_BY_BODY
    redirects = _hops.decode(hops) if hops else ()
    return UrlRow(
        url,
        url_id_hex(url, redirects),
        host,
        kind,
        DESTINATIONS[number],
        depth,
        _STATES[state],
        attempts + fetched,
        due if state == QUEUED else None,
        code,
        detail,
        redirects,
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
