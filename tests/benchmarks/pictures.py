"""Crawls of many pictures: which duplicates are found, and what it costs.

    python -m tests.benchmarks.pictures duplicates            2,500, then 10,000
    python -m tests.benchmarks.pictures duplicates 1000       only so many
    python -m tests.benchmarks.pictures speed                 10,000 of 20 kB
    python -m tests.benchmarks.pictures speed --peer PYTHON   that has aiohttp

nginx serves them on loopback. `duplicates`: of the pictures 20 % have the bytes of
another, and 10 % show another that was scaled, compressed again, or saved as WebP; a
quarter of the others are screenshots of one program. They are crawled with
`--dedupe near`. It prints how many of the duplicates were found, each pair that is
none, and the CPU time of the crawling process and of its children.

`speed` prints the CPU time beside that of the least that downloads pictures: aiohttp,
a hash, and a file for each (`peers/pictures_aiohttp.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.helpers import nginx
from tests.helpers.made_pictures import KINDS, SAME, encoded, shapes
from tests.helpers.paths import ROOT

ON_A_PAGE = 100
EXACT, NEAR = 0.2, 0.1
SIZE = 20_000
CRAWL = ("-q", "-w", "0", "-c", "32", "--per-host", "32")


def made_pictures(number: int) -> Iterator[tuple[str, bytes]]:
    """Names and contents; a name begins with the number of what it shows."""
    originals = round(number * (1 - EXACT - NEAR))
    exact, changes = round(number * EXACT), sorted(SAME)
    dice = random.Random(number)
    copied = [dice.randrange(originals) for _ in range(exact)]
    changed = dice.sample(range(originals), number - originals - exact)
    copies: dict[int, int] = defaultdict(int)
    for one in copied:
        copies[one] += 1
    how = {one: changes[at % len(changes)] for at, one in enumerate(changed)}
    for one in range(originals):
        kind = KINDS[one % len(KINDS)]
        picture = kind(one // len(KINDS))
        form = ("PNG", "JPEG")[one // len(KINDS) % 2]
        content = encoded(picture, form)
        yield f"{one}-{kind.__name__}", content
        for copy in range(copies[one]):
            yield f"{one}-copy-{copy}", content
        if one in how:
            yield f"{one}-{how[one]}", SAME[how[one]](picture)


def equal_pictures(number: int) -> Iterator[tuple[str, bytes]]:
    """JPEGs of SIZE bytes, which differ in a comment."""
    start = encoded(shapes(1), "JPEG", quality=70)
    padding = b"\xff\xfe" + (SIZE - len(start) - 2).to_bytes(2, "big")
    for one in range(number):
        comment = str(one).encode().ljust(SIZE - len(start) - 4)
        yield str(one), start[:2] + padding + comment + start[2:]


def write_site(root: Path, pictures: Iterator[tuple[str, bytes]]) -> None:
    """Pages of ON_A_PAGE pictures in a random order, and one that links to all."""
    names: list[str] = []
    for name, content in pictures:
        (root / f"{name}.jpg").write_bytes(content)
        names.append(f"{name}.jpg")
    random.Random(1).shuffle(names)
    links = ""
    for at in range(0, len(names), ON_A_PAGE):
        shown = "".join(f'<img src="{name}">' for name in names[at : at + ON_A_PAGE])
        (root / f"page{at}.html").write_text(f"<title>{at}</title>{shown}")
        links += f'<a href="page{at}.html">x</a>'
    (root / "index.html").write_text(f"<title>All</title>{links}")


def measured(command: list[str]) -> tuple[float, float]:
    """CPU time of a command with its children, and wall time (s)."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def crawled(url: str, folder: Path, *options: str) -> tuple[float, float, float]:
    """CPU time of the crawling process and of its children, and wall time (s)."""
    usage = folder.with_suffix(".usage")
    command = [sys.executable, "-m", "tests.helpers.own_usage", str(usage), "crawl"]
    both, wall = measured([*command, url, "-d", str(folder), *CRAWL, *options])
    own = json.loads(usage.read_text())["cpu"]
    return own, both - own, wall


def number_of(name: str) -> str:
    return name.rpartition("/")[2].partition("-")[0]


def show_duplicates(folder: Path) -> None:
    """Compare the records with the names of the pictures."""
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    images = [one for one in map(json.loads, lines) if one["type"] == "image"]
    contents: dict[str, list[dict[str, Any]]] = defaultdict(list)
    shown: dict[str, set[str]] = defaultdict(set)
    for one in images:
        contents[one["sha256"]].append(one)
        shown[number_of(one["url"])].add(one["sha256"])
    exact = sum(one["dup_kind"] == "exact" for one in images)
    near = [one for one in images if one["dup_kind"] == "near" or one["replaces"]]
    wrong = [
        (one["url"], other)
        for one in images
        if (other := one["dup_of"] or one["replaces"])
        and number_of(other) != number_of(one["url"])
    ]
    all_exact = sum(len(same) - 1 for same in contents.values())
    all_near = sum(len(same) - 1 for same in shown.values())
    files = sum(one.is_file() for one in (folder / "images").rglob("*"))
    print(f"  exact {exact} of {all_exact}", end=", ")
    print(f"near {len(near)} of {all_near} ({len(near) / all_near:.1%})", end=", ")
    print(f"false pairs {len(wrong)}; {files} files, {len(shown)} different pictures")
    for pair in wrong:
        print("  false:", *pair)


def duplicates(number: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        root, folder = Path(name) / "site", Path(name) / "out"
        Path(name).chmod(0o755)  # nginx's worker is another user if we are root
        root.mkdir()
        write_site(root, made_pictures(number))
        with nginx.serve(root) as server:
            own, children, wall = crawled(
                server.url + "/index.html", folder, "--dedupe", "near"
            )
        print(f"{number:,} pictures: {own:.1f} s of CPU", end=", ")
        print(f"{own / number * 1e3:.2f} ms each; the extraction process", end=" ")
        print(
            f"{children:.1f} s, {children / number * 1e3:.2f} ms; {wall:.1f} s in all"
        )
        show_duplicates(folder)


EVERYTHING = (
    "--min-image", "10x10,1K", "--max-image", "20MP,20M", "--image-formats",
    "jpeg,png,webp,gif", "--image-gps", "--no-icons", "--with", "links,images",
)  # fmt: skip


def speed(number: int, peer: str, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        root, parent = Path(name) / "site", Path(name)
        parent.chmod(0o755)
        root.mkdir()
        write_site(root, equal_pictures(number))
        for at in range(rounds):
            with nginx.serve(root) as server:
                url = server.url + "/index.html"
                module = "tests.benchmarks.peers.pictures_aiohttp"
                command = [peer, "-m", module, url, f"{name}/peer{at}"]
                least, _ = measured(command)
                plain, *_ = crawled(url, parent / f"plain{at}", *EVERYTHING)
                own, children, _ = crawled(
                    url, parent / f"look{at}", *EVERYTHING, "--phash"
                )
            print(f"aiohttp, hash, file: {least:.2f} s of CPU")
            print(f"orbweb, all but look: {plain:.2f} s, {plain / least:.2f} of that")
            print(f"with --phash: {own:.2f} s, the extraction process {children:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["duplicates", "speed"])
    parser.add_argument("number", type=int, nargs="*")
    parser.add_argument("--peer", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    if chosen.what == "speed":
        speed((chosen.number or [10_000])[0], chosen.peer, chosen.rounds)
    else:
        for number in chosen.number or [2_500, 10_000]:
            duplicates(number)


if __name__ == "__main__":
    main()
