"""Records that were moved away: the commands that read records say what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from crawler.cli import run
from crawler.engine.builder import open_crawl
from tests.helpers.crawling import config, link, page, serve

__all__ = ["serve"]

COMMANDS = (["export", "-t", "csv"], ["images"], ["report"], ["extract"])


@pytest.fixture
def folder(serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A crawl whose records went on in a new file after SIGHUP."""
    monkeypatch.chdir(tmp_path)
    site = serve(index=page(link("/a", "/b")), a=page(), b=page())
    out = tmp_path / "out"
    crawl = open_crawl(config(site, out, concurrency=1), mode="new")
    seen: list[str] = []

    def rotate(record: Any) -> None:
        seen.append(record.url)
        if len(seen) == 2:
            (out / "records.jsonl").rename(tmp_path / "moved.jsonl")
            crawl.reopen_outputs()

    crawl.events.on_record(rotate)
    crawl.run()
    return out


def seqs(file: Path) -> list[int]:
    every = (json.loads(line)["seq"] for line in file.read_bytes().splitlines())
    return [seq for seq in every if seq]


def test_each_says_where_the_file_begins(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, last = min(after := seqs(folder / "records.jsonl")), max(after)
    assert seqs(tmp_path / "moved.jsonl") == list(range(1, first))
    text = (
        f"orbweb: out/records.jsonl begins with record {first} of {last}; "
        "those before were moved away and are left out here\n"
    )
    for words in COMMANDS:
        assert run([*words, "out"]) == 0, words
        assert text in capfd.readouterr().err, words
    assert run(["links", "out"]) == 0  # from the state, which has all
    assert capfd.readouterr().err == "2 links on 1 page\n"


def test_a_file_that_is_gone_is_named(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    last = seqs(folder / "records.jsonl")[-1]
    (folder / "records.jsonl").unlink()
    for words in COMMANDS[:3]:
        assert run([*words, "out"]) == 2, words
        assert capfd.readouterr().err == (
            "orbweb: out: there is no file of records of its crawl: out/records.jsonl, "
            f"to which {last} records were written, was moved away; put it back, or "
            "name the file instead\n"
        )


def test_after_a_recrawl_the_records_of_its_run_are_there(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    site = serve(index=page())
    run(["crawl", site.url("/"), "-d", "out", "-w", "0", "-q"])
    (tmp_path / "out" / "records.jsonl").rename("moved.jsonl")
    run(["recrawl", "out", "-q"])
    assert run(["export", "-t", "urls", "out"]) == 0
    shown = capfd.readouterr()
    assert shown.out == f"{site.url('/')}\n"
    assert shown.err == (
        "orbweb: out/records.jsonl begins with record 4 of 6; those of earlier runs "
        "were moved away and are left out here\n"
    )


def test_a_part_that_was_taken_away(
    serve: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    site = serve(
        index=page(link(*(f"/{n}" for n in range(9)))),
        **{str(n): page() for n in range(9)},
    )
    run(["crawl", site.url("/"), "-d", "out", "-w", "0", "-q", "--rotate", "3K"])
    parts = sorted((tmp_path / "out").glob("records-*.jsonl"))
    assert len(parts) > 4
    for part in parts[1:3]:
        part.unlink()
    assert run(["export", "-t", "csv", "out"]) == 0
    assert capfd.readouterr().err == (
        "orbweb: out/records-00002.jsonl to records-00003.jsonl: not there any more, "
        "and left out here\n"
    )
    parts[0].unlink()
    assert run(["export", "-t", "csv", "out"]) == 0
    assert "out/records-00004.jsonl begins with record " in capfd.readouterr().err
