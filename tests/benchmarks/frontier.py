"""How fast the durable frontier is, and how much memory it takes.

    python -m tests.benchmarks.frontier                  one million URLs
    python -m tests.benchmarks.frontier --urls 10000000  ten million

It prints, for each tenth: new links per second (wall and CPU time), bytes written for
each (to the log and the file), how long commits take, memory of the process, size of
the folder; and how long all commits took. Then the cost of a duplicate, found in memory
and in the file; how many URLs per second 32 workers lease and finish (no network, no
delays, a commit every 64); and how long it takes to open the folder again.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import hub
from crawler.frontier.frontier import Frontier
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Store
from crawler.model.crawl import Discovered
from crawler.model.policy_config import PolitenessConfig

LINKS_OF_A_PAGE = 50
PAGES_OF_A_COMMIT = 64


def pages(urls: int, hosts: int) -> Iterator[list[Discovered]]:
    """New links page by page: a fifth of them images, most on the page's own host."""
    chance = random.Random(1)
    for page in range(urls // LINKS_OF_A_PAGE):
        host = f"https://www.host-{page % hosts}.example"
        parent = f"{host}/section/{page % 97}/page-{page}.html"
        yield [
            Discovered(
                f"{host}/section/{page % 97}/"
                f"{'img' if n % 5 == 0 else 'page'}-{page}-{n}.html",
                "img" if n % 5 == 0 else "a",
                "image" if n % 5 == 0 else "page",
                chance.randrange(1, 8),
                parent_url=parent,
                seed_url=f"{host}/",
            )
            for n in range(LINKS_OF_A_PAGE)
        ]


def rss_mib() -> int:
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    return resident * resource.getpagesize() >> 20


def folder_mib(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir()) >> 20


def written_bytes() -> int:
    """What this process has handed to the system to be written to files."""
    fields = dict(
        line.split(": ") for line in Path("/proc/self/io").read_text().splitlines()
    )
    return int(fields["wchar"])


def percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[len(ordered) * percent // 100] if ordered else 0.0


def rate(count: int, wall: float, cpu: float) -> str:
    return f"{count / wall:9,.0f}/s wall {count / cpu:9,.0f}/s cpu"


def fill(store: Store, folder: Path, urls: int, hosts: int) -> None:
    source = pages(urls, hosts)
    all_commits: list[float] = []
    all_cpu: list[float] = []
    began = written_bytes()
    tenth = urls // LINKS_OF_A_PAGE // 10
    for part in range(10):
        batch = (
            list(islice(source, tenth)) if urls <= 1_000_000 else islice(source, tenth)
        )
        wall, cpu = time.perf_counter(), time.process_time()
        written = written_bytes()
        commits: list[float] = []
        for n, links in enumerate(batch):
            store.add(links, float(n))
            if n % PAGES_OF_A_COMMIT == PAGES_OF_A_COMMIT - 1:
                before, busy = time.perf_counter(), time.process_time()
                store.commit()
                all_cpu.append(time.process_time() - busy)
                commits.append(time.perf_counter() - before)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(
            f"  to {(part + 1) * tenth * LINKS_OF_A_PAGE:10,}: "
            f"{rate(tenth * LINKS_OF_A_PAGE, wall, cpu)}"
            f"  {(written_bytes() - written) / (tenth * LINKS_OF_A_PAGE):5,.0f} B/link"
            f"  commits {percentile(commits, 99) * 1000:4.0f} ms at 99 %,"
            f" {max(commits, default=0.0) * 1000:4.0f} max"
            f"  rss {rss_mib()} MiB  folder {folder_mib(folder)} MiB",
            flush=True,
        )
        all_commits += commits
    store.commit()
    print(
        f"  all: {(written_bytes() - began) / urls:,.0f} B/link, commits"
        f" {percentile(all_commits, 50) * 1000:.0f} ms at 50 %,"
        f" {percentile(all_commits, 99) * 1000:.0f} at 99 %;"
        f" their CPU {percentile(all_cpu, 50) * 1000:.0f} ms at 50 %,"
        f" {percentile(all_cpu, 99) * 1000:.0f} at 99 %"
    )


def ask_again(store: Store, urls: int, hosts: int) -> None:
    old = [link for page in islice(pages(urls, hosts), 1000) for link in page]
    for name in ("in the file", "in memory"):
        sample = old[: len(old) if name == "in the file" else 20_000]
        if name == "in memory":
            store.add(sample, 0.0)
        wall, cpu = time.perf_counter(), time.process_time()
        for start in range(0, len(sample), LINKS_OF_A_PAGE):
            store.add(sample[start : start + LINKS_OF_A_PAGE], 0.0)
        spent = time.perf_counter() - wall, time.process_time() - cpu
        print(f"  duplicates {name}: {rate(len(sample), *spent)}")


def work_off(store: Store, count: int) -> None:
    """Let workers lease and finish pages and images of all hosts in turn."""
    frontier = Frontier(store, PolitenessConfig(per_host=8, wait=0.0), lambda: 1e9)
    done = 0

    def work() -> None:
        nonlocal done
        while done < count and (handle := frontier.lease()) is not None:
            with handle:
                hub.sleep(0)
                handle.finish(handle.lease.destination)
            done += 1
            if done % PAGES_OF_A_COMMIT == 0:
                store.commit()

    wall, cpu = time.perf_counter(), time.process_time()
    hub.joinall([hub.spawn(work) for _ in range(32)], raise_error=True)
    frontier.close()
    store.commit()
    spent = time.perf_counter() - wall, time.process_time() - cpu
    print(f"  leased and done: {rate(done, *spent)}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--urls", type=int, default=1_000_000)
    options.add_argument("--hosts", type=int, default=1000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = SqliteStore(folder)
        print(f"{given.urls:,} URLs of {given.hosts:,} hosts")
        fill(store, folder, given.urls, given.hosts)
        ask_again(store, given.urls, given.hosts)
        work_off(store, min(50_000, given.urls // 4))
        store.close()
        start, busy = time.perf_counter(), time.process_time()
        store = SqliteStore(folder)
        print(
            f"  opened again in {(time.perf_counter() - start) * 1000:.1f} ms,"
            f" {(time.process_time() - busy) * 1000:.1f} ms of CPU time"
        )
        store.close()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(f"  peak rss {peak} MiB, folder {folder_mib(folder)} MiB")


if __name__ == "__main__":
    main()
