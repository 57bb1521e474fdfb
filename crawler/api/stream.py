"""The records of a crawl on their way from the crawl's thread to the caller's.

A crawl needs its hub to run all the time: timeouts pass, servers wait for no consumer.
The caller may take its time, block, or have a hub of its own. So the crawl runs in a
native thread with a hub of its own, and records cross over in a queue:

    committer -> Delivery (a sink) -> Handover -> RecordStream -> the caller's loop

The promises:

* **Committed.** `Delivery` lets a record out when the commit that holds it is done.
* **In order, each once.** Records come in the order of `seq`. The position of the sink
  is the `seq` of the last record that the loop has taken; it is kept in the state like
  that of any other sink. A resume first delivers what is committed and was not taken,
  from `records.jsonl`. After a kill, records that were taken since the last commit come
  again.
* **Bounded.** While MAX_WAITING records wait, no worker takes a new URL. What is in
  flight then still arrives, so at most one batch and one record a worker are added.
* **No hub needed.** The caller's thread waits by `threading`, or, where it has a hub,
  by that hub, whose other greenlets go on.

`Handover` is the only object that two threads use. Its deque is thread-safe by itself;
the lock guards what belongs together.
"""

from __future__ import annotations

import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from crawler.engine.builder import Crawl
from crawler.engine.stats import Snapshot
from crawler.model.record_base import Record
from crawler.model.records import RECORD_TYPES, AnyRecord
from crawler.output.sink import Position
from crawler.output.stored_lines import pieces
from hub.current import get_hub_if_any
from hub.event import Event

MAX_WAITING = 512
"""So many records wait for the caller before the crawl pauses."""
MIN_WAITING = MAX_WAITING // 2
"""The crawl goes on when no more than this wait."""


class Settable(Protocol):
    """An event of `threading` or of the hub."""

    def set(self) -> None: ...


def wait_until(ready: Callable[[], bool], register: Callable[[Settable], None]) -> None:
    """Wait in any thread until `ready()`, which is called when the event is set.

    `register` is given the event that another thread has to set. Where the calling
    thread has a hub, its other greenlets run meanwhile.
    """
    hub = get_hub_if_any()
    while not ready():
        if hub is None:
            plain = threading.Event()
            register(plain)
            if not ready():
                plain.wait()
        else:
            event = Event()
            register(event)
            hub.loop.external += 1  # another thread will wake it
            try:
                if not ready():
                    event.wait()
            finally:
                hub.loop.external -= 1


class HubThread(threading.Thread):
    """A thread in which the hub of a crawl runs.

    A garbage collection ends a stream that has no reference, in any thread. In a thread
    of this class the end of the stream must not wait: other work of the hub is half
    done.
    """

    def __init__(self, function: Callable[[], None], name: str) -> None:
        super().__init__(target=function, name=name, daemon=True)


class Handover:
    """The queue between the two threads."""

    def __init__(self) -> None:
        self._records: deque[AnyRecord] = deque()
        self._lock = threading.RLock()  # the end of a stream may come in a collection
        self._waiters: list[Settable] = []
        self._crawl: Crawl | None = None
        self._call_soon: Callable[[Callable[[], object]], None] | None = None
        self._early: list[Callable[[Crawl], object]] = []
        self._paused = False
        self.given = 0
        """The `seq` of the record that the caller has at the moment."""
        self.taken: int | None = None
        """The `seq` of the last record that the caller has processed.

        None before the first record of all.
        """
        self.has_ended = False
        self.error: BaseException | None = None

    # -- in the crawl's thread

    def attach(
        self, crawl: Crawl, call_soon: Callable[[Callable[[], object]], None]
    ) -> None:
        """The crawl is open; `call_soon` calls a function in its hub."""
        with self._lock:
            self._crawl = crawl
            self._call_soon = call_soon
            for function in self._early:
                self.call(function)
        self._wake()

    def put(self, records: Sequence[AnyRecord]) -> None:
        """Let the caller have `records`; pauses the crawl when too many wait."""
        self._records.extend(records)
        if len(self._records) >= MAX_WAITING:
            self._paused = True
            assert self._crawl is not None
            self._crawl.pause()
            self._resume_when_low()
        self._wake()

    def end(self, error: BaseException | None) -> None:
        """No further record comes, because of `error` if there is one."""
        with self._lock:
            self._crawl = self._call_soon = None
            self.error = error
            self.has_ended = True
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.set()

    # -- in the caller's thread

    def done_with_given(self) -> None:
        """The caller is done with the record that it has."""
        if self.given:
            self.taken = self.given

    @property
    def is_open(self) -> bool:
        """Whether the crawl has been opened, or has failed to."""
        return self._crawl is not None or self.has_ended

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait until `ready()`, which depends on what the crawl's thread does."""
        wait_until(ready, self._register)

    def _register(self, waiter: Settable) -> None:
        self._waiters.append(waiter)

    def take(self) -> AnyRecord | None:
        """The next record, for which it waits; None after the last one."""
        records = self._records
        if not records:
            self.wait_until(lambda: bool(records) or self.has_ended)
            if not records:
                return None
        record = records.popleft()
        self._resume_when_low()
        return record

    def _resume_when_low(self) -> None:
        if self._paused and len(self._records) <= MIN_WAITING:
            self._paused = False
            self.call(lambda crawl: crawl.go_on())

    def call(self, function: Callable[[Crawl], object]) -> None:
        """Have `function` called with the crawl, in the crawl's thread, if it runs.

        A crawl that is not open yet calls it when it is.
        """
        with self._lock:
            crawl, call_soon = self._crawl, self._call_soon
            if crawl is not None and call_soon is not None:
                call_soon(lambda: function(crawl))
            elif not self.has_ended:
                self._early.append(function)


class Delivery:
    """A sink (`RecordSink`) that hands records over once they are committed."""

    def __init__(self, handover: Handover) -> None:
        self._handover = handover
        self._uncommitted: list[AnyRecord] = []
        self.flushed: int | None = None
        """The position that was returned last."""

    def write(self, records: Sequence[Record]) -> None:
        """Keep `records` until they are committed. All are of RECORD_TYPES."""
        if self._handover.taken is None:
            self._handover.taken = records[0].seq - 1
        self._uncommitted.extend(records)  # type: ignore[arg-type]

    def flush(self) -> Position | None:
        """How far the caller's loop has come."""
        self.flushed = self._handover.taken
        return self.flushed

    def on_record(self, _record: Record) -> None:
        """A listener is told after a commit: what was written before is committed."""
        self.committed()

    def on_progress(self, _snapshot: Snapshot) -> None:
        """Told between two commits, also where no URL has ended for a while."""
        self.committed()

    def committed(self) -> None:
        """All that was written is durable."""
        if self._uncommitted:
            records, self._uncommitted = self._uncommitted, []
            self._handover.put(records)

    def close(self) -> None:
        """What has not been committed is not delivered."""


class _Head(msgspec.Struct):
    type: str
    seq: int = 0


def read_records(path: Path, after: int, end: int) -> Iterator[AnyRecord]:
    """The records of a file of JSON Lines whose `seq` is greater than `after`.

    Read are the first `end` bytes of the file, as they are there.
    """
    head = msgspec.json.Decoder(_Head).decode
    decoders = {
        name: msgspec.json.Decoder(kind).decode for name, kind in RECORD_TYPES.items()
    }
    for lines, _end in pieces(path, end):
        for line in lines.splitlines():
            found = head(line)
            if found.seq > after and found.type in decoders:
                yield decoders[found.type](line)


def warn(text: str) -> None:
    """Tell the program what does not work in a crawl that goes on."""
    warnings.warn(text, RuntimeWarning, stacklevel=2)
