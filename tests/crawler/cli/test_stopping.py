"""A crawl is stopped by signals and by a closed pipe, and can be resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from crawler.demo.server import DemoServer, serving
from tests.helpers.paths import PROGRAM, ROOT
from tests.helpers.program import Orbweb, records


@pytest.fixture(autouse=True)
def default_hangup() -> Iterator[None]:
    """A suite under nohup ignores SIGHUP, and so would each program that it starts."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def slow_server() -> Iterator[DemoServer]:
    """A server whose slow page does not respond during a test."""
    with serving(slow_s=300.0) as running:
        yield running


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
    orbweb: Orbweb, server: DemoServer, tmp_path: Path, number: signal.Signals
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
    orbweb: Orbweb, server: DemoServer, tmp_path: Path
) -> None:
    """The state is open and nothing has begun: the crawl still stops as usual."""
    program = f"""
import os, signal, sys
from crawler.cli.running import run_tasks
from crawler.cli.task import Task
from crawler.cli.terminal.verbosity import Verbosity
from crawler.engine.builder import open_crawl
from crawler.model.config import Config
from crawler.model.policy_config import PolitenessConfig, ScopeConfig

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
    orbweb: Orbweb, slow_server: DemoServer, tmp_path: Path
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


def test_sighup_opens_the_files_of_log_and_records_again(
    server: DemoServer, tmp_path: Path
) -> None:
    log, moved = tmp_path / "log", tmp_path / "log.1"
    stream = tmp_path / "out" / "records.jsonl"
    words = [server.url, "-d", str(tmp_path / "out"), "--wait", "0.3", "-v", "-q"]
    with subprocess.Popen(
        [*PROGRAM, *words, "--log-file", str(log)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # without a terminal, as a service
    ) as process:
        wait_for(lambda: log.exists() and " page " in log.read_text())
        log.rename(moved)
        stream.rename(tmp_path / "old")
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: log.exists() and log.read_text() != "")
        process.terminate()
        process.communicate(timeout=300)
    assert process.returncode == 75
    assert "Stopped, nothing is lost" in log.read_text()
    assert "Stopped" not in moved.read_text()
    rows = [*records(tmp_path / "old"), *records(stream)]
    written = [row["seq"] for row in rows if row["type"] != "schema"]
    assert len(rows) == len(written) + 2
    assert written == list(range(1, len(written) + 1))


WITH_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def test_closing_the_terminal_stops_and_keeps_all(
    server: DemoServer, tmp_path: Path
) -> None:
    master, terminal = os.openpty()
    stream = tmp_path / "out" / "records.jsonl"
    words = [*PROGRAM, server.url, "-d", str(tmp_path / "out"), "--wait", "1.5"]
    with subprocess.Popen(
        [sys.executable, "-c", WITH_TERMINAL, *words],
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        env={**os.environ, "TERM": "dumb"},
    ) as process:
        os.close(terminal)
        wait_for(lambda: stream.exists() and b'"type":"page"' in stream.read_bytes())
        os.close(master)
        assert process.wait(timeout=300) == 75
    assert records(stream)[-1]["finish_reason"] == "signal"
