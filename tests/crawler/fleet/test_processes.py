"""Crawls by several processes, which are killed, as a user runs them."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.helpers.killed_fleet import (
    OPTIONS,
    crawl_killed,
    endings,
    missing_files,
    processes_of,
    run,
    start,
)
from tests.helpers.many_hosts import ManyHosts
from tests.helpers.members import PAGES, PASSWORD, USER, Members, members_site
from tests.helpers.waczs import read_wacz


@pytest.fixture
def site() -> Iterator[ManyHosts]:
    site = ManyHosts(hosts=30, pages=400, pictures=9)
    yield site
    site.stop()


def test_processes_that_are_killed_write_what_one_process_writes(site, tmp_path):
    one, many = tmp_path / "one", tmp_path / "many"
    assert run("crawl", site.url(0), *OPTIONS, "-d", str(one)) == 0
    assert crawl_killed(site, many, processes=3, kills=5, chance=Random(1)) >= 4
    assert endings(many) == endings(one)
    assert max(endings(many).values()) == 1
    assert len(list(many.glob("records/part-*.jsonl"))) == 3
    assert missing_files(many) == []


def test_ctrl_c_stops_all_and_stdout_gets_whole_lines(site, tmp_path):
    """stdout can't be cut back, so that a record may come twice; no line is cut."""
    folder, lines = tmp_path / "out", tmp_path / "lines"
    with lines.open("wb") as out:
        arguments = ["crawl", site.url(0), *OPTIONS, "-d", str(folder), "-o", "-"]
        parent = start(*arguments, "--processes", "2", stdout=out)
        while len(site.requested) < 50:
            assert parent.poll() is None
        processes = processes_of(parent.pid)
        assert len(processes) == 2
        parent.send_signal(signal.SIGINT)
        assert parent.wait(60) == 75
        assert not any(Path(f"/proc/{pid}").exists() for pid in processes)
        arguments = ["resume", str(folder), "-q", "--processes", "1"]
        assert start(*arguments, stdout=out).wait(60) == 0
    found = [json.loads(line) for line in lines.read_bytes().splitlines()]
    pages = {record["url"] for record in found if record["type"] == "page"}
    assert len(pages) == site.pages


def test_the_parent_logs_in_once_for_all_processes(tmp_path, monkeypatch):
    """It makes one WACZ file and one mirror of what they have saved, too."""
    monkeypatch.setenv("MEMBER_PASSWORD", PASSWORD)
    members, folder = Members(), tmp_path / "out"
    site = members_site(members)
    login = ["--login", site.url("/login"), "--form", f"user={USER}"]
    login += [
        "--form",
        "pass=env:MEMBER_PASSWORD",
        "-w",
        "0",
        "-q",
        "--wacz",
        "--mirror",
    ]
    command = ["crawl", site.url("/account"), *login, "-d", str(folder)]
    assert run(*command, "--processes", "2") == 0
    assert {url for kind, url, *_ in endings(folder) if kind == "page"} == {
        site.url(f"/{page}") for page in PAGES
    }
    assert len(members.sent) == len(members.sessions) == 1
    packed = read_wacz(folder / "out.wacz")
    mirrored = {path.stem for path in (folder / "mirror").rglob("*.html")}
    assert mirrored >= set(PAGES)
    assert {page["url"] for page in packed.pages} == {
        site.url(f"/{page}") for page in PAGES
    }
    assert run("recrawl", str(folder), "-q") == 0  # its session goes on
    assert len(members.sent) == 1
    members.sessions.clear()
    assert run("recrawl", str(folder), "-q") == 0
    assert (len(members.sent), len(members.sessions)) == (2, 1)
    site.stop()


def test_a_url_that_kills_its_process_ends_after_three_deaths(tmp_path):
    """The log of -v has whole lines of each process, and names the process."""
    site = ManyHosts(hosts=9, pages=40, poison=True)
    folder, log = tmp_path / "out", tmp_path / "log"
    plugin = "tests.helpers.poison_reader:Poison"
    arguments = [*OPTIONS, "-d", str(folder), "--plugin", plugin, "--processes", "2"]
    arguments += ["-v", "--log-format", "json", "--log-file", str(log)]
    assert run("crawl", site.url(0), *arguments) == 0
    site.stop()
    lines = [json.loads(line) for line in log.read_bytes().splitlines()]
    logged = [line for line in lines if line["event"] in ("exchange", "record")]
    assert len({line["process"] for line in logged}) >= 2
    assert {line["job"] for line in logged} == {str(folder)}
    pages = [line["url"] for line in logged if line.get("type") == "page"]
    assert len(pages) == len(set(pages)) == site.pages
    ended = {url: kind for kind, url, *_ in endings(folder)}
    assert sorted(ended.values()).count("page") == 40
    (poisoned,) = (url for url, kind in ended.items() if kind == "error")
    assert poisoned.endswith("/poison")
    assert site.requested.count("/poison") == 3
