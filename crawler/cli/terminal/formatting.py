"""The figures of a running crawl as text, the same in every view and log."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from crawler.engine.stats import Snapshot
from crawler.model.host import SILENT_S, Waiting, Waits
from crawler.model.record_base import FetchRecord, Record, UrlRecord
from crawler.model.records import ErrorRecord, RedirectRecord, SkipRecord
from crawler.model.units import counted, show_bytes, show_seconds

LINE_INTERVAL_S = 10.0
"""Between two status lines, where nothing can be drawn."""

MAX_GROUPS = 5
"""Causes that are named; the others are counted."""
_NEAR_S = 120.0

STOPPING = (
    "stopping: waiting for the requests under way; "
    "Ctrl-C again stops at once, nothing is lost"
)


def name_files(files: Sequence[Path]) -> str:
    """One file, or the first and the last of the parts of a stream."""
    last = f" to {files[-1].name}" if len(files) > 1 else ""
    return f"{files[0]}{last}"


def status_line(snapshot: Snapshot) -> str:
    """A crawl's progress in one line."""
    parts = [
        show_seconds(snapshot.elapsed_s),
        *(f"{name} {number:,}" for name, number in tallies(snapshot)),
        f"{snapshot.pages_per_s:.1f} pages/s",
        f"{show_bytes(snapshot.bytes_per_s)}/s",
    ]
    if bound := time_bound(snapshot.waits):
        parts.append(bound)
    if snapshot.draining:
        parts.append("stopping")
    if waits := waiting_text(snapshot.waits, time.time()):
        parts.append(f"waiting: {waits}")
    return "  ".join(parts)


def time_bound(waits: Waits) -> str:
    """The bound on the time left, and what sets it; "" if there is none.

    It is the least time of the queues, or, where that is longer or not known, the time
    until `limits.max_time` stops the run.
    """
    if waits.stops_in_s is not None and not 0 < waits.least_s < waits.stops_in_s:
        return f"at most {show_seconds(waits.stops_in_s)} left by --max-time"
    if not waits.least_s:
        return ""
    host = f" for {waits.slowest_host}" if waits.slowest_host else ""
    return f"at least {show_seconds(waits.least_s)} left{host}"


def estimate(waits: Waits, about_s: float | None) -> float | None:
    """The time left (seconds), of which `about_s` is that at the rate of the past.

    It is not less than the bound. None: hosts fail or refuse, so that it is unknown, or
    `limits.max_time` stops the run before.
    """
    if about_s is None or not waits.is_predictable:
        return None
    about_s = max(about_s, waits.least_s)
    if waits.stops_in_s is not None and about_s >= waits.stops_in_s:
        return None
    return about_s


def waiting_text(waits: Waits, now: float) -> str:
    """What a crawl waits for, and until when; empty if that is nothing.

    `now`: seconds since the epoch, by the clock of the user.
    """
    parts = [_group_text(group, now) for group in waits.groups[:MAX_GROUPS]]
    if more := waits.groups[MAX_GROUPS:]:
        hosts = sum(group.hosts for group in more)
        urls = sum(group.urls for group in more)
        parts.append(f"{counted(hosts, 'host')} and {counted(urls, 'URL')} more")
    if waits.oldest_request_s >= SILENT_S:
        silent = show_seconds(waits.oldest_request_s)
        whose = f" ({waits.silent_host})" if waits.silent_host else ""
        parts.append(f"no answer to a request for {silent}{whose}")
    return "; ".join(parts)


def _group_text(group: Waiting, now: float) -> str:
    due = f"next in {show_seconds(group.due_s)}"
    if group.state == "retry":
        after = f" after {group.cause}" if group.cause else ""
        return f"{counted(group.urls, 'URL')} to try again{after}, {due}"
    hosts = counted(group.hosts, "host")
    if group.state == "parked":
        return f"{hosts} parked after {group.cause} until {_moment(group.due_s, now)}"
    if group.state == "backing off":
        return f"{hosts} backing off after {group.cause}, {due}"
    if group.state == "slowed down":
        return f"{hosts} slowed down after {group.cause}, {due}"
    return f"{hosts} between two requests ({group.cause or 'wait'}), {due}"


def _moment(due_s: float, now: float) -> str:
    """The time of day, with seconds if it is near, or the date if it is another."""
    at = time.localtime(now + due_s)
    if due_s < _NEAR_S:
        return time.strftime("%H:%M:%S", at)
    same_day = at[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M" if same_day else "%Y-%m-%d %H:%M", at)


def record_line(record: Record) -> str:
    """One record, as a line of `-v`."""
    url = record.url if isinstance(record, UrlRecord) else ""
    if isinstance(record, ErrorRecord):
        return f"{record.type:<8}  {record.error_code}  {url}  {record.error_message}"
    if isinstance(record, SkipRecord):
        return f"{record.type:<8}  {record.reason}  {url}  {record.rule}"
    if not isinstance(record, FetchRecord):
        return f"{record.type:<8}  {url}"
    start = f"{record.type:<8}  {record.status}  {record.fetch_ms or 0:>5} ms  {url}"
    if isinstance(record, RedirectRecord):
        return f"{start}  -> {record.location}"
    return f"{start}  {show_bytes(record.body_bytes)}"


def tallies(snapshot: Snapshot) -> list[tuple[str, int]]:
    """Names and numbers; files and redirects only where there are any."""
    rows = [
        ("pages", snapshot.pages),
        ("images", snapshot.images),
        ("files", snapshot.files),
        ("redirects", snapshot.redirects),
        ("errors", snapshot.errors),
        ("skipped", snapshot.skipped),
        ("queued", snapshot.queued),
        ("in flight", snapshot.in_flight),
    ]
    return [(name, n) for name, n in rows if n or name not in ("files", "redirects")]


class Forecast:
    """The time until the queue is empty [s]; None as long as it cannot be estimated.

    A crawl finds links while it works, so the length of its queue divided by its speed
    is wrong as long as the queue grows. The estimate needs a queue that has shrunk over
    the last `window_s` seconds, and divides its length by the rate of shrinking.
    """

    def __init__(self, window_s: float = 20.0) -> None:
        self._window_s = window_s
        self._seen: deque[tuple[float, int]] = deque()

    def update(self, snapshot: Snapshot) -> float | None:
        """Add a snapshot; the time left as of it [s]."""
        waiting = snapshot.queued + snapshot.in_flight + snapshot.unwritten
        now = snapshot.elapsed_s
        seen = self._seen
        seen.append((now, waiting))
        while len(seen) > 1 and seen[1][0] <= now - self._window_s:
            seen.popleft()
        then, before = seen[0]
        span, shrunk = now - then, before - waiting
        if span < self._window_s / 2 or shrunk <= 0 or waiting == 0:
            return None
        return waiting * span / shrunk


def printable(text: str) -> str:
    """`text` with each control character replaced by a question mark.

    An escape sequence of a server thus cannot control the terminal.
    """
    return "".join(char if char.isprintable() else "?" for char in text)


def terminal_width() -> int | None:
    """The columns of the terminal that stdout is; None if it is none."""
    if not sys.stdout.isatty():
        return None
    from shutil import get_terminal_size

    return get_terminal_size().columns


def echo_json(value: object) -> None:
    """Print `value` as a line of JSON; controls are escaped on a terminal."""
    data = msgspec.json.encode(value)
    if sys.stdout.isatty():
        from crawler.model.controls import escape_controls

        data = escape_controls(data.decode()).encode()
    click.echo(data)
