"""How a running crawl looks: on a terminal a live view, elsewhere one plain line every 10 seconds.

Both draw a `Snapshot` to stderr and own no data. `follow` is the greenlet that feeds them; there
is no thread, so a view never sees a half-counted crawl.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol, TextIO

import hub
from crawler.quantities import show_bytes, show_seconds
from crawler.schema import ErrorRecord, FetchRecord, Record, RedirectRecord, SkipRecord, UrlRecord
from crawler.stats import Snapshot

LIVE_INTERVAL_S = 0.25
LINE_INTERVAL_S = 10.0

STOPPING = "stopping: finishing what is under way; Ctrl-C again stops at once, nothing is lost"


class View(Protocol):
    """Draws snapshots, one every `interval_s` seconds."""

    interval_s: float

    def update(self, snapshot: Snapshot) -> None: ...

    def say(self, text: str) -> None:
        """One line of text for the user, at once."""
        ...

    def write(self, lines: list[str]) -> None:
        """Printable lines that belong together, at once."""
        ...

    def stopping(self) -> None:
        """The user wants an end, and what is under way is being finished."""
        ...

    def close(self) -> None:
        """Take away what should not stay on the screen. `say` still works."""
        ...


class NoView:
    """Draws nothing (`-q`); what must be said is said all the same."""

    interval_s = LINE_INTERVAL_S

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def update(self, snapshot: Snapshot) -> None:
        pass

    def say(self, text: str) -> None:
        self.write([printable(text)])

    def write(self, lines: list[str]) -> None:
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()

    def stopping(self) -> None:
        self.say(f"orbweb: {STOPPING}")

    def close(self) -> None:
        pass


class LineView(NoView):
    """A status line at each update: for logs, pipes and plain terminals."""

    def __init__(self, stream: TextIO, title: str) -> None:
        super().__init__(stream)
        self._title = title

    def update(self, snapshot: Snapshot) -> None:
        if snapshot.elapsed_s >= self.interval_s:  # what ends sooner speaks for itself
            self.say(f"{self._title}: {status_line(snapshot)}")


def choose_view(
    stream: TextIO, title: str, environ: Mapping[str, str], *, quiet: bool, shared: bool = False
) -> View:
    """The view that suits the stream. `shared`: data is written to the same terminal."""
    if quiet:
        return NoView(stream)
    if shared or not stream.isatty() or environ.get("TERM", "dumb") == "dumb":
        return LineView(stream, title)
    from crawler.progress_live import LiveView  # rich costs 60 ms: only who sees it pays

    return LiveView(stream, title, colour=not environ.get("NO_COLOR"))


def follow(view: View, snapshot: Callable[[], Snapshot]) -> None:
    """Feed the view for ever; to be run in a greenlet of its own, and killed."""
    while True:
        view.update(snapshot())
        hub.sleep(view.interval_s)


def status_line(snapshot: Snapshot) -> str:
    """All that matters of a crawl, in one line."""
    parts = [
        show_seconds(snapshot.elapsed_s),
        *(f"{name} {number:,}" for name, number in tallies(snapshot)),
        f"{snapshot.pages_per_s:.1f} pages/s",
        f"{show_bytes(snapshot.bytes_per_s)}/s",
    ]
    if snapshot.draining:
        parts.append("stopping")
    return "  ".join(parts)


def record_line(record: Record) -> str:
    """What became of one URL, for `-v`."""
    url = record.url if isinstance(record, UrlRecord) else ""
    if isinstance(record, ErrorRecord):
        return f"{record.type:<8}  {record.error_code}  {url}  {record.error_message}"
    if isinstance(record, SkipRecord):
        return f"{record.type:<8}  {record.reason}  {url}  {record.rule}"
    if not isinstance(record, FetchRecord):
        return f"{record.type:<8}  {url}"
    told = f"{record.type:<8}  {record.status}  {record.fetch_ms:>5} ms  {url}"
    if isinstance(record, RedirectRecord):
        return f"{told}  -> {record.location}"
    return f"{told}  {show_bytes(record.body_bytes)}"


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
        ("in flight", snapshot.leased),
    ]
    return [(name, n) for name, n in rows if n or name not in ("files", "redirects")]


class Forecast:
    """How long until the queue is empty; None where nobody can say.

    A crawl finds links while it works, so the length of its queue divided by its speed is a lie as
    long as the queue grows. Here the queue must have shrunk over the last 20 s; then the speed of
    its shrinking is what counts.
    """

    def __init__(self, window_s: float = 20.0) -> None:
        self._window_s = window_s
        self._seen: deque[tuple[float, int]] = deque()

    def update(self, snapshot: Snapshot) -> float | None:
        """Seconds left, as of this snapshot."""
        now, waiting = snapshot.elapsed_s, snapshot.queued + snapshot.leased
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
    """`text` with control characters, escape sequences among them, as question marks."""
    return "".join(char if char.isprintable() else "?" for char in text)
