"""The log of a crawl: messages, and with `-v` each exchange and each record.

It is text for readers and `grep`, or JSON lines for programs. It goes to stderr, where
a view may be drawn at the same time, or to a file. Secrets are redacted from exchanges
before they are logged (`fetch/exchange_text.py`), and untrusted text cannot control a
terminal.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO

import msgspec

from crawler.cli.terminal.formatting import (
    LINE_INTERVAL_S,
    STOPPING,
    printable,
    record_line,
)
from crawler.engine.record_builder import timestamp
from crawler.engine.run_report import Summary
from crawler.engine.stats import Snapshot
from crawler.fetch.exchange_text import (
    brief,
    request_headers,
    response_headers,
    tls_lines,
)
from crawler.model.controls import escape_controls
from crawler.model.errors import OutputError
from crawler.model.host import Waiting
from crawler.model.http import Exchange
from crawler.model.record_base import FetchRecord, Record, UrlRecord
from crawler.model.records import ErrorRecord, SkipRecord
from crawler.output.append import open_for_appending
from crawler.output.sink import refused

Write = Callable[[list[str]], None]
"""Writes lines, given without line ends, together."""
Level = Literal["debug", "info", "warning", "error"]
"""How serious an event is.

`error`: a crawl has failed, or ends with another exit code than 0. `warning`: something
went wrong, and the crawl goes on, or it ends with URLs that wait for hosts. A stop that
the user asked for is `info`."""


class Log(Protocol):
    """Takes what happens in a crawl."""

    def message(self, text: str, level: Level = "info") -> None:
        """One line for the user."""
        ...

    def exchange(self, exchange: Exchange) -> None:
        """A request with its response or failure."""
        ...

    def record(self, record: Record) -> None:
        """The record of a URL."""
        ...

    def finished(self, summary: Summary, text: str) -> None:
        """The end of a crawl; `text` is its result line."""
        ...

    def for_job(self, job: str) -> Log:
        """The same log, for what happens in one of several crawls."""
        ...


class TextLog:
    """Lines of text. With a `clock` [s since the epoch] each begins with the time.

    `process`: the one that writes it, where a crawl has several.
    """

    def __init__(
        self,
        write: Write,
        clock: Callable[[], float] | None = None,
        process: int | None = None,
    ) -> None:
        self._out = write
        self._clock = clock
        self._process = "" if process is None else f"[{process}] "

    def message(self, text: str, level: Level = "info") -> None:
        self._write([text])

    def exchange(self, exchange: Exchange) -> None:
        self._write(brief(exchange))

    def record(self, record: Record) -> None:
        self._write([record_line(record)])

    def finished(self, summary: Summary, text: str) -> None:
        self._write([text])

    def for_job(self, job: str) -> TextLog:
        return self

    def _write(self, lines: list[str]) -> None:
        start = "" if self._clock is None else f"{timestamp(self._clock())} "
        start += self._process
        self._out([start + printable(line) for line in lines])


class JsonLog:
    """One line of JSON for each event, with its kind in `event`.

    `job`: the folder of the crawl in which it happens; empty for all crawls together.
    `process`: the one that writes it, where a crawl has several.
    """

    def __init__(
        self,
        write: Write,
        clock: Callable[[], float],
        job: str = "",
        process: int | None = None,
    ) -> None:
        self.write = write
        self._clock = clock
        self._job = job
        self._process = process
        self._encode = msgspec.json.Encoder().encode

    def message(self, text: str, level: Level = "info") -> None:
        self._event("message", level, {"message": text})

    def exchange(self, exchange: Exchange) -> None:
        self._event("exchange", "debug", _exchange(exchange))

    def record(self, record: Record) -> None:
        level: Level = "warning" if isinstance(record, ErrorRecord) else "info"
        self._event("record", level, _record(record))

    def progress(self, snapshot: Snapshot) -> None:
        numbers: dict[str, Any] = {n: _rounded(getattr(snapshot, n)) for n in _PROGRESS}
        numbers["least_s"] = round(snapshot.waits.least_s, 3)
        ends = snapshot.waits.stops_in_s
        numbers["stops_in_s"] = None if ends is None else round(ends, 3)
        numbers["waiting"] = [_waiting(group) for group in snapshot.waits.groups]
        self._event("progress", "info", numbers)

    def finished(self, summary: Summary, text: str) -> None:
        counts = dict(summary.counts)
        counts["queued"] += counts.pop("leased", 0)  # they are fetched by a resume
        fields = {
            "finish_reason": summary.finish_reason,
            "exit_code": summary.exit_code,
            "elapsed_s": round(summary.elapsed_s, 3),
            "counts": counts,
            "next_command": summary.next_command,
            "retry_command": summary.retry_command or None,
            "message": text,
        }
        self._event("finished", _level_of_end(summary), fields)

    def for_job(self, job: str) -> JsonLog:
        return JsonLog(self.write, self._clock, job, self._process)

    def _event(self, event: str, level: Level, fields: dict[str, Any]) -> None:
        first: dict[str, Any] = {
            "ts": timestamp(self._clock()),
            "level": level,
            "event": event,
        }
        if self._job:
            first["job"] = self._job
        if self._process is not None:
            first["process"] = self._process
        self.write([self._encode(first | fields).decode()])


def _level_of_end(summary: Summary) -> Level:
    if summary.exit_code == 0 or summary.finish_reason == "signal":
        return "info"
    return "warning" if summary.finish_reason == "parked" else "error"


_PROGRESS = (
    "elapsed_s", "pages", "files", "images", "redirects", "errors", "skipped", "bytes",
    "queued", "in_flight", "hosts", "pages_per_s", "bytes_per_s", "draining",
)  # fmt: skip


def _rounded(number: float) -> float:
    """Milliseconds of a time, thousandths of a rate; counts are whole."""
    return round(number, 3) if isinstance(number, float) else number


def _waiting(group: Waiting) -> dict[str, Any]:
    fields = msgspec.structs.asdict(group)
    return fields | {"due_s": round(group.due_s, 3)}


def _exchange(exchange: Exchange) -> dict[str, Any]:
    peer, response, failure = exchange.peer, exchange.response, exchange.failure
    return {
        "method": exchange.method,
        "url": exchange.url,
        "address": peer and peer.address,
        "proxy": peer and peer.proxy,
        "reused_connection": peer and peer.reused,
        "tls": peer and tls_lines(peer.tls),
        "request_headers": [_header(*pair) for pair in request_headers(exchange)],
        "status": response and response.status,
        "reason": response and response.reason,
        "response_headers": [_header(*pair) for pair in response_headers(exchange)],
        "wire_bytes": response and response.wire_bytes,
        "body_bytes": response and response.size,
        "error_code": failure and failure.code,
        "error_stage": failure and failure.at_stage,
        "error_message": failure and failure.message,
        **msgspec.structs.asdict(exchange.timings),
    }


def _header(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _record(record: Record) -> dict[str, Any]:
    """The main fields; all of them are in the record stream."""
    fields: dict[str, Any] = {"type": record.type}
    if isinstance(record, UrlRecord):
        fields["url"] = record.url
    if isinstance(record, FetchRecord):
        fields |= {"status": record.status, "fetch_ms": record.fetch_ms}
        fields |= {"body_bytes": record.body_bytes, "changed": record.changed}
    elif isinstance(record, ErrorRecord):
        fields |= {
            "error_code": record.error_code,
            "error_message": record.error_message,
        }
    elif isinstance(record, SkipRecord):
        fields |= {"reason": record.reason, "rule": record.rule}
    return fields


class JsonView:
    """A view whose updates and messages are events of the log; `-q` drops updates."""

    def __init__(self, log: JsonLog, *, quiet: bool) -> None:
        self.interval_s = LINE_INTERVAL_S
        self._log = log
        self._quiet = quiet

    def update(self, snapshot: Snapshot) -> None:
        if not self._quiet and snapshot.elapsed_s >= self.interval_s:
            self._log.progress(snapshot)

    def message(self, text: str) -> None:
        self._log.message(text)

    def write(self, lines: list[str]) -> None:
        for line in lines:
            self._log.message(line)

    def stopping(self) -> None:
        self._log.message(STOPPING)

    def close(self) -> None:
        """Nothing to do: there is nothing on the screen."""


def to_stream(stream: TextIO) -> Write:
    """A function that writes lines to `stream` at once.

    Controls are escaped on a terminal, as JSON does not demand of all of them.
    """
    show: Callable[[str], str] = escape_controls if stream.isatty() else str

    def write(lines: list[str]) -> None:
        stream.write("".join(f"{show(line)}\n" for line in lines))
        stream.flush()

    return write


class LogFile:
    """Appends lines to the file at `path`, also after that was moved and `reopen`.

    Each call is one write, so that several programs can share the file. Opening and
    writing raise OutputError where they fail.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = self._open()

    def reopen(self) -> None:
        """Write to the file that has the path now; it is created if need be.

        Raises OutputError if it can't be opened; then the old one stays open.
        """
        old, self._fd = self._fd, self._open()
        os.close(old)

    def _open(self) -> int:
        try:
            return open_for_appending(Path(self._path), 0o666)
        except OSError as error:
            raise self._refused(error) from error

    def __call__(self, lines: list[str]) -> None:
        data = "".join(f"{line}\n" for line in lines).encode(
            "utf-8", "backslashreplace"
        )
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            raise self._refused(error) from error

    def close(self) -> None:
        os.close(self._fd)

    def _refused(self, error: OSError) -> OutputError:
        if error.errno == errno.ELOOP:
            return refused(error, f"--log-file {self._path}")
        return OutputError(f"--log-file {self._path}: {error.strerror or error}")
