"""The listeners of a crawl: exchanges, records, progress."""

import time

import pytest

from crawler.engine.builder import open_crawl
from crawler.engine.events import Events
from crawler.model.errors import OutputError
from tests.helpers.crawling import config, link, page, records
from tests.site.page import reply


class Everything:
    """A listener with all three methods."""

    def __init__(self) -> None:
        self.exchanges, self.records, self.snapshots = [], [], []
        self.on_exchange = self.exchanges.append
        self.on_record = self.records.append
        self.on_progress = self.snapshots.append


def test_all_exchanges_are_told(serve, tmp_path):
    site = serve(
        robots=reply("User-agent: *\nDisallow: /private\n", "text/plain"),
        index=page(link("/moved", "/gone", "/private", "/a")),
        moved=reply(status=301, headers=(("Location", "/a"),)),
        gone=reply(status=410),
        a=page(),
    )
    crawl = open_crawl(config(site, tmp_path), mode="new")
    listener = Everything()
    crawl.events.add(listener)
    crawl.run()
    told = {
        one.url.removeprefix(site.base): one.response.status
        for one in listener.exchanges
    }
    assert told == {
        "/robots.txt": 200,
        "/": 200,
        "/moved": 301,
        "/gone": 410,
        "/a": 200,
    }


def test_records_are_told_once_they_are_written(serve, tmp_path):
    site = serve(index=page(link("/a")), a=page())
    crawl = open_crawl(config(site, tmp_path), mode="new")
    told, written = [], []

    def listen(record):
        told.append((record.seq, record.url))
        written.append({one["seq"] for one in records(tmp_path) if "seq" in one})

    crawl.events.on_record(listen)
    second = []
    crawl.events.on_record(second.append)
    crawl.run()
    assert [url.removeprefix(site.base) for _, url in told] == ["/", "/a"]
    assert all(seq in there for (seq, _), there in zip(told, written, strict=True))
    assert len(second) == 2


def test_a_skip_that_no_sink_gets_is_told(serve, tmp_path):
    robots = reply("User-agent: *\nDisallow: /private\n", "text/plain")
    site = serve(robots=robots, index=page(link("/private")))
    crawl = open_crawl(config(site, tmp_path), mode="new")
    listener = Everything()
    crawl.events.add(listener)
    crawl.run()
    assert [(one.type, one.seq > 0) for one in listener.records] == [
        ("page", True), ("skip", False),
    ]  # fmt: skip


def test_progress_is_told(serve, tmp_path):
    def slow(exchange):
        time.sleep(0.7)
        page()(exchange)

    site = serve(index=slow)
    crawl = open_crawl(config(site, tmp_path), mode="new")
    listener = Everything()
    crawl.events.add(listener)
    crawl.run()
    assert listener.snapshots
    assert listener.snapshots[0].in_flight == 1


def test_what_a_listener_raises_stops_the_crawl_and_it_can_be_resumed(serve, tmp_path):
    site = serve(index=page(link("/a", "/b")), a=page(), b=page())
    crawl = open_crawl(config(site, tmp_path), mode="new")

    def refuse(record):
        raise OutputError(f"no more after {record.url}")

    crawl.events.on_record(refuse)
    with pytest.raises(OutputError, match="no more after"):
        crawl.run()
    summary = open_crawl(config(site, tmp_path), mode="resume").run()
    assert summary.finish_reason == "done"
    urls = [one["url"] for one in records(tmp_path) if one["type"] == "page"]
    assert len(urls) == len(set(urls)) == 3


def test_without_listeners_nothing_is_worked_out():
    class Client:
        def on_exchange(self, listener, *, transferred=False):
            raise AssertionError("nothing listens")

    def snapshot():
        raise AssertionError("nothing listens")

    Events(Client()).progress(snapshot)
