"""Rows of a long queue wait in memory; none is lost, and none overtakes another."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from crawler.frontier.sqlite.database import FILE_NAME
from crawler.frontier.sqlite.reader import open_state
from crawler.frontier.sqlite.store import SqliteStore
from tests.helpers.frontier import found, paths

HOSTS = "abcdefgh"
ROUNDS = 40
BOUND = 400
"""`max_unmerged`: 100 positions wait, once 200 URLs are queued; 640 are found."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page and an image of each host in each round, the deeper pages first."""
    with closing(SqliteStore(tmp_path, max_unmerged=BOUND)) as store:
        for number in range(ROUNDS):
            for host in HOSTS:
                store.add(
                    [
                        found(f"{number}", "page", ROUNDS - number, host),
                        found(f"{number}.png", "image", 1, host),
                    ],
                    0.0,
                )
            store.commit()
    return tmp_path


def one(folder: Path, query: str) -> int:
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        return int(db.execute(query).fetchone()[0])


def test_some_wait_and_no_more_than_the_bound(folder: Path) -> None:
    written = one(folder, "SELECT count(*) FROM queue")
    total = 2 * len(HOSTS) * ROUNDS
    assert total - BOUND // 4 <= written < total
    first = one(folder, "SELECT first_seq FROM unplaced")
    assert total - BOUND // 2 <= first <= total


@pytest.mark.parametrize("bound", [0, BOUND, 1 << 19])
def test_they_are_leased_in_order_after_opening(folder: Path, bound: int) -> None:
    with closing(SqliteStore(folder, max_unmerged=bound)) as store:
        assert len(store.claim(99, 1.0)) == len(HOSTS)
        for host in HOSTS:
            pages = store.lease(f"{host}.example", "page", 99, 1.0)
            images = store.lease(f"{host}.example", "image", 99, 1.0)
            assert paths(pages) == [f"{n}" for n in reversed(range(ROUNDS))]
            assert paths(images) == [f"{n}.png" for n in range(ROUNDS)]
            for lease in (*pages, *images):
                store.finish(lease, "page")
        store.commit()
        assert store.counts()["queued"] == 0
    assert one(folder, "SELECT count(*) FROM queue") == 0
    assert one(folder, "SELECT count(*) FROM unplaced") == 0


def test_what_was_retried_or_has_ended_does_not_come_back(folder: Path) -> None:
    with closing(SqliteStore(folder, max_unmerged=BOUND)) as store:
        for host in HOSTS:  # again long, so that it has an old `unplaced`
            store.add([found("new", "page", 0, host)], 0.0)
        store.claim(99, 1.0)
        new, later, *_ = store.lease("a.example", "page", 99, 1.0)
        store.finish(new, "page")
        store.retry(later, 50.0)
        store.commit()
    assert one(folder, "SELECT count(*) FROM unplaced") == 1
    with closing(SqliteStore(folder)) as store:
        store.claim(99, 1.0)
        again = paths(store.lease("a.example", "page", 99, 1.0))
        assert again == [f"{n}" for n in reversed(range(ROUNDS - 1))]
        assert paths(store.lease("a.example", "page", 1, 60.0)) == [f"{ROUNDS - 1}"]


def test_a_look_from_outside_counts_those_that_wait(folder: Path) -> None:
    with open_state(folder) as state:
        for path, before in ((f"{ROUNDS - 1}", 0), ("0", ROUNDS - 1), ("39.png", 39)):
            row = state.url(found(path, host="h").url)
            assert row is not None
            assert state.urls_before(row) == before


def test_a_nearer_find_moves_a_page_that_waits(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path, max_unmerged=8)) as store:
        store.add([found(f"{n}", "page", 5) for n in range(9)], 0.0)
        store.add([found("far", "page", 5), found("last", "page", 5)], 0.0)
        store.add([found("last", "page", 1)], 0.0)
        store.claim(1, 1.0)
        leases = store.lease("a.example", "page", 99, 1.0)
        assert paths(leases) == ["last", *"012345678", "far"]
