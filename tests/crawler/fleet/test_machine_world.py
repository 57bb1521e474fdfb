"""Machines that fail in every way crawl each URL once, and see the end, never early."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from hub.testing import simulated_network
from tests.helpers.machine_world import PATIENCE_S, World
from tests.helpers.mail_world import url_of

SIZE = 150
FAULTS = 30
SEEDS = range(int(os.environ.get("ORBWEB_MACHINE_SEEDS", "2")))


class Outcome(NamedTuple):
    """What came of a crawl with faults."""

    is_told: bool
    """Whether a machine saw the end."""
    lost: int
    """URLs that have not ended."""
    twice: int
    """Ends of URLs beyond the first, and of URLs that are none."""
    asleep: int
    """Pages that machines wrote which had slept past their leases."""
    refused: list[str]
    """Why machines stopped, of those that had not been replaced."""
    faults: Counter[str]


def crawled(seed: int, *, trusts: bool = False) -> Outcome:
    """A crawl with faults by this seed."""
    with (
        TemporaryDirectory(dir="/dev/shm") as folder,
        simulated_network(seed, start=1.8e9),
    ):
        world = World(Path(folder), seed, SIZE, trusts=trusts)
        is_told = world.run(FAULTS, 200.0 if trusts else PATIENCE_S)
        found = world.pages()
        all_of_them = Counter(url_of(number) for number in range(SIZE))
        return Outcome(
            is_told,
            (all_of_them - found).total(),
            (found - all_of_them).total(),
            world.written_asleep().total(),
            [box.refused for box in world.boxes if box.refused],
            world.faults,
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_each_url_ends_once_and_the_end_is_told_after_that(seed):
    outcome = crawled(seed)
    assert outcome.faults.total() > 5
    assert outcome[:5] == (True, 0, 0, 0, [])


def test_the_control_that_believes_the_server_fails():
    """The faults are such that they strike: URLs are lost, and sleepers write."""
    outcome = crawled(1, trusts=True)
    assert outcome.lost > 0
    assert outcome.asleep > 0
