"""`python -m tests.soak SECONDS`: crawl through faults, and print what is left over."""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path

from tests.soak.crawls import CrawlResult, crawl, faults


def main(seconds: float) -> int:
    types: Counter[str] = Counter()
    runs: list[CrawlResult] = []
    end = time.monotonic() + seconds
    with (
        tempfile.TemporaryDirectory() as folder,
        faults(time.time_ns() % 10_000) as url,
    ):
        for number in count():
            runs.append(crawl(url, Path(folder) / str(number)))
            types += runs[-1].types
            if time.monotonic() >= end:
                break
    print(f"{len(runs)} crawls: {dict(types)}")
    for name, run in (
        ("first", runs[0]),
        ("second", runs[min(1, number)]),
        ("last", runs[-1]),
    ):
        print(f"{name:<7} {run.resources} {run.resident_kb} kB")
    return int(len({run.resources for run in runs[1:]}) > 1)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
