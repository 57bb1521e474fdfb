"""`python -m tests.fuzz SECONDS [TARGET]...`: the long run, guided by coverage.

An input that takes a new step from one line of the crawler to another goes into the
pool, and at the end into `seeds/` if the target has few seeds. An input that breaks a
target is kept as `broken-...`, and the exit code is 1.
"""

from __future__ import annotations

import hashlib
import random
import sys
import time
from types import FrameType
from typing import Any

from tests.fuzz.corpus import SEEDS, seeds_of
from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS
from tests.helpers.paths import ROOT

CRAWLER = str(ROOT / "crawler")
SLICE_S = 10.0
SLOW_S = 2.0
MAX_SEEDS = 40
MAX_SEED_BYTES = 2048


class Target:
    """One target, its pool of inputs, and the steps between lines that they reach."""

    def __init__(self, name: str, chance: random.Random) -> None:
        self.name = name
        self.runs = 0
        self.broken: list[str] = []
        self._chance = chance
        self._arcs: set[tuple[str, int, int]] = set()
        self._pool: list[bytes] = []
        self._new: list[bytes] = []
        for seed in seeds_of(name):
            self._feed(seed)
        self._pool = self._pool or [b""]
        self._new.clear()

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            data, other = (
                self._chance.choice(self._pool),
                self._chance.choice(self._pool),
            )
            self._feed(mutate(data, other, self._chance))

    def _feed(self, data: bytes) -> None:
        reached: set[tuple[str, int, int]] = set()
        self.runs += 1
        began = time.process_time()
        sys.settrace(_tracer(reached))
        try:
            TARGETS[self.name](data)
        except Exception as error:
            sys.settrace(None)
            self._report(data, repr(error)[:300])
        finally:
            sys.settrace(None)
        if time.process_time() - began > SLOW_S * 5:  # tracing takes its time too
            self._report(data, "slow")
        if not reached <= self._arcs:
            self._arcs |= reached
            self._pool.append(data)
            self._new.append(data)

    def _report(self, data: bytes, what: str) -> None:
        self.broken.append(what)
        if len(self.broken) <= 20:
            print(f"{self.name}: {what}", flush=True)
            self._keep(data, "broken-")

    def save(self) -> None:
        free = MAX_SEEDS - len(list((SEEDS / self.name).glob("*")))
        small = [data for data in self._new if len(data) <= MAX_SEED_BYTES]
        for data in small[: max(free, 0)]:
            self._keep(data, "")

    def _keep(self, data: bytes, prefix: str) -> None:
        folder = SEEDS / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / (prefix + hashlib.sha256(data).hexdigest()[:12])).write_bytes(data)

    def __str__(self) -> str:
        found = f"{len(self._pool)} inputs, {len(self._arcs)} arcs"
        return (
            f"{self.name:<12} {self.runs:>9} runs, {found}, {len(self.broken)} broken"
        )


def _tracer(reached: set[tuple[str, int, int]]) -> Any:
    def enter(frame: FrameType, event: str, argument: object) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(CRAWLER):
            return None
        last = frame.f_lineno

        def step(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal last
            reached.add((file, last, frame.f_lineno))
            last = frame.f_lineno
            return step

        return step

    return enter


def main(seconds: float, names: list[str]) -> int:
    chance = random.Random(time.time_ns())
    targets = [Target(name, chance) for name in names or TARGETS]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for target in targets:
            target.run(min(SLICE_S, max(0.0, end - time.monotonic())))
    for target in targets:
        target.save()
        print(target)
    return int(any(target.broken for target in targets))


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
