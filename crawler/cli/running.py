"""Runs crawls with their progress on stderr, and one line of result at the end."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import partial

import hub
from crawler.cli.signals import Interruptible, interruptible
from crawler.cli.task import Opening, Task, naming, report_end
from crawler.cli.terminal.reporter import Reporter
from crawler.cli.terminal.verbosity import Verbosity
from crawler.cli.terminal.views import Watched
from crawler.engine.builder import Crawl, Summary
from crawler.engine.stats import Snapshot, combined
from crawler.model.config import Config
from crawler.model.errors import (
    Stop,
)
from crawler.model.url import host_key, hostname
from crawler.settings.load import Plan
from crawler.settings.secrets import revealed, revealed_login


def run_plan(tasks: Sequence[Task], verbosity: Verbosity, plan: Plan) -> int:
    """Run the crawls of a plan; the first exit code that is not 0, or 0."""
    return run_tasks(
        tasks,
        verbosity,
        side_by_side=plan.side_by_side,
        notes=plan.notes,
        warnings=plan.warnings,
    )


def run_tasks(
    tasks: Sequence[Task],
    verbosity: Verbosity,
    *,
    side_by_side: bool = False,
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> int:
    """Run all of them; the first exit code that is not 0, or 0.

    `warnings` and `notes` are shown to the user first; `-q` leaves out the notes.
    """
    for task in tasks:  # a missing secret is an error before any folder is made
        revealed(task.config.http, os.environ)
        revealed_login(task.config.login, os.environ)
    title = tasks[0].config.dir if len(tasks) == 1 else f"{len(tasks)} crawls"
    configs = [task.config for task in tasks]
    with closing(Reporter(verbosity, title, configs)) as reporter:
        reporter.begin(warnings, notes)
        tell_of_contact(tasks, reporter)
        try:
            if len(tasks) == 1:
                return run_crawl(tasks[0], reporter).exit_code
            run = _side_by_side if side_by_side else _in_order
            return next((code for code in run(tasks, reporter) if code), 0)
        except Stop as stop:
            if not reporter.report_error(stop):
                raise
            return stop.exit_code


NO_CONTACT = (
    "orbweb: note: the User-Agent names no contact; with --contact URL the owner of a "
    "site can ask you before blocking you"
)


def tell_of_contact(tasks: Sequence[Task], reporter: Reporter) -> None:
    """Tell the user of a new crawl of the sites of others that names no contact."""
    if any(task.mode == "new" and _lacks_contact(task.config) for task in tasks):
        reporter.notice(NO_CONTACT)


_OWN = (".localhost", ".local", ".internal", ".test", ".invalid")


def _lacks_contact(config: Config) -> bool:
    """Whether a new crawl goes to the sites of others, and does not say whose it is."""
    if config.http.user_agent or config.http.contact:
        return False
    for seed in config.seeds[:_MAX_LOOKED_AT]:
        name = hostname(host_key(seed))
        if "." in name and not name[-1].isdigit() and not name.endswith((*_OWN, "]")):
            return True
    return False


_MAX_LOOKED_AT = 1000


def run_crawl(task: Task, reporter: Reporter) -> Summary:
    """Open one crawl and run it, with its progress and its result line."""
    if task.processes is not None:
        from crawler.cli.fleet import run_fleet  # for several processes only

        with naming(task.config.dir):
            return run_fleet(task, reporter)
    opening = Opening(reporter.view)
    stoppable: list[Interruptible] = [opening]
    with (
        naming(task.config.dir),
        interruptible(stoppable, partial(_reopen, reporter, stoppable)),
    ):
        crawl = opening.open(task)
        stoppable.append(crawl)
        reporter.attach(crawl, task.config.dir)
        with Watched(reporter.view, crawl.snapshot):
            summary = crawl.run()
    report_end(reporter, summary, task.config)
    return summary


def _reopen(reporter: Reporter, running: Sequence[Interruptible]) -> None:
    """Go on in new files of the log and of records, where theirs were moved away."""
    reporter.reopen()
    for one in running:
        if isinstance(one, Crawl):
            with suppress(Stop):  # the crawl itself meets it at its next commit
                one.reopen_outputs()


def _in_order(tasks: Sequence[Task], reporter: Reporter) -> list[int]:
    """One after the other. A signal stops all of them; another failure stops one."""
    exit_codes: list[int] = []
    for task in tasks:
        try:
            summary = run_crawl(task, reporter)
        except Stop as stop:
            reporter.failed(task.config.dir, stop)
            exit_codes.append(stop.exit_code)
            continue
        exit_codes.append(summary.exit_code)
        if summary.finish_reason == "signal":
            break
    return exit_codes


class _ConcurrentCrawl:
    """One of several crawls that run at once."""

    def __init__(self, task: Task, reporter: Reporter, opening: Opening) -> None:
        self.config = task.config
        self.code = 0
        with naming(task.config.dir):
            self.crawl = opening.open(task)
        reporter.attach(self.crawl, task.config.dir)
        self._reporter = reporter
        self._last: Snapshot = self.crawl.snapshot()
        self._running = True

    def run(self) -> None:
        try:
            with naming(self.config.dir):
                summary = self.crawl.run()
            self.code = summary.exit_code
            report_end(self._reporter, summary, self.config)
        except Stop as stop:
            self.code = stop.exit_code
            self._reporter.failed(self.config.dir, stop)
        finally:
            self._running = False

    def snapshot(self) -> Snapshot:
        """The crawl now, or the last snapshot before its end."""
        if self._running:
            self._last = self.crawl.snapshot()
        return self._last


def _side_by_side(tasks: Sequence[Task], reporter: Reporter) -> list[int]:
    """All at once in one hub, in one view of their sums. A failure stops one crawl."""
    crawls: list[_ConcurrentCrawl] = []
    refused: list[int] = []
    opening = Opening(reporter.view)
    stoppable: list[Interruptible] = [opening]
    with interruptible(stoppable, partial(_reopen, reporter, stoppable)):
        for task in tasks:
            try:
                crawls.append(_ConcurrentCrawl(task, reporter, opening))
                stoppable.append(crawls[-1].crawl)
            except Stop as stop:
                reporter.failed(task.config.dir, stop)
                refused.append(stop.exit_code)
        if crawls:
            with Watched(
                reporter.view,
                lambda: combined([crawl.snapshot() for crawl in crawls]),
            ):
                hub.joinall([hub.spawn(crawl.run) for crawl in crawls])
    return [*refused, *(crawl.code for crawl in crawls)]
