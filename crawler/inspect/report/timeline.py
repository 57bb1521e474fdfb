"""How many URLs ended when: in bins of time, whose width grows with the crawl."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from msgspec import Struct

KINDS = ("page", "image", "other", "error")
"""What is counted: files and redirects are other."""
MAX_BINS = 4096
FIRST_WIDTH_S = 1 / 16
MAX_PAUSES = 1000


class Bin(Struct):
    """What ended in one stretch of time."""

    clock: float
    """When it began (seconds since the epoch)."""
    counts: list[int]
    """By KINDS."""
    received: int = 0
    """Bytes."""


class Pause(Struct, frozen=True):
    """A time between two runs, which takes no room on the axis."""

    at_s: float
    """Where it is, in seconds of crawling."""
    length_s: float


class Column(Struct, frozen=True):
    """One column of a plot."""

    start_s: float
    """Seconds of crawling before it."""
    clock: float
    counts: tuple[int, ...]
    received: int


class Timeline:
    """Counts by seconds of crawling: the pauses between runs are left out."""

    def __init__(self) -> None:
        self._width_s = FIRST_WIDTH_S
        self._bins: dict[int, Bin] = {}
        self._first = self._last = 0.0
        self._paused_s = 0.0
        self.pauses: list[Pause] = []

    @property
    def began(self) -> float:
        """Seconds since the epoch; 0 where nothing was added."""
        return self._first

    @property
    def ended(self) -> float:
        return self._last

    @property
    def length_s(self) -> float:
        """Seconds of crawling."""
        return max(0.0, self._last - self._first - self._paused_s)

    def begin_run(self, ts: str) -> None:
        """A run starts: the time since the last record was a pause."""
        at = seconds(ts)
        pause = at - self._last
        if self._first and pause > 0:
            if len(self.pauses) < MAX_PAUSES:
                self.pauses.append(Pause(self.length_s, pause))
            self._paused_s += pause
        self._see(at)

    def add(self, ts: str, kind: str, received: int = 0) -> None:
        """Count a URL of one of KINDS that ended at `ts`."""
        at = seconds(ts)
        self._see(at)
        key = int(self.length_s / self._width_s)
        found = self._bins.get(key)
        if found is None:
            found = self._bins[key] = Bin(at, [0] * len(KINDS))
            if len(self._bins) > MAX_BINS:
                self._widen()
        found.counts[KINDS.index(kind)] += 1
        found.received += received

    def _see(self, at: float) -> None:
        self._first = self._first or at
        self._last = max(self._last, at)  # a clock that was set back adds no time

    def _widen(self) -> None:
        """Double the width of the bins."""
        self._width_s *= 2
        before, self._bins = self._bins, {}
        for key, one in before.items():
            found = self._bins.setdefault(key >> 1, one)
            if found is not one:
                found.counts = [
                    sum(pair) for pair in zip(found.counts, one.counts, strict=True)
                ]
                found.received += one.received

    def columns(self, width_s: float) -> list[Column]:
        """The counts in columns of `width_s`, from the first to the last."""
        number = int(self.length_s / width_s) + 1
        counts = [[0] * len(KINDS) for _ in range(number)]
        received, clocks = [0] * number, [0.0] * number
        for key, one in sorted(self._bins.items()):
            at = min(int(key * self._width_s / width_s), number - 1)
            counts[at] = [sum(p) for p in zip(counts[at], one.counts, strict=True)]
            received[at] += one.received
            clocks[at] = clocks[at] or one.clock
        for before, after in pairwise(range(number)):
            clocks[after] = clocks[after] or clocks[before] + width_s
        return [
            Column(at * width_s, clocks[at], tuple(counts[at]), received[at])
            for at in range(number)
        ]


def seconds(ts: str) -> float:
    """A time of a record in seconds since the epoch; 0 if it is none."""
    try:
        return datetime.fromisoformat(ts).timestamp()
    except ValueError:
        return 0.0
