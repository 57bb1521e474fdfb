"""Every exit code of the README, caused by running the program as a user does."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler.cli.commands.help import EXIT_CODES
from crawler.frontier.sqlite.database import FILE_NAME
from tests.helpers.crawling import link, page
from tests.helpers.paths import ROOT
from tests.site.page import reply
from tests.site.server import Exchange, Site, refusing

PROGRAM = [sys.executable, str(ROOT / "cli.py")]
CODES = re.search(
    r"\nExit codes: (.*?)\n\n", (ROOT / "README.md").read_text("utf-8"), re.DOTALL
)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    def slow(exchange: Exchange) -> None:
        exchange.sleep(300.0)
        exchange.reply("late")

    site = Site(
        {
            "": page(link("/gone", "/slow")),
            "robots.txt": reply("User-agent: *\nDisallow: /closed\n", "text/plain"),
            "gone": reply(status=404),
            "locked": reply(status=401),
            "closed": page(),
            "endless": lambda exchange: exchange.reply(
                link(f"/endless/{time.monotonic_ns()}")
            ),
            "slow": slow,
            "map.xml": reply(
                "<urlset><url><loc>/gone</loc></url></urlset>", "application/xml"
            ),
        }
    )
    yield site
    site.stop()


class Session:
    """Calls of the program in one folder."""

    def __init__(self, site: Site, tls: Site, folder: Path) -> None:
        self.site = site
        self.tls = tls
        self.folder = folder

    def __call__(self, *words: str, program: list[str] = PROGRAM) -> int:
        environ = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [*program, *words],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            timeout=300,
        )
        self.stderr = done.stderr.decode()
        return done.returncode

    def crawl(self, path: str, *words: str) -> int:
        return self(
            self.site.url(path), "-d", "out", "-w", "0", "-t", "1", "-q", *words
        )

    def signalled(self, first: int, second: int | None = None) -> int:
        """A crawl that gets these signals while it waits for a response."""
        self.site.forget()
        grace = "1" if second is None else "20"
        command = [
            *PROGRAM,
            self.site.url("/slow"),
            "-d",
            "out",
            "-w",
            "0",
            "--grace",
            grace,
        ]
        environ = os.environ | {"TERM": "dumb"}
        with subprocess.Popen(
            command, cwd=self.folder, env=environ, stderr=subprocess.PIPE
        ) as process:
            assert process.stderr is not None
            until(lambda: any(hit.target == "/slow" for hit in self.site.log))
            process.send_signal(first)
            if second is not None:
                for line in process.stderr:  # the first signal has arrived
                    if line.startswith(b"orbweb: stopping"):
                        process.send_signal(second)
                        break
            self.stderr = process.communicate(timeout=300)[1].decode()
        return process.returncode


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def internal_error(run: Session) -> int:
    program = (
        "import click; from crawler.cli import main\n"
        "@click.command()\n"
        "def broken(): raise RuntimeError('broken on purpose')\n"
        "main(broken)\n"
    )
    code = run(program=[sys.executable, "-c", program])
    assert run.stderr.startswith("Traceback")
    assert run.stderr.splitlines()[-1] == (
        "orbweb: internal error: RuntimeError: broken on purpose"
    )
    return code


def out_of_memory(run: Session) -> int:
    program = (
        "import click; from crawler.cli import main\n"
        "@click.command()\n"
        "def large(): bytes(2**62)\n"
        "main(large)\n"
    )
    code = run(program=[sys.executable, "-c", program])
    assert run.stderr.startswith("orbweb: out of memory; ")
    assert run.stderr.count("\n") == 1
    return code


def an_untrusted_certificate(run: Session) -> int:
    return run(run.tls.url("/arrived"), "-d", "out", "-t", "1", "-q")


def a_damaged_state(run: Session) -> int:
    run.crawl("/", "-n", "1")
    with closing(sqlite3.connect(run.folder / "out" / "state" / FILE_NAME)) as db:
        db.execute("PRAGMA user_version = 99")
    return run("resume", "out", "-q")


def again(run: Session, code: int) -> int:
    """A resume of what has ended has no failure of its own, and the same code."""
    assert run("resume", "out", "-q") == code
    return code


def a_host_that_does_not_answer(run: Session) -> int:
    (run.folder / "short.toml").write_text(
        "politeness = { park_after = 1, max_park_wait = 0 }", encoding="utf-8"
    )
    with refusing() as port:
        code = run.crawl(
            "/", f"http://127.0.0.1:{port}/", "--config", "short.toml", "--tries", "9",
            "--exclude", "slow",
        )  # fmt: skip
        assert run("resume", "out", "-q") == code  # it is asked at once
    assert "waits for hosts that do not respond" in run.stderr
    return code


CAUSES: dict[int, list[Callable[[Session], int]]] = {
    0: [
        lambda run: run.crawl("/", "--exclude", "slow"),
        lambda run: run.crawl("/", "-n", "1"),
    ],
    1: [internal_error],
    2: [
        lambda run: run("crawl", "--no-such-option"),
        lambda run: run("resume", "nowhere"),
    ],
    3: [lambda run: run.crawl("/", "-d", str(ROOT / "README.md" / "below"))],
    4: [
        lambda run: again(run, run("http://127.0.0.1:9/", "-t", "1", "-d", "out")),
    ],
    5: [lambda run: again(run, an_untrusted_certificate(run))],
    6: [lambda run: again(run, run.crawl("/locked"))],
    7: [a_damaged_state],
    8: [lambda run: run.crawl("/", "--exclude", "slow", "--fail-on", "any")],
    9: [
        lambda run: run.crawl("/closed"),
        lambda run: run.crawl("/", "--exclude", "."),
    ],
    10: [
        lambda run: again(run, run.crawl("/gone")),
        lambda run: run.crawl("/map.xml"),  # a list of pages, and none of them is there
    ],
    71: [out_of_memory],
    75: [
        lambda run: run.signalled(signal.SIGINT),
        lambda run: run.signalled(signal.SIGTERM),
        a_host_that_does_not_answer,
    ],
    130: [lambda run: run.signalled(signal.SIGINT, signal.SIGINT)],
    143: [lambda run: run.signalled(signal.SIGTERM, signal.SIGTERM)],
}


@pytest.mark.parametrize(
    ("code", "way"),
    [
        pytest.param(code, way, id=f"{code}-{number}")
        for code, ways in CAUSES.items()
        for number, way in enumerate(ways)
    ],
)
def test_each_code_is_what_it_says(
    site: Site, running_tls_site: Site, tmp_path: Path, code: int, way: Any
) -> None:
    run = Session(site, running_tls_site, tmp_path)
    assert way(run) == code, run.stderr


def test_these_are_all_there_are() -> None:
    assert CODES is not None
    numbers = re.findall(r"(?<![\w.])(\d+)(?=[\s,])", CODES[1])
    assert sorted(map(int, numbers)) == sorted(CAUSES)
    in_help = re.findall(r"(?m)^  (\d[\d, ]*?)(?:  |$)", EXIT_CODES)
    assert sorted(int(n) for one in in_help for n in one.split(",")) == sorted(CAUSES)
