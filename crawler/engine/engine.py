"""The engine: workers that take leases through the pipeline, until there are no more.

    frontier.lease -> pipeline.process -> committer.finish -> (frontier)

Each worker is a greenlet: `concurrency` of them, and one for each overflow slot that a
slow host has borrowed (`frontier/concurrency.py`). Workers instead of one greenlet for
each URL, since a greenlet's life costs two system calls, and N workers are also the
limit of concurrency. The committer is no greenlet of its own: it would only wait for
outcomes, and called by the workers a commit is atomic without a lock.

A page whose findings are with the extraction processes is set aside (`pending.py`), and
its worker takes the next lease. What the processes answer is completed by the greenlet
that receives it, many pages in a row.

What switches here: `frontier.lease`, the pipeline's requests, a pause, a full backlog,
and the `sleep(0)` after a lease that made no request.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import hub
from crawler.engine.committer import Committer
from crawler.engine.pipeline import Pipeline
from crawler.frontier.frontier import Frontier
from crawler.frontier.lease import LeaseHandle
from crawler.model.crawl import Outcome
from crawler.policy.quotas import Quotas
from hub.event import Event
from hub.pool import Group

if TYPE_CHECKING:
    from crawler.engine.backlog import Backlog
    from crawler.engine.pending import PendingOutcome

TICK_S = 0.5
"""The interval at which time limits are checked (seconds).

A record waits at most this long to be written, and TICKS_OF_A_COMMIT times as long
while extraction is slower than the crawl.
"""
TICKS_OF_A_COMMIT = 4
"""A commit of few pages writes as much of the state as one of many."""
BORROW_S = 0.25
"""How often slow hosts borrow overflow slots (seconds)."""


class Engine:
    """Runs the workers of one crawl until the frontier is empty or a limit is reached.

    `drain` ends it too. `clock` gives seconds since the epoch. `on_tick` is called
    every TICK_S.
    """

    def __init__(
        self,
        concurrency: int,
        frontier: Frontier,
        pipeline: Pipeline,
        committer: Committer,
        quotas: Quotas,
        clock: Callable[[], float],
        on_tick: Callable[[], None],
        backlog: Backlog | None = None,
    ) -> None:
        """`backlog`: the pages that wait for processes; None: there are none."""
        self._concurrency = concurrency
        self._frontier = frontier
        self._pipeline = pipeline
        self._committer = committer
        self._quotas = quotas
        self._clock = clock
        self._on_tick = on_tick
        self._workers = Group()
        self._at_work = 0  # workers that have left the group may still count there
        self._backlog = backlog
        self._set_aside: dict[PendingOutcome, LeaseHandle] = {}
        self._will_commit = False
        self._error: Exception | None = None
        self._unpaused = Event()
        self._unpaused.set()

    def run(self) -> None:
        """Work until nothing is left to do.

        Raises the error that stopped the crawl, if there was one.
        """
        self._start_workers(0)
        tickers = [hub.spawn(self._tick), hub.spawn(self._borrow)]
        try:
            self._workers.join()
        finally:
            hub.killall(tickers)
            self._put_back()
        if self._error is not None:
            raise self._error
        self._frontier.save_silent_hosts()
        self._committer.commit()

    def pause(self) -> None:
        """Take no further lease until `go_on`; what is in flight goes on."""
        self._unpaused.clear()

    def go_on(self) -> None:
        """End the pause."""
        self._unpaused.set()

    def wait_while_paused(self) -> None:
        """Wait for the end of the pause, if there is one; also when nothing else runs.

        Another thread may end the pause, which the hub cannot know: a timer keeps the
        loop alive meanwhile.
        """
        while not self._unpaused.wait(timeout=TICK_S):
            pass

    def drain(self, grace: float) -> None:
        """Hand out no more leases, and after `grace` seconds end what is in flight.

        Returns at once; `run` returns when that is done. May be called in a signal's
        handler, which must not switch.
        A killed worker's lease stays open; the store takes it back when it is next
        opened, as it does after a crash.
        """
        hub.spawn(self._drain, grace)

    def _drain(self, grace: float) -> None:
        self._frontier.close()
        self.go_on()
        self._workers.join(timeout=grace)
        self._workers.kill()

    def _start_workers(self, more: int) -> None:
        """Start workers until each slot has one, and `more`."""
        if self._frontier.closed:
            return
        for _ in range(self._surplus(), more):
            self._at_work += 1
            self._workers.spawn(self._work)

    def _surplus(self) -> int:
        return self._at_work - self._concurrency - self._frontier.borrowed

    def _work(self) -> None:
        try:
            while (handle := self._lease()) is not None:
                if self._surplus() < 0:
                    self._start_workers(0)
                self._process(handle)
                if self._surplus() > 0:
                    return
            if self._at_work == 1:
                self._wait_for_processes()
        except Exception as error:
            self.fail(error)
        finally:
            self._at_work -= 1

    def _process(self, handle: LeaseHandle) -> None:
        with handle:
            outcome = self._pipeline.process(handle)
            cancelled = handle.cancel()
            if outcome is None or isinstance(outcome, Outcome):
                self._finish(handle, outcome)
            else:
                handle.set_aside()
                self._committer.set_aside(handle)
                self._set_aside[outcome] = handle
                outcome.when_found(self._complete)
        if cancelled:
            hub.sleep(0)  # no request was waited for, so the others have had no turn

    def _finish(self, handle: LeaseHandle, outcome: Outcome | None) -> None:
        if outcome is not None:
            self._committer.finish(handle, outcome)
        else:
            self._committer.sent_back()

    def _complete(self, pending: PendingOutcome) -> None:
        """The extraction processes have answered: complete a page that was set aside.

        Many are completed in a row. Workers that wait for what they lead to get it by
        one commit of all.
        """
        handle = self._set_aside.pop(pending)
        try:
            with handle:
                self._committer.take_up(handle)
                self._finish(handle, self._pipeline.complete(handle.lease, pending))
        except Exception as error:
            self._committer.fail(error)
            self._stop(error)
        if self._frontier.has_idle_workers and not self._will_commit:
            self._will_commit = True
            self._workers.spawn(self._commit)

    def _commit(self) -> None:
        self._will_commit = False
        try:
            self._committer.commit()
        except Exception as error:
            self._stop(error)

    def _wait_for_processes(self) -> None:
        """Wait until they have answered all: no URL will come, but their pages."""
        while self._backlog is not None and self._backlog.pages:
            self._backlog.wait()

    def _put_back(self) -> None:
        """The crawl ends without what is set aside; those URLs are fetched again."""
        while self._set_aside:
            pending, handle = self._set_aside.popitem()
            pending.abandon()
            with suppress(Exception):  # a store that has failed fails here again
                handle.put_back()

    def _lease(self) -> LeaseHandle | None:
        if self._backlog is not None:
            self._wait_for_place(self._backlog)
        self._obey_limits(takes=True)
        if not self._unpaused.is_set():
            # The records that the pause waits for may be in the batch.
            self._committer.commit()
            self._unpaused.wait()
        handle = self._frontier.lease_nowait()
        if handle is None:
            # The URLs that this worker would wait for may be in the batch.
            self._committer.commit()
            handle = self._frontier.lease()
        return handle

    def _wait_for_place(self, backlog: Backlog) -> None:
        """Wait until a page that is fetched could be extracted, and would be kept."""
        while backlog.pages and not self._frontier.closed:
            if not backlog.is_full and backlog.pages < self._quotas.pages_left:
                break
            backlog.wait()

    def _obey_limits(self, *, takes: bool) -> None:
        reached = self._quotas.reached(self._clock(), takes=takes)
        if reached == "limit_pages":
            self._frontier.only_images()
        elif reached is not None:
            self._frontier.close()
        else:  # a shard may be granted more pages
            self._frontier.all_urls()

    def _tick(self) -> None:
        ticks = 0
        try:
            while True:
                hub.sleep(TICK_S)
                ticks += 1
                self._frontier.save_silent_hosts()
                if self._backlog is None or not self._backlog.is_full:
                    ticks = TICKS_OF_A_COMMIT
                if ticks >= TICKS_OF_A_COMMIT:
                    self._committer.commit()
                    ticks = 0
                self._obey_limits(takes=False)  # there may be no work for a grant
                self._on_tick()
        except Exception as error:
            self._stop(error)

    def _borrow(self) -> None:
        try:
            while True:
                hub.sleep(BORROW_S)
                if self._backlog is not None:  # nothing is leased while it is full
                    self._backlog.wait_while_full()
                self._start_workers(self._frontier.borrow())
        except Exception as error:
            self._stop(error)

    def fail(self, error: Exception) -> None:
        """Stop the crawl; nothing becomes durable any more."""
        self._committer.fail(error)
        self._stop(error)

    def _stop(self, error: Exception) -> None:
        """Stop the crawl after a local I/O error or a defect.

        It can be resumed.
        """
        self._error = self._error or error
        with suppress(Exception):  # a store that has failed fails here again
            self._frontier.close()
