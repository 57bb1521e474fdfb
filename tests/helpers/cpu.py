"""Bounds on CPU time that hold on a busy or slow machine: this thread's alone, in units
of the machine as it is just now.

A bound is there for what grows with the square of its input, which takes a hundred
times as long: so it may be wide, and an excess is judged by how long a known piece of
work takes at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

ROUNDS = 1_000_000
ROUNDS_S = 0.05
"""CPU seconds for so many rounds of `_count`, on the machine that the bounds are
written for."""


@contextmanager
def cpu_within(seconds: float) -> Iterator[None]:
    """AssertionError if the block takes more CPU time than that, on a machine of usual
    speed."""
    began = time.thread_time()
    yield
    spent = time.thread_time() - began
    assert spent < seconds or spent < seconds * _slowness(), f"{spent:.2f} s of CPU"


def _slowness() -> float:
    began = time.thread_time()
    _count()
    return (time.thread_time() - began) / ROUNDS_S


def _count() -> int:
    total = 0
    for number in range(ROUNDS):
        total += number
    return total
