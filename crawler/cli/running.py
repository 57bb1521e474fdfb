"""Runs crawls before the user's eyes: progress while they run, one line of result at
the end."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from msgspec import Struct

import hub
from crawler.cli.signals import Interruptible, interruptible
from crawler.cli.terminal.log import JsonLog, JsonView, Log, LogFile, TextLog, to_stream
from crawler.cli.terminal.verbosity import Verbosity
from crawler.cli.terminal.views import View, choose_view, follow
from crawler.engine.builder import Crawl, Summary, open_crawl
from crawler.engine.stats import Snapshot, combined
from crawler.model.config import Config
from crawler.model.errors import Stop, UsageError
from crawler.model.records import ErrorRecord, Record
from crawler.model.units import show_seconds
from crawler.settings.load import Plan
from crawler.settings.secrets import revealed
from crawler.workspace.folder import Mode
from crawler.workspace.outputs import output_files

_ENDINGS = {
    "done": "Finished",
    "parked": "Finished, but for hosts that do not answer",
    "limit_pages": "Stopped at the limit of pages",
    "limit_time": "Stopped at the limit of time",
    "limit_bytes": "Stopped at the limit of bytes",
    "signal": "Stopped, nothing is lost",
    "error": "Stopped by an error",
}
_FAILURES = {
    4: "Failed, no seed could be fetched",
    5: "Failed, no seed's certificate could be verified",
    6: "Failed, no seed let us in",
    8: "Finished with more failures than --fail-on allows",
    9: "Failed, every seed is excluded by robots.txt or by the scope",
}
"""By exit code; see `verdict.py`."""


class Task(Struct, frozen=True):
    """A crawl to run, and how to open it."""

    config: Config
    mode: Mode


def tasks_of(plan: Plan, mode: Mode) -> list[Task]:
    """The crawls of a plan. Raises UsageError if one of them has nowhere to start."""
    configs = [job.config for job in plan.jobs]
    if not all(config.seeds for config in configs):
        raise UsageError(
            "there is no URL to start from; name one, as in `orbweb crawl https://example.com/`, "
            "a file of them with -i, or `seeds` in the file of --config"
        )
    return [Task(config, mode) for config in configs]


def run_tasks(
    tasks: Sequence[Task],
    verbosity: Verbosity,
    *,
    side_by_side: bool = False,
    notes: Sequence[str] = (),
) -> int:
    """Run them all; the exit code of the first that did not end well, or 0.

    `notes`: what the user should know before they begin.
    """
    for task in tasks:
        revealed(
            task.config.http, os.environ
        )  # a missing secret ends it before a folder is made
    title = tasks[0].config.dir if len(tasks) == 1 else f"{len(tasks)} crawls"
    with closing(
        Reporter(verbosity, title, [task.config for task in tasks])
    ) as reporter:
        for note in notes:
            reporter.say(f"orbweb: {note}")
        try:
            if len(tasks) == 1:
                return run_crawl(tasks[0], reporter).exit_code
            run = _side_by_side if side_by_side else _in_order
            return next((code for code in run(tasks, reporter) if code), 0)
        except Stop as stop:
            if not reporter.report_error(f"orbweb: {stop}"):
                raise
            return stop.exit_code


class Reporter:
    """All that a command says while it runs: the view, and the log of exchanges and
    endings."""

    def __init__(
        self, verbosity: Verbosity, title: str, configs: Sequence[Config]
    ) -> None:
        self._json: JsonLog | None = None
        self.log: Log
        if verbosity.as_json and not verbosity.file:
            self._json = JsonLog(to_stream(sys.stderr), time.time)
            self.view: View = JsonView(self._json, quiet=verbosity.quiet)
        else:
            shared = (
                any("-" in config.output for config in configs) and sys.stdout.isatty()
            )
            self.view = choose_view(
                sys.stderr, title, os.environ, quiet=verbosity.quiet, shared=shared
            )
        self._out = LogFile(verbosity.file) if verbosity.file else None
        self._file = (
            None if self._out is None else _log_into(self._out, verbosity.as_json)
        )
        self._log = self._file or self._json or TextLog(self.view.write)
        self._tells = verbosity.verbose and (
            not verbosity.quiet or self._file is not None
        )

    def say(self, text: str) -> None:
        """To the user, and into the log's file."""
        self.view.say(text)
        if self._file is not None:
            self._file.message(text)

    def report_error(self, text: str) -> bool:
        """Say why it can't go on, if that is for a program to read."""
        if self._file is not None:
            self._file.message(text, "error")
        if self._json is not None:
            self._json.message(text, "error")
        return self._json is not None

    def close(self) -> None:
        """Nothing more will be said."""
        if self._out is not None:
            self._out.close()

    def attach(self, crawl: Crawl, seen: Callable[[Record], None]) -> None:
        """Have the crawl tell what happens."""
        if crawl.lost:
            urls = counted(crawl.lost, "URL")
            self.say(
                f"orbweb: the machine has stopped since; asking again for {urls} it lost"
            )
        if self._tells:
            crawl.events.on_exchange(self._log.exchange)

        def listen(record: Record) -> None:
            seen(record)
            if self._tells:
                self._log.record(record)

        crawl.events.on_record(listen)


def _log_into(file: LogFile, as_json: bool) -> Log:
    return JsonLog(file, time.time) if as_json else TextLog(file, time.time)


def run_crawl(task: Task, reporter: Reporter) -> Summary:
    """Open one crawl and run it, with its progress and its last line."""
    stoppable: list[Interruptible] = [_Announcer(reporter.view)]
    with interruptible(stoppable):
        crawl = open_crawl(task.config, mode=task.mode)
        stoppable.append(crawl)
        last_error = _LastError()
        reporter.attach(crawl, last_error.see)
        with _Watched(reporter.view, crawl.snapshot):
            summary = crawl.run()
    reporter.say(result_line(summary, task.config, last_error.message))
    return summary


class _Announcer:
    """Is interrupted along with the crawls, and says so the first time."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._said = False

    def interrupt(self, signum: int) -> None:
        if not self._said:
            self._said = True
            self._view.stopping()


class _LastError:
    """Why the URL failed that failed last."""

    message = ""

    def see(self, record: Record) -> None:
        if isinstance(record, ErrorRecord):
            self.message = record.error_message


def _in_order(tasks: Sequence[Task], reporter: Reporter) -> list[int]:
    """One after the other. What the user stops ends the whole row; another failure does
    not."""
    codes: list[int] = []
    for task in tasks:
        try:
            summary = run_crawl(task, reporter)
        except Stop as stop:
            reporter.say(f"orbweb: {task.config.dir}: {stop}")
            codes.append(stop.exit_code)
            continue
        codes.append(summary.exit_code)
        if summary.finish_reason == "signal":
            break
    return codes


class _Side:
    """One of several crawls that run at once."""

    def __init__(self, task: Task, reporter: Reporter) -> None:
        self.config = task.config
        self.code = 0
        self.crawl = open_crawl(task.config, mode=task.mode)
        self._last_error = _LastError()
        reporter.attach(self.crawl, self._last_error.see)
        self._speaker = reporter
        self._last: Snapshot = self.crawl.snapshot()
        self._running = True

    def run(self) -> None:
        try:
            summary = self.crawl.run()
            self.code = summary.exit_code
            self._speaker.say(
                result_line(summary, self.config, self._last_error.message)
            )
        except Stop as stop:
            self.code = stop.exit_code
            self._speaker.say(f"orbweb: {self.config.dir}: {stop}")
        finally:
            self._running = False

    def snapshot(self) -> Snapshot:
        """The crawl now, or as it was seen last before its end."""
        if self._running:
            self._last = self.crawl.snapshot()
        return self._last


def _side_by_side(tasks: Sequence[Task], reporter: Reporter) -> list[int]:
    """All at once in one hub, under one view of their sums. A failure of one stops no
    other."""
    sides: list[_Side] = []
    refused: list[int] = []
    stoppable: list[Interruptible] = [_Announcer(reporter.view)]
    with interruptible(stoppable):
        for task in tasks:
            try:
                sides.append(_Side(task, reporter))
                stoppable.append(sides[-1].crawl)
            except Stop as stop:
                reporter.say(f"orbweb: {task.config.dir}: {stop}")
                refused.append(stop.exit_code)
        if sides:
            with _Watched(
                reporter.view, lambda: combined([side.snapshot() for side in sides])
            ):
                hub.joinall([hub.spawn(side.run) for side in sides])
    return [*refused, *(side.code for side in sides)]


class _Watched:
    """`with _Watched(view, snapshot):` the view is fed meanwhile, and gone
    afterwards."""

    def __init__(self, view: View, snapshot: Callable[[], Snapshot]) -> None:
        self._view = view
        self._snapshot = snapshot

    def __enter__(self) -> None:
        self._greenlet = hub.spawn(follow, self._view, self._snapshot)

    def __exit__(self, *_error: object) -> None:
        self._greenlet.kill()
        self._view.close()


_CHANGES = ("new", "changed", "unchanged")
_COUNTED = ("page", "image", "file", "redirect", "error", "skip")


def counted(number: int, name: str) -> str:
    """`1 page`, `2 pages`."""
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def result_line(summary: Summary, config: Config, last_error: str = "") -> str:
    """How it ended, where the records are, what to type next."""
    counts = summary.counts
    numbers = ", ".join(
        counted(counts[state], state)
        for state in _COUNTED
        if counts[state] or state in ("page", "image", "error")
    )
    ending = _FAILURES.get(summary.exit_code) or _ENDINGS[summary.finish_reason]
    if summary.exit_code == 4 and counts["file"]:
        ending = "Failed, the seeds led to no page"
    if summary.exit_code in (4, 5, 6) and last_error:
        ending += f" ({last_error})"
    if summary.parked:
        hosts = counted(sum(hosts.hosts for hosts in summary.parked), "host")
        urls = counted(sum(hosts.urls for hosts in summary.parked), "URL")
        numbers += f", {urls} of {hosts} waiting"
    if summary.changes:
        told = ", ".join(f"{summary.changes.get(how, 0):,} {how}" for how in _CHANGES)
        numbers += f" ({told})"
    took = show_seconds(summary.elapsed_s)
    return f"{ending}: {numbers} in {took}. {_records(config)}Next: {_next(summary, config)}"


def _records(config: Config) -> str:
    files = output_files(config)
    return f"Records: {', '.join(map(str, files))}. " if files else ""


def _next(summary: Summary, config: Config) -> str:
    if summary.next_command:
        return summary.next_command
    if (
        not summary.counts["page"] and config.seeds
    ):  # a look at the first seed tells why
        return f"orbweb fetch {shlex.quote(config.seeds[0])}"
    return f"orbweb status {shlex.quote(config.dir)}"
