"""`python -m tests.soak.fleet [HOSTS [PAGES [KILLS]]]`: processes that are killed.

A crawl of 2,000 hosts by four processes, of which one is killed at 30 random moments,
and each fifth time their parent, beside a crawl of one process: the records must be
equal, field by field, but for their order and times. Prints how many they are, and
fails otherwise.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from random import Random

from tests.helpers.killed_fleet import (
    OPTIONS,
    crawl_killed,
    endings,
    missing_files,
    run,
)
from tests.helpers.many_hosts import ManyHosts

PROCESSES = 4


def main(hosts: int = 2000, pages: int = 20_000, kills: int = 30) -> int:
    site = ManyHosts(hosts, pages, pictures=20)
    seed = time.time_ns() % 10_000
    with tempfile.TemporaryDirectory() as place:
        one, many = Path(place) / "one", Path(place) / "many"
        assert run("crawl", site.url(0), *OPTIONS, "-d", str(one)) == 0
        done = crawl_killed(site, many, PROCESSES, kills, Random(seed))
        expected, found = endings(one), endings(many)
        missing = missing_files(many)
    site.stop()
    twice = [key for key, number in found.items() if number > 1]
    print(f"seed {seed}: {done} kills, {sum(expected.values())} records of one process")
    print(f"lost {sum((expected - found).values())}, twice {len(twice)}, ", end="")
    print(f"others {sum((found - expected).values())}, files missing {len(missing)}")
    return int(found != expected or bool(missing))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
