"""One crawl, from open to closed: how it runs, is interrupted, and is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crawler.engine.committer import Committer
from crawler.engine.engine import Engine
from crawler.engine.events import Events
from crawler.engine.exit_status import URLS_WAIT
from crawler.engine.run_report import RunReport, Summary
from crawler.engine.stats import Snapshot, Stats
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Store
from crawler.model.errors import OutOfMemoryError, is_out_of_memory
from crawler.model.host import NO_WAITS, Waits
from crawler.model.metadata import BOOT
from crawler.model.records import SettingChange
from crawler.output.sink import RecordSink
from crawler.policy.traps import Traps

if TYPE_CHECKING:
    from crawler.engine.shard_link import ShardLink

MakeMirror = Callable[[Callable[[], bool]], str | None]
"""Makes the mirror while the function says so; the URL of its first page."""

STOPPED_AT_ONCE = 128
"""To this the number of the signal is added, as shells do."""

AfterRun = Callable[[Callable[[], bool]], None]


class Crawl:
    """A crawl that is open; `run` may be called once.

    `held` closes what the crawl has open. `lost`: URLs that are fetched again, because
    a power cut took their records or images. `changed_settings`: those that are other
    than in the runs before. `logged_in`: what came of the login, if there was one.
    `after_run` follows a run that no signal has ended, as long as its argument says
    that this is wanted. `grace`: how long an interrupted crawl waits for requests in
    flight (seconds). `sinks`: where records go.
    """

    def __init__(
        self,
        *,
        events: Events,
        engine: Engine,
        frontier: Frontier,
        store: Store,
        committer: Committer,
        stats: Stats,
        report: RunReport,
        traps: Traps,
        add_seeds: Callable[[Iterable[str]], None],
        save_cookies: Callable[[], None],
        close_listeners: Callable[[], None],
        after_run: AfterRun | None,
        flush_skips: bool,
        grace: float,
        sinks: Mapping[str, RecordSink],
        held: ExitStack,
        make_mirror: MakeMirror | None = None,
        lost: int = 0,
        changed_settings: tuple[SettingChange, ...] = (),
        logged_in: str = "",
        shard_link: ShardLink | None = None,
    ) -> None:
        self.events = events
        self.add_seeds = add_seeds
        """Adds canonical URLs as seeds, and commits them."""
        self.held = held
        self.lost = lost
        self.changed_settings = changed_settings
        self.logged_in = logged_in
        self.shard_link = shard_link
        """Where the crawl is joined with others; None: it is no shard."""
        self._engine = engine
        self._frontier = frontier
        self._store = store
        self._committer = committer
        self._stats = stats
        self._report = report
        self._traps = traps
        self._save_cookies = save_cookies
        self._close_listeners = close_listeners
        self._after_run = after_run
        self._flush_skips = flush_skips
        self._grace = grace
        self._sinks = sinks
        self._make_mirror = make_mirror
        self._writes = False
        self._interrupted: int | None = None  # the exit code that follows

    def run(self) -> Summary:
        """Crawl until done, limited or interrupted.

        Raises Stop if the crawl cannot go on; it can be resumed then.
        """
        try:
            return self._run()
        except Exception as error:
            if is_out_of_memory(error):
                raise OutOfMemoryError from error
            raise

    def _run(self) -> Summary:
        with self.held:
            self._writes = True
            self._committer.put(self._report.record("started", self._snapshot()))
            self._engine.run()
            interrupted = self._interrupted
            reason = self._report.finish_reason(interrupted=interrupted is not None)
            if reason != "done":
                self._traps.save()
            elif self._flush_skips:
                while self._committer.flush_skips():
                    self._engine.wait_while_paused()
            code = self._report.exit_code(reason)
            if interrupted is not None and reason == "signal":
                code = interrupted
            now = self._snapshot()
            self._committer.put(self._report.record("finished", now, reason, code))
            self._store.set(BOOT, "", None)
            self._committer.commit()
            if self.shard_link is not None:
                self.shard_link.at_end()
            self._writes = False
            self._save_cookies()
            self._close_listeners()
            summary = self._report.summary(reason, code)
            return summary if interrupted is not None else self._completed(summary)

    def _completed(self, summary: Summary) -> Summary:
        """Make what is made of a whole run, unless that is interrupted meanwhile."""

        def is_wanted() -> bool:
            return self._interrupted is None

        if self._after_run is not None:
            self._after_run(is_wanted)
        if self._make_mirror is not None and is_wanted():
            summary = replace(summary, mirror=self._make_mirror(is_wanted))
        if self._interrupted is not None:
            return replace(summary, exit_code=self._interrupted)
        return summary

    def interrupt(self, signum: int) -> None:
        """Stop making requests; called a second time, end those in flight, too."""
        again = self._interrupted is not None
        self._interrupted = STOPPED_AT_ONCE + signum if again else URLS_WAIT
        self._engine.drain(0.0 if again else self._grace)

    def reopen_outputs(self) -> None:
        """Let records whose files were moved away go on in new files.

        Raises Stop if nothing can be committed any more; the run then ends, too.
        """
        if self._writes:
            from crawler.engine.moved_outputs import (
                go_on_anew,  # few crawls are asked to
            )

            go_on_anew(self._sinks, self._committer, self._store, self.events.warning)

    def pause(self) -> None:
        """Take no further URL until `go_on`; what is in flight goes on.

        An interrupt ends the pause.
        """
        if self._interrupted is None:
            self._engine.pause()

    def go_on(self) -> None:
        """End the pause."""
        self._engine.go_on()

    @property
    def seed_failures(self) -> Iterable[tuple[str, int | None]]:
        """(error_code, status) of the seeds that failed in this run."""
        return self._stats.seed_failures

    def fail(self, error: Exception) -> None:
        """End the crawl because of an error outside it; `run` raises it."""
        self._engine.fail(error)

    def snapshot(self) -> Snapshot:
        """The crawl at this moment; cheap."""
        waits = self._frontier.waits(self._report.pages_left())
        return self._snapshot(replace(waits, stops_in_s=self._report.time_left()))

    def _snapshot(self, waits: Waits = NO_WAITS) -> Snapshot:
        frontier = self._frontier.statistics()
        return self._stats.snapshot(
            frontier,
            frontier.by_host,
            received=self._report.received_bytes(),
            skipped=self._store.counts()["skip"],
            draining=self._interrupted is not None,
            waits=waits,
        )
