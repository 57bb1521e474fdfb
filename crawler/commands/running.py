"""Runs crawls before the user's eyes: progress while they run, one line of result at the end."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Literal

import click
from msgspec import Struct

import hub
from crawler.app import Crawl, Summary, open_crawl
from crawler.config import Config
from crawler.errors import Stop, UsageError
from crawler.folder import Mode
from crawler.interrupts import Interruptible, interruptible
from crawler.progress import View, choose_view, follow, record_line
from crawler.quantities import show_seconds
from crawler.schema import ErrorRecord, Record
from crawler.settings.load import Plan
from crawler.settings.secrets import revealed
from crawler.stats import Snapshot, combined

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

Noise = Literal["quiet", "normal", "verbose"]


def noise_of(quiet: bool, verbose: bool) -> Noise:
    """What -q and -v mean together: the one that says less."""
    return "quiet" if quiet else "verbose" if verbose else "normal"


class Task(Struct, frozen=True):
    """A crawl to run, and how to open it."""

    config: Config
    mode: Mode


def tasks_of(plan: Plan, mode: Mode) -> list[Task]:
    """The crawls of a plan. Raises UsageError if one of them has nowhere to start."""
    for note in plan.notes:
        click.echo(f"orbweb: {note}", err=True)
    configs = [job.config for job in plan.jobs]
    if not all(config.seeds for config in configs):
        raise UsageError(
            "there is no URL to start from; name one, as in `orbweb crawl https://example.com/`, "
            "a file of them with -i, or `seeds` in the file of --config"
        )
    return [Task(config, mode) for config in configs]


def run_tasks(tasks: Sequence[Task], *, side_by_side: bool, noise: Noise) -> int:
    """Run them all; the exit code of the first that did not end well, or 0."""
    for task in tasks:
        revealed(task.config.http, os.environ)  # a missing secret ends it before a folder is made
    if len(tasks) == 1:
        (task,) = tasks
        return run_crawl(open_crawl(task.config, mode=task.mode), task.config, noise).exit_code
    run = _side_by_side if side_by_side else _in_order
    return next((code for code in run(tasks, noise) if code), 0)


def run_crawl(crawl: Crawl, config: Config, noise: Noise) -> Summary:
    """One crawl with its progress and its last line."""
    view = _view(config.dir, [config], noise)
    listener = _Listener(crawl, view, noise)
    with interruptible([crawl, _Announcer(view)]), _Watched(view, crawl.snapshot):
        summary = crawl.run()
    view.say(result_line(summary, config, listener.last_error))
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


class _Listener:
    """Sees the records of a crawl pass: shows them with `-v`, and keeps the last failure."""

    def __init__(self, crawl: Crawl, view: View, noise: Noise) -> None:
        self.last_error = ""
        self._view = view
        self._verbose = noise == "verbose"
        crawl.listen(self._see)

    def _see(self, record: Record) -> None:
        if isinstance(record, ErrorRecord):
            self.last_error = record.error_message
        if self._verbose:
            self._view.say(record_line(record))


def _in_order(tasks: Sequence[Task], noise: Noise) -> list[int]:
    """One after the other. What the user stops ends the whole row; another failure does not."""
    codes: list[int] = []
    for task in tasks:
        try:
            crawl = open_crawl(task.config, mode=task.mode)
            summary = run_crawl(crawl, task.config, noise)
        except Stop as stop:
            click.echo(f"orbweb: {task.config.dir}: {stop}", err=True)
            codes.append(stop.exit_code)
            continue
        codes.append(summary.exit_code)
        if summary.finish_reason == "signal":
            break
    return codes


class _Side:
    """One of several crawls that run at once."""

    def __init__(self, task: Task, view: View, noise: Noise) -> None:
        self.config = task.config
        self.code = 0
        self.crawl = open_crawl(task.config, mode=task.mode)
        self._listener = _Listener(self.crawl, view, noise)
        self._view = view
        self._last: Snapshot = self.crawl.snapshot()
        self._running = True

    def run(self) -> None:
        try:
            summary = self.crawl.run()
            self.code = summary.exit_code
            self._view.say(result_line(summary, self.config, self._listener.last_error))
        except Stop as stop:
            self.code = stop.exit_code
            self._view.say(f"orbweb: {self.config.dir}: {stop}")
        finally:
            self._running = False

    def snapshot(self) -> Snapshot:
        """The crawl now, or as it was seen last before its end."""
        if self._running:
            self._last = self.crawl.snapshot()
        return self._last


def _side_by_side(tasks: Sequence[Task], noise: Noise) -> list[int]:
    """All at once in one hub, under one view of their sums. A failure of one stops no other."""
    view = _view(f"{len(tasks)} crawls", [task.config for task in tasks], noise)
    sides: list[_Side] = []
    refused: list[int] = []
    for task in tasks:
        try:
            sides.append(_Side(task, view, noise))
        except Stop as stop:
            click.echo(f"orbweb: {task.config.dir}: {stop}", err=True)
            refused.append(stop.exit_code)
    if sides:
        stoppable: list[Interruptible] = [*(side.crawl for side in sides), _Announcer(view)]
        with (
            interruptible(stoppable),
            _Watched(view, lambda: combined([side.snapshot() for side in sides])),
        ):
            hub.joinall([hub.spawn(side.run) for side in sides])
    return [*refused, *(side.code for side in sides)]


def _view(title: str, configs: Sequence[Config], noise: Noise) -> View:
    shared = any(config.output == "-" for config in configs) and sys.stdout.isatty()
    return choose_view(sys.stderr, title, os.environ, quiet=noise == "quiet", shared=shared)


class _Watched:
    """`with _Watched(view, snapshot):` the view is fed meanwhile, and gone afterwards."""

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
    if config.output == "-":
        return ""
    return f"Records: {config.output or f'{config.dir}/records.jsonl'}. "


def _next(summary: Summary, config: Config) -> str:
    if summary.next_command:
        return summary.next_command
    if not summary.counts["page"] and config.seeds:  # a look at the first seed tells why
        return f"orbweb fetch {shlex.quote(config.seeds[0])}"
    return f"orbweb status {shlex.quote(config.dir)}"
