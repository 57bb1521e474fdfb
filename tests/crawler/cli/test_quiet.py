"""`-q` shows nothing unless something goes wrong: no note, no result, in no command."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.cli import run
from crawler.demo.server import DemoServer

HASTY = ["-w", "0", "--per-host", "8", "-t", "1", "-q", "--exclude", "slow|busy|lost"]


def test_commands_that_go_well_are_silent(
    server: DemoServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    address = server.url.removeprefix("http://").rstrip("/")
    seeds = tmp_path / "seeds.txt"
    seeds.write_text(f"{server.url}\n")
    for words in (
        ["crawl", address, "-d", "out", "-n", "2", *HASTY],  # http is assumed
        ["crawl", "-i", str(seeds), "-d", "list", "-n", "1", *HASTY],
        ["resume", "out", "-q", "-n", "none"],
        ["retry", "out", "-q", "--code", "reset"],
        ["retry", "out", "-q", "--dry-run"],
        ["recrawl", "out", "-q"],
        ["demo", "-d", "demo", "-q"],
        ["mirror", server.url, "-d", "mirror", "-n", "1", *HASTY],
        ["extract", "mirror", "-d", "again", "-q"],
    ):
        code = run(words)
        shown = capsys.readouterr()
        assert (words, code, shown.out, shown.err) == (words, 0, "", "")


def test_a_line_that_is_left_out_is_said_all_the_same(
    server: DemoServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seeds = tmp_path / "seeds.txt"
    seeds.write_text(f"{server.url}\nftp://example.com/\n")
    words = ["crawl", "-i", str(seeds), "-d", str(tmp_path / "o"), "-n", "1", *HASTY]
    assert run(words) == 0
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"orbweb: {seeds}:2: ")
    assert line.endswith("; the line is left out")
