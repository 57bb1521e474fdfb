"""A crawl that is killed at any moment and resumed loses and repeats nothing.

The moments are random but reproducible: each signal waits for an amount of *progress*
drawn from a seed, in requests that reached the server or in bytes that reached the
record stream (the second falls between the flush of a batch and its commit, where a
careless committer would repeat records). So the signals are spread over the whole crawl
on any machine. From that amount on the site holds its responses back until the signal
is sent, so that a crawl does not run ahead on a machine that is slow to send it.
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
RECORD_BYTES = 1000  # roughly, to turn a number of records into bytes
TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}
STOPPED_EARLY = 75
TIMEOUT = 300.0
"""A limit for steps that take a few seconds (s); beyond it the crawl hangs."""


class Crawl:
    """A crawl of a site into a folder, in as many runs as it takes."""

    def __init__(self, site: GeneratedSite, folder: Path, seed: int) -> None:
        self.site = site
        self.folder = folder
        self.records = folder / "records.jsonl"
        self.dice = random.Random(seed)

    def run_until(self, sign: signal.Signals, step: int) -> int:
        """Run until `sign` is sent, and return the exit code.

        It is sent after up to `2 * step` requests or records.
        """
        reached = self.dice.choice([self._requests, self._bytes])(
            self.dice.randint(1, 2 * step)
        )
        process = self._start()
        with self._held_back(reached):
            deadline = time.monotonic() + TIMEOUT
            while not reached():
                assert process.poll() is None, (
                    f"it ended before its signal:\n{self._messages()}"
                )
                assert time.monotonic() < deadline, f"no progress:\n{self._messages()}"
                time.sleep(0.0005)
            process.send_signal(sign)
        return process.wait(TIMEOUT)

    @contextmanager
    def _held_back(self, reached: Callable[[], bool]) -> Iterator[None]:
        """Hold back all responses after `reached`, until the block ends."""
        over = threading.Event()
        self.site.on_request = lambda target: reached() and over.wait(TIMEOUT)
        try:
            yield
        finally:
            self.site.on_request = None
            over.set()

    def finish(self) -> None:
        """Run to the end."""
        assert self._start().wait(TIMEOUT) == 0, self._messages()

    def lines(self) -> list[dict[str, Any]]:
        text = self.records.read_text()
        assert text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log().open("wb") as log:
            return subprocess.Popen(
                [*PROGRAM, *self._arguments()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _arguments(self) -> list[str]:
        if self.folder.exists():
            return ["resume", str(self.folder)]
        arguments = ["crawl", self.site.url, "-d", str(self.folder)]
        return [*arguments, "-w", "0", "-c", "16", "--per-host", "16"]

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
    """The same for a second crawl in the same folder."""

    begun = False

    def _arguments(self) -> list[str]:
        arguments = ["resume" if self.begun else "recrawl", str(self.folder)]
        self.begun = True
        return arguments

    def lines(self) -> list[dict[str, Any]]:
        first, *lines = super().lines()
        last = lines[-1]["run_id"]
        return [first, *(line for line in lines if line["run_id"] == last)]


class Limited(Crawl):
    """The same with a limit of pages, which each run is given."""

    limit = "none"

    def _arguments(self) -> list[str]:
        return [*super()._arguments(), "-n", self.limit]


@pytest.fixture
def site() -> Iterator[GeneratedSite]:
    with GeneratedSite(PAGES, seed=1) as running:
        yield running


def check(crawl: Crawl) -> None:
    """Each URL has one record of the right type, and each image one file."""
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
    images = crawl.site.expected("image/png")
    assert found == {
        "page": {*crawl.site.expected("text/html")} - crawl.site.urls(404),
        "image": {*images},
        "error": crawl.site.urls(404),
        "redirect": crawl.site.urls(301),
        "file": set(),
        "skip": set(),
    }

    files = [path for path in (crawl.folder / "images").rglob("*") if path.is_file()]
    stored = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    assert stored == Counter(
        {hashlib.sha256(image).hexdigest() for image in images.values()}
    )
    for end in ends:
        if end["type"] == "image":
            assert (crawl.folder / end["path"]).read_bytes() == images[end["url"]]


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
    # Requests in progress were finished, and not dropped.
    assert [target for target, count in requested.items() if count > 1] == []


def test_ten_kills_of_a_recrawl_lose_and_repeat_nothing(
    site: GeneratedSite, tmp_path: Path
) -> None:
    """A part of the site has changed; the rest is recognised without its bytes."""
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


def test_limits_that_are_raised_and_kills_end_as_one_crawl_without_a_limit(
    site: GeneratedSite, tmp_path: Path
) -> None:
    crawl = Limited(site, tmp_path / "crawl", seed=5)
    for crawl.limit, step in (("50", 20), ("200", 60), ("none", 300)):
        assert crawl.run_until(signal.SIGKILL, step=step) == -signal.SIGKILL
        crawl.finish()
        if crawl.limit != "none":
            last = crawl.lines()[-1]
            assert (last["event"], last["pages"]) == ("finished", int(crawl.limit))
            assert last["queued"] > 0
    check(crawl)
    changes = [
        (change["before"], change["after"])
        for line in crawl.lines()[1:]
        for change in line.get("changed_settings", ())
    ]
    assert changes == [("50", "200"), ("200", "none")]
