"""`crawl()`: a crawl in a thread of its own, its records in the caller's loop.

`stream.py` tells how records cross from one thread to the other, and what is promised.
"""

from __future__ import annotations

import signal
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Unpack

from msgspec.structs import replace

from crawler.api.options import CrawlOptions, configure
from crawler.api.stream import Delivery, Handover, HubThread, read_records, warn
from crawler.engine.builder import Crawl, Summary, open_crawl
from crawler.model.config import Config
from crawler.model.errors import StateError, UsageError
from crawler.model.records import AnyRecord
from crawler.output.lines import stream_files
from crawler.output.sink import Position
from crawler.plugins.loading import configs_of
from crawler.plugins.main_file import refuse_in_child
from crawler.plugins.protocols import Plugin
from crawler.settings.resumed import refuse_other_seeds
from crawler.workspace.open import Mode, keep_position, stored_config
from crawler.workspace.outputs import jsonl_files, with_absolute_outputs
from hub import get_hub

SINK = "loop"
"""The name under which the state keeps how far the caller's loop has come."""


def crawl(
    *urls: str,
    config: Config | None = None,
    plugins: Sequence[Plugin] = (),
    resume: bool = False,
    fresh: bool = False,
    newer: bool = False,
    **options: Unpack[CrawlOptions],
) -> RecordStream:
    """Crawl from `urls`; returns an iterator over the records, while the crawl runs.

    `options` are settings of the configuration by name (`CrawlOptions`); they override
    `config`. The folder `dir` holds `records.jsonl`, `images/` and the state; its
    default name is the host of the first URL.

    `resume` continues the crawl in that folder, under the configuration that it was
    started with, or under `config`, overridden by `options`; what changes stands in the
    `changed_settings` of its first run record. `newer` fetches what has
    changed since the crawl in the folder. `fresh` starts again, and deletes the records
    of that crawl. At most one of the three may be true; without one, the folder must
    not hold a crawl.

    `plugins` are objects with methods of a plug-in (`docs/plugins.md`), in addition to
    those that the configuration names. A resume needs the plug-ins of the first start.

    Each record is an instance of a class such as `PageRecord`; `record.type` names it.
    `RecordStream` describes the guarantees of the loop.

    Raises TypeError for an unknown option. Before anything is written, raises
    UsageError for an invalid value, OutputError if the folder cannot be written, and
    StateError if the state is in use or damaged.

    Example:
        >>> from crawler import crawl
        >>> for record in crawl("https://example.com/", dir="out", max_pages=5):
        ...     if record.type == "page":
        ...         print(record.status, record.title)
        200 Home
        200 About
    """
    refuse_in_child()
    mode = _mode(resume=resume, fresh=fresh, newer=newer)
    chosen = configure("crawl", config, urls, options)
    if resume:
        folder = Path(chosen.dir or ".")
        stored = stored_config(folder)
        refuse_other_seeds(chosen, stored)
        if config is not None:
            stored = replace(config, seeds=stored.seeds, plugin=stored.plugin)
        options["dir"] = folder
        chosen = configure("crawl", stored, (), options)
        return RecordStream(_CrawlThread(chosen, mode, plugins))
    if not chosen.seeds:
        raise UsageError("there is no URL to start from; give one, as in crawl(URL)")
    chosen = replace(chosen, plugin=(*chosen.plugin, *configs_of(plugins)))
    return RecordStream(_CrawlThread(chosen, mode, plugins))


def _mode(*, resume: bool, fresh: bool, newer: bool) -> Mode:
    if resume + fresh + newer > 1:
        raise UsageError(
            "resume, fresh and newer exclude one another; choose one of them"
        )
    return "resume" if resume else "fresh" if fresh else "newer" if newer else "new"


class _CrawlThread:
    """The thread in which a crawl runs, and what the caller's thread needs of it."""

    def __init__(self, config: Config, mode: Mode, plugins: Sequence[Plugin]) -> None:
        self._config = with_absolute_outputs(config)
        self._mode = mode
        self._plugins = plugins
        self.handover = Handover()
        self.backlog: Iterator[AnyRecord] = iter(())
        self.summary: Summary | None = None
        self._delivery = Delivery(self.handover)
        self._abandoned = False
        self._thread = HubThread(self._run, f"crawl {config.dir}")
        self._thread.start()
        try:
            self.handover.wait_until(lambda: self.handover.is_open)
        except BaseException:
            self.handover.call(_interrupt)
            raise
        if self.handover.error is not None:
            raise self.handover.error

    # -- in the crawl's thread

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            crawl = open_crawl(
                self._config,
                mode=self._mode,
                further_sinks={SINK: self._open_sink},
                plugins=self._plugins,
            )
            crawl.events.on_warning(warn)
            crawl.events.add(self._delivery)
            self.handover.attach(crawl, get_hub().loop.call_soon)
            self.summary = crawl.run()
            self._delivery.committed()
        except BaseException as raised:
            error = raised
        finally:
            self.handover.end(error)
            get_hub().destroy()
            if self._abandoned:
                self._keep_position()

    def _open_sink(self, position: Position | None) -> Delivery:
        """Called when the other sinks are open, each cut back to what is committed."""
        if isinstance(position, int):
            self.handover.taken = position
            outputs = list(jsonl_files(self._config).values())
            if outputs:
                files = [(one, one.stat().st_size) for one in stream_files(outputs[0])]
                self.backlog = chain.from_iterable(
                    read_records(file, position, size) for file, size in files
                )
        return self._delivery

    # -- in the caller's thread

    def stop(self) -> None:
        """Interrupt the crawl, wait for its end, and keep how far the loop has come.

        An error that interrupts the wait, such as KeyboardInterrupt, makes the crawl
        give up what is still in flight. In a thread of a crawl (`HubThread`), this does
        not wait: the thread keeps the position at its end.
        """
        self.handover.done_with_given()
        self.handover.call(_interrupt)
        if isinstance(threading.current_thread(), HubThread):
            self._abandoned = True
            if self.handover.has_ended:
                self._keep_position()
            return
        try:
            self.handover.wait_until(lambda: self.handover.has_ended)
        except BaseException:
            self.handover.call(_interrupt)
            raise
        self._thread.join()
        self._keep_position()

    def _keep_position(self) -> None:
        """What was taken after the last commit of the crawl."""
        taken = self.handover.taken
        if taken is not None and taken != self._delivery.flushed:
            with suppress(StateError):  # the state is in use: another crawl goes on
                keep_position(Path(self._config.dir), SINK, taken)


def _interrupt(crawl: Crawl) -> None:
    crawl.interrupt(signal.SIGINT)


class RecordStream(Iterator[AnyRecord]):
    """The records of a crawl, in the order of `seq`; what `crawl` returns.

    A for loop over it gives each record when it is committed. A slow loop slows the
    crawl down. The end of the loop, by `break` or by an exception, stops the crawl: it
    makes no new requests, waits up to `grace` seconds for those in flight, and saves
    its state, so that `crawl(..., resume=True)` or `orbweb resume` goes on. `close` and
    the end of a `with` block do the same for a stream that a name keeps alive.

    No record is lost by that: a resumed loop begins with the records that were written
    and that no loop was given. The record at which a loop ended counts as given.

    Example:
        >>> from crawler import crawl
        >>> with crawl("https://example.com/", dir="out") as records:
        ...     print(next(records).type)
        run
        >>> records.summary.finish_reason
        'signal'
    """

    def __init__(self, thread: _CrawlThread) -> None:
        self._thread = thread
        self._stop = weakref.finalize(self, _CrawlThread.stop, thread)
        self._records: Iterator[AnyRecord] = chain(
            thread.backlog, iter(thread.handover.take, None)
        )

    def __iter__(self) -> RecordStream:
        return self

    def __next__(self) -> AnyRecord:
        """The next record; waits for it.

        Raises StopIteration after the last one, and what stopped the crawl if it could
        not go on: OutputError, StateError, OutOfMemoryError.
        """
        handover = self._thread.handover
        handover.done_with_given()
        record = next(self._records, None) if self._stop.alive else None
        if record is None or not self._stop.alive:  # another thread has closed it
            was_running = self._stop.alive
            self._stop()
            if was_running and handover.error is not None:
                raise handover.error
            raise StopIteration
        handover.given = record.seq
        return record

    @property
    def summary(self) -> Summary | None:
        """How the crawl ended; None while it runs, or if an error has ended it."""
        return self._thread.summary

    def close(self) -> None:
        """Stop the crawl so that it can be resumed; returns when its state is saved."""
        self._stop()

    def __enter__(self) -> RecordStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
