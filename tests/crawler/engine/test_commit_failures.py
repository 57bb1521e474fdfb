"""Any statement of the commit path fails, in any way.

Nothing of that batch is made durable by this process, and a resume is exact. Here each
third statement fails once, each in another way than the one before; all of them fail in
every way and at several times in `python -m tests.soak.commit_failures`, which takes
half an hour.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.helpers.failing_commit import KINDS, Rounds

MEMORY = Path("/dev/shm")
"""A folder in memory: the crawls take half as long there as on a disk."""

EACH = 3
"""One of so many statements fails, for all take more than a minute of CPU."""


@pytest.fixture(scope="module")
def rounds() -> Iterator[Rounds]:
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as place:
        yield Rounds(Path(place))


def test_a_resume_is_exact_whatever_statement_has_failed(rounds: Rounds) -> None:
    first, second = rounds.executed
    assert len(first) > 1400
    assert len(second.keys() - first.keys()) > 30
    kinds = itertools.cycle(KINDS)
    wrong = []
    for number, executed in enumerate(rounds.executed):
        new = sorted(executed.keys() - (first.keys() if number else set()))
        for place in new[::EACH]:
            times = executed[place]
            kind, time = next(kinds), times // 2 + 1
            if fault := rounds.fault(number, place, time, kind):
                wrong.append((number, place, time, kind, fault))
    assert wrong == []


def test_a_resume_is_exact_wherever_a_disk_was_full(rounds: Rounds) -> None:
    """The kernel writes the part that fits, and refuses the rest."""
    wrong = []
    for number in range(2):
        largest = rounds.largest_file(number)
        for file_size in range(0, largest, largest // 12):
            if fault := rounds.full_disk(number, file_size):
                wrong.append((number, file_size, fault))
    assert wrong == []
