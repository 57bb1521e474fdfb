"""What is no folder of a crawl, or may not be read: one sentence and an exit code."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import click
import pytest

from crawler.cli import run
from crawler.cli.commands.serve import command as serve
from crawler.frontier.sqlite.database import APPLICATION_ID, FILE_NAME
from tests.helpers.paths import ROOT

COMMANDS = (
    ["status"], ["status", "--why"], ["hosts"], ["urls"], ["links"], ["audit"],
    ["retry"], ["resume"], ["recrawl"], ["report"], ["images"], ["extract"],
    ["export", "--to", "urls"], ["export", "--to", "csv"], ["explain", "a.example"],
)  # fmt: skip


def missing(folder: Path) -> None:
    del folder


def empty(folder: Path) -> None:
    folder.mkdir()


def other_things(folder: Path) -> None:
    folder.mkdir()
    (folder / "notes.txt").write_text("notes\n")


def a_file(folder: Path) -> None:
    folder.write_text('{"no": "record"}\n')


def newer(folder: Path) -> None:
    (folder / "state").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "state" / FILE_NAME)) as db:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("PRAGMA user_version = 99")
        db.execute("CREATE TABLE x (y)")


@pytest.mark.parametrize("make", [missing, empty, other_things, a_file, newer])
def test_each_command_says_it(
    make: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "out")
    for words in COMMANDS:
        code = run([*words, "out"])
        shown = capfd.readouterr()
        assert code == (7 if make is newer else 2), words
        assert shown.out == "", words
        assert shown.err.startswith("orbweb: out"), words
        assert shown.err.count("\n") == 1, words
        if make is newer:
            assert "has state format 99, and this orbweb reads" in shown.err


def test_serve_needs_the_folder(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--listen", "0", "nowhere"], serve) == 2
    assert capfd.readouterr().err == "orbweb: nowhere: there is no such folder\n"


def test_what_may_not_be_read_is_named_with_its_owner(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    def reads() -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / "state"))

    assert run([], reads) == 3
    start = f"orbweb: {tmp_path / 'state'}: Permission denied; "
    assert capfd.readouterr().err == f"{start}check owner and mode\n"
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert run([], reads) == 3
    owner = f"{tmp_path} belongs to the user with the id {os.getuid()}; "
    assert capfd.readouterr().err == f"{start}{owner}check owner and mode\n"


def test_there_is_no_other_command_with_a_folder() -> None:
    """A new one belongs into COMMANDS. `doctor` and `work` make the folder."""
    found = {
        file.stem
        for file in (ROOT / "crawler" / "cli" / "commands").glob("*.py")
        if '@click.argument("folder"' in file.read_text("utf-8")
    }
    assert found - {"doctor", "work"} <= {words[0] for words in COMMANDS}
