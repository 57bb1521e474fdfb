"""How much faster several processes crawl 100 hosts than one, and what shards cost.

    python -m tests.benchmarks.fleet                # 100 hosts, 10,000 pages of 7 kB
    python -m tests.benchmarks.fleet --pages 30000  # the start counts for less
    python -m tests.benchmarks.fleet --processes 4 --rounds 5
    python -m tests.benchmarks.fleet --shards 8     # 8 shards on 2 processes

With `--shards` the crawl of several processes is compared with one that has as many
shards as processes, without it with a crawl of one process.

The pages come from a server of its own process, which has made them before. On a
machine with as many cores as processes it takes its share of them, and so bounds the
ratio: one process has a core of its own, while the server has another; two share theirs
with the server. So beside the time that a crawl took, the CPU time of the crawl and of
the server are printed, and in the end the ratio that their sums allow on so many cores,
if no core ever waited.
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
from typing import NamedTuple

from tests.helpers.killed_fleet import OPTIONS, endings
from tests.helpers.paths import PROGRAM, ROOT

_SERVER = """
import sys
from tests.helpers.many_hosts import ManyHosts
site = ManyHosts(int(sys.argv[1]), int(sys.argv[2]), filler=int(sys.argv[3]))
site.make()
print(site.url(0), flush=True)
sys.stdin.read()
site.stop()
"""
_NO_LIMIT = "1000000000"


class Cost(NamedTuple):
    """What a crawl has cost, in seconds."""

    took: float
    cpu: float
    server_cpu: float


class Runs:
    """Crawls `url`, each in a folder of its own; the process of the server is `pid`."""

    def __init__(self, url: str, pid: int, pages: int) -> None:
        self._url = url
        self._pid = pid
        self._pages = pages

    def crawl(self, processes: int, shards: int) -> Cost:
        """The cost of a crawl, which is begun before where it has more shards."""
        with tempfile.TemporaryDirectory() as place:
            folder = str(Path(place) / "out")
            new = ["crawl", self._url, *OPTIONS, "-d", folder, "-c", "64"]
            new += ["--per-host", "4"]
            if shards > processes:
                begun = [*PROGRAM, *new, "--processes", str(shards)]
                subprocess.run([*begun, "--max-pages", "1"], check=True)
                new = ["resume", folder, "-q", "--max-pages", _NO_LIMIT]
            if shards > 1:
                new += ["--processes", str(processes)]
            cost = self._cost([*PROGRAM, *new])
            found = endings(Path(folder))
        pages = sum(number for key, number in found.items() if key[0] == "page")
        assert pages == self._pages, pages
        print(
            f"{processes} processes, {shards} shards: {pages / cost.took:7.0f} pages/s"
            f", {cost.took:6.2f} s; CPU time {cost.cpu:6.2f} s, and of the server "
            f"{cost.server_cpu:5.2f} s"
        )
        return cost

    def _cost(self, command: list[str]) -> Cost:
        server, before = _cpu_of(self._pid), _cpu_of_children()
        began = time.monotonic()
        subprocess.run(command, check=True)
        took = time.monotonic() - began
        cpu = _cpu_of_children() - before
        return Cost(took, cpu, _cpu_of(self._pid) - server)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _cpu_of(pid: int) -> float:
    """The CPU time of a process (proc_pid_stat(5): utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _compare(runs: Runs, base: tuple[int, int], other: tuple[int, int]) -> Cost:
    """One of each; the ratios of their costs, the ideal time instead of the server's.

    The base has a core for each process, and the server one more if there is one. The
    other one can take no less than all CPU time, divided among the cores.
    """
    one, many = runs.crawl(*base), runs.crawl(*other)
    cores = len(os.sched_getaffinity(0))
    least = [
        max(cost.cpu / min(processes, cores), (cost.cpu + cost.server_cpu) / cores)
        for cost, (processes, _) in ((one, base), (many, other))
    ]
    return Cost(one.took / many.took, many.cpu / one.cpu, least[0] / least[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--pages", type=int, default=10_000)
    parser.add_argument("--filler", type=int, default=6_800, help="bytes of text")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--shards", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    processes = chosen.processes
    shards = chosen.shards or processes
    base = (processes, processes) if shards > processes else (1, 1)
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    command = [sys.executable, "-c", _SERVER]
    command += map(str, (chosen.hosts, chosen.pages, chosen.filler))
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        url = server.stdout.readline().strip()
        runs = Runs(url, server.pid, chosen.pages)
        ratios = [
            _compare(runs, base, (processes, shards)) for _ in range(chosen.rounds)
        ]
        server.stdin.close()
    speed, cpu, ideal = (
        statistics.median(column) for column in zip(*ratios, strict=True)
    )
    print(
        f"x{speed:.2f} (median of {chosen.rounds} rounds), {100 * (cpu - 1):+.0f} % of "
        f"CPU time; by CPU times, these cores allow x{ideal:.2f}"
    )


if __name__ == "__main__":
    main()
