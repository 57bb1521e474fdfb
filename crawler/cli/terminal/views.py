"""How a running crawl looks: on a terminal a live view, elsewhere one plain line every
10 seconds.

Both draw a `Snapshot` to stderr and own no data. `follow` is the greenlet that feeds
them; there is no thread, so a view never sees a half-counted crawl.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TextIO

import hub
from crawler.cli.terminal.formatting import (
    LINE_INTERVAL_S,
    STOPPING,
    printable,
    status_line,
)
from crawler.engine.stats import Snapshot


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
    stream: TextIO,
    title: str,
    environ: Mapping[str, str],
    *,
    quiet: bool,
    shared: bool = False,
) -> View:
    """The view that suits the stream. `shared`: data is written to the same
    terminal."""
    if quiet:
        return NoView(stream)
    if shared or not stream.isatty() or environ.get("TERM", "dumb") == "dumb":
        return LineView(stream, title)
    from crawler.cli.terminal.live import (
        LiveView,  # rich costs 60 ms: only who sees it pays
    )

    return LiveView(stream, title, colour=not environ.get("NO_COLOR"))


def follow(view: View, snapshot: Callable[[], Snapshot]) -> None:
    """Feed the view for ever; to be run in a greenlet of its own, and killed."""
    while True:
        view.update(snapshot())
        hub.sleep(view.interval_s)
