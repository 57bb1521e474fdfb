"""How far a crawl is, from its state and from the end of its records.

The crawl may be running: its last commit is seen. URLs that are being fetched at this
moment count as queued.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from crawler.frontier.sqlite.lockfile import lock_holder
from crawler.frontier.sqlite.reader import open_state
from crawler.frontier.state_reader import Totals
from crawler.frontier.throttle import Controller
from crawler.frontier.waits import UNLIMITED, slowest_of
from crawler.model.config import Config, from_json
from crawler.model.metadata import NEEDS_JAVASCRIPT
from crawler.output.stored_lines import last_lines

TOP_HOSTS = 10

_TAIL = 512 * 1024
_RATE_WINDOW_S = 10.0


class WaitingHost(Struct, frozen=True):
    """A host with work: its queued URLs, and when it is due (epoch seconds)."""

    name: str
    pages: int
    images: int
    ready_at: float


class Status(Totals, frozen=True, kw_only=True):
    """A crawl as its state tells it."""

    hosts_waiting: tuple[WaitingHost, ...]
    """Those with the longest queues."""
    needs_javascript: int
    """How many of the pages are empty shells without JavaScript."""
    slowest_host: str
    """The host whose queue takes longest at the rate that politeness allows."""
    least_s: float
    """That time (seconds): what is queued takes at least as long. 0 without a delay."""
    pid: int | None
    """The process that is crawling now; 0 if it is unknown which."""

    @property
    def state(self) -> Literal["running", "stopped", "finished"]:
        if self.pid is not None:
            return "running"
        return "stopped" if self.counts["queued"] else "finished"


def read_status(folder: Path) -> Status | None:
    """The status of the state in `folder`; None if its crawl never began.

    Raises StateError.
    """
    with open_state(folder) as state:
        totals = state.totals()
        if totals is None:
            return None
        hosts = [
            WaitingHost(host.name, host.pages, host.images, host.ready_at)
            for host in state.busiest(TOP_HOSTS)
        ]
        config = from_json(totals.run.config.encode())
        left = pages_left(config, totals.counts["page"])
        slowest_host, least_s = slowest_of(
            state.slowest_hosts(config.politeness, left, 1),
            Controller(config.politeness),
            left,
        )
        return Status(
            **asdict(totals),
            hosts_waiting=tuple(hosts),
            slowest_host=slowest_host,
            least_s=least_s,
            needs_javascript=int(state.get(NEEDS_JAVASCRIPT, "pages") or 0),
            pid=lock_holder(folder),
        )


def pages_left(config: Config, pages: int) -> int:
    """How many pages the limit still allows, of which there are `pages`."""
    limit = config.limits.max_pages
    return UNLIMITED if limit is None else max(0, limit - pages)


class Speed(Struct, frozen=True):
    """What the end of the records tells about the last ten seconds of writing."""

    last_at: float
    """Time of the last record, epoch seconds."""
    pages_per_s: float
    urls_per_s: float


class _Line(Struct):
    type: str
    ts: str


def read_speed(path: Path) -> Speed | None:
    """From the last records of a file of JSON Lines; None where there are too few."""
    lines = last_lines(path, _TAIL).split(b"\n")
    decode = msgspec.json.Decoder(_Line).decode
    found: list[tuple[float, str]] = []
    for line in lines:
        try:
            record = decode(line)
            found.append((datetime.fromisoformat(record.ts).timestamp(), record.type))
        except (msgspec.DecodeError, ValueError):
            continue  # the first line may be cut, the last one half-written
    return _speed([(at, kind) for at, kind in found if kind != "run"])


def _speed(records: list[tuple[float, str]]) -> Speed | None:
    if not records:
        return None
    last = records[-1][0]
    recent = [(at, kind) for at, kind in records if at > last - _RATE_WINDOW_S]
    span = last - recent[0][0]
    if span < 1:
        return Speed(last, 0.0, 0.0)
    pages = sum(kind == "page" for _, kind in recent)
    return Speed(last, pages / span, len(recent) / span)


def began_at(run_id: str) -> float:
    """The time in a ULID (seconds since the epoch).

    It is 48 bits of milliseconds in Crockford's base 32.
    """
    number = 0
    for char in run_id[:10].upper():
        number = number * 32 + max(0, "0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(char))
    return number / 1000
