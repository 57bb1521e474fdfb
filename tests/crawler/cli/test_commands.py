"""The commands as a user runs them: a process, its output, an exit code.

The server is the demo's: blocking sockets in a thread of this process.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from crawler.cli.commands.demo import is_demo
from crawler.demo.server import DemoServer, serving
from tests.helpers.paths import PROGRAM, ROOT

QUICK = ["--wait", "0", "--per-host", "8", "--exclude", "slow|busy"]
"""Options for a crawl of the demo's site that takes no time."""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def server() -> Iterator[DemoServer]:
    with serving() as running:
        yield running


@pytest.fixture
def slow_server() -> Iterator[DemoServer]:
    """A server whose slow page does not answer during a test."""
    with serving(slow_s=300.0) as running:
        yield running


@pytest.fixture
def orbweb(tmp_path: Path) -> Run:
    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "TERM": "dumb"} | options.pop("environ", {})
        return subprocess.run(
            [*PROGRAM, *arguments],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=300,
            **options,
        )

    return run


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def kinds(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(row["type"] for row in rows)


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    return done.stderr.splitlines()[-1]


# ------------------------------------------------------------------ crawl


def test_a_crawl_leaves_records_images_and_one_line_of_result(
    orbweb: Run, server: DemoServer, tmp_path: Path
) -> None:
    done = orbweb("crawl", server.url, *QUICK, "-d", "out", "--record", "skips")
    assert (done.returncode, done.stdout) == (0, "")
    assert last_line(done).startswith("Finished: ")
    assert last_line(done).endswith(
        "Records: out/records.jsonl. Next: orbweb status out"
    )
    rows = records(tmp_path / "out" / "records.jsonl")
    found = kinds(rows)
    assert rows[0]["type"] == "schema"
    assert found["redirect"] == 1
    assert found["error"] == 1
    assert {row["format"] for row in rows if row["type"] == "image"} == {
        "png", "jpeg", "gif", "svg", "webp"
    }  # fmt: skip
    assert {row["reason"] for row in rows if row["type"] == "skip"} == {
        "robots",
        "scope",
    }
    cafe = next(row for row in rows if row.get("url", "").endswith("cafe.html"))
    assert (cafe["charset"], cafe["title"][:8]) == ("windows-1252", "Le café ")
    for row in rows:
        if row["type"] == "image":
            assert (tmp_path / "out" / row["path"]).is_file()


def test_verbose_logs_each_record(orbweb: Run, server: DemoServer) -> None:
    done = orbweb(
        server.url, *QUICK, "-d", "out", "--no-images", "--record", "skips", "-v"
    )
    lines = [" ".join(line.split()) for line in done.stderr.splitlines()]
    for start in (
        "page 200 {} kB",
        "redirect 301 {}" + f" ms {server.url}visit -> {server.url}visit.html",
        f"error status_4xx {server.url}lost.html 404 Not Found",
        f"skip robots {server.url}storeroom/index.html "
        "robots.txt:2 Disallow: /storeroom/",
    ):
        head, _, tail = start.partition("{}")
        assert any(line.startswith(head) and line.endswith(tail) for line in lines), (
            start
        )


def test_verbose_shows_each_exchange_and_no_secret(
    orbweb: Run, server: DemoServer
) -> None:
    options = [server.url, *QUICK, "-l", "0", "--no-images", "-H", "Cookie: sid=s3cr3t"]
    done = orbweb(*options, "-d", "out", "-v")
    assert done.returncode == 0
    assert f"* GET {server.url}robots.txt  200 OK; " in done.stderr
    assert f"* GET {server.url}  200 OK; " in done.stderr
    assert "  Cookie: sid=•••" in done.stderr
    assert "< server: " in done.stderr
    assert "s3cr3t" not in done.stderr
    assert "* GET" not in orbweb(*options, "-d", "quiet", "-v", "-q").stderr
    assert "* GET" not in orbweb(*options, "-d", "normal").stderr


def test_a_log_in_a_file(orbweb: Run, server: DemoServer, tmp_path: Path) -> None:
    options = [server.url, *QUICK, "-l", "0", "--no-images", "--log-file", "log"]
    done = orbweb(*options, "-d", "a", "-v", "-q")
    assert done.stderr.count("\n") == 1
    log = (tmp_path / "log").read_text()
    assert f" * GET {server.url}  200 OK; " in log
    assert log.splitlines()[-1].endswith(done.stderr.strip())
    done = orbweb(*options, "-d", "b", "-v", "--log-format", "json")
    assert "Finished: 1 page" in done.stderr
    events = [
        json.loads(line)
        for line in (tmp_path / "log").read_text()[len(log) :].splitlines()
    ]
    assert [event["event"] for event in events] == [
        "exchange",
        "exchange",
        "record",
        "message",
    ]
    assert orbweb(*options[:-1], "no/log", "-d", "c").returncode == 3
    assert not (tmp_path / "c").exists()


def test_the_log_as_json(orbweb: Run, server: DemoServer, tmp_path: Path) -> None:
    done = orbweb(server.url, *QUICK, "-d", "out", "-v", "--log-format", "json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert Counter(event["event"] for event in events) >= Counter(
        exchange=20, record=20, message=1
    )
    assert events[-1]["message"].startswith("Finished: ")
    again = orbweb(server.url, "-d", "out", "--log-format", "json")
    (refused,) = map(json.loads, again.stderr.splitlines())
    assert (again.returncode, refused["level"]) == (2, "error")
    assert "orbweb recrawl out" in refused["message"]


def test_a_crawl_is_crawled_again(
    orbweb: Run, server: DemoServer, tmp_path: Path
) -> None:
    options = [server.url, *QUICK, "-d", "out"]
    assert (
        orbweb(*options, "-N").returncode == 0
    )  # there is nothing to compare with yet
    for words in (["recrawl", "out"], [*options, "-N"]):
        done = orbweb(*words)
        assert done.returncode == 0, done.stderr
        assert re.search(r"\(0 new, 0 changed, \d\d unchanged\)", last_line(done))
        shown = orbweb("status", "out").stdout
        assert re.search(r"\n  since    unchanged \d\d\n", shown)
    rows = [
        row
        for row in records(tmp_path / "out" / "records.jsonl")
        if row["type"] == "page"
    ]
    assert Counter((row["from_cache"], row["changed"]) for row in rows) == {
        ("miss", None): len(rows) // 3,
        ("not_modified", "unchanged"): len(rows) // 3 * 2,
    }
    shown = orbweb("urls", "out", "--code", "unchanged", "--state", "page").stdout
    assert len(shown.splitlines()) == len(rows) // 3
    assert (
        "unchanged since the crawl before"
        in orbweb("explain", server.url, "out").stdout
    )
    assert orbweb("recrawl", "nowhere").returncode == 2
    both = orbweb(*options, "-N", "--fresh")
    assert (both.returncode, "name one of them" in both.stderr) == (2, True)


def test_a_word_like_a_url_is_crawled_and_stdout_holds_data_only(
    orbweb: Run, server: DemoServer
) -> None:
    options = [
        "-o",
        "-",
        "-d",
        "x",
        "-l",
        "0",
        "-q",
        "--no-images",
        "--no-robots",
        "-k",
    ]
    done = orbweb(server.url, *options)
    assert done.returncode == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert kinds(rows) == {"run": 2, "page": 1}
    runs = [row for row in rows if row["type"] == "run"]
    assert [(run["obey_robots"], run["verify_tls"]) for run in runs] == [
        (False, False)
    ] * 2
    assert done.stderr.count("\n") == 1


def test_a_folder_that_holds_a_crawl_is_not_overwritten(
    orbweb: Run, server: DemoServer
) -> None:
    options = [server.url, *QUICK, "-d", "out", "-n", "2"]
    assert orbweb(*options).returncode == 0
    again = orbweb(*options)
    assert again.returncode == 2
    assert "orbweb resume out" in again.stderr
    assert "--fresh" in again.stderr
    assert orbweb(*options, "--fresh").returncode == 0


def test_a_limit_is_a_success_and_resume_continues(
    orbweb: Run, server: DemoServer, tmp_path: Path
) -> None:
    done = orbweb(server.url, *QUICK, "-d", "out", "-n", "3", "--no-images")
    assert done.returncode == 0
    assert last_line(done).startswith("Stopped at the page limit: 3 pages")
    shown = json.loads(orbweb("status", "out", "--json").stdout)
    assert (shown["state"], shown["counts"]["page"]) == ("stopped", 3)
    assert orbweb("resume", "out", "-q").returncode == 0
    rows = records(tmp_path / "out" / "records.jsonl")
    assert max(Counter(row["url"] for row in rows if row.get("url")).values()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["crawl"], 2, "there is no URL to start from"),
        (["crawl", "mailto:a@b.test"], 2, "not supported"),
        (["crawl", "http://[::1"], 2, "is not a valid URL"),
        (["crawl", "a.test", "-d", "file/below"], 3, "file"),
        (
            ["a.test", "-d", "new", "-H", "Cookie: env:NO_SUCH"],
            2,
            "environment variable NO_SUCH is not set",
        ),
        (["crawl", "--config", "missing.toml"], 2, "missing.toml: No such file"),
        (["resume", "missing"], 2, "holds no crawl"),
        (
            ["http://127.0.0.1:9/", "-t", "1"],
            4,
            "Next: orbweb fetch http://127.0.0.1:9/",
        ),
        (
            ["http://nowhere.invalid/", "-t", "1"],
            4,
            "Failed, no seed could be fetched (",
        ),
        (
            ["http://127.0.0.1:9/", "--exclude", "."],
            9,
            "every seed is excluded by robots.txt or",
        ),
    ],
)
def test_bad_input(
    orbweb: Run, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    done = orbweb(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_https_is_assumed_with_a_note(orbweb: Run) -> None:
    done = orbweb("127.0.0.1:9", "-t", "1")
    assert done.stderr.startswith(
        "orbweb: 127.0.0.1:9: no scheme given, https assumed\n"
    )


# ------------------------------------------------------------------ stopping


def crawling(server: DemoServer, folder: Path, *more: str) -> subprocess.Popen[str]:
    """A crawl that would take half a minute, under way."""
    process = subprocess.Popen(
        [*PROGRAM, server.url, "-d", str(folder), "--wait", "1.5", *more],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stream = folder / "records.jsonl"
    wait_for(lambda: stream.exists() and b'"type":"page"' in stream.read_bytes())
    return process


def wait_for(condition: Callable[[], bool]) -> None:
    end = monotonic() + 120
    while not condition():
        assert monotonic() < end
        sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_and_keeps_all(
    orbweb: Run, server: DemoServer, tmp_path: Path, number: signal.Signals
) -> None:
    with crawling(server, tmp_path / "out") as process:
        process.send_signal(number)
        _, shown = process.communicate(timeout=300)
    assert process.returncode == 75
    assert shown.splitlines()[-1].startswith("Stopped, nothing is lost: ")
    assert shown.splitlines()[-1].endswith(f"Next: orbweb resume {tmp_path / 'out'}")
    rows = records(tmp_path / "out" / "records.jsonl")
    assert rows[-1]["finish_reason"] == "signal"


def test_a_signal_before_the_first_request_stops_the_crawl(
    orbweb: Run, server: DemoServer, tmp_path: Path
) -> None:
    """The state is open and nothing has begun: the crawl still stops as usual."""
    program = f"""
import os, signal, sys
from crawler.cli.running import Task, run_tasks
from crawler.cli.terminal.verbosity import Verbosity
from crawler.engine.builder import open_crawl
from crawler.model.config import Config, PolitenessConfig, ScopeConfig

def open_interrupted(config, *, mode):
    crawl = open_crawl(config, mode=mode)
    os.kill(os.getpid(), signal.SIGTERM)
    return crawl

config = Config(
    seeds=({server.url!r},),
    dir="out",
    politeness=PolitenessConfig(wait=0, per_host=8),
    scope=ScopeConfig(rules=("-slow|busy",)),
)
sys.exit(run_tasks([Task(config, "new", open_interrupted)], Verbosity()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 75, done.stderr
    assert "Stopped, nothing is lost" in done.stderr
    assert orbweb("resume", "out", "-q").returncode == 0


def test_a_second_signal_does_not_wait(
    orbweb: Run, slow_server: DemoServer, tmp_path: Path
) -> None:
    server = slow_server
    slow = f"{server.url}slow.html"
    with crawling(server, tmp_path / "out", slow, "--wait", "0", "-l", "0") as process:
        assert process.stderr is not None
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline().startswith("orbweb: stopping: ")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=300)
    assert process.returncode == 130
    server.slow_s = 0.0
    stream = tmp_path / "out" / "records.jsonl"
    assert slow not in {row.get("url") for row in records(stream)}
    assert orbweb("resume", "out", "-q").returncode == 0
    assert slow in {row.get("url") for row in records(stream)}


def test_a_closed_pipe_ends_the_crawl(server: DemoServer, tmp_path: Path) -> None:
    crawl = f"{PROGRAM[0]} {PROGRAM[1]} {server.url} --wait 0 -d out -o -"
    line = f"{crawl} | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        line, shell=True, executable="/bin/bash", cwd=tmp_path, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "75"
    assert "Traceback" not in done.stderr


# ------------------------------------------------------------------ several crawls


@pytest.mark.parametrize("how", ["in_order", "side_by_side"])
def test_jobs(orbweb: Run, server: DemoServer, tmp_path: Path, how: str) -> None:
    (tmp_path / "batch.toml").write_text(
        f'jobs = "{how}"\nseeds = ["{server.url}"]\n'
        "politeness.wait = 0\nlimits.max_pages = 2\n"
        '[[job]]\nname = "one"\nimages.fetch = false\n'
        '[[job]]\nname = "two"\nrecords.include = ["links"]\n'
        '[[job]]\nname = "three"\nseeds = ["http://127.0.0.1:9/"]\nretry.tries = 1\n'
    )
    done = orbweb("crawl", "--config", "batch.toml")
    assert done.returncode == 4
    assert sum("Records: " in line for line in done.stderr.splitlines()) == 3
    one, two = (records(tmp_path / name / "records.jsonl") for name in ("one", "two"))
    assert kinds(one)["image"] == 0
    assert kinds(two)["image"] > 0
    assert next(row for row in two if row["type"] == "page")["links"]
    assert orbweb("resume", "--config", "batch.toml", "-q").returncode == 4


# ------------------------------------------------------------------ fetch


def test_fetch_shows_all_about_a_page(orbweb: Run, server: DemoServer) -> None:
    done = orbweb("fetch", f"{server.url}visit")
    assert (done.returncode, done.stderr) == (0, "")
    for piece in (
        "301 redirect",
        "200 OK",
        "allowed; rules for us in robots.txt: 1",
        "page, text/html",
        "█",
        "content-length: ",
        "links (",
        "Opening hours.",
    ):
        assert piece in done.stdout, piece


def test_fetch_shows_an_image_and_what_is_closed(
    orbweb: Run, server: DemoServer
) -> None:
    shown = orbweb("fetch", f"{server.url}images/funnel.gif").stdout
    assert "240 x 160" in shown
    closed = orbweb("fetch", f"{server.url}storeroom/index.html")
    assert closed.returncode == 0
    assert (
        "a crawl would leave this out: robots.txt:2 Disallow: /storeroom/"
        in closed.stdout
    )


def test_fetch_shows_each_exchange(orbweb: Run, server: DemoServer) -> None:
    result = orbweb("fetch", server.url, "-v", "-H", "Cookie: sid=s3cr3t")
    assert result.returncode == 0
    assert "> GET /robots.txt HTTP/1.1" in result.stderr
    assert "> GET / HTTP/1.1" in result.stderr
    assert "< HTTP/1." in result.stderr
    assert "> Cookie: sid=" in result.stderr
    assert "s3cr3t" not in result.stderr + result.stdout


def test_fetch_as_json(orbweb: Run, server: DemoServer) -> None:
    done = orbweb("fetch", "--json", server.url)
    robots, page = map(json.loads, done.stdout.splitlines())
    assert (robots["type"], page["type"]) == ("robots", "page")
    assert page["links"]
    assert page["headers"]


def test_fetch_of_what_fails(orbweb: Run, server: DemoServer) -> None:
    done = orbweb("fetch", f"{server.url}lost.html")
    assert done.returncode == 4
    assert "status_4xx" in done.stdout
    done = orbweb("fetch", "http://127.0.0.1:9/")
    assert done.returncode == 4
    assert "connect_refused (connect)" in done.stdout


# ------------------------------------------------------------------ demo


def test_the_demo_shows_everything_and_is_quick(orbweb: Run, tmp_path: Path) -> None:
    before = monotonic()
    done = orbweb("demo")
    assert done.returncode == 0
    assert monotonic() - before < 60  # its pauses are 6 of them
    found = kinds(records(tmp_path / "orbweb-demo" / "records.jsonl"))
    assert found.keys() == {
        "schema", "run", "robots", "page", "image", "file", "redirect", "error", "skip"
    }  # fmt: skip
    assert "jq -r" in done.stderr
    assert "duckdb -c" in done.stderr


def test_only_a_demo_is_replaced_by_a_demo(
    orbweb: Run, server: DemoServer, tmp_path: Path
) -> None:
    orbweb(server.url, *QUICK, "-d", "mine", "-l", "0", "--no-images")
    before = (tmp_path / "mine" / "records.jsonl").read_bytes()
    assert not is_demo(str(tmp_path / "mine"))
    assert orbweb("demo", "-d", "mine").returncode == 2
    assert (tmp_path / "mine" / "records.jsonl").read_bytes() == before
    orbweb(
        server.url, *QUICK, "-d", "demo", "-s", "name=demo", "-l", "0", "--no-images"
    )
    assert is_demo(str(tmp_path / "demo"))


# ------------------------------------------------------------------ closed descriptors


def without(
    redirection: str, folder: Path, *arguments: str
) -> subprocess.CompletedProcess[bytes]:
    """The program, started by a shell that closes one of its standard descriptors."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", *PROGRAM, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=300)


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_descriptor_is_not_reused_for_a_file(
    server: DemoServer, tmp_path: Path, redirection: str
) -> None:
    """If the state or the records got its number, messages would be written there."""
    done = without(
        redirection, tmp_path, "crawl", server.url, *QUICK, "-d", "out", "-v"
    )
    assert done.returncode == 0
    rows = records(tmp_path / "out" / "records.jsonl")
    assert kinds(rows)["page"] > 5
    asked = without(redirection, tmp_path, "urls", "out")
    assert asked.returncode == (3 if ">&-" in redirection.replace("2>&-", "") else 0)


@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
def test_output_that_cannot_be_written_is_an_error(
    tmp_path: Path, redirection: str
) -> None:
    done = without(redirection, tmp_path, "schema")
    assert done.returncode == 3
    assert re.fullmatch(rb"orbweb: stdout can't be written: [ \w]+\n", done.stderr)


def test_records_for_a_closed_stdout_are_an_error(
    server: DemoServer, tmp_path: Path
) -> None:
    done = without(">&-", tmp_path, "crawl", server.url, *QUICK, "-d", "out", "-o", "-")
    assert done.returncode == 3
    assert b"stdout can't be written" in done.stderr


# ------------------------------------------------------------------ completion


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["rec"], {"recrawl"}),
        (["crawl", "--limit"], {"--limit-rate"}),
        (["crawl", "--scope", "p"], {"prefix", "page"}),
        (["crawl", "--with", ""], {"links", "images", "headers"}),
        (["completion", ""], {"bash", "zsh", "fish"}),
    ],
)
def test_bash_completes_commands_options_and_values(
    tmp_path: Path, words: list[str], expected: set[str]
) -> None:
    program = tmp_path / "orbweb"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(PROGRAM)} "$@"\n')
    program.chmod(0o755)
    script = f"""
        eval "$({program} completion bash)"
        COMP_WORDS=(orbweb {shlex.join(words)}); COMP_CWORD={len(words)}
        _orbweb_completion {program}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, timeout=300
    )
    assert set(done.stdout.split()) == expected, done.stderr


def test_the_shell_is_the_one_that_is_used(orbweb: Run) -> None:
    assert (
        "#compdef orbweb"
        in orbweb("completion", environ={"SHELL": "/usr/bin/zsh"}).stdout
    )
    assert orbweb("completion", environ={"SHELL": "/bin/nologin"}).returncode == 2
