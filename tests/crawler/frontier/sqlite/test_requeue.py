"""A recrawl on the same state: every URL once more, and consistent tables."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.frontier.sqlite.database import FILE_NAME
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.sqlite.tables import ENDED, PENDING_SKIP, QUEUED
from crawler.frontier.store import Content, Run
from crawler.frontier.throttle import HostThrottle
from crawler.model.crawl import Discovered, Lease, Skip, StoredResponse
from crawler.model.host import NO_USAGE, HostUsage
from crawler.model.metadata import PAGES_OF_TEMPLATE, TRAPS_OUT_OF_MEMORY
from tests.helpers.frontier import FAR, found, lease_all, paths

NOFOLLOW = Skip("nofollow", "meta robots: nofollow")
NOAI = Skip("noai", "meta robots: noimageai")
STORED = StoredResponse(b"digest", b"answer")


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with closing(SqliteStore(tmp_path)) as store:
        yield store


def reopened(store: SqliteStore, **more: Any) -> dict[str, Lease]:
    """All leases after the next crawl has begun, by path."""
    store.requeue_all(
        100.0,
        more.pop("check", None),
        keep_cached_fields=more.pop("keep_cached_fields", True),
    )
    return {path: lease for lease in lease_all(store, 100.0) for path in paths([lease])}


def test_all_that_was_asked_for_is_asked_for_again(store: SqliteStore) -> None:
    store.add(
        [found("page", depth=3), found("error"), found("redirect"), found("waits")], 0.0
    )
    store.add([found("image", "image"), found("later")], 0.0)
    leases = {lease.url.rsplit("/", 1)[1]: lease for lease in lease_all(store, 0.0)}
    store.finish(leases["page"], "page", stored=STORED)
    store.finish(leases["image"], "image", stored=StoredResponse(b"2"))
    store.finish(leases["error"], "error", "reset", "broke")
    store.finish(leases["redirect"], "redirect")
    store.retry(leases["later"], 9e9, "reset", "broke")
    store.release(leases["waits"])
    store.commit()
    again = reopened(store)
    assert set(again) == {"page", "error", "redirect", "waits", "image", "later"}
    assert {name: lease.stored for name, lease in again.items() if lease.stored} == {
        "page": STORED,
        "image": StoredResponse(b"2"),
    }
    assert {(lease.attempts, lease.queued_ms) for lease in again.values()} == {(0, 0)}
    assert again["page"].depth == 3
    assert store.counts()["leased"] == 6
    assert sum(store.counts().values()) == 6


def test_what_was_decided_on_finding_it_stays_decided(store: SqliteStore) -> None:
    skips = {"far": FAR, "nofollow": NOFOLLOW}
    store.add([found(path, skip=skip) for path, skip in skips.items()], 0.0)
    store.add(
        [found("noai", "image", skip=NOAI), found("robots"), found("selfish")], 0.0
    )
    leases = {lease.url.rsplit("/", 1)[1]: lease for lease in lease_all(store, 0.0)}
    store.finish(leases["robots"], "skip", "robots", "robots.txt:1")
    store.finish(leases["selfish"], "skip", "noai", "meta robots: noai")
    for written in (True, False):
        if written:
            store.skips_written(9)
        store.commit()
        again = reopened(store)
        assert set(again) == {"robots", "selfish"}
        pending = {
            one.url.rsplit("/", 1)[1]: one.skip for one in store.pending_skips(9)
        }
        assert pending == {**skips, "noai": NOAI}
        assert store.counts()["skip"] == 3
        for lease in again.values():
            store.finish(lease, "skip", "robots", "robots.txt:1")
    assert store.add([found("nofollow")], 101.0) == 1  # a find without it overturns it


def test_answers_are_forgotten_where_they_would_be_read_otherwise(
    store: SqliteStore,
) -> None:
    store.add([found("page")], 0.0)
    store.finish(lease_all(store, 0.0)[0], "page", stored=STORED)
    store.commit()
    again = reopened(store, keep_cached_fields=False)
    assert again["page"].stored == StoredResponse(b"digest", None)


def test_what_is_kept_outlives_an_error(store: SqliteStore) -> None:
    store.add([found("page")], 0.0)
    store.finish(lease_all(store, 0.0)[0], "page", "new", stored=STORED)
    store.commit()
    assert store.changes() == {"new": 1}
    store.finish(reopened(store)["page"], "error", "reset", "broke")
    store.commit()
    assert store.changes() == {}
    again = reopened(store)
    assert again["page"].stored == STORED
    store.finish(again["page"], "page", "changed", stored=StoredResponse(b"other"))
    store.commit()
    assert store.changes() == {"changed": 1}
    assert reopened(store)["page"].stored == StoredResponse(b"other", None)


def test_the_scope_may_be_another(store: SqliteStore) -> None:
    store.add([found("in"), found("out"), found("now-in", skip=FAR)], 0.0)
    store.add([found("still-out", skip=FAR), found("their-word", skip=NOFOLLOW)], 0.0)
    for lease in lease_all(store, 0.0):
        store.finish(lease, "page", stored=STORED)
    store.commit()
    deny = Skip("scope", "scope.rules[0]: -out")
    again = reopened(
        store,
        check=lambda url, kind, destination, depth: deny if "out" in url else None,
    )
    assert set(again) == {"in", "now-in"}
    assert [one.skip for one in store.pending_skips(9)] == [deny, deny, NOFOLLOW]


def test_hosts_are_forgiven_and_what_they_taught_us_stays(store: SqliteStore) -> None:
    store.add([found("a"), found("b", host="b")], 0.0)
    store.set_throttle(
        "a.example",
        HostThrottle(crawl_delay=7.0, failures=9, parkings=3, failure_code="reset"),
    )
    store.park("a.example", 9e9)
    store.block("b.example", 500.0)  # it said so itself
    store.set(PAGES_OF_TEMPLATE, "a.example /#", b"7")
    store.set_usage("a.example", HostUsage(7, 7000, 7.0, 90.0))
    store.set(TRAPS_OUT_OF_MEMORY, "a.example", b"all of it would be old")
    store.set("robots", "https://a.example", b"x")
    store.set_content("aa", Content("images/1", "https://a.example/1"))
    store.commit()
    store.requeue_all(100.0, None, keep_cached_fields=True)
    (host,) = store.claim(9, 100.0)
    assert (host.name, host.ready_at, host.throttle) == (
        "a.example",
        100.0,
        HostThrottle(crawl_delay=7.0),
    )
    assert store.parked() == []
    assert store.get(PAGES_OF_TEMPLATE, "a.example /#") is None
    assert store.get(TRAPS_OUT_OF_MEMORY, "a.example") is None
    assert (store.usage("a.example"), store.received_bytes()) == (NO_USAGE, 0)
    assert store.get("robots", "https://a.example") == b"x"
    assert store.content("aa") == Content("images/1", "https://a.example/1")


def test_nothing_has_happened_before_the_commit(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path)) as store:
        store.add([found("page")], 0.0)
        store.finish(lease_all(store, 0.0)[0], "page", stored=STORED)
        store.set_run(Run("1", "{}", 5))
        store.commit()
        store.requeue_all(100.0, None, keep_cached_fields=True)
        store.set_run(Run("2", "{}", 5, "1"))
    with closing(SqliteStore(tmp_path)) as store:
        assert (store.counts()["page"], store.counts()["queued"]) == (1, 0)
        assert store.run() == Run("1", "{}", 5)
        store.requeue_all(100.0, None, keep_cached_fields=True)
        store.set_run(Run("2", "{}", 5, "1"))
        store.commit()
    with closing(SqliteStore(tmp_path)) as store:
        assert (store.counts()["page"], store.counts()["queued"]) == (0, 1)
        assert store.run() == Run("2", "{}", 5, "1")


# ------------------------------------------------------------------ whatever went
# before

finds = st.builds(
    lambda path, host, destination, depth, skip: found(
        path, destination, depth, host, skip=skip
    ),
    path=st.sampled_from("12345678"),
    host=st.sampled_from("abc"),
    destination=st.sampled_from(["page", "image"]),
    depth=st.integers(0, 3),
    skip=st.sampled_from([None, None, FAR, NOFOLLOW]),
)
endings = st.sampled_from(
    ["page", "image", "file", "redirect", "error", "skip", "retry", "waits"]
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(batches=st.lists(st.tuples(st.lists(finds, max_size=8), endings), max_size=6))
def test_every_url_is_queued_or_decided(
    batches: list[tuple[list[Discovered], str]],
) -> None:
    with TemporaryDirectory() as folder, closing(SqliteStore(Path(folder))) as store:
        known: set[str] = set()
        for number, (batch, ending) in enumerate(batches):
            store.add(batch, number)
            known |= {one.url for one in batch}
            for lease in lease_all(store, number):
                _end(store, lease, ending)
            store.skips_written(number % 2)
            store.commit()
        store.requeue_all(100.0, None, keep_cached_fields=True)
        store.commit()
        _assert_consistent(Path(folder))
        leased = {lease.url for lease in lease_all(store, 100.0)}
        decided = {one.url for one in store.pending_skips(99)}
        assert leased | decided == known
        assert not leased & decided
        assert store.counts()["leased"] == len(leased)


def _end(store: SqliteStore, lease: Lease, ending: Any) -> None:
    if ending == "retry":
        store.retry(lease, 50.0, "reset", "broke")
    elif ending == "waits":
        store.release(lease)
    elif ending in ("error", "skip"):
        store.finish(lease, ending, "robots", "why")
    else:
        store.finish(lease, ending, stored=STORED)


def _assert_consistent(folder: Path) -> None:
    """What is kept beside the URLs is what counting them gives."""
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        states = Counter(dict(db.execute("SELECT state, count(*) FROM url GROUP BY 1")))
        counts = Counter(dict(db.execute("SELECT name, n FROM count WHERE n > 0")))
        assert states.keys() <= {QUEUED, PENDING_SKIP}
        assert counts["queued"] == states[QUEUED]
        assert (
            counts["skip"]
            == states[PENDING_SKIP]
            == _one(db, "SELECT count(*) FROM skip")
        )
        assert not [name for name in counts if name in ENDED and name != "skip"]
        assert _one(db, "SELECT count(*) FROM queue") == states[QUEUED]
        assert _one(db, "SELECT count(*) FROM retry") == 0
        assert (
            _one(db, "SELECT coalesce(sum(pages + images), 0) FROM host")
            == states[QUEUED]
        )


def _one(db: sqlite3.Connection, query: str) -> int:
    return int(db.execute(query).fetchone()[0])
