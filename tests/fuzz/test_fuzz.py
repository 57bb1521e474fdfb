"""The seeds, and a bounded run of mutations.

ORBWEB_FUZZ_EXAMPLES sets how many for each target.
"""

from __future__ import annotations

import os
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.corpus import seeds_of
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS
from tests.helpers.cpu import cpu_within

EXAMPLES = int(os.environ.get("ORBWEB_FUZZ_EXAMPLES", "150"))
SECONDS = 2.0
"""CPU time for one input of at most 72 KB (s)."""


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    for data in [b"", *seeds_of(name)]:
        with cpu_within(SECONDS):
            TARGETS[name](data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutations(name: str) -> None:
    seeds = seeds_of(name)

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=EXAMPLES == 150,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.sampled_from(seeds), st.sampled_from(seeds), st.integers(0, 2**32))
    def hold(data: bytes, other: bytes, number: int) -> None:
        with cpu_within(SECONDS):
            TARGETS[name](mutate(data, other, random.Random(number)))

    hold()
