"""No file outside `crawler/frontier/sqlite/` speaks SQL to a state.

An export has databases of its own: the one that it writes, and temporary ones.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.paths import ROOT

ROOM = ROOT / "crawler" / "frontier" / "sqlite"
EXPORT = ROOT / "crawler" / "output" / "export"
# A pipeline of Valkey executes the commands that it already has: `execute()`, or with
# `raise_on_error`.
SPEAKS_SQL = re.compile(
    r"\bimport sqlite3\b|\bfrom sqlite3\b"
    r"|\.execute(?:many|script)?\((?!\)|raise_on_error=)"
    r"|\b(?:FROM|INTO|UPDATE|JOIN) (?:url|host|queue|retry|seen|origin|metadata)\b"
)


def files() -> list[Path]:
    return sorted((ROOT / "crawler").rglob("*.py"))


@pytest.mark.parametrize(
    "text",
    ["import sqlite3", "db.execute(query)", "SELECT 1 FROM url", "UPDATE host SET x"],
)
def test_the_pattern_finds_sql(text: str) -> None:
    assert SPEAKS_SQL.search(text)


def test_no_sql_elsewhere() -> None:
    speakers = {path for path in files() if SPEAKS_SQL.search(path.read_text())}
    assert any(path.is_relative_to(ROOM) for path in speakers)
    elsewhere = [path for path in speakers if not path.is_relative_to(ROOM)]
    assert [path for path in elsewhere if not path.is_relative_to(EXPORT)] == []


def test_an_export_does_not_know_the_state() -> None:
    for path in EXPORT.glob("*.py"):
        assert not re.search(r"crawler\.(frontier|workspace)", path.read_text())
