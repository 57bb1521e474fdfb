"""A system clock that is set back or forward moves no due time of a crawl."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import hub
from crawler.engine.builder import Summary, open_crawl
from crawler.engine.steady_clock import SteadyClock
from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite.database import FILE_NAME
from crawler.inspect.state import open_state
from crawler.model.config import Config
from crawler.model.metadata import CLOCKS, clock_shift, save_clocks
from crawler.model.policy_config import PolitenessConfig, RetryConfig
from crawler.workspace.paths import state_folder
from hub.testing.clock import VirtualClock
from tests.helpers.simulated_hosts import START, Host, World

DAY = 86_400.0
STEPS = [-DAY, -3600.0, 3600.0, DAY, 365 * DAY]


class WallClock:
    """The system's clock: the true time, and by how much it is wrong."""

    def __init__(self, truth: Callable[[], float]) -> None:
        self._truth = truth
        self.wrong_by = 0.0

    def __call__(self) -> float:
        return self._truth() + self.wrong_by


def config(folder: Path, host: Host, **politeness: Any) -> Config:
    return Config(
        seeds=(host.urls[0],),
        dir=str(folder),
        politeness=PolitenessConfig(**{"per_host": 1, "wait": 1.0} | politeness),
        retry=RetryConfig(tries=9),
    )


def run(settings: Config, mode: Any, world: World, wall: WallClock) -> Summary:
    return open_crawl(settings, mode=mode, clock=wall, client=world).run()


def starts(host: Host) -> list[float]:
    return [seen.at - START for seen in host.log]


def undisturbed(clock: VirtualClock, folder: Path, host: Host) -> list[float]:
    """When the requests to such a host are made if no clock is set."""
    world = World(clock, [host])
    run(config(folder, host), "new", world, WallClock(clock))
    times = starts(host)
    clock.time = START
    host.log.clear()
    return times


@pytest.mark.parametrize("step", STEPS)
def test_a_clock_that_is_set_while_the_crawl_runs(
    clock: VirtualClock, tmp_path: Path, step: float
) -> None:
    host = Host("a.example", pages=20)
    host.refusals[7] = (503, "30")
    expected = undisturbed(clock, tmp_path / "expected", host)
    wall = WallClock(clock)

    def set_it() -> None:
        hub.sleep(4.2)
        wall.wrong_by = step

    hub.spawn(set_it)
    settings = config(tmp_path / "crawl", host)
    summary = run(settings, "new", World(clock, [host]), wall)
    assert summary.finish_reason == "done"
    assert starts(host) == pytest.approx(expected, abs=1e-3)
    assert summary.elapsed_s == pytest.approx(clock() - START, abs=1e-3)


@pytest.mark.parametrize("before", [0.0, DAY])
@pytest.mark.parametrize("step", STEPS)
def test_a_clock_that_is_set_between_two_runs(
    clock: VirtualClock, tmp_path: Path, step: float, before: float
) -> None:
    """And one that was set in the first run already (`before`)."""
    host = Host("a.example", pages=20)
    host.refusals[5] = (503, "300")
    wall = WallClock(clock)
    settings = config(tmp_path, host)
    world = World(clock, [host])
    crawl = open_crawl(settings, mode="new", clock=wall, client=world)

    def stop() -> None:
        hub.sleep(2.2)
        wall.wrong_by = before
        hub.sleep(10.0)
        crawl.interrupt(2)

    hub.spawn(stop)
    assert crawl.run().exit_code == 75
    stopped, asked = clock(), len(host.log)
    blocked_until = host.log[-1].over + 300.0
    assert blocked_until > stopped

    wall.wrong_by = before + step
    clock.time += 60.0  # the machine was off
    assert run(settings, "resume", world, wall).finish_reason == "done"
    first = host.log[asked].at
    if step < 0:  # no clock tells that a minute has passed
        assert first == pytest.approx(blocked_until + 60.0, abs=15.0)
    else:  # a clock that is forward can't be told from time that has passed
        assert first == pytest.approx(stopped + 60.0, abs=1.0)


@pytest.mark.parametrize("column", ["host", "retry"])
def test_no_stored_time_stops_a_crawl_for_longer_than_a_rule_allows(
    clock: VirtualClock, tmp_path: Path, column: str
) -> None:
    host = Host("a.example", pages=3)
    host.refusals[1] = (503, None)
    settings = config(tmp_path, host, max_retry_after=40.0, max_adaptive_wait=20.0)
    world, wall = World(clock, [host]), WallClock(clock)
    crawl = open_crawl(settings, mode="new", clock=wall, client=world)
    hub.spawn(lambda: (hub.sleep(1.5), crawl.interrupt(2)))
    crawl.run()
    with closing(sqlite3.connect(state_folder(tmp_path) / FILE_NAME)) as db:
        if column == "host":
            db.execute("UPDATE host SET ready_at = ?", (START + 9 * DAY,))
        else:
            db.execute("UPDATE retry SET retry_at = ?", (START + 9 * DAY,))
        db.commit()
    resumed = clock()
    assert run(settings, "resume", world, wall).finish_reason == "done"
    assert clock() - resumed < 40.0 + settings.retry.max_backoff + 10.0


@pytest.mark.parametrize("step", STEPS)
def test_a_look_at_the_state_shows_how_long_a_host_waits_still(
    clock: VirtualClock, tmp_path: Path, step: float
) -> None:
    host = Host("a.example", pages=9)
    host.refusals[3] = (503, "300")
    world, wall = World(clock, [host]), WallClock(clock)
    settings = config(tmp_path, host)
    crawl = open_crawl(settings, mode="new", clock=wall, client=world)

    def stop() -> None:
        hub.sleep(1.2)
        wall.wrong_by = step
        hub.sleep(10.0)
        crawl.interrupt(2)

    hub.spawn(stop)
    crawl.run()
    with open_state(tmp_path) as (state, _):
        now = wall()
        now -= clock_shift(state, now)
        (found,) = state.hosts()
        assert found.ready_at - now == pytest.approx(292.0, abs=1.5)


def test_the_steady_clock_shows_what_both_clocks_show() -> None:
    wall, monotonic = [1000.0], [7.0]
    steady = SteadyClock(lambda: wall[0], lambda: monotonic[0])
    assert steady() == 1000.0
    monotonic[0] += 5.0
    wall[0] -= DAY
    assert steady() == 1005.0
    assert steady.wall() == 1000.0 - DAY


@pytest.mark.parametrize("value", [b"", b"\xc1", b"nonsense"])
def test_a_damaged_pair_of_clocks_moves_nothing(value: bytes) -> None:
    store = MemoryStore()
    store.set(CLOCKS, "", value)
    assert clock_shift(store, START) == 0.0
    save_clocks(store, float("inf"), START)
    assert clock_shift(store, START) == 0.0
