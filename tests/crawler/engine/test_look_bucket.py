"""The entries of a bucket that may be the same picture, beside a plain comparison."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from crawler.engine.images.look_bucket import COLOUR_TOLERANCE, ENTRY, near_entries
from crawler.extract.looks.look import MAX_DISTANCE

Entry = tuple[int, int, int, int, int]
OURS, COLOUR = 0xFEDC_0000_8001_7FFF, (0, 128, 255)


def plainly_near(entries: list[Entry]) -> Iterator[int]:
    for theirs, name, *colour in entries:
        differs = max(abs(a - b) for a, b in zip(colour, COLOUR, strict=True))
        bits = (theirs ^ OURS).bit_count()
        if bits <= MAX_DISTANCE and differs <= COLOUR_TOLERANCE:
            yield name


def drawn(number: int, flips: int, shift: int, dice: random.Random) -> list[Entry]:
    """Entries that differ from ours in up to so many bits, and in colour."""

    def entry(name: int) -> Entry:
        theirs = OURS
        for bit in dice.sample(range(64), dice.randint(0, flips)):
            theirs ^= 1 << bit
        red, green, blue = (
            min(max(one + dice.randint(-shift, shift), 0), 255) for one in COLOUR
        )
        return theirs, name, red, green, blue

    return [entry(name) for name in range(number)]


def packed(entries: list[Entry]) -> bytes:
    return b"".join(ENTRY.pack(*one) for one in entries)


@pytest.mark.parametrize("number", [0, 1, 24, 25, 26, 512])
@pytest.mark.parametrize(("flips", "shift"), [(0, 0), (6, 0), (0, 12), (5, 6), (64, 9)])
def test_they_are_those_of_a_plain_comparison_in_its_order(number, flips, shift):
    entries = drawn(number, flips, shift, random.Random(number))
    found = [*near_entries(packed(entries), OURS, COLOUR)]
    assert found == [*plainly_near(entries)]
    if (flips, shift) == (5, 6) and number == 512:
        assert 20 < len(found) < 400  # some are near, and some are not


def calls_of(action: Callable[[], object]) -> int:
    """How many calls of functions, also of those in C, the action makes."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize(("flips", "shift"), [(0, 128), (40, 0)])
def test_many_that_are_not_near_cost_little(flips, shift):
    """Gradients of one hash and all colours; screenshots of one program."""
    bucket = packed(drawn(512, flips, shift, random.Random(1)))
    found = [*near_entries(bucket, OURS, COLOUR)]  # it makes its tables
    assert len(found) < 60
    assert calls_of(lambda: [*near_entries(bucket, OURS, COLOUR)]) < 512
