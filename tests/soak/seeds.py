"""`python -m tests.soak.seeds KIND [FROM:TO [PAGES [FAULTS]]]`.

Crawls of 1,000 hosts in 16 shards in virtual time, with faults in every step, one for
each seed, on all cores. `mail`: the shards alone, and a carrier that loses, repeats and
reorders. `machines`: machines with leases, the server of an exchange, and the network
to it. `snapshots`: the same, where machines are lost for good, and others go on. Each
URL must end in one record, and the end be told, never early. Prints the seeds that
fail, how many were run, and the faults; fails if a seed does. `control`: as `machines`,
with faults of one kind for each seed, and without the protocol: the server is believed,
and no lease is looked at; seeds that fail show which faults that costs.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.helpers import snapshot_world
from tests.helpers.machine_world import FAULTS, SHARDS, crawled
from tests.helpers.mail_world import World, url_of

Result = tuple[str, Counter[str]]
"""What went wrong, "" for nothing, and the faults by kind."""


def mail(seed: int, size: int, faults: int) -> Result:
    """A crawl by the shards alone."""
    with TemporaryDirectory(dir="/dev/shm") as folder:
        world = World(Path(folder), seed, SHARDS, size)
        try:
            world.run(faults)
            found = world.pages()
        finally:
            world.close()
    expected = Counter(url_of(number) for number in range(size))
    lost, more = (expected - found).total(), (found - expected).total()
    return f"lost {lost}, twice {more}" if lost or more else "", world.faults


def machines(seed: int, size: int, faults: int) -> Result:
    """A crawl by machines that meet at a server."""
    outcome = crawled(seed, size, faults)
    is_right = outcome[:5] == (True, 0, 0, 0, [])
    return "" if is_right else str(outcome[:5]), outcome.faults


def snapshots(seed: int, size: int, faults: int) -> Result:
    """Machines that are lost for good, and others go on from their snapshots."""
    outcome = snapshot_world.crawled(seed, size, faults)
    is_right = outcome[:3] == (True, 0, 0)
    return "" if is_right else str(outcome[:5]), outcome.faults


def control(seed: int, size: int, faults: int) -> Result:
    """The same where the server is believed, with faults of one kind."""
    kinds = FAULTS[seed % len(FAULTS) :][:1]
    outcome = crawled(seed, size, faults, trusts=True, kinds=kinds)
    is_right = outcome[:4] == (True, 0, 0, 0)
    return "" if is_right else f"{kinds[0]}: {outcome[:4]}", outcome.faults


def _run(
    crawl: Callable[[int, int, int], Result], size: int, faults: int, seed: int
) -> tuple[int, str, Counter[str]]:
    try:
        return seed, *crawl(seed, size, faults)
    except Exception as error:
        return seed, f"{type(error).__name__}: {error}", Counter()


_CRAWLS = {
    "mail": (mail, 200),
    "machines": (machines, 30),
    "snapshots": (snapshots, 24),
    "control": (control, 30),
}
"""What each kind runs, and with how many faults."""


def main(kind: str, seeds: str = "0:1000", size: str = "1000", faults: str = "") -> int:
    crawl, usual = _CRAWLS[kind]
    first, _, end = seeds.partition(":")
    began, done, failed = time.monotonic(), 0, 0
    kinds: Counter[str] = Counter()
    run = partial(_run, crawl, int(size), int(faults or usual))
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        for seed, wrong, found in pool.map(run, range(int(first), int(end))):
            done += 1
            kinds += found
            if wrong:
                failed += 1
                print(f"seed {seed}: {wrong}", flush=True)
    took = time.monotonic() - began
    print(f"{done} seeds in {took:.0f} s, {failed} failed; faults: {dict(kinds)}")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
