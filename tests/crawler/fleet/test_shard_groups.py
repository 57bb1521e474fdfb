"""Groups of shards that go on under other settings, whatever they do just then."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import pytest

import hub
from crawler.fleet.end import EndOfCrawl
from crawler.fleet.messages import RESTARTS
from crawler.fleet.shard_groups import ProcessFailed, ShardGroups
from crawler.model.errors import Stop

KILLED = -9


class Parent:
    """Its processes end when and as the test says."""

    def __init__(self) -> None:
        self.is_stopped = False
        self.preparing: Callable[[], None] = lambda: None
        self.processes: list[Any] = []
        self.begun: list[set[int]] = []
        self.warned: list[str] = []
        self.failed: Stop | None = None
        end = EndOfCrawl(3, 0.0, lambda: 0, lambda: 0.0)
        self.groups = ShardGroups(self, end, has_leases=False)

    def prepare(self, shards: Iterable[int]) -> None:
        self.preparing()

    def run_process(self, shards: Iterable[int]) -> Any:
        process = SimpleNamespace(
            started=set(shards),
            shards=set(shards),
            is_outdated=False,
            code=0,
            ended=hub.event.Event(),
        )
        process.wait = lambda: process.code
        self.processes.append(process)
        process.ended.wait()
        return process

    def begun_again(self, shards: Iterable[int]) -> None:
        self.begun.append(set(shards))

    def warn(self, text: str) -> None:
        self.warned.append(text)

    def stop(self, stop: Stop) -> None:
        self.failed, self.is_stopped = stop, True

    # What the test does

    def end(self, process: Any, *shards: int, code: int = 0) -> None:
        """A process ends, after the runs of these shards have ended."""
        process.shards.difference_update(shards)
        process.code = code
        process.ended.set()
        hub.sleep(0)

    def steer(self) -> None:
        """As the parent does when the crawl has other settings."""
        for process in self.processes:
            process.is_outdated = not process.ended.is_set()
        self.groups.begin_again()
        hub.sleep(0)

    @property
    def at_work(self) -> list[set[int]]:
        """The shards of the processes that run."""
        return [one.started for one in self.processes if not one.ended.is_set()]


@pytest.fixture
def parent() -> Parent:
    parent = Parent()
    for shards in ([0, 1], [2]):
        parent.groups.begin(shards)
    hub.sleep(0)
    assert parent.at_work == [{0, 1}, {2}]
    return parent


def test_a_group_that_has_ended_goes_on_when_the_limit_is_raised(
    parent: Parent,
) -> None:
    """Another one is at work, so that the machine has not ended."""
    both, other = parent.processes
    parent.end(both, 0, 1)
    assert parent.at_work == [{2}]
    parent.steer()
    assert parent.at_work == [{2}, {0, 1}]
    assert {0, 1} in parent.begun
    parent.end(other, code=RESTARTS)
    assert parent.at_work == [{0, 1}, {2}]
    joining = hub.spawn(parent.groups.join)
    hub.sleep(0)
    parent.end(parent.processes[-1], 2)
    hub.sleep(0)
    assert not joining.dead, "the group that has begun again is waited for"
    parent.end(parent.processes[-2], 0, 1)
    hub.joinall([joining])
    assert not parent.groups.join()
    assert parent.warned == []


@pytest.mark.parametrize("code", [0, KILLED, RESTARTS])
def test_a_process_that_ends_when_the_limit_is_raised(
    parent: Parent, code: int
) -> None:
    """What it told before it heard of that is outdated."""
    both, _ = parent.processes
    parent.steer()
    parent.end(both, *((0, 1) if code == 0 else (0,)), code=code)
    assert parent.at_work == [{2}, {0, 1}]
    assert len(parent.warned) == (code == KILLED)
    parent.end(parent.processes[-1], 0, 1)
    assert parent.at_work == [{2}], "settings are changed once"


def test_a_group_that_waits_for_a_lease_when_the_limit_is_raised(
    parent: Parent,
) -> None:
    both, _ = parent.processes
    lease = hub.event.Event()
    parent.preparing = lease.wait
    parent.end(both, 0, code=KILLED)
    assert parent.at_work == [{2}]
    parent.steer()
    lease.set()
    hub.sleep(0)
    assert parent.at_work == [{2}, {0, 1}]


def test_nothing_begins_again_once_the_crawl_is_stopped(parent: Parent) -> None:
    both, other = parent.processes
    parent.end(both, 0, 1)
    parent.stop(ProcessFailed("it has failed", 1))
    parent.end(other, code=KILLED)
    parent.steer()
    assert parent.at_work == []
    assert parent.warned == []
