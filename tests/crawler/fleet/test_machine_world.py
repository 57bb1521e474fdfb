"""Machines that fail in every way crawl each URL once, and see the end, never early.

`python -m tests.soak.seeds` runs the same from thousands of seeds.
"""

from __future__ import annotations

import pytest

from tests.helpers.machine_world import crawled

SIZE = 150
FAULTS = 30


@pytest.mark.parametrize("seed", range(2))
def test_each_url_ends_once_and_the_end_is_told_after_that(seed):
    outcome = crawled(seed, SIZE, FAULTS)
    assert outcome.faults.total() > 5
    assert outcome[:5] == (True, 0, 0, 0, [])


@pytest.mark.parametrize("seed", [1, 2])
def test_the_limit_of_pages_is_exact(seed):
    """Never more, also where the server has older data; and in the end as many."""
    limit = 110
    outcome = crawled(seed, SIZE, FAULTS, max_pages=limit)
    assert outcome.faults.total() > 5
    assert outcome == (True, SIZE - limit, 0, 0, [], outcome.faults)


def test_a_machine_that_wakes_when_the_server_has_gone_back_keeps_nothing():
    """The copy of its folder goes on, and nothing of that is missing."""
    outcome = crawled(2, SIZE, 3, kinds=["wake_in_the_past"])
    assert outcome == (True, 0, 0, 0, [], outcome.faults)
    assert outcome.faults.total() > 0


def test_the_control_that_believes_the_server_fails():
    """The faults are such that they strike: URLs are lost, and sleepers write."""
    outcome = crawled(1, SIZE, FAULTS, trusts=True)
    assert outcome.lost > 0
    assert outcome.asleep > 0
