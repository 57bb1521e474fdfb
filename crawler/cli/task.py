"""One crawl of a command: how it is opened, interrupted meanwhile, and reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

import hub
from crawler.cli.terminal.reporter import Reporter
from crawler.cli.terminal.result_line import result_line, warnings
from crawler.cli.terminal.views import View
from crawler.engine.builder import Crawl, Summary, open_crawl
from crawler.engine.crawl import STOPPED_AT_ONCE
from crawler.frontier.sqlite.database import has_fleet
from crawler.model.config import Config
from crawler.model.errors import (
    OutOfMemoryError,
    Stop,
    UsageError,
    is_out_of_memory,
)
from crawler.settings.load import Plan
from crawler.workspace.open import Mode

if TYPE_CHECKING:
    from crawler.fleet.launcher import Launcher

T = TypeVar("T")


class Opener(Protocol):
    """`open_crawl`, or what a test puts in its place."""

    def __call__(self, config: Config, *, mode: Mode) -> Crawl: ...


class Task(Struct, frozen=True):
    """A crawl to run, and how to open it."""

    config: Config
    mode: Mode
    opener: Opener = open_crawl
    processes: int | None = None
    """How many run it, each with some of its shards; None: this one, without shards."""
    launcher: Launcher | None = None
    """What starts these processes, if it has begun already."""

    def open(self) -> Crawl:
        """Raises UsageError, OutputError or StateError."""
        return self.opener(self.config, mode=self.mode)


def tasks_of(plan: Plan, mode: Mode) -> list[Task]:
    """The crawls of a plan. Raises UsageError if one of them has no seed."""
    configs = [job.config for job in plan.jobs]
    if not all(config.seeds for config in configs):
        raise UsageError(
            "there is no URL to start from; "
            "name one, as in `orbweb crawl https://example.com/`, "
            "a file of URLs with -i, or `seeds` in the file of --config"
        )
    return [Task(config, mode) for config in configs]


def with_processes(
    tasks: Sequence[Task],
    processes: int | None,
    launcher: Launcher | None = None,
) -> list[Task]:
    """The crawls, run by several processes where the user says so, or one has shards.

    Raises UsageError where that is not possible.
    """
    found: list[Task] = []
    for task in tasks:
        is_cut = has_fleet(task.config.dir) and task.mode in ("resume", "newer")
        count = processes if processes and (processes > 1 or is_cut) else None
        if is_cut and count is None:
            from crawler.frontier.sqlite.fleet_file import read_fleet

            count = read_fleet(Path(task.config.dir)).processes
        found.append(replace(task, processes=count, launcher=launcher))
    if len(tasks) > 1 and any(task.processes for task in found):
        raise UsageError(
            "several processes run one crawl, and the file has several jobs: keep one "
            "[[job]] in it (to resume one, name its folder: orbweb resume DIR), or "
            "leave --processes out"
        )
    return found


class Opening:
    """Opens crawls; is interrupted along with them, and shows it the first time.

    An interrupt ends an opening that waits for a login.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._signum = 0
        self._scope = hub.CancelScope()

    def open(self, task: Task) -> Crawl:
        """Raises UsageError, OutputError, StateError, LoginError or _Interrupted."""
        crawl = self.run(task.open)
        if self._signum:  # it came when nothing waited
            crawl.interrupt(self._signum)
        return crawl

    def run(self, step: Callable[[], T]) -> T:
        """What `step` returns. Raises as it does, or _Interrupted."""
        found: T | None = None
        if not self._signum:
            with self._scope:
                found = step()
            self._scope = hub.CancelScope()
        if found is None:
            raise _Interrupted(self._signum)
        return found

    def interrupt(self, signum: int) -> None:
        if not self._signum:
            self._signum = signum
            self._view.stopping()
        self._scope.cancel()


class _Interrupted(Stop):
    """A signal came before the crawl began."""

    def __init__(self, signum: int) -> None:
        super().__init__("stopped before the crawl began")
        self.exit_code = STOPPED_AT_ONCE + signum


@contextmanager
def naming(folder: str) -> Iterator[None]:
    """Let the commands in what a Stop says name the folder of the crawl."""
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            stop: Stop = OutOfMemoryError()
        elif isinstance(error, Stop):
            stop = error
        else:
            raise
        stop.args = (_with_folder(str(stop), folder),)
        if stop is error:
            raise
        raise stop from error


def _with_folder(text: str, folder: str) -> str:
    from crawler.model.resume_command import with_folder  # most crawls say nothing

    return with_folder(text, folder)


def report_end(reporter: Reporter, summary: Summary, config: Config) -> None:
    """Show how a crawl has ended."""
    for warning in warnings(summary, config):
        shown = _with_folder(warning, config.dir)
        reporter.message(f"orbweb: warning: {config.dir}: {shown}")
    text = result_line(summary, config)
    reporter.finished(summary, config.dir, text)
