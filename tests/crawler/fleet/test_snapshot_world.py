"""Machines that are lost for good: their shards go on elsewhere from snapshots."""

from __future__ import annotations

import pytest

from tests.helpers.snapshot_world import crawled

SIZE = 150
FAULTS = 24


@pytest.mark.parametrize("seed", [1, 2])
def test_each_url_has_one_record_in_the_folders_that_count(seed):
    outcome = crawled(seed, SIZE, FAULTS)
    assert outcome.faults["move"] >= 1
    assert outcome.taken_over > 0
    assert outcome[:3] == (True, 0, 0)
