"""A crawl without a network that dies at a moment of its own choosing.

    python -m tests.crawler.killable FOLDER SEED

It keeps the writer's order (files, frontier, lines, commit). With an even SEED it is killed at one
of the steps of a commit, even in the middle of a line; with an odd one by a timer, wherever it is
then, SQLite included. Exits with 0 once nothing is left to do.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import time
from pathlib import Path

import msgspec

from crawler.config import ImagesConfig, PolitenessConfig
from crawler.frontier.base import Content, Run
from crawler.frontier.frontier import Frontier
from crawler.frontier.sqlite import SqliteStore
from crawler.records import Found, Lease, Skip
from crawler.sinks.base import STREAM
from crawler.sinks.files import ImageFiles
from crawler.sinks.jsonl import open_jsonl

PAGES = 600
IMAGES = 200
BATCH = 16


def links(url: str) -> list[Found]:
    """Pages form a graph that leads everywhere; every third shows a picture, some are too deep."""
    number = int(url.rsplit("/", 1)[1])
    chance = random.Random(number)
    targets = [2 * number + 1, 2 * number + 2, chance.randrange(PAGES), chance.randrange(PAGES)]
    found = [
        Found(f"https://h{n % 7}.example/{n}", "a", "page", 1, url) for n in targets if n < PAGES
    ]
    if number % 3 == 0:
        found.append(Found(f"https://img.example/{number // 3}", "img", "image", 1, url))
    found.append(
        Found(f"https://h0.example/{PAGES + number % 50}", "a", "page", 9, url, skip=Skip("d", "r"))
    )
    return found


def picture(url: str) -> bytes:
    """Of every two pictures one is the other's double."""
    return b"picture %d" % (int(url.rsplit("/", 1)[1]) // 2) * 50


class Death:
    """Comes at one step, or by the clock."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.steps = chance.randrange(2, 60) if seed % 2 == 0 else 10**9
        if seed % 2:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.001, 0.02))

    def step(self) -> None:
        self.steps -= 1
        if self.steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(self, fd: int, data: bytes) -> int:
        self.steps -= 1
        if self.steps == 0:
            WRITE(fd, data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return WRITE(fd, data)


WRITE = os.write


def crawl(folder: Path, seed: int) -> None:
    store = SqliteStore(folder / "state")
    sink = open_jsonl(str(folder / "records.jsonl"), store.offset(STREAM), b'{"url":null,"seq":0}')
    images = ImageFiles(folder, ImagesConfig().name)
    frontier = Frontier(store, PolitenessConfig(per_host=9, wait=0.0), time.time)
    if store.run() is None:
        store.set_run(Run("run", "{}"))
        frontier.add([Found("https://h0.example/0", "seed", "page", 0)])
        store.commit()
    death = Death(seed)
    os.write = death.write  # type: ignore[assignment]
    batch: list[Lease] = []

    def commit() -> None:
        run = store.run()
        assert run is not None
        lines = []
        for lease in batch:
            if lease.want == "image":
                data = picture(lease.url)
                sha256 = hashlib.sha256(data).hexdigest()
                if store.content(sha256) is None:
                    path = images.write(data, lease.url, sha256, "png")
                    store.set_content(sha256, Content(path, lease.url))
                death.step()
            frontier.done(lease, lease.want, links(lease.url) if lease.want == "page" else ())
            lines.append({"url": lease.url, "seq": run.seq + len(lines) + 1})
        skips = [] if lines else store.pending_skips(BATCH)
        lines += [{"url": s.url, "seq": run.seq + n} for n, s in enumerate(skips, start=1)]
        sink.write([msgspec.json.encode(line) for line in lines])
        death.step()
        offset = sink.flush()
        assert offset is not None
        store.set_offset(STREAM, offset)
        store.set_run(Run(run.run_id, run.config, run.seq + len(lines)))
        store.skips_written(len(skips))
        death.step()
        store.commit()
        death.step()
        batch.clear()

    while (lease := frontier.lease()) is not None:
        if lease.attempts < int(lease.url.rsplit("/", 1)[1]) % 11 - 8:
            frontier.retry(lease, 0.0)
            continue
        frontier.landed(lease)
        batch.append(lease)
        if len(batch) == BATCH or not frontier.ready():
            commit()
    while store.pending_skips(1):
        commit()
    signal.setitimer(signal.ITIMER_REAL, 0)
    sink.close()
    store.close()


if __name__ == "__main__":
    crawl(Path(sys.argv[1]), int(sys.argv[2]))
