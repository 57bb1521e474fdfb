"""Values in the state that no crawl writes: each command ends in one sentence."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from crawler.frontier.sqlite.damage import find_damage
from crawler.frontier.sqlite.database import FILE_NAME
from tests.helpers.crawling import link, page, picture, png
from tests.site.page import reply
from tests.site.server import Site

VALUES = ("NULL", "'zzz'", "-1", "x'ff00'", "9e999", "9223372036854775807")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site(
        {
            "": page(link("/a", "/b", "/gone", "/r", "/no"), picture("/p.png")),
            "a": page(link("/a?s=1")),
            "p.png": reply(png(), "image/png", headers=(("Set-Cookie", "a=b"),)),
            "r": reply(status=302, headers=(("Location", "/b"),)),
            "robots.txt": reply("User-agent: *\nDisallow: /no", "text/plain"),
        }
    )
    yield site
    site.stop()


@pytest.fixture(scope="module")
def crawled(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crawled") / "out"
    options = ["-w", "0", "-t", "1", "-q", "-n", "3", "--record", "skips,robots"]
    run(["crawl", site.url("/"), "-d", str(folder), *options])
    with closing(sqlite3.connect(folder / "state" / FILE_NAME)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


def columns(folder: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(folder / "state" / FILE_NAME)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return [
            (table, row[1])
            for (table,) in tables.fetchall()
            if db.execute(f"SELECT 1 FROM {table}").fetchone()
            for row in db.execute(f"PRAGMA table_info({table})").fetchall()
        ]


def damaged(crawled: Path, folder: Path, statement: str) -> bool:
    """Make `folder` a copy of `crawled` with a change; False if SQLite refuses it."""
    shutil.copytree(crawled, folder)
    with closing(sqlite3.connect(folder / "state" / FILE_NAME)) as db:
        try:
            with db:
                db.execute(statement)
        except sqlite3.Error:
            return False
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def commands(site: Site, folder: str) -> list[list[str]]:
    return [
        ["status", "--why", folder],
        ["hosts", folder],
        ["urls", folder],
        ["links", folder],
        ["audit", folder],
        ["explain", site.url("/a"), folder],
        ["explain", site.url("/no"), folder, "--json"],
        ["resume", folder, "-q", "-n", "9", "--max-time", "5"],
        ["retry", folder, "-q", "--code", "status_4xx", "--dry-run"],
    ]


def test_no_command_has_a_traceback(
    site: Site, crawled: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each column of each table, with a third of the values each."""
    wrong: list[Any] = []
    for number, (table, column) in enumerate(columns(crawled)):
        for value in VALUES[number % 3 :: 3]:
            change = f"UPDATE {table} SET {column} = {value}"
            source = tmp_path / "damaged"
            if damaged(crawled, source, change):
                for command in commands(site, str(tmp_path / "out")):
                    shutil.copytree(source, tmp_path / "out")
                    if fault := fault_of(command, capfd):
                        wrong.append((change, command[0], fault))
                    shutil.rmtree(tmp_path / "out")
            shutil.rmtree(source)
    assert wrong == []


def fault_of(command: list[str], capfd: pytest.CaptureFixture[str]) -> str:
    try:
        code = run(command)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    said = capfd.readouterr().err
    if code == 7 and said.count("\n") != 1:
        return said
    return said if "Traceback" in said else ""


def test_a_missing_table_is_named(
    crawled: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    damaged(crawled, tmp_path / "out", "DROP TABLE host")
    assert run(["status", str(tmp_path / "out")]) == 7
    said = capfd.readouterr().err
    assert "the table host is missing; it is damaged" in said
    assert said.count("\n") == 1


def test_a_whole_state_has_no_damage(crawled: Path) -> None:
    assert find_damage(crawled / "state") is None


def test_a_defect_of_ours_is_no_damage(crawled: Path, tmp_path: Path) -> None:
    from crawler.inspect.state import open_state

    with pytest.raises(ZeroDivisionError), open_state(crawled):
        raise ZeroDivisionError
