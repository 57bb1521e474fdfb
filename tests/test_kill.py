"""Killed at any moment and resumed, a crawl loses nothing and repeats nothing.

The moments are random but not luck: each signal waits for an amount of *progress* drawn
from a seed, counted in requests that reached the server or in bytes that reached the
record stream (the second falls between the flush of a batch and its commit, where a
careless writer repeats itself). So the signals are spread over the whole crawl on any
machine, however fast; and from that amount on the site holds its answers back until the
signal is sent, so that no crawl runs away from its signals on a machine that is slow to
send them.
"""

import hashlib
import json
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.generated_site import GeneratedSite
from tests.helpers.paths import PROGRAM

PAGES = 2000
RECORD_BYTES = 1000  # about, to draw amounts of bytes alike to amounts of requests
TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}
STOPPED_EARLY = 75
PATIENCE = 300.0
"""Seconds for what takes a few; beyond it is a hang."""


class Crawl:
    """The crawl of a site into a folder, in as many runs as it takes."""

    def __init__(self, site: GeneratedSite, folder: Path, seed: int) -> None:
        self.site = site
        self.folder = folder
        self.records = folder / "records.jsonl"
        self.dice = random.Random(seed)

    def run_until(self, sign: signal.Signals, step: int) -> int:
        """Run, signal after up to `2 * step` requests or records, and return the exit
        code."""
        reached = self.dice.choice([self._requests, self._bytes])(
            self.dice.randint(1, 2 * step)
        )
        process = self._start()
        with self._held_back(reached):
            deadline = time.monotonic() + PATIENCE
            while not reached():
                assert process.poll() is None, (
                    f"it ended before its signal:\n{self._messages()}"
                )
                assert time.monotonic() < deadline, f"no progress:\n{self._messages()}"
                time.sleep(0.0005)
            process.send_signal(sign)
        return process.wait(PATIENCE)

    @contextmanager
    def _held_back(self, reached: Callable[[], bool]) -> Iterator[None]:
        """No request is answered from then on, until the block is over."""
        over = threading.Event()
        self.site.on_request = lambda target: reached() and over.wait(PATIENCE)
        try:
            yield
        finally:
            self.site.on_request = None
            over.set()

    def finish(self) -> None:
        """Run to the end."""
        assert self._start().wait(PATIENCE) == 0, self._messages()

    def lines(self) -> list[dict[str, Any]]:
        text = self.records.read_text()
        assert text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log().open("wb") as log:
            return subprocess.Popen(
                [*PROGRAM, *self._words()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _words(self) -> list[str]:
        if self.folder.exists():
            return ["resume", str(self.folder)]
        words = ["crawl", self.site.url, "-d", str(self.folder)]
        return [*words, "-w", "0", "-c", "16", "--per-host", "16"]

    def _requests(self, amount: int) -> Callable[[], bool]:
        goal = len(self.site.requested) + amount
        return lambda: len(self.site.requested) >= goal

    def _bytes(self, amount: int) -> Callable[[], bool]:
        goal = self._size() + amount * RECORD_BYTES
        return lambda: self._size() >= goal

    def _size(self) -> int:
        return self.records.stat().st_size if self.records.exists() else 0

    def _log(self) -> Path:
        return self.folder.with_suffix(".log")

    def _messages(self) -> str:
        return self._log().read_text(errors="replace")


class Recrawl(Crawl):
    """The same for the crawl that follows in the same folder."""

    begun = False

    def _words(self) -> list[str]:
        words = ["resume" if self.begun else "recrawl", str(self.folder)]
        self.begun = True
        return words

    def lines(self) -> list[dict[str, Any]]:
        first, *lines = super().lines()
        last = lines[-1]["run_id"]
        return [first, *(line for line in lines if line["run_id"] == last)]


@pytest.fixture
def site() -> Iterator[GeneratedSite]:
    with GeneratedSite(PAGES, seed=1) as running:
        yield running


def check(crawl: Crawl) -> None:
    """Every URL of the site in one record of the right type, and every picture in one
    file."""
    lines = crawl.lines()
    assert [line["type"] for line in lines].count("schema") == 1
    lines = lines[1:]
    sequence = [line["seq"] for line in lines]
    assert sequence == sorted(set(sequence))
    assert [line["event"] for line in lines if line["type"] == "run"][-1] == "finished"

    ends = [line for line in lines if line["type"] in TERMINAL]
    assert [
        url for url, count in Counter(end["url"] for end in ends).items() if count > 1
    ] == []
    found = {
        kind: {end["url"] for end in ends if end["type"] == kind} for kind in TERMINAL
    }
    pictures = crawl.site.expected("image/png")
    assert found == {
        "page": {*crawl.site.expected("text/html")} - crawl.site.urls(404),
        "image": {*pictures},
        "error": crawl.site.urls(404),
        "redirect": crawl.site.urls(301),
        "file": set(),
        "skip": set(),
    }

    files = [path for path in (crawl.folder / "images").rglob("*") if path.is_file()]
    kept = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    assert kept == Counter(
        {hashlib.sha256(picture).hexdigest() for picture in pictures.values()}
    )
    for end in ends:
        if end["type"] == "image":
            assert (crawl.folder / end["path"]).read_bytes() == pictures[end["url"]]


def test_thirty_kills_lose_and_repeat_nothing(
    site: GeneratedSite, tmp_path: Path
) -> None:
    crawl = Crawl(site, tmp_path / "crawl", seed=2)
    for _ in range(30):
        assert crawl.run_until(signal.SIGKILL, step=110) == -signal.SIGKILL
    crawl.finish()
    check(crawl)


def test_ten_polite_stops_lose_and_repeat_nothing(
    site: GeneratedSite, tmp_path: Path
) -> None:
    crawl = Crawl(site, tmp_path / "crawl", seed=3)
    for _ in range(10):
        assert crawl.run_until(signal.SIGTERM, step=200) == STOPPED_EARLY
    crawl.finish()
    check(crawl)
    requested = Counter(site.requested)
    del requested["/robots.txt"]
    assert [
        target for target, count in requested.items() if count > 1
    ] == []  # drained, not dropped


def test_ten_kills_of_a_recrawl_lose_and_repeat_nothing(
    site: GeneratedSite, tmp_path: Path
) -> None:
    """Some of the site has changed meanwhile; what has not is known without its
    bytes."""
    Crawl(site, tmp_path / "crawl", seed=0).finish()
    old = [
        target
        for target, answer in site.answers.items()
        if answer[:2] == (200, "text/html")
    ]
    for target in old[::7]:
        status, kind, body = site.answers[target]
        site.answers[target] = (status, kind, body + b"<p>changed")
    crawl = Recrawl(site, tmp_path / "crawl", seed=4)
    for _ in range(10):
        assert crawl.run_until(signal.SIGKILL, step=300) == -signal.SIGKILL
    crawl.finish()
    check(crawl)
    ends = [
        line for line in crawl.lines() if line["type"] in ("page", "image", "redirect")
    ]
    changed = {end["url"] for end in ends if end["changed"] == "changed"}
    assert changed == {site.url + target for target in old[::7]}
    cached = Counter((end["type"], end["from_cache"]) for end in ends)
    assert cached["page", "miss"] == len(changed)
    assert cached["image", "miss"] == 0
