"""Pages per CPU second of a whole crawl, beside other crawlers, on a real site.

    python -m tests.benchmarks.crawl                 # postgres, gimp, cppref, 3 rounds
    python -m tests.benchmarks.crawl boost --rounds 5 --only orbweb,scrapy
    python -m tests.benchmarks.crawl postgres --against ../old --rounds 9
    python -m tests.benchmarks.crawl postgres --against ../old --instructions

nginx serves the site on loopback from the first core; the crawlers run on the second,
one after the other, for some rounds. The measure is user plus system CPU time of the
whole process: wall time drifts with the machine's other work, ratios of CPU time in one
round drift much less. nginx's log, not the crawler, says how complete a crawl was.

`--against` compares this checkout with another one, by pairs of crawls in alternating
order. With `--instructions`, Valgrind's callgrind counts what they execute, which other
programs on the machine hardly change (1 %: when responses come decides on how often the
crawler waits), but which knows nothing of caches and of the kernel.
"""

import argparse
import importlib.util
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tests.helpers import nginx
from tests.helpers.paths import ROOT
from tests.helpers.sites import SITES, Site

_LIMIT = 300.0  # seconds for one crawl; the slowest known, Scrapy on cppref, takes 65
_VALGRIND = [
    *("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"),
    *("--trace-children=no", "--"),
]
_SLOWDOWN = 60  # by callgrind
_COLLECTED = re.compile(r"Collected : (\d+)").search


def _module(name: str) -> Callable[[str, str], list[str]]:
    module = f"tests.benchmarks.peers.{name}"
    return lambda url, folder: [sys.executable, "-m", module, url, folder]


def _orbweb(url: str, folder: str) -> list[str]:
    program = [sys.executable, "cli.py", "crawl", url, "-d", folder, "-q"]
    return [*program, "-w", "0", "-c", "32", "--per-host", "32"]


def _wget(program: str) -> Callable[[str, str], list[str]]:
    return lambda url, folder: [
        *(program, "-q", "-r", "-l", "inf", "-P", folder, "--follow-tags=a,img", url)
    ]


@dataclass(frozen=True, slots=True)
class Peer:
    """How to run a crawler.

    `needs` names the Python module or program that it can't run without; `passes` are
    the exit codes of a successful crawl. It runs in the folder `checkout`.
    """

    command: Callable[[str, str], list[str]]
    needs: str
    passes: frozenset[int] = frozenset({0})
    checkout: Path = ROOT

    def available(self) -> bool:
        return bool(shutil.which(self.needs) or importlib.util.find_spec(self.needs))


_PASSES_WITH_DEAD_LINKS = frozenset({0, 8})  # 8: the server sent an error status
PEERS = {
    "orbweb": Peer(_orbweb, "crawler"),
    "uvloop lean": Peer(_module("lean_uvloop"), "uvloop"),
    "gevent lean": Peer(_module("lean_gevent"), "gevent"),
    "aiohttp lean": Peer(_module("lean_aiohttp"), "aiohttp"),
    "scrapy": Peer(_module("scrapy_spider"), "scrapy"),
    "wget2": Peer(_wget("wget2"), "wget2", _PASSES_WITH_DEAD_LINKS),
    "wget": Peer(_wget("wget"), "wget", _PASSES_WITH_DEAD_LINKS),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One crawl: CPU and wall time (s), peak memory (MB), and what nginx logged."""

    cpu: float
    wall: float
    rss_mb: float
    pages: int
    images: int
    fetched_twice: int
    failed: bool
    instructions: int = 0
    """0 unless callgrind counted them."""

    @property
    def rate(self) -> float:
        return self.pages / self.cpu


def crawl(peer: Peer, site: Site, parent: Path) -> Run:
    """Crawl `site` once by `peer`, in a new folder and with a new server."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[:1])  # inherited by what is started meanwhile
    try:
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            with nginx.serve(site.root) as server:
                os.sched_setaffinity(0, cores[-1:])
                command = peer.command(server.url + site.index, f"{folder}/out")
                log = Path(folder) / "log"
                cpu, wall, rss_mb, exit_code = _measure(command, log, peer.checkout)
            if exit_code not in peer.passes:
                print(f"{command} ended with {exit_code}:", _tail(log))
            counted = _COLLECTED(_tail(log))
    finally:
        os.sched_setaffinity(0, cores)
    good = {(hit.target, hit.media_type) for hit in server.hits if hit.status == 200}
    return Run(
        cpu=cpu,
        wall=wall,
        rss_mb=rss_mb,
        pages=sum(media_type == "text/html" for _, media_type in good),
        images=sum(media_type.startswith("image/") for _, media_type in good),
        fetched_twice=sum(
            count > 1 for count in Counter(hit.target for hit in server.hits).values()
        ),
        failed=exit_code not in peer.passes,
        instructions=int(counted[1]) if counted else 0,
    )


def _measure(
    command: list[str], log: Path, checkout: Path
) -> tuple[float, float, float, int]:
    began = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        slowdown = _SLOWDOWN if command[0] == _VALGRIND[0] else 1
        watchdog = threading.Timer(_LIMIT * slowdown, process.kill)
        watchdog.start()
        _, status, usage = os.wait4(process.pid, 0)
        watchdog.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    return (
        usage.ru_utime + usage.ru_stime,
        wall,
        usage.ru_maxrss / 1024,
        process.returncode,
    )


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def table(runs: dict[str, list[Run]]) -> str:
    """Medians of all rounds.

    `x CPU` is the CPU time as a multiple of the first peer's.
    """
    header = f"{'':14}{'CPU s':>8}{'pages/CPU s':>13}{'x CPU':>8}{'wall s':>8}{'MB':>7}"
    lines = [f"{header}{'pages':>8}{'images':>8}{'twice':>7}"]
    first = next(iter(runs.values()))
    for name, rounds in runs.items():
        middle = sorted(rounds, key=lambda run: run.cpu)[len(rounds) // 2]
        ratio = statistics.median(
            run.cpu / base.cpu for run, base in zip(rounds, first, strict=True)
        )
        lines.append(
            f"{name:14}{middle.cpu:8.2f}{middle.rate:13.0f}{ratio:8.2f}{middle.wall:8.2f}"
            f"{middle.rss_mb:7.0f}{middle.pages:8}{middle.images:8}{middle.fetched_twice:7}"
        )
    return "\n".join(lines)


def compare(site: Site, parent: Path, *, peers: dict[str, Peer], rounds: int) -> bool:
    """Crawl `site` with every peer in turn and print the table; False if one failed."""
    runs: dict[str, list[Run]] = {name: [] for name in peers}
    for _ in range(rounds):
        for name, peer in peers.items():
            runs[name].append(crawl(peer, site, parent))
    print(f"\n{site.name}: medians of {rounds} rounds, written below {parent.parent}")
    print(table(runs), flush=True)
    return not any(run.failed for rounds in runs.values() for run in rounds)


def _counted(url: str, folder: str) -> list[str]:
    """As `_orbweb`, counted by callgrind; the time that this takes counts for none."""
    return [*_VALGRIND, *_orbweb(url, folder), "-T", "0", "--read-timeout", "0"]


Measure = Callable[[Site, Path], bool]
"""Measures on a site, and writes below a folder; False if a crawl failed."""


def pair(
    site: Site, parent: Path, *, checkout: Path, rounds: int, instructions: bool
) -> bool:
    """Crawl `site` with this checkout and with the other, and print the ratio.

    False if a crawl failed, or if the two fetched not the same number of pages.
    """
    versions = [Peer(_orbweb, "crawler", checkout=one) for one in (checkout, ROOT)]
    runs = [[crawl(one, site, parent)] for one in versions]  # compiles, fills caches
    if instructions:
        versions = [replace(one, command=_counted) for one in versions]
    for number in range(rounds):
        for index in (0, 1) if number % 2 else (1, 0):
            runs[index].append(crawl(versions[index], site, parent))
    others, ours = runs[0][1:], runs[1][1:]
    costs = [
        [run.instructions / 1e9 if instructions else run.cpu for run in one]
        for one in (others, ours)
    ]
    ratios = sorted(our / other for other, our in zip(*costs, strict=True))
    other, our = map(statistics.median, costs)
    unit = "G instructions" if instructions else "s CPU"
    print(
        f"{site.name}: {statistics.median(ratios):.3f} times {checkout}"
        f" ({ratios[0]:.3f} to {ratios[-1]:.3f}), {our:.2f} against {other:.2f} {unit};"
        f" {ours[0].pages} and {others[0].pages} pages, {rounds} pairs",
        flush=True,
    )
    same = {run.pages for run in others} == {run.pages for run in ours}
    return same and not any(run.failed for one in runs for run in one)


def warm_up(peers: dict[str, Peer], parent: Path) -> None:
    """Let every peer crawl one page, and keep the bytecode that this compiles."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(parent / "bytecode")
    root = parent / "site"
    root.mkdir()
    parent.chmod(0o755)  # nginx's worker is another user if we are root
    (root / "index.html").write_text("<title>One page</title>")
    for peer in peers.values():
        crawl(peer, Site("warm-up", "", root), parent)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.crawl", description=__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "sites", nargs="*", default=["postgres", "gimp", "cppref"], metavar="site"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--only", default=",".join(PEERS), help="peers, with commas between them"
    )
    parser.add_argument(
        "--against",
        type=_checkout,
        metavar="CHECKOUT",
        help="compare with the version in this folder, not with other crawlers",
    )
    parser.add_argument(
        "--instructions",
        action="store_true",
        help="with --against: count instructions by callgrind (minutes a crawl)",
    )
    memory = Path("/dev/shm")
    fastest = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    parser.add_argument(
        "--folder", type=Path, default=fastest, help="write below this folder"
    )
    return parser.parse_args()


def _checkout(text: str) -> Path:
    folder = Path(text).resolve()
    if not (folder / "cli.py").is_file():
        raise argparse.ArgumentTypeError(f"no cli.py is in {folder}")
    return folder


def main() -> int:
    arguments = _arguments()
    unknown = {*arguments.sites} - {*SITES} or {*arguments.only.split(",")} - {*PEERS}
    if unknown:
        print(f"unknown: {unknown}; sites: {[*SITES]}; peers: {[*PEERS]}")
        return 2
    peers = {
        name: PEERS[name]
        for name in arguments.only.split(",")
        if PEERS[name].available()
    }
    measure: Measure = partial(compare, peers=peers, rounds=arguments.rounds)
    if arguments.against:
        peers = {}  # each version warms up with the site itself
        measure = partial(
            pair,
            checkout=arguments.against,
            rounds=arguments.rounds,
            instructions=arguments.instructions,
        )
    if arguments.instructions and not (arguments.against and shutil.which("valgrind")):
        print("--instructions needs --against and the program valgrind")
        return 2
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        return 0 if _run(arguments.sites, peers, measure, Path(folder)) else 1


def _run(
    sites: list[str],
    peers: dict[str, Peer],
    measure: Measure,
    parent: Path,
) -> bool:
    if reason := nginx.missing():
        print(f"nothing to measure: {reason}")
        return True
    warm_up(peers, parent)
    passed = True
    for site in map(SITES.__getitem__, sites):
        if reason := site.missing():
            print(f"{site.name}: skipped, {reason}")
        else:
            passed = measure(site, parent) and passed
    return passed


if __name__ == "__main__":
    sys.exit(main())
