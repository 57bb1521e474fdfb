"""The view of a running crawl: live on a terminal, elsewhere a line every 10 seconds.

Both draw a `Snapshot` to stderr and own no data. `follow` is the greenlet that updates
them; there is no thread, so a view never sees a half-counted crawl.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
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
    """Draws snapshots, one every `interval_s` seconds; none if that is infinite."""

    interval_s: float

    def update(self, snapshot: Snapshot) -> None: ...

    def message(self, text: str) -> None:
        """Show one line of text at once."""
        ...

    def write(self, lines: list[str]) -> None:
        """Show printable lines, together and at once."""
        ...

    def stopping(self) -> None:
        """Show that the crawl stops, and waits for the requests under way."""
        ...

    def close(self) -> None:
        """Erase what should not stay on the screen. `message` still works."""
        ...


class NoView:
    """Draws nothing (`-q`), but shows messages."""

    interval_s = inf

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def update(self, snapshot: Snapshot) -> None:
        pass

    def message(self, text: str) -> None:
        self.write([printable(text)])

    def write(self, lines: list[str]) -> None:
        self._stream.write("".join(f"{line}\n" for line in lines))
        self._stream.flush()

    def stopping(self) -> None:
        self.message(f"orbweb: {STOPPING}")

    def close(self) -> None:
        pass


class LineView(NoView):
    """A status line at each update: for logs, pipes and plain terminals."""

    interval_s = LINE_INTERVAL_S

    def __init__(self, stream: TextIO, title: str) -> None:
        super().__init__(stream)
        self._title = title

    def update(self, snapshot: Snapshot) -> None:
        if snapshot.elapsed_s >= self.interval_s:  # a short crawl shows its result only
            self.message(f"{self._title}: {status_line(snapshot)}")


def choose_view(
    stream: TextIO,
    title: str,
    environ: Mapping[str, str],
    *,
    quiet: bool,
    shared: bool = False,
) -> View:
    """The view for a stream. `shared` means that the same terminal shows records."""
    if quiet:
        return NoView(stream)
    if shared or not stream.isatty() or environ.get("TERM", "dumb") == "dumb":
        return LineView(stream, title)
    # rich takes 60 ms to load, so it is loaded only where it is used.
    from crawler.cli.terminal.live import LiveView

    return LiveView(stream, title, colour=not environ.get("NO_COLOR"))


def follow(view: View, snapshot: Callable[[], Snapshot]) -> None:
    """Update the view for ever; runs in a greenlet of its own until that is killed."""
    while view.interval_s < inf:
        view.update(snapshot())
        hub.sleep(view.interval_s)


class Watched:
    """`with Watched(view, snapshot):` updates the view meanwhile, then closes it."""

    def __init__(self, view: View, snapshot: Callable[[], Snapshot]) -> None:
        self._view = view
        self._snapshot = snapshot

    def __enter__(self) -> None:
        self._greenlet = hub.spawn(follow, self._view, self._snapshot)

    def __exit__(self, *_error: object) -> None:
        self._greenlet.kill()
        self._view.close()
