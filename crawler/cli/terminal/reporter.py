"""What a command reports while it crawls: the view, and the log of exchanges.

The log is imported only for a command that has one.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crawler.cli.terminal.verbosity import Verbosity
from crawler.cli.terminal.views import View, choose_view
from crawler.engine.builder import Crawl, Summary
from crawler.engine.crawl import STOPPED_AT_ONCE
from crawler.model.config import Config
from crawler.model.errors import OutputError, Stop
from crawler.model.units import counted

if TYPE_CHECKING:
    from crawler.cli.terminal.log import JsonLog, Level, Log, LogFile
    from crawler.fleet.messages import LogForm


class Reporter:
    """The view on stderr, and the log on stderr or in a file, of one command."""

    def __init__(
        self, verbosity: Verbosity, title: str, configs: Sequence[Config]
    ) -> None:
        self._quiet = verbosity.quiet
        self._several = len(configs) > 1
        self._json: JsonLog | None = None
        if verbosity.as_json and not verbosity.file:
            from crawler.cli.terminal.log import JsonLog, JsonView, to_stream

            self._json = JsonLog(to_stream(sys.stderr), time.time)
            if not self._several:
                self._json = self._json.for_job(title)
            self.view: View = JsonView(self._json, quiet=verbosity.quiet)
        else:
            shared = (
                any("-" in config.output for config in configs) and sys.stdout.isatty()
            )
            self.view = choose_view(
                sys.stderr, title, os.environ, quiet=verbosity.quiet, shared=shared
            )
        self._log_is_json = verbosity.as_json
        self._out = _open_file(verbosity.file) if verbosity.file else None
        self._file = None if self._out is None else _log_to(self._out, verbosity)
        self.logs_exchanges = verbosity.verbose and not (
            verbosity.quiet and self._file is None
        )
        self._log_of_exchanges: Log | None = None
        if self.logs_exchanges:
            self._log_of_exchanges = self._file or self._json or _log_in(self.view)

    def message(self, text: str, level: Level = "warning") -> None:
        """One line for the user of what goes wrong, and for the log file."""
        if self._json is not None:
            self._json.message(text, level)
        else:
            self.view.message(text)
        if self._file is not None:
            self._file.message(text, level)

    def notice(self, text: str) -> None:
        """One line for the log file, and for the user unless he wants to hear less."""
        if not self._quiet:
            self.view.message(text)
        if self._file is not None:
            self._file.message(text)

    def begin(self, warnings: Sequence[str], notes: Sequence[str]) -> None:
        """What the user is told first."""
        for warning in warnings:
            self.message(f"orbweb: {warning}")
        for note in notes:
            self.notice(f"orbweb: {note}")

    def failed(self, job: str, stop: Stop) -> None:
        """Why one of several crawls fails."""
        self.message(f"orbweb: {job}: {stop}", _level_of(stop))

    def finished(self, summary: Summary, job: str, text: str) -> None:
        """The end of a crawl, which `-q` does not show if all went well.

        `job` is the folder of the crawl.
        """
        line = f"{job}: {text}" if self._several else text
        if summary.exit_code or not self._quiet:
            if self._json is not None:
                self._json.for_job(job).finished(summary, text)
            else:
                self.view.message(line)
        if self._file is not None:
            is_json = self._log_is_json
            self._file.for_job(job).finished(summary, text if is_json else line)

    @property
    def log_form(self) -> LogForm:
        """The form of the lines that `logged` takes."""
        if self._log_is_json:
            return "json"
        return "text" if self._out is None else "timed"

    def logged(self, lines: list[str]) -> None:
        """Lines of the log of exchanges and records that another process has made."""
        if self._out is not None:
            self._out(lines)
        elif self._json is not None:
            self._json.write(lines)
        else:
            self.view.write(lines)

    def reopen(self) -> None:
        """Open the log file again, which another program may have moved away."""
        if self._out is None:
            return
        try:
            self._out.reopen()
        except OutputError as error:
            self.view.message(f"orbweb: {error}; the log goes on in the file of before")

    def report_error(self, stop: Stop) -> bool:
        """Log why the command fails. True if stderr is the log and has the message."""
        for log in (self._file, self._json):
            if log is not None:
                log.message(f"orbweb: {stop}", _level_of(stop))
        return self._json is not None

    def close(self) -> None:
        """Close the log file."""
        if self._out is not None:
            self._out.close()

    def attach(self, crawl: Crawl, job: str) -> None:
        """Log what happens in `crawl`; `job` is its folder."""
        if crawl.lost:
            self.message(
                "orbweb: the machine stopped before the last records reached the disk; "
                f"{counted(crawl.lost, 'URL')} will be fetched again"
            )
        for change in crawl.changed_settings:
            self.notice(f"orbweb: {change}")
        if crawl.logged_in:
            self.notice(f"orbweb: {crawl.logged_in}")
        if self._log_of_exchanges is not None:
            log = self._log_of_exchanges.for_job(job)
            crawl.events.on_exchange(log.exchange)
            crawl.events.on_record(log.record)

        def of_job(text: str) -> str:
            from crawler.model.resume_command import with_folder  # few are told

            return f"orbweb: {with_folder(text, job)}"

        crawl.events.on_warning(lambda text: self.message(of_job(text)))
        crawl.events.on_notice(lambda text: self.notice(of_job(text)))


def _level_of(stop: Stop) -> Level:
    """A signal is no error of the program (128 + its number is the exit code)."""
    return "info" if stop.exit_code > STOPPED_AT_ONCE else "error"


def _open_file(path: str) -> LogFile:
    from crawler.cli.terminal.log import LogFile

    return LogFile(path)


def _log_in(view: View) -> Log:
    from crawler.cli.terminal.log import TextLog

    return TextLog(view.write)


def _log_to(file: LogFile, verbosity: Verbosity) -> Log:
    from crawler.cli.terminal.log import JsonLog, TextLog

    return JsonLog(file, time.time) if verbosity.as_json else TextLog(file, time.time)
