"""A crawl without a network that dies at a moment of its own choosing.

    python -m tests.helpers.killable FOLDER SEED [ROUND [near]]

Writer, frontier, store and sinks are the real ones; only the network is not there.
ROUND counts the crawls into the same folder: each asks again for everything, and finds
some of it unchanged. With `near`, one is kept of pictures that look the same, and it
has a thumbnail.

With an even SEED it is killed at one of the steps of a commit, even in the middle of a
line; with an odd one by a timer, wherever it is then, SQLite included: one of CPU time,
so that a machine with other work to do lets it come as far. Exits with 0 once nothing
is left to do.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import sys
import time
from pathlib import Path

from crawler.engine.committer import Committer
from crawler.engine.images.kept_thumbnails import KeptThumbnails
from crawler.engine.images.look_groups import LookGroups
from crawler.engine.images.look_index import LookIndex
from crawler.engine.revalidation import cached_fields, unmodified_record
from crawler.engine.stats import Stats
from crawler.extract.looks.look import HASH_BYTES, SIZE
from crawler.frontier.frontier import Frontier
from crawler.frontier.lease import LeaseHandle
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Run
from crawler.model.content_config import ImagesConfig, OutputConfig
from crawler.model.crawl import Discovered, Lease, Outcome, Skip
from crawler.model.documents import Link
from crawler.model.http import Response, Timings, Validators
from crawler.model.link_graph import FoundLinks
from crawler.model.policy_config import PolitenessConfig
from crawler.model.records import FileRecord, ImageRecord, ItemRecord, PageRecord
from crawler.output.files import Journal
from crawler.output.images import ImageFiles
from crawler.output.jsonl import JsonlSink
from crawler.output.lines import open_lines
from crawler.output.parts import Rotation
from crawler.output.sink import DEFAULT_NAME
from tests.helpers.sinks import BatchFolder

PAGES = 600
IMAGES = 200
STYLES = 40
BATCHES = "batches"
"""The name and the folder of a second sink, which is not one of lines."""
PACKED = "packed.jsonl.gz"
"""The name of a third one, which is compressed and cut into parts."""
PART_SIZE = 8_000

MAX_BATCH = 32  # more commits, so more moments to die at

TOO_DEEP = Skip("depth", "scope.depth: 8")


def links(url: str) -> list[Discovered]:
    """Pages form a connected graph; every third shows an image, some are too deep.

    Every seventh has a style sheet.
    """
    number = int(url.rsplit("/", 1)[1])
    chance = random.Random(number)
    targets = [
        2 * number + 1,
        2 * number + 2,
        chance.randrange(PAGES),
        chance.randrange(PAGES),
    ]
    found = [
        Discovered(f"https://h{n % 7}.example/{n}", "a", "page", 1, url)
        for n in targets
        if n < PAGES
    ]
    if number % 3 == 0:
        found.append(
            Discovered(f"https://img.example/{number // 3}", "img", "image", 1, url)
        )
    if number % 7 == 1:
        found.append(style_of(number, url))
    found.append(
        Discovered(
            f"https://h0.example/{PAGES + number % 50}",
            "a",
            "page",
            9,
            url,
            skip=TOO_DEEP,
        )
    )
    return found


def named_links(url: str) -> tuple[Link, ...]:
    """The same links as a page names them, each URL once, with texts."""
    urls = {one.url: one.kind for one in links(url) if one.destination == "page"}
    return tuple(Link(to, kind, f"{url} to {to}") for to, kind in urls.items())


def picture(url: str) -> bytes:
    """An image; each two neighbours have the same bytes."""
    return b"picture %d" % (int(url.rsplit("/", 1)[1]) // 2) * 50


def look(number: int) -> bytes:
    """That of an image; each four neighbours look the same."""
    return hashlib.sha256(b"%d" % (number // 4)).digest()[:HASH_BYTES] + bytes(
        SIZE - HASH_BYTES
    )


def thumbnail(data: bytes) -> bytes:
    """That of the picture `data`; it is kept with `near`."""
    return b"thumbnail of " + data


def side_of(number: int) -> int:
    """The width and height of an image; the later of those that look the same win."""
    return 10 + number // 2 % 2


def body(url: str) -> bytes:
    """The body of a page; each two neighbours have the same bytes."""
    return b"body %d" % (int(url.rsplit("/", 1)[1]) // 2) * 50


def style_of(number: int, page: str) -> Discovered:
    """The style sheet of a page; several share one."""
    url = f"https://css.example/{number % STYLES}"
    return Discovered(url, "stylesheet", "style", 1, page)


def style(url: str) -> bytes:
    """The body of a style sheet; each two neighbours have the same bytes."""
    return b"p { color: #%03d }" % (int(url.rsplit("/", 1)[1]) // 2)


def items(url: str) -> tuple[ItemRecord, ...]:
    """The items of a page; every third page has none."""
    return tuple(
        ItemRecord(url=url, url_id="", host="", index=index, data={"of": url})
        for index in range(int(url.rsplit("/", 1)[1]) % 3)
    )


class Death:
    """Comes at one step, or by the clock."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.steps = chance.randrange(2, 60) if seed % 2 == 0 else 10**9
        if seed % 2:
            signal.setitimer(signal.ITIMER_PROF, chance.uniform(0.001, 0.02))

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


class DyingStore(SqliteStore):
    death: Death

    def commit(self) -> None:
        self.death.step()
        super().commit()
        self.death.step()


class DyingFiles(ImageFiles):
    death: Death

    def flush(self) -> None:
        super().flush()
        self.death.step()

    def settle(self) -> None:
        super().settle()
        self.death.step()


NO_ANSWER = Response("", 304, "", "1.1", (), b"", 0, Timings(0), None, False)


def outcome(lease: Lease) -> Outcome:
    """What came of a lease. Some bodies have not changed since an earlier round."""
    number = int(lease.url.rsplit("/", 1)[1])
    version = Validators('"1"')
    answer = cached_fields(lease)
    if answer is not None and number % 4:
        return Outcome(
            lease, unmodified_record(lease, NO_ANSWER, answer), validators=version
        )
    common = {"url": lease.url, "url_id": "", "host": lease.host, "status": 200}
    if lease.destination == "image":
        data = picture(lease.url)
        digest = hashlib.sha256(data).hexdigest()
        side = side_of(number)
        image = ImageRecord(
            **common, path=None, format="png", sha256=digest, width=side, height=side,
            body_bytes=len(data),
        )  # fmt: skip
        alike = look(number)
        return Outcome(
            lease,
            image,
            picture=data,
            validators=version,
            look=alike,
            thumbnail=("jpg", thumbnail(data)),
        )
    data = style(lease.url) if lease.destination == "style" else body(lease.url)
    common |= {"sha256": hashlib.sha256(data).hexdigest(), "body_bytes": len(data)}
    if lease.destination == "style":
        sheet = FileRecord(**common, content_type="text/css")
        url = f"https://img.example/{number}"
        found = (Discovered(url, "css", "image", 1, lease.url),)
        return Outcome(lease, sheet, found, validators=version, body=data)
    page = PageRecord(**common, content_type="text/html")
    of_page = items(lease.url)
    return Outcome(
        lease,
        page,
        tuple(links(lease.url)),
        items=of_page,
        # The engine asks for a page with items anew, too: its record has none of them.
        validators=None if of_page else version,
        body=data,
        links=FoundLinks(named_links(lease.url)),
    )


def run_of(store: SqliteStore, number: int) -> Run:
    """The run of this round: one that goes on, or one that begins."""
    run = store.run()
    if run is None:
        run = Run("0", "{}")
        store.set_run(run)
    elif run.run_id != str(number):
        store.requeue_all(time.time(), None, keep_cached_fields=True)
        run = Run(str(number), "{}", run.seq, run.run_id)
        store.set_run(run)
    return run


def next_lease(frontier: Frontier, writer: Committer) -> LeaseHandle | None:
    """As the engine does it: what would be waited for may lie in the batch."""
    handle = frontier.lease_nowait()
    if handle is None:
        writer.commit()
        handle = frontier.lease()
    return handle


def crawl(folder: Path, seed: int, number: int, *, near: bool) -> None:
    store = DyingStore(folder / "state")
    sink = JsonlSink(
        open_lines(
            str(folder / "records.jsonl"),
            store.position(DEFAULT_NAME),
            b'{"url":null,"seq":0}',
        )
    )
    packed = open_lines(
        str(folder / PACKED),
        store.position(PACKED),
        b'{"url":null,"seq":0}',
        Rotation(size=PART_SIZE),
    )
    batches = BatchFolder(folder / BATCHES, store.position(BATCHES))
    files = DyingFiles(folder, ImagesConfig().name, Journal(folder / "journal"))
    store.death = files.death = death = Death(seed)
    os.write = death.write  # type: ignore[assignment]
    frontier = Frontier(store, PolitenessConfig(per_host=9, wait=0.0), time.time)
    run = run_of(store, number)
    index = LookIndex(store)
    config = OutputConfig(record=("skips",))
    writer = Committer(
        run,
        store,
        {DEFAULT_NAME: sink, BATCHES: batches, PACKED: JsonlSink(packed)},
        files,
        Stats(time.time).count,
        config,
        time.time,
        max_batch=MAX_BATCH,
        looks=LookGroups(index, store, files, run.run_id) if near else index,
        thumbnails=KeptThumbnails(store, files, 256) if near else None,
    )
    if run.seq == 0:
        frontier.add([Discovered("https://h0.example/0", "seed", "page", 0)])
        store.commit()
    while (handle := next_lease(frontier, writer)) is not None:
        lease = handle.lease
        with handle:
            if lease.attempts < int(lease.url.rsplit("/", 1)[1]) % 11 - 8:
                handle.retry(0.0)
            else:
                handle.responded()
                writer.finish(handle, outcome(lease))
    while writer.flush_skips():
        pass
    signal.setitimer(signal.ITIMER_PROF, 0)
    sink.close()
    packed.close()
    store.close()


if __name__ == "__main__":
    folder, seed, *more = sys.argv[1:]
    crawl(Path(folder), int(seed), int(more[0]) if more else 0, near="near" in more)
