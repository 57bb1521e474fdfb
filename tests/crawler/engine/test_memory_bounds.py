"""Memory that grows with what servers send has a bound: one test for each place."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from crawler.engine.committer import MAX_BATCH, MAX_HELD, Committer
from crawler.engine.robots_fetcher import RobotsFetcher
from crawler.engine.stats import MAX_HOSTS, Stats
from crawler.extract.extractor import extract
from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite.seen_set import SeenCache
from crawler.frontier.store import Run
from crawler.model.content_config import OutputConfig
from crawler.model.crawl import Discovered, Lease, Outcome
from crawler.model.documents import File
from crawler.model.http import Request, Response, Timings
from crawler.model.policy_config import LimitsConfig, RobotsConfig
from crawler.model.records import ImageRecord, PageRecord
from crawler.output.files import Journal
from crawler.output.images import ImageFiles
from crawler.policy.check import Candidate
from crawler.policy.robots_cache import RobotsCache
from tests.helpers.cpu import cpu_within
from tests.helpers.simulated_hosts import Lines


def response(url: str, body: bytes, content_type: str = "text/plain") -> Response:
    return Response(
        url, 200, "", "1.1", (("content-type", content_type),), body, len(body),
        Timings(0), None, False,
    )  # fmt: skip


# -- a batch of the writer


class FinishedLease:
    def detach(self) -> None: ...

    def finish(self, *_rest: Any) -> int:
        return 0


@pytest.fixture
def writer(tmp_path: Path) -> Committer:
    files = ImageFiles(tmp_path, "{sha256}", Journal(tmp_path / "journal"))
    return Committer(
        Run("R", ""),
        MemoryStore(),
        {"records": Lines()},
        files,
        lambda record: None,
        OutputConfig(),
        time.time,
    )


def lease(number: int) -> Lease:
    return Lease(f"http://a/{number}", number, "a", "a", "page", 0, 0, 0)


def page(number: int, found: Iterable[Discovered]) -> Outcome:
    one = lease(number)
    return Outcome(
        one, PageRecord(url=one.url, url_id="", host="a", status=200), tuple(found)
    )


def test_a_batch_holds_few_images_if_they_are_large(writer: Committer) -> None:
    for number in range(9):
        record = ImageRecord(
            url="http://a/", url_id="", host="a", status=200, path="", format="png",
            sha256=f"{number:064}",
        )  # fmt: skip
        outcome = Outcome(lease(number), record, (), bytes(MAX_HELD // 2 + number))
        writer.finish(FinishedLease(), outcome)
        assert writer._held < MAX_HELD


def test_a_batch_holds_few_pages_if_they_have_many_links(writer: Committer) -> None:
    found = [Discovered("http://a/" + "x" * 8000, "a", "page", 1)] * 1000
    for number in range(9):
        writer.finish(FinishedLease(), page(number, found))
        assert writer._held < MAX_HELD
    for number in range(MAX_BATCH):
        writer.finish(FinishedLease(), page(number, []))
    assert writer._held == 0


def test_the_first_batches_are_small(writer: Committer) -> None:
    """What they lead to is all that other shards will have to do."""
    sizes, number = [], 0
    while sum(sizes) < 1000:
        writer.finish(FinishedLease(), page(number, []))
        number += 1
        if not writer.has_outcomes:
            sizes.append(number - sum(sizes))
    assert sizes == [8, 16, 32, 64, 128, MAX_BATCH, MAX_BATCH, MAX_BATCH]


# -- what is remembered


def test_long_urls_are_remembered_for_a_shorter_time() -> None:
    subject = SeenCache(max_characters=10_000)
    for number in range(1000):
        subject.put(f"http://a/{number:04}{'x' * 87}", 1)
    assert 100 <= len(subject) <= 202
    assert subject.get(f"http://a/0999{'x' * 87}") == 1


def test_rules_of_robots_txt_are_kept_within_bounds() -> None:
    text = b"User-agent: *\n" + b"".join(b"Disallow: /%d\n" % n for n in range(300))
    asked: list[str] = []

    def fetch(request: Request) -> Response:
        asked.append(request.url)
        return response(request.url, text)

    subject = RobotsCache(RobotsConfig(), MemoryStore(), lambda: 0.0, max_rules=1000)
    fetcher = RobotsFetcher(subject, fetch, lambda: 0.0)
    for number in range(10):
        fetcher.fetch(f"http://h{number}/")
        assert sum(one.weight for one in subject._origins.values()) <= 1000
    for number in range(10):  # what was forgotten is read again from its note
        url = f"http://h{number}/299"
        assert subject.is_cached(url)
        assert subject.check(Candidate(url, "a", "page", 1)) is not None
    assert len(asked) == 10


def test_one_file_beyond_all_bounds_is_kept_alone() -> None:
    text = b"User-agent: *\n" + b"Disallow: /x\n" * 300
    subject = RobotsCache(RobotsConfig(), MemoryStore(), lambda: 0.0, max_rules=10)
    RobotsFetcher(
        subject, lambda request: response(request.url, text), lambda: 0.0
    ).fetch("http://a/")
    assert subject.check(Candidate("http://a/x", "a", "page", 1)) is not None


def test_hosts_are_counted_apart_within_bounds() -> None:
    stats = Stats(time.time)
    for number in range(2 * MAX_HOSTS):
        for host in (f"h{number}.example", "busy.example"):
            stats.count(PageRecord(url="", url_id="", host=host, status=200))
    assert len(stats._by_host) <= MAX_HOSTS + 1
    assert stats._by_host["busy.example"] == 2 * MAX_HOSTS


# -- documents that list links


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (gzip.compress(b"<urlset>" + b"<url><loc>http://a/x</loc></url>" * 1_500_000),
         "application/gzip"),
        (b"<urlset>" + b"<url><loc>/x</loc></url>" * 900_000, "application/xml"),
        (b"<rss>" + b"<a>" * 900_000, "application/rss+xml"),
        (b"<urlset " + b" ".join(b"a%d='1'" % n for n in range(300_000)) + b">",
         "text/xml"),
    ],
)  # fmt: skip
def test_lists_without_end(body: bytes, content_type: str) -> None:
    """A URL that is repeated is one link, and still the reading ends."""
    with cpu_within(20):
        found = extract(
            response("http://a/s.xml", body, content_type), "page", LimitsConfig()
        )
        assert isinstance(found, File)
        assert len(found.links) <= 1


def test_a_sitemap_with_a_long_url() -> None:
    """Each of its relative entries would be as long."""
    urls = b"".join(b"<url><loc>%d</loc></url>" % n for n in range(20_000))
    url = "http://a/" + "d/" * 4000
    found = extract(
        response(url, b"<urlset>" + urls, "application/xml"), "page", LimitsConfig()
    )
    assert isinstance(found, File)
    assert sum(len(link.url) for link in found.links) < 9 * 2**20
