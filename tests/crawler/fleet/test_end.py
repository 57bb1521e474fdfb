"""When the parent of several processes sees the end of the crawl."""

from __future__ import annotations

from msgspec.structs import replace

from crawler.engine.stats import Snapshot
from crawler.fleet.end import EndOfCrawl
from crawler.frontier.mail import Mark, Report
from crawler.model.host import Waiting, Waits

IDLE = [Report(shard, 5, is_idle=True) for shard in range(2)]
NOW = 1000.0


class Crawl:
    """Two shards of a crawl; `left` pages are granted to none of them."""

    def __init__(self) -> None:
        self.now = NOW
        self.left = 0
        self.end = EndOfCrawl(2, 20.0, lambda: self.left, lambda: self.now)

    def hear(
        self, *reports: Report, pages: int = 1, waits: Waits | None = None
    ) -> bool:
        """Whether the end is there once the reports were heard."""
        for report in reports:
            snapshot = Snapshot(1.0, pages=pages, waits=waits or Waits())
            self.end.heard(report, snapshot)
        return self.end.is_there()


def test_all_are_idle_and_have_taken_what_was_sent():
    crawl = Crawl()
    assert not crawl.hear(IDLE[0])
    assert crawl.hear(IDLE[1])
    sent = replace(IDLE[0], sent={1: Mark(5, 1)})
    assert not crawl.hear(sent)
    assert crawl.hear(replace(IDLE[1], taken={0: Mark(5, 1)}))


def test_a_shard_whose_process_has_died_may_have_anything():
    crawl = Crawl()
    assert crawl.hear(*IDLE)
    crawl.end.died([1])
    assert not crawl.end.is_there()
    assert crawl.hear(IDLE[1])


def test_pages_that_the_limit_allows_are_waited_for():
    crawl = Crawl()
    crawl.left = 3
    assert crawl.hear(*IDLE), "none of them wants more"
    limited = replace(IDLE[0], is_limited=True)
    assert not crawl.hear(limited)
    crawl.left = 0
    assert crawl.hear(limited)


def test_a_shard_that_has_ended_by_itself_is_at_a_limit_of_the_crawl():
    crawl = Crawl()
    assert not crawl.hear(IDLE[0], replace(IDLE[1], is_idle=False))
    crawl.end.ended(1)
    assert crawl.end.is_there()
    assert not crawl.hear(replace(IDLE[0], is_idle=False))
    crawl.end.ended(0)
    assert crawl.end.is_there()


def test_a_parked_host_is_waited_for_after_an_answer_in_another_shard():
    crawl = Crawl()
    parked = Waits((Waiting("parked", "timeout", 1, 7, 15.0),))
    assert crawl.hear(*IDLE, waits=parked), "no host has answered in this run"
    assert not crawl.hear(IDLE[1], pages=2)
    crawl.now += 6.0  # it is due a second after the wait is over
    assert crawl.hear(IDLE[0], waits=parked)


def test_what_is_done_is_counted_over_all_shards():
    crawl = Crawl()
    crawl.hear(*IDLE, pages=4)
    crawl.hear(IDLE[0], pages=6)
    assert crawl.end.done == 10
