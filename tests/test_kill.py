"""A crawl that is killed at any moment and resumed loses and repeats nothing.

The moments are random but reproducible: each signal waits for an amount of *progress*
drawn from a seed, in requests that reached the server or in bytes that reached the
record stream (the second falls between the flush of a batch and its commit, where a
careless committer would repeat records). So the signals are spread over the whole crawl
on any machine. From that amount on the site holds its responses back until the signal
is sent, so that a crawl does not run ahead on a machine that is slow to send it.
"""

import hashlib
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.generated_site import GeneratedSite
from tests.helpers.killed_crawl import Crawl

PAGES = 2000
TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}
STOPPED_EARLY = 75


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
