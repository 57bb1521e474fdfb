"""Counters and snapshots, on a clock that the test turns."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from crawler.engine.stats import LAST_ERRORS, LAST_URLS, Snapshot, Stats, combined
from crawler.model.records import (
    ErrorRecord,
    ImageRecord,
    PageRecord,
    RunRecord,
    SkipRecord,
)

FRONTIER = SimpleNamespace(queued=7, leased=6, in_flight=2, hosts=3)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def page(host: str = "a.test") -> PageRecord:
    return PageRecord(url=f"https://{host}/", url_id="0" * 16, host=host, status=200)


def error(number: int = 0, code: str = "reset") -> ErrorRecord:
    return ErrorRecord(
        url=f"https://b.test/{number}",
        url_id="0" * 16,
        host="b.test",
        error_code=code,
        error_stage="body",
        error_message="gone",
    )


def test_counts_each_type(clock: Clock) -> None:
    stats = Stats(clock)
    stats.count(page())
    stats.count(
        ImageRecord(
            url="https://a.test/i.png",
            url_id="1" * 16,
            host="a.test",
            status=200,
            path="i.png",
            format="png",
            wire_bytes=50,
        )
    )
    stats.count(error())
    stats.count(
        SkipRecord(
            url="https://a.test/x",
            url_id="2" * 16,
            host="a.test",
            reason="robots",
            rule="r",
        )
    )
    stats.count(RunRecord(event="started"))
    seen = stats.snapshot(FRONTIER, received=1050)
    assert (seen.pages, seen.images, seen.errors, seen.skipped) == (1, 1, 1, 1)
    assert (seen.queued, seen.in_flight, seen.unwritten, seen.hosts) == (7, 2, 4, 3)
    assert seen.bytes == 1050
    assert seen.errors_by_code == {"reset": 1}
    assert seen.last_errors == (("https://b.test/0", "reset", "gone"),)


def test_a_resume_goes_on_counting_but_its_rate_starts_at_zero(clock: Clock) -> None:
    stats = Stats(clock, {"page": 500, "error": 3})
    clock.now += 2
    stats.count(page())
    seen = stats.snapshot(FRONTIER)
    assert (seen.pages, seen.errors) == (501, 3)
    assert seen.pages_per_s == 0.5
    assert seen.elapsed_s == 2


def test_rates_are_those_of_the_last_ten_seconds(clock: Clock) -> None:
    stats = Stats(clock)
    for number in range(1, 41):
        clock.now += 0.5
        stats.count(page())
        stats.snapshot(FRONTIER, received=100 * number)
    busy = stats.snapshot(FRONTIER, received=4000)
    assert busy.pages_per_s == pytest.approx(2, rel=0.1)
    assert busy.bytes_per_s == pytest.approx(200, rel=0.1)
    for _ in range(24):
        clock.now += 0.5
        stalled = stats.snapshot(FRONTIER, received=4000)
    assert stalled.pages_per_s == 0


def test_no_time_passed_is_no_rate(clock: Clock) -> None:
    stats = Stats(clock)
    stats.count(page())
    assert stats.snapshot(FRONTIER).pages_per_s == 0.0


def test_hosts_in_flight_come_first_and_finished_ones_are_not_seen(
    clock: Clock,
) -> None:
    stats = Stats(clock)
    for _ in range(5):
        stats.count(page("busy.test"))
    stats.count(page("now.test"))
    stats.snapshot(FRONTIER, {"busy.test": (0, 1)})
    top = stats.snapshot(FRONTIER, {"now.test": (4, 1), "later.test": (9, 0)}).hosts_top
    assert top == (("now.test", 1, 4, 1), ("later.test", 0, 9, 0))
    ended = stats.snapshot(FRONTIER, {"now.test": (0, 0), "later.test": (0, 0)})
    assert ended.hosts_top == ()


def test_only_the_last_errors_are_kept(clock: Clock) -> None:
    stats = Stats(clock)
    for number in range(LAST_ERRORS + 3):
        stats.count(error(number))
    seen = stats.snapshot(FRONTIER)
    assert len(seen.last_errors) == LAST_ERRORS
    assert seen.last_errors[-1][0] == f"https://b.test/{LAST_ERRORS + 2}"
    assert seen.errors_by_code == {"reset": LAST_ERRORS + 3}


def test_what_was_done_last_is_shown(clock: Clock) -> None:
    stats = Stats(clock)
    for number in range(LAST_URLS + 1):
        stats.count(page(f"{number}.test"))
    urls = stats.snapshot(FRONTIER).last_urls
    assert len(urls) == LAST_URLS
    assert urls[-1] == ("page", f"https://{LAST_URLS}.test/")


def test_a_snapshot_does_not_change_afterwards(clock: Clock) -> None:
    stats = Stats(clock)
    stats.count(error())
    before: Snapshot = stats.snapshot(FRONTIER)
    stats.count(error(1, "protocol"))
    assert before.errors_by_code == {"reset": 1}


def test_crawls_side_by_side_are_seen_as_one(clock: Clock) -> None:
    first, second = Stats(clock), Stats(clock)
    clock.now += 4
    first.count(page())
    second.count(error())
    seen = combined(
        [
            first.snapshot(FRONTIER, {"a.test": (1, 1)}, received=100),
            second.snapshot(FRONTIER, {"b.test": (2, 2)}, draining=True),
        ]
    )
    assert (seen.pages, seen.errors, seen.queued, seen.bytes) == (1, 1, 14, 100)
    assert (seen.elapsed_s, seen.draining) == (4, True)
    assert [row[0] for row in seen.hosts_top] == ["b.test", "a.test"]
    assert seen.errors_by_code == {"reset": 1}
    assert len(seen.last_errors) == 1
