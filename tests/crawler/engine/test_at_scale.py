"""500 hosts in virtual time at one request a second: the duration has a bound.

The bounds. A sound host has a robots.txt and 22 pages, and between two requests lies an
interval of a second: its last page can't be asked for before 22.0. Where the interval
is another (Crawl-delay, or the time that a slow host takes), it is 22 of those. A
silent host is known to be dead after `park_after` attempts, each of which lasts as long
as the connect timeout, and the pauses between them: 10 + 1 + 10 + 2 + 10 = 33 seconds.
No pace can be quicker; ours may take a tenth longer.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from crawler.engine.builder import Summary
from crawler.model.config import Config
from crawler.model.policy_config import PolitenessConfig
from hub.testing import VirtualClock, virtual_time
from tests.helpers.simulated_hosts import (
    CONNECT_TIMEOUT_S,
    START,
    Host,
    World,
    breaches,
    crawl,
    some_host,
)

TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}
HOSTS, PAGES = 500, 22
ONE_A_SECOND = PolitenessConfig(per_host=1, wait=1.0)
DEAD_S = 3 * CONNECT_TIMEOUT_S + 1.0 + 2.0
LEEWAY = 1.1


def sites(change: Callable[[int, Host], None]) -> list[Host]:
    """500 sound hosts, each of which `change` may make worse."""
    hosts = [Host(f"h{n}.example", PAGES) for n in range(HOSTS)]
    for n, host in enumerate(hosts):
        change(n, host)
    return hosts


def run(clock: VirtualClock, hosts: list[Host], folder: Path, **more: Any) -> Summary:
    """Crawl the hosts; none is requested too fast, and each URL ends once."""
    config = Config(politeness=ONE_A_SECOND, **more)
    summary, records = crawl(World(clock, hosts), folder, config)
    assert [breach for host in hosts for breach in breaches(host, ONE_A_SECOND)] == []
    endings = Counter(record["url"] for record in records if record["type"] in TERMINAL)
    assert set(endings.values()) == {1}
    return summary


def last(host: Host) -> float:
    """When the last page of the host was requested."""
    return max(host.asked())


def is_slow(host: Host) -> bool:
    return host.latency > 1.0


@pytest.mark.parametrize(
    "kinds",
    [("silent",), ("refused", "silent", "nxdomain", "servfail", "refused")],
    ids=["silent", "mixed"],
)
def test_10_000_pages_of_500_hosts_take_no_longer_than_they_must(
    clock, tmp_path, kinds
):
    def kill(n: int, host: Host) -> None:
        host.dead = kinds[n // 20 % len(kinds)] if n % 20 == 0 else None

    hosts = sites(kill)
    summary = run(clock, hosts, tmp_path)
    living = [host for host in hosts if host.dead is None]
    assert summary.counts["page"] == PAGES * len(living) == 10_450
    assert 22.0 <= max(map(last, living)) < 22.0 * LEEWAY
    assert clock() - START < DEAD_S * LEEWAY


def test_slow_hosts_keep_no_place_from_the_quick_ones(clock, tmp_path):
    """10 % take 5 to 10 s for each answer, 5 % are silent."""
    chance = random.Random(1)

    def change(n: int, host: Host) -> None:
        host.dead = "silent" if n % 20 == 0 else None
        host.latency = chance.uniform(5, 10) if n % 10 == 5 else host.latency

    hosts = sites(change)
    run(clock, hosts, tmp_path)
    slow = [host for host in hosts if is_slow(host)]
    quick = [host for host in hosts if host.latency < 1 and host.dead is None]
    assert (len(slow), len(quick)) == (50, 425)
    assert max(map(last, quick)) < 22.0 * LEEWAY
    assert max(last(host) / host.latency for host in slow) < 22.0 * LEEWAY


def test_slow_hosts_do_no_better_and_no_harm_without_overflow_slots(clock, tmp_path):
    """Without overflow slots, fast hosts have only half of all slots, and it shows."""

    def change(n: int, host: Host) -> None:
        host.latency = 8.0 if n % 10 == 5 else host.latency

    hosts = sites(change)
    summary = run(clock, hosts, tmp_path, slow_concurrency=0)
    assert summary.counts["page"] == PAGES * HOSTS
    quick = [host for host in hosts if host.latency < 1]
    assert 22.0 * LEEWAY < max(map(last, quick)) < 22.0 * 2.5


def test_no_more_requests_are_under_way_than_there_are_places(clock, tmp_path):
    def change(n: int, host: Host) -> None:
        host.latency = 3.0 if n % 2 else host.latency
        host.dead = "silent" if n % 3 == 0 else None

    hosts = sites(change)
    run(clock, hosts, tmp_path, concurrency=8, slow_concurrency=5)
    moments = [(seen.turn, 1) for host in hosts for seen in host.log]
    moments += [(seen.over_turn, -1) for host in hosts for seen in host.log]
    under_way = most = 0
    for _, change_by in sorted(moments):
        under_way += change_by
        most = max(most, under_way)
    assert (under_way, most) == (0, 13)


@pytest.mark.parametrize("seed", range(2))
def test_hosts_of_all_kinds_each_take_as_long_as_they_must(tmp_path, seed):
    """5 % dead, 10 % slow, 20 % with a Crawl-delay, 10 % with 429 or 503, repeatable.

    What a refusal costs beside its Retry-After is the pace that recovers, and the
    back-off.
    """
    logs = []
    for _ in range(2):
        chance = random.Random(seed)

        def change(n: int, host: Host, chance: random.Random = chance) -> None:
            if n % 20 == 0:
                host.dead = chance.choice(["refused", "silent", "nxdomain", "servfail"])
            elif n % 10 == 5:
                host.latency = chance.uniform(5, 10)
            elif n % 5 == 1:
                host.crawl_delay = chance.choice([0.5, 1.5, 2.0, 5.0])
            elif n % 10 == 7:
                host.refusals[chance.randrange(1, PAGES)] = chance.choice(
                    [(429, None), (429, "3"), (503, "7"), (503, None)]
                )

        hosts = sites(change)
        with virtual_time(START) as clock:
            summary = run(clock, hosts, tmp_path)
        assert summary.counts["page"] == 475 * PAGES
        for host in hosts:
            if host.dead is None and not host.refusals:
                interval = max(
                    1.0, host.crawl_delay or 0.0, host.latency if is_slow(host) else 0
                )
                assert last(host) < 22 * interval * LEEWAY
        logs.append(
            [(seen.at, seen.path, seen.status) for host in hosts for seen in host.log]
        )
    assert logs[0] == logs[1]


def n_is_slow(host: Host) -> bool:
    return host.latency > 1.0


def test_a_mixed_crowd_is_crawled_politely_and_alike_each_time(tmp_path):
    """500 hosts of all kinds.

    10 % are dead, 10 % slow, 10 % without robots.txt, 20 % answer 429 or 503 at times,
    30 % have a Crawl-delay.
    """
    politeness = PolitenessConfig(wait=1.0)
    logs = []
    for _ in range(2):
        chance = random.Random(5)
        hosts = [some_host(chance, f"h{n}.example") for n in range(500)]
        with virtual_time(START) as clock:
            summary, records = crawl(
                World(clock, hosts), tmp_path, Config(politeness=politeness)
            )
        assert [breach for host in hosts for breach in breaches(host, politeness)] == []
        endings = Counter(
            record["url"] for record in records if record["type"] in TERMINAL
        )
        assert set(endings.values()) == {1}
        assert summary.counts["page"] > 1000
        logs.append(
            [(seen.at, seen.path, seen.status) for host in hosts for seen in host.log]
        )
    assert logs[0] == logs[1]


def test_retry_after_of_one_host_leaves_the_rate_of_500_others(clock, tmp_path):
    def change(n: int, host: Host) -> None:
        if n % 20 == 0:
            host.refusals[3] = (429, "15")

    hosts = sites(change)
    run(clock, hosts, tmp_path)
    for n, host in enumerate(hosts):
        gaps = [b.at - a.at for a, b in pairwise(host.log)]
        assert max(gaps) >= 15.0 if n % 20 == 0 else max(gaps) < 1.0 * LEEWAY
