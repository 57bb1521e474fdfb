"""URLs wait in memory before they are merged into the table of all; none is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.frontier.sqlite.database import FILE_NAME, FILE_NAMES
from crawler.frontier.sqlite.reader import open_state
from crawler.frontier.sqlite.seen_set import BUCKETS
from crawler.frontier.sqlite.store import SqliteStore
from crawler.model.url import url_id
from tests.helpers.frontier import found

COMMITS, LINKS = 60, 20
BOUND = 64
"""URLs that may wait; 1,200 are found."""


def urls() -> Iterator[list[str]]:
    for commit in range(COMMITS):
        yield [f"{commit}/{link}" for link in range(LINKS)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state whose URLs were merged many times, with some that were not."""
    with closing(SqliteStore(tmp_path, max_unmerged=BOUND)) as store:
        for batch in urls():
            assert store.add(map(found, batch), 0.0) == LINKS
            store.commit()
    return tmp_path


def rows(folder: Path, query: str) -> list[tuple[int, ...]]:
    with closing(sqlite3.connect(folder / FILE_NAME)) as db:
        return db.execute(query).fetchall()


def test_no_more_wait_than_the_bound(folder: Path) -> None:
    ((merged,),) = rows(folder, "SELECT count(*) FROM seen")
    assert COMMITS * LINKS - BOUND <= merged < COMMITS * LINKS


def test_what_is_merged_is_deleted_from_the_log(folder: Path) -> None:
    """The log keeps what the bucket that waits longest may still need."""
    ((logged,),) = rows(folder, "SELECT sum(length(url_ids) / 8) FROM unmerged")
    ((oldest, buckets),) = rows(folder, "SELECT min(seq), count(*) FROM merged")
    assert buckets == BUCKETS
    assert COMMITS * LINKS - oldest <= logged <= COMMITS * LINKS - oldest + LINKS
    assert logged < COMMITS * LINKS // 2


@pytest.mark.parametrize("bound", [0, BOUND, 1 << 19])
def test_every_url_is_known_after_opening(folder: Path, bound: int) -> None:
    with closing(SqliteStore(folder, max_unmerged=bound)) as store:
        for batch in urls():
            assert store.add(map(found, batch), 0.0) == 0
        assert store.add([found("new"), found("new")], 0.0) == 1


def test_every_url_is_known_after_further_merges(folder: Path) -> None:
    """With a filter for each bucket, made of what was merged before and since."""
    more = [found(f"more/{number}") for number in range(2 * BUCKETS)]
    with closing(SqliteStore(folder, max_unmerged=0)) as store:
        assert store.add(more, 0.0) == len(more)
        store.commit()
        for batch in urls():
            assert store.add(map(found, batch), 0.0) == 0
        for number, one in enumerate(more, start=COMMITS * LINKS + 1):
            assert store._seen.number_of(url_id(one.url)) == number


def test_a_look_from_outside_finds_those_that_wait(folder: Path) -> None:
    with open_state(folder) as state:
        for number, path in enumerate([path for batch in urls() for path in batch], 1):
            assert state.number_of(found(path).url) == number
        assert state.number_of(found("new").url) == 0
        last = state.url(found(f"{COMMITS - 1}/{LINKS - 1}").url)
        assert last is not None
        assert state.urls_before(last) == COMMITS * LINKS - 1


def test_a_merge_that_was_not_committed_is_forgotten(folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in FILE_NAMES[:1]}
    with closing(SqliteStore(folder, max_unmerged=0)) as store:
        store.add([found("new")], 0.0)
        store._seen.flush()  # as a commit does that is killed before its end
    assert (folder / FILE_NAMES[0]).read_bytes() == before[FILE_NAMES[0]]
    with closing(SqliteStore(folder)) as store:
        assert store.add(map(found, ["0/0", "59/19", "new"]), 0.0) == 1


def test_an_early_find_waits_like_any_other(folder: Path) -> None:
    """`waits` is asked by the hash: of URLs merged and not merged."""
    with closing(SqliteStore(folder)) as store:
        for path in ("0/0", "59/19"):
            assert store.waits(url_id(found(path).url))
        assert not store.waits(url_id(found("new").url))
