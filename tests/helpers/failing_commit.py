"""A small crawl without a network in which one statement of the commit path fails.

`crawl` fetches a fixed graph of pages and pictures into two sinks, a store and image
files, which are the real ones. `Fault` raises an error at one execution of one line, or
counts which lines are executed.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import crawler
from crawler.engine.committer import Committer
from crawler.engine.stats import Stats
from crawler.frontier.frontier import Frontier
from crawler.frontier.lease import LeaseHandle
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Run
from crawler.model.config import ImagesConfig, OutputConfig, PolitenessConfig
from crawler.model.crawl import Discovered, Lease, Outcome, Skip
from crawler.output.image_journal import Journal
from crawler.output.images import ImageFiles
from crawler.output.jsonl import JsonlSink
from crawler.output.lines import open_lines
from crawler.output.sink import DEFAULT_NAME
from tests.helpers.killable import BATCHES, outcome
from tests.helpers.sinks import BatchFolder

PAGES = 14
FIRST = "https://h0.example/0"
TOO_DEEP = Discovered(
    "https://h0.example/99", "a", "page", 9, FIRST, skip=Skip("depth", "scope.depth: 8")
)

ROOM = str(Path(crawler.__file__).parent)
PATHS = ("engine/committer", "frontier/", "output/")
"""Where faults are injected: what a commit runs through."""

NO_FAULT = nullcontext()

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
        TOO_DEEP,
    )


def fetched(lease: Lease) -> Outcome:
    whole = outcome(lease)
    if lease.destination == "image":
        return whole
    return Outcome(lease, whole.record, links(lease.url), None, whole.validators)


def crawl(folder: Path, fault: AbstractContextManager[object] = NO_FAULT) -> None:
    """Open the crawl in `folder`, run it to its end under `fault`, and close it.

    Raises the first error.
    """
    with ExitStack() as held:
        store = SqliteStore(folder / "state")
        held.callback(store.close)
        lines = open_lines(str(folder / "r.jsonl"), store.position(DEFAULT_NAME), b"0")
        held.callback(lines.close)
        batches = BatchFolder(folder / BATCHES, store.position(BATCHES))
        held.callback(batches.close)
        files = ImageFiles(folder, ImagesConfig().name, Journal(folder / "journal"))
        held.callback(files.close)
        run = store.run() or Run("0", "{}")
        frontier = Frontier(store, PolitenessConfig(per_host=9, wait=0.0), time.time)
        committer = Committer(
            run,
            store,
            {
                DEFAULT_NAME: JsonlSink(lines),
                BATCHES: batches,
            },
            files,
            Stats(time.time).count,
            OutputConfig(record=("skips",)),
            time.time,
            max_batch=4,
        )
        with fault:
            if run.seq == 0:
                store.set_run(run)
                frontier.add([Discovered(FIRST, "seed", "page", 0)])
                committer.commit()
            Workers(frontier, committer).run()


class Workers:
    """Lease three URLs at a time, until an error.

    What is in flight goes on then, and the next commits are tried, as the engine's
    workers and its ticker do it.
    """

    def __init__(self, frontier: Frontier, committer: Committer) -> None:
        self._frontier = frontier
        self._committer = committer
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
        with self._in_flight.pop(0) as handle:
            lease = handle.lease
            if lease.attempts < 1 and lease.url.endswith("3"):
                handle.retry(0.0)
            else:
                handle.responded()
                self._committer.finish(handle, fetched(lease))


class Fault:
    """`with Fault(place, time, kind):` raises `kind` at the `time`-th run of `place`.

    Without a place, it counts how often each is executed.
    """

    def __init__(
        self,
        place: Place | None = None,
        time: int = 1,
        kind: type[BaseException] = OSError,
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
                raise self._kind("injected")
        return self._line
