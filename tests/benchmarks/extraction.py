"""What text costs the crawling process: its own CPU time with and without.

    python -m tests.benchmarks.extraction                  # postgres, cppref, 3 rounds
    python -m tests.benchmarks.extraction postgres --rounds 5 --processes 1

nginx serves the site on loopback. Each round crawls it without text and with it, one
after the other. The measure is the CPU time (user and system) of the crawling process
alone; the extraction processes have cores of their own, or what is left of one. `start`
is a crawl of one page with text, of which a crawl without text is subtracted: what the
text costs however many pages there are. With text the extraction processes read the
pages too, so a ratio below 1 is expected. The bytecode is compiled before, as it is for
the user of an installed program, whatever PYTHONDONTWRITEBYTECODE says here.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.helpers import nginx
from tests.helpers.paths import ROOT
from tests.helpers.sites import SITES, Site

_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
FAST = ("-q", "-w", "0", "-c", "32", "--per-host", "32")


def crawl(site: Site, folder: Path, *flags: str) -> dict[str, Any]:
    """The usage of one crawl, with the number of pages and the bytes of the records."""
    with (
        nginx.serve(site.root) as server,
        tempfile.TemporaryDirectory(dir=folder) as name,
    ):
        out, file = Path(name) / "out", Path(name) / "usage"
        program = [sys.executable, "-m", "tests.helpers.own_usage", str(file), "crawl"]
        subprocess.run(
            [*program, server.url + site.index, "-d", str(out), *FAST, *flags],
            cwd=ROOT,
            env=compiled(folder),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        usage: dict[str, Any] = json.loads(file.read_text())
        usage["bytes"] = (out / "records.jsonl").stat().st_size
    usage["pages"] = sum(
        hit.status == 200 and hit.media_type == "text/html" for hit in server.hits
    )
    return usage


def compiled(folder: Path) -> dict[str, str]:
    """The environment of a crawl, which keeps the bytecode of all modules there."""
    given = {key: value for key, value in os.environ.items() if key != _NO_BYTECODE}
    return given | {"PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def compare(site: Site, rounds: int, text: tuple[str, ...], folder: Path) -> None:
    one = ("--max-pages", "1")
    crawl(site, folder, *one, *text)  # compiles
    start = statistics.median(
        crawl(site, folder, *one, *text)["cpu"] - crawl(site, folder, *one)["cpu"]
        for _ in range(rounds)
    )
    pairs = [(crawl(site, folder), crawl(site, folder, *text)) for _ in range(rounds)]
    for name, runs in zip(("plain", "text"), zip(*pairs, strict=True), strict=True):
        middle = sorted(runs, key=lambda run: float(run["cpu"]))[rounds // 2]
        print(
            f"{site.name:10}{name:6}{middle['cpu']:7.2f} s of CPU time"
            f"{middle['pages']:7} pages{middle['wakes']:7} wakes{middle['mb']:6.0f} MB"
            f"{middle['bytes'] / 1e6:7.1f} MB of records"
        )
    ratio = statistics.median(text["cpu"] / plain["cpu"] for plain, text in pairs)
    each = statistics.median(
        (text["cpu"] - plain["cpu"] - start) / plain["pages"] for plain, text in pairs
    )
    print(
        f"{site.name:10}ratio {ratio:.3f} (median of {rounds} pairs); start "
        f"{start * 1e3:.0f} ms, then {each * 1e6:.0f} us a page",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.extraction")
    parser.add_argument("sites", nargs="*", default=["postgres", "cppref"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", default="auto")
    arguments = parser.parse_args()
    if reason := nginx.missing():
        print(f"nothing to measure: {reason}")
        return 0
    text = ("--with", "text", "--extract-processes", arguments.processes)
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        for site in map(SITES.__getitem__, arguments.sites):
            if reason := site.missing():
                print(f"{site.name}: skipped, {reason}")
            else:
                compare(site, arguments.rounds, text, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
