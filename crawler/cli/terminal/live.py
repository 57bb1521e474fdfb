"""The live view of a crawl on a terminal, drawn with rich; it erases itself at the end.

URLs and the messages of servers are untrusted text, so all text is drawn by `Text`
objects without markup and without control characters.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TextIO

from msgspec.structs import replace
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from crawler.cli.terminal.formatting import (
    STOPPING,
    Forecast,
    estimate,
    printable,
    tallies,
    time_bound,
    waiting_text,
)
from crawler.engine.stats import Snapshot
from crawler.model.units import show_bytes, show_seconds

LIVE_INTERVAL_S = 0.25

_STYLES = {"errors": "red", "skipped": "yellow", "queued": "cyan", "in flight": "cyan"}


class LiveView:
    """Redraws itself in place, 4 times a second."""

    interval_s = LIVE_INTERVAL_S

    def __init__(self, stream: TextIO, title: str, *, colour: bool) -> None:
        self._title = title
        self._forecast = Forecast()
        self._console = Console(file=stream, no_color=not colour, highlight=False)
        # auto_refresh would start a thread; redirecting would put our data on stderr.
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def update(self, snapshot: Snapshot) -> None:
        if not self._live.is_started:
            self._live.start()
        picture = draw(self._title, snapshot, self._forecast.update(snapshot))
        self._live.update(picture, refresh=True)

    def message(self, text: str) -> None:
        self.write([printable(text)])

    def write(self, lines: list[str]) -> None:
        self._console.print(Text("\n".join(lines)), soft_wrap=True)

    def stopping(self) -> None:
        """Nothing to do: the next picture shows it."""

    def close(self) -> None:
        self._live.stop()


def draw(title: str, snapshot: Snapshot, seconds_left: float | None) -> RenderableType:
    """The picture of one snapshot; it is as high as the terminal at most."""
    return _Picture(title, snapshot, seconds_left)


class _Picture:
    """Lines that are always shown, and as many rows of tables as there is room for.

    The errors and the hosts get two rows first, then the hosts get what they can use,
    then the errors and the URLs.
    """

    def __init__(
        self, title: str, snapshot: Snapshot, seconds_left: float | None
    ) -> None:
        self._title = title
        self._snapshot = snapshot
        self._seconds_left = seconds_left

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        snapshot = self._snapshot
        fixed: list[RenderableType] = [
            _head(self._title, snapshot, self._seconds_left, options.max_width),
            _bar(snapshot),
            _Numbers(snapshot),
        ]
        foot = _foot(snapshot)
        if waits := _waits(snapshot):
            lines = console.render_lines(Group(*fixed, foot), options, pad=False)
            room = max(1, console.height - len(lines))
            fixed += waits.wrap(console, options.max_width)[:room]
        lines = console.render_lines(Group(*fixed, foot), options, pad=False)
        hosts, urls, errors = _share(console.height - len(lines), snapshot)
        yield from fixed
        if hosts:
            yield from (Text(), _hosts(snapshot, hosts))
        if urls:
            yield from (Text(), _urls(snapshot.last_urls[-urls:]))
        if errors:
            yield from (Text(), _errors(snapshot.last_errors[-errors:]))
        yield foot


NARROW = 70
"""Columns below which the rates are left out."""
FEW_ROWS = 2
"""Rows that each table gets before another one gets more."""


def _share(room: int, snapshot: Snapshot) -> tuple[int, int, int]:
    """How many hosts, URLs and errors are shown in so many lines."""
    wanted = {
        "hosts": len(snapshot.hosts_top) if snapshot.hosts > 1 else 0,
        "errors": len(snapshot.last_errors),
        "urls": len(snapshot.last_urls),
    }
    above = {"hosts": 2, "errors": 1, "urls": 1}  # an empty line, and a heading
    rows = dict.fromkeys(wanted, 0)
    for most in (FEW_ROWS, room):
        for name in wanted:
            needs = 0 if rows[name] else above[name]
            more = min(wanted[name], most) - rows[name]
            more = min(more, room - needs)
            if more > 0:
                rows[name] += more
                room -= more + needs
    return rows["hosts"], rows["urls"], rows["errors"]


def _waits(snapshot: Snapshot) -> Text | None:
    """What is waited for; it may take more than one line."""
    text = waiting_text(snapshot.waits, time.time())
    return Text("waiting  ", style="dim").append(text, style="yellow") if text else None


def _head(
    title: str, snapshot: Snapshot, seconds_left: float | None, width: int
) -> Table:
    speed = Text(style="dim")
    if width >= NARROW:
        speed.append(f"{snapshot.pages_per_s:.1f} pages/s  ")
        speed.append(f"{show_bytes(snapshot.bytes_per_s)}/s  ")
    speed.append(show_seconds(snapshot.elapsed_s), style="bold not dim")
    about_s = estimate(snapshot.waits, seconds_left)
    if about_s is not None and about_s > snapshot.waits.least_s:
        speed.append(f"  about {show_seconds(about_s)} left")
    elif bound := time_bound(replace(snapshot.waits, slowest_host="")):
        speed.append(f"  {bound}")
    row = Table.grid(expand=True, padding=(0, 2, 0, 0))
    row.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    row.add_column(justify="right", no_wrap=True)
    name = Text("orbweb ", style="bold magenta").append(printable(title), style="bold")
    row.add_row(name, speed)
    return row


def _bar(snapshot: Snapshot) -> Table:
    """The share of the known URLs that are done; it may shrink as URLs are found."""
    done = sum(
        n for name, n in tallies(snapshot) if name not in ("queued", "in flight")
    )
    known = done + snapshot.queued + snapshot.in_flight + snapshot.unwritten
    row = Table.grid(expand=True, padding=(0, 2, 0, 0))
    row.add_column(ratio=1)
    row.add_column(no_wrap=True)
    share = Text(f"{done:,} of {known:,} known", style="dim")
    row.add_row(ProgressBar(total=max(known, 1), completed=done), share)
    return row


class _Numbers:
    """Pairs of name and number; a line is broken between two pairs only."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._pairs = [
            Text(f"{name} ", style="dim").append(
                f"{number:,}", style=_STYLES.get(name, "green") if number else ""
            )
            for name, number in tallies(snapshot)
        ]
        self._pairs.append(
            Text("received ", style="dim").append(show_bytes(snapshot.bytes))
        )

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> RenderResult:
        line = Text()
        for pair in self._pairs:
            if line and len(line) + len(pair) > options.max_width:
                yield line
                line = Text()
            line.append_text(pair).append("   ")
        yield line


def _hosts(snapshot: Snapshot, rows: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(
        "host" if snapshot.hosts == 1 else f"hosts ({snapshot.hosts:,})",
        max_width=40,
        no_wrap=True,
    )
    for name in ("done", "queued", "in flight"):
        table.add_column(name, justify="right", min_width=6, no_wrap=True)
    for host, done, queued, in_flight in snapshot.hosts_top[:rows]:
        shown = Text(printable(host), no_wrap=True, overflow="ellipsis")
        busy = Text(f"{in_flight:,}", style="cyan" if in_flight else "dim")
        table.add_row(shown, f"{done:,}", f"{queued:,}", busy)
    return table


def _urls(urls: Sequence[tuple[str, str]]) -> Table:
    table = _one_line_rows()
    for kind, url in urls:
        table.add_row(Text(kind, style="green"), Text(printable(url)))
    return table


def _errors(errors: Sequence[tuple[str, str, str]]) -> Table:
    table = _one_line_rows()
    for url, code, message in errors:
        # What failed is the host; that its robots.txt is asked for first says nothing.
        message = message.removeprefix("robots.txt: ")
        text = Text(printable(url)).append(f"  {printable(message)}", style="dim")
        table.add_row(Text(code, style="red"), text)
    return table


def _one_line_rows() -> Table:
    """A table of two columns; the second is cut at the edge of the terminal."""
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(no_wrap=True, min_width=10)
    table.add_column(no_wrap=True, ratio=1, overflow="ellipsis")
    return table


def _foot(snapshot: Snapshot) -> Text:
    if snapshot.draining:
        return Text(STOPPING, style="bold yellow")
    return Text("Ctrl-C stops the crawl, and shows what continues it", style="dim")
