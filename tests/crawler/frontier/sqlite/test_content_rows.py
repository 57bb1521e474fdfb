"""The table `content`, and when it is asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from crawler.frontier.sqlite.ledger import ContentRows
from crawler.frontier.sqlite.tables import SCHEMA
from crawler.frontier.store import Content

ONE = Content("images/1.png", "https://a.example/1.png")


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(SCHEMA)
        yield db


def test_a_new_picture_is_not_looked_for_in_the_table(db: sqlite3.Connection) -> None:
    rows = ContentRows(db)
    asked: list[str] = []
    db.set_trace_callback(asked.append)
    for number in range(100):
        assert rows.find(f"{number:064x}") is None
    assert asked == []


def test_what_was_written_is_found(db: sqlite3.Connection) -> None:
    rows = ContentRows(db)
    rows.put("aa", ONE)
    assert rows.find("aa") == ONE
    rows.flush()
    assert rows.pending == {}
    assert rows.find("aa") == ONE
    assert ContentRows(db).find("aa") == ONE
    assert ContentRows(db).find("bb") is None
