"""`python -m tests.benchmarks.internet [HOSTS]`: what a host costs in memory.

A crawl of a simulated internet of 100,000 hosts in virtual time, with one page each:
DNS, connections, robots.txt, records and the state on the disk are real. Prints how
large the process was after each tenth of the hosts, what each host of the second half
has added, and whether the crawl came to its end with each page in one record.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.helpers.own_usage import peak_mb
from tests.helpers.simulated_internet import crawl_internet


def main(hosts: int = 100_000) -> int:
    began = time.process_time()
    with TemporaryDirectory() as folder:
        outcome = crawl_internet(hosts, Path(folder) / "crawl")
    for sample in outcome.samples:
        print(f"{sample.hosts:9,} hosts  {sample.resident / 2**20:7.1f} MiB")
    cpu = time.process_time() - began
    print(
        f"peak {peak_mb():.1f} MiB; {outcome.bytes_per_host:.0f} bytes and "
        f"{outcome.blocks_per_host:.1f} blocks for each host of the second half"
    )
    print(
        f"end: {outcome.finish_reason} after {outcome.virtual_s:,.0f} virtual s, "
        f"{cpu:.0f} s of CPU; {outcome.once:,} hosts once, {outcome.others} others"
    )
    return int((outcome.finish_reason, outcome.once) != ("done", hosts))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
