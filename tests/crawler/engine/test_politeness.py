"""Manners of whole crawls, in virtual time, against hosts that keep an account."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.model.config import Config
from crawler.model.content_config import OutputConfig
from crawler.model.policy_config import PolitenessConfig, RetryConfig
from crawler.workspace.open import stored_config
from hub.testing import virtual_time
from tests.helpers.simulated_hosts import (
    START,
    Host,
    World,
    breaches,
    crawl,
    some_host,
)

TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}
ONE_A_SECOND = PolitenessConfig(per_host=1, wait=1.0)
SEEDS = 1000
"""Crawls of the property test."""


def config(politeness: PolitenessConfig, **more: Any) -> Config:
    skips = OutputConfig(record=("skips",))
    return Config(politeness=politeness, records=skips, **more)


def ended(records: list[dict[str, Any]]) -> Counter[str]:
    return Counter(record["url"] for record in records if record["type"] in TERMINAL)


def test_503_for_robots_txt_means_no_request_for_any_page_until_it_recovers(
    clock, tmp_path
):
    host = Host("a.example", pages=5)
    host.robots_status = 503
    host.recovers_at = START + 2.5
    summary, _ = crawl(World(clock, [host]), tmp_path, config(ONE_A_SECOND))
    assert summary.finish_reason == "done"
    assert [(seen.path, seen.status) for seen in host.log[:4]] == [
        ("/robots.txt", 503),
        ("/robots.txt", 503),
        ("/robots.txt", 200),
        ("/0", 200),
    ]
    assert min(host.asked()) > 2.5
    assert summary.counts["page"] == 5


def test_retry_after_stops_its_host_and_no_other(clock, tmp_path):
    host, other = Host("a.example", pages=20), Host("b.example", pages=20)
    host.refusals[6] = (429, "3")
    world = World(clock, [host, other])
    politeness = PolitenessConfig(per_host=4, wait=0.1, adaptive=False)
    summary, _ = crawl(world, tmp_path, config(politeness))
    assert summary.counts["page"] == 40
    refused = next(seen for seen in host.log if seen.status == 429)
    after = [seen.at for seen in host.log if seen.at > refused.at]
    assert min(after) == pytest.approx(refused.over + 3.0)
    gaps = [b.at - a.at for a, b in pairwise(other.log)]
    assert max(gaps) == pytest.approx(0.1)


def test_retry_after_as_a_date_counts_too(clock, tmp_path):
    host = Host("a.example", pages=4)
    host.refusals[2] = (503, "Fri, 15 Jan 2027 08:00:40 GMT")  # START is 08:00:00
    crawl(World(clock, [host]), tmp_path, config(ONE_A_SECOND))
    assert host.asked()[1:3] == [2.0, 40.0]


@pytest.mark.parametrize("latency", [0.05, 0.8])
def test_a_crawl_delay_is_kept_within_one_per_cent(clock, tmp_path, latency):
    host = Host("a.example", pages=20, latency=latency)
    host.crawl_delay = 2.0
    crawl(World(clock, [host]), tmp_path, config(PolitenessConfig(wait=0.1)))
    gaps = [b.at - a.at for a, b in pairwise(host.log)]
    assert len(gaps) == 20
    assert all(2.0 <= gap < 2.02 for gap in gaps)


def test_a_host_that_says_429_is_asked_half_as_often_and_recovers(clock, tmp_path):
    host = Host("a.example", pages=40)
    host.refusals[5] = (429, None)
    crawl(World(clock, [host]), tmp_path, config(ONE_A_SECOND))
    gaps = [b.at - a.at for a, b in pairwise(host.log)]
    assert max(gaps[:5]) == 1.0
    assert gaps[5] == pytest.approx(2.0)
    assert gaps[6:14] == sorted(gaps[6:14], reverse=True)
    assert gaps[-1] == 1.0


def test_a_host_slower_than_the_wait_is_asked_for_one_thing_at_a_time(clock, tmp_path):
    host = Host("a.example", pages=10, latency=3.0)
    crawl(
        World(clock, [host]), tmp_path, config(PolitenessConfig(per_host=4, wait=0.5))
    )
    assert all(b.at >= a.over - 1e-6 for a, b in pairwise(host.log))


def test_a_dead_host_does_not_keep_the_crawl_and_is_asked_again_the_next_day(
    clock, tmp_path
):
    dead, live = Host("dead.example", pages=9), Host("live.example", pages=9)
    world = World(clock, [dead, live])
    settings = config(
        ONE_A_SECOND,
        dir=str(tmp_path),
        seeds=(live.urls[0], *dead.urls),
        retry=RetryConfig(tries=5),
    )
    dead.dead = "silent"
    summary = open_crawl(settings, mode="new", clock=clock, client=world).run()
    assert (summary.finish_reason, summary.exit_code) == ("parked", 75)
    assert (summary.counts["page"], summary.counts["queued"]) == (9, 9)
    (parked,) = summary.parked
    assert (parked.failure_code, parked.hosts, parked.urls) == (
        "connect_timeout",
        1,
        9,
    )
    assert len(dead.log) == 3
    assert clock() - START < 60

    clock.time += 60.0
    summary = open_crawl(
        stored_config(tmp_path), mode="resume", clock=clock, client=world
    ).run()
    assert summary.finish_reason == "parked"
    assert len(dead.log) == 4  # a resume asks at once, and one question is enough

    clock.time += 86_400.0
    summary = open_crawl(
        stored_config(tmp_path), mode="resume", clock=clock, client=world
    ).run()
    assert summary.finish_reason == "parked"
    assert len(dead.log) == 5

    clock.time += 86_400.0
    dead.dead = None
    summary = open_crawl(
        stored_config(tmp_path), mode="resume", clock=clock, client=world
    ).run()
    assert (summary.finish_reason, summary.counts["page"]) == ("done", 18)
    assert len(live.log) == 10


def test_a_parked_host_is_tried_again_while_the_crawl_lasts(clock, tmp_path):
    dead, live = Host("dead.example", pages=5), Host("live.example", pages=40)
    dead.dead = "refused"
    dead.recovers_at = START + 20.0
    politeness = replace(ONE_A_SECOND, park_time=10.0)
    settings = config(politeness, retry=RetryConfig(tries=9))
    summary, _ = crawl(World(clock, [dead, live]), tmp_path, settings)
    assert (summary.finish_reason, summary.counts["page"]) == ("done", 45)
    assert max(live.asked()) < 41


def test_a_host_parked_too_often_is_given_up(clock, tmp_path):
    dead, live = Host("dead.example", pages=1), Host("live.example", pages=300)
    dead.dead = "refused"
    politeness = replace(ONE_A_SECOND, park_time=10.0, max_parkings=2)
    settings = config(politeness, retry=RetryConfig(tries=100))
    summary, records = crawl(World(clock, [dead, live]), tmp_path, settings)
    assert summary.finish_reason == "done"
    (error,) = [record for record in records if record["type"] == "error"]
    assert error["error_code"] == "host_parked"
    assert "connect_refused" in error["error_message"]
    assert len(dead.log) == 5


@pytest.mark.parametrize("part", range(10))
def test_no_host_is_ever_asked_faster_than_allowed(tmp_path, part):
    """Small crawls with every trouble there is."""
    for seed in range(part, SEEDS, 10):
        with virtual_time(START) as clock:
            chance = random.Random(seed)
            hosts = [
                some_host(chance, f"h{n}.example")
                for n in range(chance.randrange(1, 7))
            ]
            politeness = PolitenessConfig(
                per_host=chance.choice([1, 2, 4]),
                wait=chance.choice([0.0, 0.2, 1.0]),
                adaptive=chance.random() < 0.7,
                max_retry_after=chance.choice([5.0, 3600.0]),
                park_time=chance.choice([5.0, 1800.0]),
            )
            settings = replace(
                config(politeness),
                concurrency=chance.choice([1, 2, 8, 32]),
                slow_concurrency=chance.choice([0, 1, 64]),
            )
            summary, records = crawl(World(clock, hosts), tmp_path, settings)
            assert [b for host in hosts for b in breaches(host, politeness)] == [], seed
            endings = ended(records)
            assert not endings or set(endings.values()) == {1}, seed
            waiting = sum(parked.urls for parked in summary.parked)
            assert waiting == summary.counts["queued"], seed
            known = sum(summary.counts.values())
            assert len(endings) + waiting == known, seed


def test_what_is_not_asked_for_costs_no_pause(clock, tmp_path):
    host = Host("a.example", pages=3)
    host.links = [f"http://a.example/private/{n}" for n in range(500)]
    summary, _ = crawl(World(clock, [host]), tmp_path, config(ONE_A_SECOND))
    assert (summary.counts["skip"], summary.counts["page"]) == (500, 3)
    assert [seen.at - START for seen in host.log] == pytest.approx([0.0, 1.0, 2.0, 3.0])


# -------------------------------------------------- servers that restart, or refuse


@pytest.mark.parametrize("gone_for", [0.5, 3.0, 6.0, 15.0])
@pytest.mark.parametrize("wait", [0.0, 1.0])
def test_a_server_that_restarts_ends_no_crawl(clock, tmp_path, gone_for, wait):
    host = Host("a.example", pages=60)
    host.dead_from = START + 5.0 * wait + 0.3
    host.dead, host.recovers_at = "refused", host.dead_from + gone_for
    settings = config(PolitenessConfig(wait=wait))
    summary, records = crawl(World(clock, [host]), tmp_path, settings)
    assert (summary.finish_reason, summary.exit_code) == ("done", 0)
    assert summary.counts["page"] == 60
    assert set(ended(records).values()) == {1}


def test_a_server_that_is_gone_for_longer_leaves_its_urls_for_a_resume(clock, tmp_path):
    host = Host("a.example", pages=60)
    host.dead_from = START + 5.0
    host.dead, host.recovers_at = "refused", host.dead_from + 60.0
    settings = config(ONE_A_SECOND, dir=str(tmp_path), seeds=(host.urls[0],))
    world = World(clock, [host])
    summary = open_crawl(settings, mode="new", clock=clock, client=world).run()
    assert (summary.finish_reason, summary.exit_code) == ("parked", 75)
    assert clock() - START < 5.0 + settings.politeness.max_park_wait + 1.0
    asked = len(host.log)
    for _ in range(2):  # by hand, while it is still gone
        summary = open_crawl(settings, mode="resume", clock=clock, client=world).run()
        assert (summary.finish_reason, summary.exit_code) == ("parked", 75)
        asked += 1
        assert len(host.log) == asked
    clock.time = host.recovers_at
    summary = open_crawl(settings, mode="resume", clock=clock, client=world).run()
    assert host.log[asked].at == pytest.approx(host.recovers_at)
    assert (summary.finish_reason, summary.exit_code) == ("done", 0)
    assert summary.counts["page"] == 60


def parked_within(politeness: PolitenessConfig, retry_after: float = 0.0) -> float:
    """The bound of `throttle.py` on the time to park a host that only refuses [s]."""
    slowest = politeness.max_adaptive_wait
    pause, pauses = max(2 * politeness.wait, 1.0), []
    while pause < slowest:
        pauses.append(max(pause, retry_after))
        pause *= 2
    if retry_after >= slowest:
        pauses = [min(retry_after, politeness.max_retry_after)]
    return sum(pauses)


@pytest.mark.parametrize(
    ("status", "retry_after"),
    [(429, None), (503, None), (429, "30"), (503, "300"), (429, "999999")],
)
def test_hosts_that_refuse_for_ever_do_not_hold_the_crawl(
    clock, tmp_path, status, retry_after
):
    """200 hosts, 14 of them refuse every page: the crawl ends within the bound."""
    hosts = [Host(f"h{n}.example", pages=12) for n in range(200)]
    for host in hosts[::15]:
        host.refuses_always = status, retry_after
        host.links = []
    refusing = hosts[::15]
    world = World(clock, hosts)
    politeness = PolitenessConfig()
    settings = config(politeness, dir=str(tmp_path), concurrency=200)
    settings = replace(settings, seeds=tuple(u for h in hosts for u in h.urls))
    summary = open_crawl(settings, mode="new", clock=clock, client=world).run()

    assert len(refusing) == 14
    assert (summary.finish_reason, summary.exit_code) == ("parked", 75)
    assert summary.counts["page"] == 12 * (200 - 14)
    answered = max(seen.over for h in hosts for seen in h.log if seen.status == 200)
    first = min(seen.over for h in refusing for seen in h.log if seen.status == status)
    bound = parked_within(politeness, float(retry_after or 0))
    ends = max(first + bound, answered + politeness.max_park_wait)
    took = 10 * hosts[0].latency  # what the requests themselves take
    assert clock() <= ends + took
    assert [b for host in hosts for b in breaches(host, politeness)] == []
    waiting = sum(parked.urls for parked in summary.parked)
    assert waiting == summary.counts["queued"] > 0
    assert {parked.hosts for parked in summary.parked} == {14}


def test_a_host_that_refuses_now_and_then_is_not_parked(clock, tmp_path):
    host = Host("a.example", pages=60)
    for n in range(3, 100, 3):
        host.refusals[n] = (429 if n % 2 else 503, None)
    settings = config(ONE_A_SECOND, retry=RetryConfig(tries=20))
    summary, _ = crawl(World(clock, [host]), tmp_path, settings)
    assert (summary.finish_reason, summary.exit_code) == ("done", 0)
    assert summary.counts["page"] == 60
