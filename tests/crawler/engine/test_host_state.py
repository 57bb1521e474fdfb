"""What a crawl stores of its hosts: across resumes, and while they are idle."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

import hub
from crawler.engine.builder import open_crawl
from crawler.model.config import Config
from crawler.model.policy_config import LimitsConfig
from crawler.workspace.open import stored_config
from hub import debug
from tests.helpers.simulated_hosts import (
    ONE_A_SECOND,
    START,
    Host,
    World,
    breaches,
    crawl_into,
)


def in_short_runs(world: World, folder: Path, pages: int) -> int:
    """Crawl page by page, each in a run of its own; how many runs that took."""
    runs = 0
    while runs < 2 * pages:
        mode = "resume" if runs else "new"
        runs += 1
        limits = LimitsConfig(max_pages=runs)
        if crawl_into(world, folder, mode, limits=limits).finish_reason == "done":
            break
    return runs


# ------------------------------------------------------------------ a resume forgets
# none


def test_a_crawl_delay_is_kept_by_a_crawl_that_is_resumed_after_each_page(
    clock, tmp_path
):
    host = Host("a.example", pages=6)
    host.crawl_delay = 7.0
    in_short_runs(World(clock, [host]), tmp_path, host.pages)
    assert len(host.log) == 7
    assert all(later.at - one.at >= 7.0 for one, later in pairwise(host.log))
    assert breaches(host, ONE_A_SECOND) == []


def test_a_retry_after_outlives_the_run(clock, tmp_path):
    host, other = Host("a.example", pages=3), Host("b.example", pages=30)
    host.refusals[1] = (429, "100")
    world = World(clock, [host, other])
    crawl_into(world, tmp_path, "new", limits=LimitsConfig(max_time=5.0))
    refused = host.log[-1]
    assert refused.status == 429
    crawl_into(world, tmp_path, "resume", limits=LimitsConfig())
    assert (
        min(seen.at for seen in host.log if seen.at > refused.at)
        >= refused.over + 100.0
    )
    assert breaches(host, ONE_A_SECOND) == []


def test_the_slower_pace_after_a_429_outlives_the_run(clock, tmp_path):
    host = Host("a.example", pages=40)
    host.refusals[3] = (429, None)
    in_short_runs(World(clock, [host]), tmp_path, host.pages)
    gaps = [later.at - one.at for one, later in pairwise(host.log)]
    assert gaps[3] == pytest.approx(2.0)
    assert gaps[4:12] == sorted(gaps[4:12], reverse=True)
    assert gaps[6] > 1.2
    assert gaps[-1] == pytest.approx(1.0)


def test_a_slow_host_is_known_as_slow_to_the_next_run(clock, tmp_path):
    host = Host("a.example", pages=6, latency=4.0)
    in_short_runs(World(clock, [host]), tmp_path, host.pages)
    assert all(later.at - one.at >= 4.0 - 1e-6 for one, later in pairwise(host.log))


def test_failures_in_a_row_are_counted_across_runs(clock, tmp_path):
    dead, live = Host("dead.example"), Host("live.example", pages=40)
    dead.dead = "silent"
    world = World(clock, [dead, live])
    crawl_into(world, tmp_path, "new", limits=LimitsConfig(max_time=15.0))
    assert (
        len(dead.log) == 2
    )  # the second attempt is given up by the limit, or has failed
    summary = crawl_into(world, tmp_path, "resume", limits=LimitsConfig())
    assert breaches(dead, ONE_A_SECOND) == []
    assert summary.counts["page"] == 40


def test_a_parked_host_is_asked_again_on_the_next_day_under_the_default_settings(
    clock, tmp_path
):
    dead, live = Host("dead.example", pages=9), Host("live.example", pages=3)
    world = World(clock, [dead, live])
    dead.dead = "silent"
    config = Config(seeds=(*live.urls, *dead.urls), dir=str(tmp_path))
    summary = open_crawl(config, mode="new", clock=clock, client=world).run()
    assert (summary.finish_reason, summary.exit_code) == ("parked", 75)
    assert (summary.counts["queued"], summary.counts["error"]) == (9, 0)
    clock.time += 86_400.0
    dead.dead = None
    summary = open_crawl(
        stored_config(tmp_path), mode="resume", clock=clock, client=world
    ).run()
    assert (summary.finish_reason, summary.counts["page"]) == ("done", 3 + 9)


# ------------------------------------------------------------------ who cools down
# holds nothing


def greenlets() -> int:
    """How many are alive on this hub."""
    return debug.statistics().greenlets


def test_a_host_that_cools_down_holds_no_place_no_greenlet_and_no_connection(
    clock, tmp_path
):
    """With one slot, nine hosts rest for an hour, and the tenth keeps its full rate.

    Workers are the only greenlets of a crawl: there is one for the slot, and none for
    a pause.
    """
    resting = [Host(f"h{n}.example", pages=2) for n in range(9)]
    for host in resting:
        host.refusals[1] = (503, "3600")
    live = Host("live.example", pages=200)
    world = World(clock, [*resting, live])
    most, before = 0, greenlets()

    def watch() -> None:
        nonlocal most
        while True:
            hub.sleep(50.0)
            if len(world.rested) == 9:
                most = max(most, greenlets() - before)

    watcher = hub.spawn(watch)
    summary = crawl_into(world, tmp_path, "new", concurrency=1)
    watcher.kill()
    assert summary.counts["page"] == 200 + 9 * 2
    assert max(live.asked()) < 200 * 1.0 * 1.1
    assert sorted(world.rested) == sorted(host.name for host in resting)
    assert most == 4  # who watches, the worker, and the two tickers
    for host in resting:
        assert breaches(host, ONE_A_SECOND) == []


# ------------------------------------------------------------------ limits of a whole
# crawl


@pytest.mark.parametrize(
    ("limit", "reason"),
    [({"max_time": 20.0}, "limit_time"), ({"max_bytes": 2_000}, "limit_bytes")],
)
def test_a_limit_ends_the_run_well_and_a_resume_goes_on(clock, tmp_path, limit, reason):
    host = Host("a.example", pages=60)
    world = World(clock, [host])
    summary = crawl_into(world, tmp_path, "new", limits=LimitsConfig(**limit))
    assert (summary.finish_reason, summary.exit_code) == (reason, 0)
    assert 0 < summary.counts["page"] < 60
    assert summary.counts["queued"] == 60 - summary.counts["page"]
    assert clock() - START < 25
    summary = crawl_into(world, tmp_path, "resume", limits=LimitsConfig())
    assert (summary.finish_reason, summary.counts["page"]) == ("done", 60)
    assert len(host.log) == 61
