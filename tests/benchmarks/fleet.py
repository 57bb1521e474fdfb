"""How much faster two processes crawl 100 hosts than one.

    python -m tests.benchmarks.fleet                # 100 hosts, 10,000 pages of 7 kB
    python -m tests.benchmarks.fleet --processes 4 --rounds 5

The pages come from a server of its own process. On a machine with as many cores as
processes that server takes its share of one, so that the CPU time of the crawls is
printed beside the time that they took.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers.killed_fleet import OPTIONS, endings
from tests.helpers.paths import PROGRAM, ROOT

_SERVER = """
import sys
from tests.helpers.many_hosts import ManyHosts
site = ManyHosts(int(sys.argv[1]), int(sys.argv[2]), filler=int(sys.argv[3]))
print(site.url(0), flush=True)
sys.stdin.read()
site.stop()
"""


def crawl(url: str, folder: Path, processes: int) -> tuple[float, float]:
    """Seconds that a crawl takes, and seconds of CPU time."""
    options = [*OPTIONS, "-d", str(folder), "-c", "64", "--per-host", "4"]
    if processes > 1:
        options += ["--processes", str(processes)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run([*PROGRAM, "crawl", url, *options], check=True)
    took = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return took, user + system


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--filler", type=int, default=6_800, help="bytes of text")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    command = [sys.executable, "-c", _SERVER]
    command += map(str, (chosen.hosts, chosen.pages, chosen.filler))
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        url = server.stdout.readline().strip()
        ratios: list[float] = []
        for _ in range(chosen.rounds):
            figures = []
            for processes in (1, chosen.processes):
                with tempfile.TemporaryDirectory() as place:
                    took, cpu = crawl(url, Path(place) / "out", processes)
                    pages = sum(
                        number
                        for key, number in endings(Path(place) / "out").items()
                        if key[0] == "page"
                    )
                assert pages == chosen.pages, pages
                figures.append(took)
                print(
                    f"{processes} processes: {pages / took:7.0f} pages/s, "
                    f"{took:6.2f} s, {cpu:6.2f} s of CPU time"
                )
            ratios.append(figures[0] / figures[1])
        server.stdin.close()
    print(f"x{statistics.median(ratios):.2f} (median of {chosen.rounds} rounds)")


if __name__ == "__main__":
    main()
