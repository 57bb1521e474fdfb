"""`orbweb status`: a crawl's folder as text and as JSON, in every state of a crawl."""

from __future__ import annotations

import json
import random
import re
import shutil
import time
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from crawler.cli import run
from crawler.cli.commands.status import began_at, read_speed, reason_lines
from crawler.cli.serving.crawls import Crawls
from crawler.cli.serving.metrics import render
from crawler.cli.serving.page import list_page
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Run
from crawler.inspect.status import read_status
from crawler.inspect.why_waiting import Blocker
from crawler.model.config import Config, to_json
from crawler.model.metadata import note_start, save_clocks
from crawler.model.policy_config import LimitsConfig
from crawler.model.records import PageRecord, RunRecord
from crawler.output.compression import packer
from tests.helpers.frontier import FAR, found, lease_all

ULID = "01HZ0000000000000000000000"


def stamp(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + ".000Z"


def records(path: Path, moments: list[float]) -> None:
    """A stream with a page at each time, and a last line that is cut."""
    lines = [
        msgspec.json.encode(
            PageRecord(url="u", url_id="0", host="h", status=200, ts=stamp(moment))
        )
        for moment in moments
    ]
    lines.append(
        msgspec.json.encode(RunRecord(event="checkpoint", ts=stamp(moments[-1] + 60)))
    )
    path.write_bytes(b"\n".join(lines) + b'\n{"type":"pa')


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    """A running crawl with one page done, one failed, one to retry and one queued."""
    with_crawl = SqliteStore(tmp_path / "state")
    with_crawl.set_run(Run(ULID, to_json(Config(dir=str(tmp_path))).decode(), 3))
    with_crawl.add([found(name) for name in "1234"] + [found("5", skip=FAR)], 0.0)
    one, two, three, _ = lease_all(with_crawl, 0.0)
    with_crawl.finish(one, "page")
    with_crawl.finish(two, "error", "reset")
    with_crawl.retry(three, time.time() + 100)
    with_crawl.commit()
    with closing(with_crawl):
        yield with_crawl


def test_a_running_crawl(store: SqliteStore, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    now = time.time()
    records(tmp_path / "records.jsonl", [now - 5 + n / 10 for n in range(50)])
    assert run(["status", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "running, process" in out
    assert "URLs     pages 1, errors 1, skipped 1, queued 2" in out
    assert "pages/s; the URLs known now take about" in out
    assert "retries  1, the next in 1:" in out
    assert "errors   reset 1" in out
    assert "skipped  depth 1" in out
    assert "a.example  1 page, 0 images" in out
    assert "records.jsonl (" in out


def test_a_limit_of_time_ends_the_run(store: SqliteStore, tmp_path: Path, capsys):  # type: ignore[no-untyped-def]
    limited = Config(dir=str(tmp_path), limits=LimitsConfig(max_time=3600.0))
    now = time.time()
    store.set_run(Run(ULID, to_json(limited).decode(), 3))
    note_start(store, now - 3550)
    save_clocks(store, now, now)
    store.commit()
    records(tmp_path / "records.jsonl", [now - 5000, now])
    assert run(["status", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "the URLs known now" not in out, "the run ends before"
    assert re.search(r"time     at most [0-9.]+ s left by --max-time", out)
    assert run(["status", "--json", str(tmp_path)]) == 0
    assert 0 <= json.loads(capsys.readouterr().out)["stops_in_s"] <= 50


def test_a_stopped_crawl_names_the_way_on(
    store: SqliteStore, tmp_path: Path, capsys
) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "copy").mkdir()  # as the crawl would leave it if it died now
    shutil.copytree(tmp_path / "state", tmp_path / "copy" / "state")
    tmp_path /= "copy"
    assert run(["status", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert f"stopped; `orbweb resume {tmp_path}` continues" in out
    assert "pages/s" not in out


def test_json_for_programs(store: SqliteStore, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert run(["status", "--json", str(tmp_path)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["state"] == "running"
    assert shown["counts"]["queued"] == 2
    assert shown["errors_by_code"] == {"reset": 1}
    assert shown["skips_by_reason"] == {"depth": 1}
    assert shown["run_id"] == ULID
    assert shown["started_at"].startswith("2024-05-")
    assert shown["hosts_waiting"][0]["name"] == "a.example"


def test_a_finished_crawl(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    store = SqliteStore(tmp_path / "state")
    store.set_run(Run(ULID, to_json(Config(output=("-",))).decode(), 3))
    store.commit()
    store.close()
    assert run(["status", str(tmp_path)]) == 0
    assert ": finished\n" in capsys.readouterr().out


@pytest.mark.parametrize("folder", [".", "missing", "began"])
def test_no_crawl(folder: str, tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    SqliteStore(tmp_path / "began" / "state").close()
    assert run(["status", folder]) == 2
    assert f"{folder} holds no crawl; start one" in capsys.readouterr().err


def test_speed_is_that_of_the_last_ten_seconds_written(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    records(path, [1000.0, 2000.0, *(5000.0 + n for n in range(11))])
    speed = read_speed(path)
    assert speed is not None
    assert (speed.last_at, speed.pages_per_s) == (5010.0, pytest.approx(10 / 9))
    path.write_bytes(b"")
    assert read_speed(path) is None


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_speed_is_read_from_the_last_members(tmp_path: Path, ending: str) -> None:
    plain, packed = tmp_path / "r.jsonl", tmp_path / f"r.jsonl{ending}"
    records(plain, [1000.0 + n for n in range(90)])
    pack = packer(ending)
    long_ago = pack(random.Random(1).randbytes(700_000) + b"\n")
    lines = plain.read_bytes().splitlines(keepends=True)
    packed.write_bytes(long_ago + b"".join(map(pack, lines)) + pack(b"{}")[:9])
    assert read_speed(packed) == read_speed(plain) is not None


def test_the_time_in_a_run_id() -> None:
    assert (
        began_at("01ARYZ6S41TSV4RRFFQ69G5FAV") == 1469918176.385
    )  # the example of ulid/spec


def test_why_is_broken_at_the_width_of_the_terminal() -> None:
    reasons = [
        Blocker("waits", "politeness", 13_224, "a.example: a request every 0.5 s "
                "(politeness.wait), 1:50:12 in all"),
        Blocker("error", "status_4xx", 5, "orbweb urls --code status_4xx names them"),
    ]  # fmt: skip
    assert list(reason_lines(reasons, 60)) == [
        "  why",
        "    politeness        13,224  a.example: a request every 0.5",
        "                              s (politeness.wait), 1:50:12",
        "                              in all",
        "    error status_4xx       5  orbweb urls --code status_4xx",
        "                              names them",
    ]
    assert max(map(len, reason_lines(reasons, None))) > 80


def test_pages_over_the_limit_are_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images are still fetched then, and pages are not."""
    limits = LimitsConfig(max_pages=1)
    store = SqliteStore(tmp_path / "state")
    config = Config(dir=str(tmp_path), limits=limits)
    store.set_run(Run(ULID, to_json(config).decode(), 3))
    store.add([found(name) for name in "123"], 0.0)
    store.add([found(name, destination="image") for name in "4567"], 0.0)
    first, *others = lease_all(store, 0.0)
    store.finish(first, "page")
    for lease in others:
        store.release(lease)
    store.commit()
    status = read_status(tmp_path / "state")
    assert status is not None
    assert (status.counts["queued"], status.queued_images) == (6, 4)
    assert status.over_limit == 2
    assert run(["status", "--why", str(tmp_path)]) == 0
    (line,) = (one for one in capsys.readouterr().out.splitlines() if "limit_pa" in one)
    assert line.split()[:2] == ["limit_pages", "2"]
    store.close()


def ended(folder: Path, started: float, took: float) -> None:
    """A run of a crawl whose only seed is not there."""
    with closing(SqliteStore(folder / "state")) as store:
        if store.run() is None:
            store.set_run(Run(ULID, to_json(Config(dir=str(folder))).decode(), 3))
            store.add([found("1", depth=0)], 0.0)
            (lease,) = lease_all(store, 0.0)
            store.finish(lease, "error", "status_4xx", "404 Not Found")
        note_start(store, started)
        save_clocks(store, started + took, started + took)
        store.commit()


def test_a_crawl_that_has_failed_says_so(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    ended(tmp_path, time.time() - 100, 40)
    assert run(["status", str(tmp_path)]) == 0
    failed = "ailed, the seeds led to no page (404 Not Found)"
    assert f"{tmp_path}: f{failed}\n" in capsys.readouterr().out
    assert run(["status", "--json", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["failure"] == f"F{failed}"
    view = Crawls([str(tmp_path)]).all()
    assert f"F{failed}".encode() in list_page(view)
    assert b"state failed" in list_page(view)
    metrics, _ = render(view, "", 1)
    assert b"orbweb_failed{" in metrics
    assert b"orbweb_failed 0" not in metrics


def test_when_a_crawl_ended_and_how_long_it_ran(tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    now = time.time()
    ended(tmp_path, now - 7200, 60)
    assert run(["status", str(tmp_path)]) == 0
    assert "ago, after 1:00\n" in capsys.readouterr().out
    ended(tmp_path, now - 3600, 20)
    assert run(["status", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert ", after 20 s (the last of 2 runs, 1:20 in all)\n" in shown
    assert run(["status", "--json", str(tmp_path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["runs"], found["last_run_s"], found["all_runs_s"]) == (2, 20.0, 80.0)
