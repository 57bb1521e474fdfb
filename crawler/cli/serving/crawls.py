"""The crawls that are served, as their states tell them: read at most once a second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from crawler.cli.commands.status import recent_files
from crawler.cli.failed_crawl import failure_of_crawl
from crawler.frontier.sqlite.database import STATE_FOLDER, holds_crawl
from crawler.frontier.sqlite.lockfile import lock_holder
from crawler.inspect.recent import Recent, read_recent
from crawler.inspect.requests import request_counts
from crawler.inspect.state import open_state
from crawler.inspect.status import Status, status_of
from crawler.model.errors import Stop, UsageError
from crawler.model.host import Waits
from crawler.model.metadata import clock_shift, saved_at

MIN_AGE_S = 1.0
"""What was read is served for so long (seconds)."""
AGE_PER_COST = 20.0
"""And for so many times as long as the reading took."""
MAX_CRAWLS = 500
"""Crawls that are looked for below one folder."""
MAX_HOSTS = 40
"""Hosts with work that are read of a crawl."""


class CrawlView(Struct, frozen=True):
    """A crawl at one moment."""

    name: str
    """Its folder, as it was given or found below one that was given."""
    at: float
    """Seconds since the epoch, by the clock of the crawl."""
    status: Status
    waits: Waits
    requests: dict[str, int]
    """Requests by status or `error_code`."""
    saved_at: float | None
    """The last commit, seconds since the epoch; None in an old state."""
    failure: str
    """How a crawl that is over has failed; "" if it has not."""
    recent: Recent | None
    """None if its records are in no file."""


class NoCrawl(Struct, frozen=True):
    """A folder without a crawl that can be read, and why."""

    name: str
    state: Literal["no crawl", "unreadable"]
    message: str


Served = CrawlView | NoCrawl


class Crawls:
    """The crawls in `folders`.

    One that holds no crawl itself stands for those in the folders below it, so that the
    crawls of a batch, and those that begin later, are served as well. `clock`: seconds,
    to measure with.
    """

    def __init__(
        self, folders: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folders = folders
        self._clock = clock
        self._read: dict[str, tuple[float, Served]] = {}
        """By name: until when it is served, and what was read."""

    def names(self) -> list[str]:
        """The folders that are served now, each once."""
        found: dict[str, str] = {}
        for folder in self._folders:
            for name in islice(_names_in(folder), MAX_CRAWLS):
                found.setdefault(os.path.realpath(name), name)
        return list(found.values())

    def all(self) -> list[Served]:
        """Each of them, as of a moment ago."""
        names = self.names()
        self._read = {name: self._read[name] for name in names if name in self._read}
        return [self._at_most_old(name) for name in names]

    def get(self, name: str) -> Served | None:
        """The crawl of that name; None if it is not served."""
        return self._at_most_old(name) if name in self.names() else None

    def _at_most_old(self, name: str) -> Served:
        began = self._clock()
        until, served = self._read.get(name, (began, None))
        if served is None or began >= until:
            served = _read(name)
            now = self._clock()
            age = max(MIN_AGE_S, AGE_PER_COST * (now - began))
            self._read[name] = now + age, served
        return served


def _names_in(folder: str) -> Iterator[str]:
    """The folder itself, or those below it that hold a crawl."""
    below = [] if holds_crawl(folder) else sorted(_children(folder))
    yield from below or [folder]


def _children(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            paths = [os.path.normpath(entry.path) for entry in entries]
    except OSError:
        return
    yield from filter(holds_crawl, paths)


def _read(name: str) -> Served:
    folder = Path(name)
    try:
        with open_state(folder) as (state, _config):
            now = time.time()
            now -= clock_shift(state, now)
            status = status_of(state, lock_holder(folder / STATE_FOLDER), MAX_HOSTS)
            assert status is not None  # `open_state` yields a crawl that has begun
            return CrawlView(
                name,
                now,
                status,
                status.waits,
                request_counts(state),
                saved_at(state),
                failure_of_crawl(name, status),
                _recent(folder, status),
            )
    except UsageError as error:
        return NoCrawl(name, "no crawl", str(error))
    except Stop as stop:
        return NoCrawl(name, "unreadable", str(stop))
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        return NoCrawl(name, "unreadable", f"{name} can't be read: {error}")


def _recent(folder: Path, status: Status) -> Recent | None:
    files = recent_files(folder, status)
    try:
        return read_recent(*files) if files else None
    except OSError:  # it was moved away just now
        return None
