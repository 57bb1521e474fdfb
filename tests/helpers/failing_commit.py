"""A small crawl without a network in which one statement of the commit path fails.

`crawl` fetches a fixed graph of pages, style sheets and pictures into three sinks, WARC
files, a store and files of contents, which are the real ones; in a second round it
finds some bodies unchanged, some changed and some that another URL has. `Fault` raises
an error at one execution of one line, kills the process there, or counts which lines
are executed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from fastwarc.warc import ArchiveIterator
from greenlet import greenlet
from msgspec.structs import replace

import crawler
from crawler.engine.archive.archiving import POSITION, Archiving, open_archive
from crawler.engine.committer import Committer
from crawler.engine.stats import Stats
from crawler.frontier.frontier import Frontier
from crawler.frontier.lease import LeaseHandle
from crawler.frontier.sqlite.store import SqliteStore
from crawler.model.config import Config
from crawler.model.content_config import ImagesConfig, OutputConfig, WarcConfig
from crawler.model.crawl import Discovered, Lease, Outcome, Skip
from crawler.model.http import Exchange, Response, Timings
from crawler.model.policy_config import PolitenessConfig
from crawler.model.records import PageRecord
from crawler.output.files import Journal
from crawler.output.images import ImageFiles
from crawler.output.jsonl import JsonlSink
from crawler.output.lines import open_lines, stream_files
from crawler.output.parts import Rotation
from crawler.output.sink import DEFAULT_NAME
from tests.helpers.killable import BATCHES, PACKED, outcome, run_of, style_of
from tests.helpers.sinks import BatchFolder, read_batch_folder
from tests.helpers.warcs import read_index

PAGES = 8
FIRST = "https://h0.example/0"
TOO_DEEP = Discovered(
    "https://h0.example/99", "a", "page", 9, FIRST, skip=Skip("depth", "scope.depth: 8")
)

ROOM = str(Path(crawler.__file__).parent)
PATHS = (
    "engine/archiving",
    "engine/committer",
    "engine/record_builder",
    "engine/revalidation",
    "engine/stats",
    "frontier/",
    "output/",
)
"""Where faults are injected: what a commit runs through."""

KINDS = (OSError, MemoryError, RuntimeError, KeyboardInterrupt, None)
"""How a statement fails; None: the process is killed."""

HOLD_THE_LOCK = frozenset(
    f"frontier/sqlite/{name}.py"
    for name in ("database", "lockfile", "store", "store_part")
)
"""If these fail in opening or closing, the process keeps the lock until it ends."""

WARC = WarcConfig(write=True, prefix="w", max_size=12_000)

NO_FAULT = nullcontext()

Contents = list[tuple[Any, ...]]
Place = tuple[str, int]
"""A file below the package, and a line of it."""


def links(url: str) -> tuple[Discovered, ...]:
    number = int(url.rsplit("/", 1)[1])
    pages = [2 * number + 1, 2 * number + 2, (7 * number + 3) % PAGES]
    return (
        *(
            Discovered(f"https://h{n % 3}.example/{n}", "a", "page", number + 1, url)
            for n in pages
            if n < PAGES
        ),
        Discovered(f"https://img.example/{number // 2}", "img", "image", 1, url),
        *([style_of(number // 2, url)] if number % 2 else []),
        TOO_DEEP,
    )


def fetched(lease: Lease, number: int) -> Outcome:
    whole = outcome(lease)
    record = whole.record
    if not isinstance(record, PageRecord):
        return whole
    whole = replace(whole, found=links(lease.url))
    if number:  # three bodies for all pages
        body = b"%d" % (int(lease.url.rsplit("/", 1)[1]) % 3)
        record.sha256, record.body_bytes = hashlib.sha256(body).hexdigest(), 1
        return replace(whole, body=body)
    return whole


def exchange(url: str, status: int, body: bytes = b"") -> Exchange:
    """A request for `url` and its response."""
    timings, head = Timings(1), f"HTTP/1.1 {status} X\r\n"
    response = Response(url, status, "X", "1.1", (), b"", 0, timings, None, False)
    head += f'ETag: "1"\r\nContent-Length: {len(body)}\r\n\r\n'
    received = response, None, head.encode(), body
    return Exchange(url, b"GET / HTTP/1.1\r\n\r\n", None, timings, *received)


def crawl(
    folder: Path, fault: AbstractContextManager[object] = NO_FAULT, number: int = 0
) -> None:
    """Open the crawl in `folder`, run round `number` to its end, and close it.

    `fault` is there from the opening to the close. Raises the first error.
    """
    with fault, ExitStack() as held:
        store = SqliteStore(folder / "state")
        held.callback(store.close)
        lines = open_lines(str(folder / "r.jsonl"), store.position(DEFAULT_NAME), b"0")
        held.callback(lines.close)
        packed = open_lines(
            str(folder / PACKED), store.position(PACKED), b"0", Rotation(size=1_500)
        )
        held.callback(packed.close)
        batches = BatchFolder(folder / BATCHES, store.position(BATCHES))
        held.callback(batches.close)
        files = ImageFiles(folder, ImagesConfig().name, Journal(folder / "journal"))
        held.callback(files.close)
        run = run_of(store, number)
        settings = Config(dir=str(folder), warc=WARC)
        archive = open_archive(settings, run, store, store.position(POSITION))
        archiving = Archiving(archive, time.time)
        held.callback(archiving.close)
        frontier = Frontier(store, PolitenessConfig(per_host=9, wait=0.0), time.time)
        committer = Committer(
            run,
            store,
            {
                DEFAULT_NAME: JsonlSink(lines),
                BATCHES: batches,
                PACKED: JsonlSink(packed),
            },
            files,
            Stats(time.time).count,
            OutputConfig(record=("skips",)),
            time.time,
            dedupe_content=number > 0,
            max_batch=4,
            archive=archiving,
        )
        if run.seq == 0:
            frontier.add([Discovered(FIRST, "seed", "page", 0)])
            committer.commit()
        Workers(frontier, committer, archiving, number).run()


def crawl_in_child(
    folder: Path,
    fault: AbstractContextManager[object] = NO_FAULT,
    number: int = 0,
    file_size: int | None = None,
) -> None:
    """As `crawl`, in a process of its own, which may die.

    `file_size`: no file may be larger (bytes), as on a disk that is full.
    """
    with warnings.catch_warnings():
        # Threads of other tests may run; the child uses nothing of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            if file_size is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
            crawl(folder, fault, number)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


class Workers:
    """Lease three URLs at a time, until an error.

    What is in flight goes on then, and the next commits are tried, as the engine's
    workers and its ticker do it; they fail, since a worker has.
    """

    def __init__(
        self,
        frontier: Frontier,
        committer: Committer,
        archiving: Archiving,
        number: int,
    ) -> None:
        self._frontier = frontier
        self._committer = committer
        self._archiving = archiving
        self._number = number
        self._in_flight: list[LeaseHandle] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        """Raises the first error."""
        while self._error is None and self._attempt(self._lease):
            if len(self._in_flight) > 2:
                self._attempt(self._finish)
        while self._in_flight:
            self._attempt(self._finish)
        self._attempt(self._committer.commit)
        while self._error is None and self._attempt(self._committer.flush_skips):
            pass
        self._attempt(self._committer.commit)
        if self._error is not None:
            raise self._error

    def _attempt(self, step: Callable[[], Any]) -> Any:
        try:
            return step()
        except BaseException as error:
            self._committer.fail(error)
            self._error = self._error or error

    def _lease(self) -> bool:
        handle = self._frontier.lease_nowait()
        while handle is None and self._in_flight:
            self._finish()
            handle = self._frontier.lease_nowait()
        if handle is None:
            self._committer.commit()
            handle = self._frontier.lease()
        if handle is not None:
            self._in_flight.append(handle)
        return handle is not None

    def _finish(self) -> None:
        """As in the engine, each URL has a greenlet of its own."""
        greenlet(self._finish_next).switch()

    def _finish_next(self) -> None:
        with self._in_flight.pop(0) as handle:
            lease = handle.lease
            if lease.attempts < 1 and lease.url.endswith("3"):
                self._archiving.gather(exchange(lease.url, 503))
                handle.retry(0.0)
                self._committer.sent_back()
                return
            done = fetched(lease, self._number)
            body = done.body or done.picture
            answer = 304 if body is None else 200
            self._archiving.gather(exchange(lease.url, answer, body or b""))
            handle.responded()
            self._committer.finish(handle, done)


class Fault:
    """`with Fault(place, time, kind):` raises `kind` at the `time`-th run of `place`.

    Without a kind, the process is killed there. Without a place, it counts how often
    each is executed.
    """

    def __init__(
        self,
        place: Place | None = None,
        time: int = 1,
        kind: type[BaseException] | None = None,
    ) -> None:
        self.executed: Counter[Place] = Counter()
        self._place = place
        self._time = time
        self._kind = kind
        self._names: dict[CodeType, str | None] = {}

    def __enter__(self) -> Fault:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_error: object) -> None:
        sys.settrace(None)

    def _call(self, frame: FrameType, _event: str, _arg: Any) -> Any:
        code = frame.f_code
        if code not in self._names:
            name = code.co_filename.removeprefix(f"{ROOM}/")
            self._names[code] = name if name.startswith(PATHS) else None
        name = self._names[code]
        if name is None or (self._place is not None and self._place[0] != name):
            return None
        return self._line

    def _line(self, frame: FrameType, event: str, _arg: Any) -> Any:
        if event == "line":
            name = self._names[frame.f_code]
            assert name is not None
            place = name, frame.f_lineno
            self.executed[place] += 1
            if place == self._place and self.executed[place] == self._time:
                if self._kind is None:
                    os.kill(os.getpid(), signal.SIGKILL)
                else:
                    raise self._kind("injected")
        return self._line


class Rounds:
    """The rounds of a crawl without a fault, and crawls of which one round has one.

    `place` is a folder for all of them.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self.executed: list[Counter[Place]] = []
        """How often each place is executed, by round."""
        self._whole: list[Path] = []
        self._contents: list[Contents] = []
        folder = place / "whole"
        for number in range(2):
            folder.mkdir(exist_ok=True)
            fault = Fault()
            crawl(folder, fault, number)
            self.executed.append(fault.executed)
            self._contents.append(contents(folder))
            self._whole.append(place / f"whole-{number}")
            shutil.copytree(folder, self._whole[-1])

    def fault(
        self, number: int, place: Place, time: int, kind: type[BaseException] | None
    ) -> str:
        """What is wrong after such a fault in round `number` and a resume, or ""."""
        fault = Fault(place, time, kind)

        def faulty(folder: Path) -> None:
            if kind is None or place[0] in HOLD_THE_LOCK:
                crawl_in_child(folder, fault, number)
            else:
                with suppress(kind, Exception):
                    crawl(folder, fault, number)

        return self._exactness(number, faulty)

    def full_disk(self, number: int, file_size: int) -> str:
        """The same where no file of the round may have more than `file_size` bytes."""
        return self._exactness(
            number,
            lambda folder: crawl_in_child(folder, number=number, file_size=file_size),
        )

    def largest_file(self, number: int) -> int:
        """The size of the largest file after that round (bytes)."""
        files = self._whole[number].rglob("*")
        return max(file.stat().st_size for file in files if file.is_file())

    def _exactness(self, number: int, faulty: Callable[[Path], None]) -> str:
        folder = self._place / "faulty"
        if number:
            shutil.copytree(self._whole[number - 1], folder)
        else:
            folder.mkdir()
        try:
            faulty(folder)
            crawl(folder, number=number)
            same = contents(folder) == self._contents[number]
            return "" if same else "not the records of a crawl without a fault"
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:200]
        finally:
            shutil.rmtree(folder)


def contents(folder: Path) -> Contents:
    """What a crawl has left, with its files and its archive checked."""
    _, *lines = (folder / "r.jsonl").read_bytes().splitlines()
    parts = [gzip.decompress(f.read_bytes()) for f in stream_files(folder / PACKED)]
    assert len(parts) > 1
    assert all(part.startswith(b"0\n") for part in parts)
    assert [line for part in parts for line in part.splitlines()[1:]] == lines
    records = [json.loads(line) for line in lines]
    seqs = [record["seq"] for record in records]
    assert seqs == list(range(1, len(seqs) + 1))
    assert read_batch_folder(folder / BATCHES) == seqs
    names = ("path", "body_path")
    assert {str(p.relative_to(folder)) for p in folder.glob("[bi]*s/*/*.*")} == {
        name for record in records for key in names if (name := record.get(key))
    }
    return sorted(
        (record["run_id"], record["type"], record["url"], record.get("index", -1))
        for record in in_order(records)
    ) + archived(folder / "warc")


def in_order(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`records`; the items of a page must come right behind it."""
    for before, record in pairwise(records):
        if record["type"] == "item":
            assert before["type"] == ("item" if record["index"] else "page")
            assert before["url"] == record["url"]
    return records


def archived(folder: Path) -> Contents:
    """URL and status of each exchange in the WARC files, sorted.

    Each is three whole records, which the index points to; revisits refer to a record.
    """
    found: list[tuple[Any, ...]] = []
    identifiers: Counter[str] = Counter()
    referred: set[str] = set()
    for path in sorted(folder.glob("*.warc.gz")):
        answers = {}
        with path.open("rb") as file:
            for record in ArchiveIterator(file, parse_http=False):
                head = record.headers
                assert record.verify_block_digest()
                identifiers[head["WARC-Record-ID"]] += 1
                referred.add(head.get("WARC-Refers-To") or head["WARC-Record-ID"])
                kind = head["WARC-Type"]
                if kind in ("response", "revisit"):
                    status = record.reader.readline().split()[1]
                    answers[record.stream_pos] = head["WARC-Target-URI"], status
                    found.append(("answer", head["WARC-Target-URI"], status))
                elif kind != "warcinfo":
                    found.append((kind, head["WARC-Target-URI"], b""))
        assert answers == {
            int(line["offset"]): (line["url"], line["status"].encode())
            for line in read_index(path)
        }
    assert set(identifiers.values()) == {1}
    assert referred <= identifiers.keys()
    return sorted(found)
