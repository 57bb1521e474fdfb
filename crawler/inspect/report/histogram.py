"""Sizes and durations by orders of magnitude, with quantiles, in bounded memory."""

from __future__ import annotations

import math
from collections import Counter

PER_DECADE = 40
"""Fine bins between 1 and 10: a quantile is exact to 6 %."""
SHOWN_PER_DECADE = 5


class LogHistogram:
    """Counts of numbers from 0 on; what is below 1 counts as 1."""

    def __init__(self) -> None:
        self._bins: Counter[int] = Counter()
        self.count = 0

    def add(self, value: float) -> None:
        self._bins[int(math.log10(max(value, 1)) * PER_DECADE)] += 1
        self.count += 1

    def quantile(self, share: float) -> float:
        """The number below which this share of all lies; 0 if there are none."""
        left = share * self.count
        for key in sorted(self._bins):
            left -= self._bins[key]
            if left <= 0:
                return float(10 ** ((key + 0.5) / PER_DECADE))
        return 0.0

    def shown(self) -> tuple[int, list[int]]:
        """The first bin and the counts from there on, SHOWN_PER_DECADE for each ten.

        Bin n begins at 10 ** (n / SHOWN_PER_DECADE).
        """
        step = PER_DECADE // SHOWN_PER_DECADE
        counts: Counter[int] = Counter()
        for key, count in self._bins.items():
            counts[key // step] += count
        if not counts:
            return 0, []
        first, last = min(counts), max(counts)
        return first, [counts[key] for key in range(first, last + 1)]
