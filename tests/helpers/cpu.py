"""Bounds on CPU time that hold on a busy or slow machine.

Only the time of this thread counts, in units of the machine's present speed. A bound
guards against work that grows with the square of its input and takes a hundred times as
long, so it may be wide. If a block exceeds it, a known piece of work is timed at once,
and the bound grows in proportion.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

ROUNDS = 1_000_000
ROUNDS_S = 0.05
"""CPU time of `ROUNDS` rounds of `_count` on the machine that the bounds assume (s)."""


@contextmanager
def cpu_within(seconds: float) -> Iterator[None]:
    """Raise AssertionError if the block takes more than ``seconds`` of CPU time.

    On a slower machine than the bounds assume it may take proportionally more.
    """
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
