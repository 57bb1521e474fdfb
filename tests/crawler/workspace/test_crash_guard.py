"""A response that kills the process costs one record, and not the crawl."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from crawler.frontier.memory import MemoryStore
from crawler.model.errors import OutputError, ParseFailure
from crawler.model.url import MAX_URL
from crawler.policy.check import Candidate
from crawler.policy.poison_url import MAX_DEATHS, PoisonUrlCheck
from crawler.workspace.crash_guard import CrashGuard
from crawler.workspace.retrying import requeue_failed
from tests.helpers.crawling import link, page
from tests.helpers.poison import POISON_TYPE, crawl_on
from tests.site.page import reply
from tests.site.server import Site

URL = "http://a.example/x"


def died_reading(path: Path, store: MemoryStore, url: str) -> None:
    """Begin to read the response of `url`, and never end."""
    CrashGuard(path, store)(url).__enter__()


def check(guard: CrashGuard, url: str) -> None:
    """Raises ParseFailure if `url` may not be fetched again."""
    assert PoisonUrlCheck(guard.deaths).check(Candidate(url, "a", "page", 1)) is None


@pytest.mark.parametrize(
    "url", [URL, "http://a.example/" + "x" * (MAX_URL - 17)], ids=["", "long"]
)
def test_so_many_deaths_and_no_more(tmp_path: Path, url: str) -> None:
    store, path = MemoryStore(), tmp_path / "reading"
    for _ in range(MAX_DEATHS):
        died_reading(path, store, url)
        check(CrashGuard(path, store), URL + "/another")
    with pytest.raises(ParseFailure, match=f"died {MAX_DEATHS} times"):
        check(CrashGuard(path, store), url)


def test_what_was_read_and_survived_does_not_count(tmp_path: Path) -> None:
    store, path = MemoryStore(), tmp_path / "reading"
    for _ in range(2 * MAX_DEATHS):
        guard = CrashGuard(path, store)
        check(guard, URL)
        with guard(URL):
            pass


def test_an_exception_is_no_death(tmp_path: Path) -> None:
    store, path = MemoryStore(), tmp_path / "reading"
    guard = CrashGuard(path, store)
    for _ in range(MAX_DEATHS):
        with pytest.raises(ZeroDivisionError), guard(URL):
            raise ZeroDivisionError
    assert CrashGuard(path, store).deaths(URL) == 0


def test_a_lack_of_memory_counts_as_a_death(tmp_path: Path) -> None:
    store, path = MemoryStore(), tmp_path / "reading"
    with pytest.raises(MemoryError), CrashGuard(path, store)(URL):
        raise MemoryError
    assert CrashGuard(path, store).deaths(URL) == 1


def test_each_death_counts_once(tmp_path: Path) -> None:
    store, path = MemoryStore(), tmp_path / "reading"
    died_reading(path, store, URL)
    for _ in range(2 * MAX_DEATHS):  # runs that end otherwise
        check(CrashGuard(path, store), URL)


def test_a_box_that_can_not_be_made(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="reading"):
        CrashGuard(tmp_path / "missing" / "reading", MemoryStore())


def test_a_crawl_survives_what_kills_it(tmp_path: Path) -> None:
    site = Site(
        {
            "": page(link("/poison", *(f"/{n}" for n in range(5)))),
            "poison": reply(b"...", POISON_TYPE),
            **{f"{n}": page(f"<p>{n}", link(f"/later/{n}")) for n in range(5)},
            "later": page("<p>later"),
            "robots.txt": reply(status=404),
        }
    )
    folder = tmp_path / "crawl"
    url = site.url("/")
    deaths = [crawl_on(folder, url) for _ in range(MAX_DEATHS)]
    over = crawl_on(folder, url)
    asked = len(site.hits("/poison"))
    queued = requeue_failed(folder, ("parse",), (), now=0.0, dry_run=False)
    again = crawl_on(folder, url)
    site.stop()
    assert (deaths, over) == ([-signal.SIGKILL] * MAX_DEATHS, 0)
    assert asked == MAX_DEATHS
    records = [
        json.loads(line)
        for line in (folder / "records.jsonl").read_bytes().splitlines()
    ]
    ends = Counter(
        record["type"] for record in records if record["type"] in ("page", "error")
    )
    assert ends == {"page": 11, "error": 1}
    (error,) = [record for record in records if record["type"] == "error"]
    assert (error["url"], error["error_code"]) == (site.url("/poison"), "parse")
    assert (
        error["error_message"]
        == f"the process died {MAX_DEATHS} times while it read this"
    )
    assert (queued, again) == (
        1,
        -signal.SIGKILL,
    )  # retried by hand, it gets its chances again
