"""Crawls of the program in a limited address space, as `ulimit -v` sets it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from crawler.model.errors import OutOfMemoryError
from tests.helpers.crawling import link, picture, png
from tests.helpers.paths import PROGRAM, ROOT
from tests.site.page import reply
from tests.site.server import Exchange, Site

PAGES = 6
ABORTED = -signal.SIGABRT
"""greenlet ends the process so where it gets no memory to keep a stack."""
PADDING = "<p>word</p>" * 40_000
Contents = list[tuple[str, str]]

_PEAK = """
import atexit, re, sys
def show():
    with open("/proc/self/status") as status:
        print(re.search(r"VmPeak:\\s+(\\d+) kB", status.read())[1])
atexit.register(show)
from crawler.cli import main
main()
"""
"""Runs the program, and prints the address space that it had at most (KiB)."""


class Whole(NamedTuple):
    """A crawl without a limit: its greatest address space, and what it has written."""

    peak_kib: int
    contents: Contents


@contextmanager
def heavy_site() -> Iterator[Site]:
    """A site of a few pages and pictures that take some memory each."""
    site = Site(
        {
            "p": _heavy_page,
            "i": reply(png() + bytes(2**20), "image/png"),
            "robots.txt": reply(status=404),
        }
    )
    try:
        yield site
    finally:
        site.stop()


def _heavy_page(exchange: Exchange) -> None:
    number = int(exchange.arg("0"))
    children = [n for n in (2 * number + 1, 2 * number + 2) if n < PAGES]
    links = link(*(f"/p/{child}" for child in children))
    exchange.reply(links + picture(f"/i/{number}.png") + PADDING)


def crawl_whole(site: Site, folder: Path) -> Whole:
    """Crawl `site` into `folder` without a limit."""
    done = subprocess.run(
        [sys.executable, "-c", _PEAK, *_arguments(site, folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return Whole(int(done.stdout), _contents(folder))


def faults(site: Site, place: Path, whole: Whole, limit: int) -> tuple[int, list[str]]:
    """Crawl `site` with `limit` KiB, and then without, into a folder of `place`.

    Returns the first exit code, and what was wrong.
    """
    folder = place / str(limit)
    found: list[str] = []
    try:
        done = _limited(_arguments(site, folder), limit)
        if "Traceback" in done.stderr and done.returncode != ABORTED:
            found.append(done.stderr)
        if done.returncode == OutOfMemoryError.exit_code:
            if not re.search("out of memory.* then `orbweb resume", done.stderr):
                found.append(f"said: {done.stderr}")
        elif done.returncode not in (0, ABORTED):
            found.append(f"exit code {done.returncode}: {done.stderr}")
        if done.returncode and (folder / "state").exists():
            resumed = _limited(["resume", str(folder), "-q"], 4 * whole.peak_kib)
            if "never began; begin it with" in resumed.stderr:
                resumed = _limited(_arguments(site, folder), 4 * whole.peak_kib)
            if resumed.returncode:
                found.append(f"resume: {resumed.stderr}")
        if (folder / "state").exists() and _contents(folder) != whole.contents:
            found.append("not exact")
        return done.returncode, found
    except subprocess.TimeoutExpired:
        return 0, ["hung"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _arguments(site: Site, folder: Path) -> list[str]:
    options = f"-d {folder} -w 0 --per-host 4 -q"
    return ["crawl", site.url("/p/0"), *options.split()]


def _limited(words: list[str], limit: int) -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", f'ulimit -v {limit}; exec "$@"', "sh", *PROGRAM, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def _contents(folder: Path) -> Contents:
    """Type and URL of the records. Raises AssertionError if a URL has two of them."""
    lines = (folder / "records.jsonl").read_bytes().splitlines()[1:]
    records = [json.loads(line) for line in lines]
    seqs = [record["seq"] for record in records]
    assert seqs == list(range(1, len(seqs) + 1))
    found = Counter((one["type"], one["url"]) for one in records if "url" in one)
    assert set(found.values()) == {1}
    return sorted(found)
