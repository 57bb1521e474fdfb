"""Machines that are lost for good: their shards go on elsewhere from snapshots."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from hub.testing import simulated_network
from tests.helpers.mail_world import url_of
from tests.helpers.snapshot_world import SnapshotWorld

SIZE = 150
FAULTS = 24
PATIENCE_S = 6_000.0


def crawled(seed: int, *, keeps: bool = True) -> tuple[bool, int, int, SnapshotWorld]:
    """Whether the end was told; URLs lost, and URLs that ended twice."""
    with (
        TemporaryDirectory(dir="/dev/shm") as folder,
        simulated_network(seed, start=1.8e9),
    ):
        world = SnapshotWorld(Path(folder), seed, SIZE, keeps=keeps)
        is_told = world.run(FAULTS, PATIENCE_S if keeps else 600.0)
        found = world.pages()
        all_of_them = Counter(url_of(number) for number in range(SIZE))
        lost, twice = all_of_them - found, found - all_of_them
        return is_told, lost.total(), twice.total(), world


@pytest.mark.parametrize("seed", [1, 2])
def test_each_url_has_one_record_in_the_folders_that_count(seed):
    *outcome, world = crawled(seed)
    assert world.faults["move"] >= 1
    assert world.taken_over > 0
    assert outcome == [True, 0, 0]
