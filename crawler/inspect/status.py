"""How far a crawl is, from its state.

The crawl may be running: its last commit is seen. URLs that are being fetched at this
moment count as queued.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict

from crawler.frontier.sqlite.lockfile import lock_holder
from crawler.frontier.state_reader import HostInfo, StateReader, Totals
from crawler.frontier.throttle import Controller
from crawler.frontier.waits import SLOWEST, UNLIMITED, slowest_of
from crawler.inspect.state import open_states
from crawler.model.config import Config, from_json
from crawler.model.metadata import EXTERNAL, NEEDS_JAVASCRIPT

TOP_HOSTS = 10


class WaitingHost(Struct, frozen=True):
    """A host with work: its queued URLs, and when it is due (epoch seconds)."""

    name: str
    pages: int
    images: int
    ready_at: float
    pages_done: int = 0
    """Pages that were fetched of it."""


class Status(Totals, frozen=True, kw_only=True):
    """A crawl as its state tells it."""

    hosts_waiting: tuple[WaitingHost, ...]
    """Those with the longest queues."""
    external: int
    """URLs out of scope that were requested (`scope.check_external`)."""
    broken_external: int
    """How many of these ended as an error."""
    external_not_checked: int
    """Others that were not requested, since their address is not a public one."""
    needs_javascript: int
    """How many of the pages are empty shells without JavaScript."""
    slowest_host: str
    """The host whose queue takes longest at the rate that politeness allows."""
    least_s: float
    """That time (seconds): what is queued takes at least as long. 0 without a delay."""
    pid: int | None
    """The process that is crawling now; 0 if it is unknown which."""
    over_limit: int
    """Pages in the queue that the limit of pages keeps from being fetched."""

    @property
    def state(self) -> Literal["running", "stopped", "finished"]:
        if self.pid is not None:
            return "running"
        return "stopped" if self.counts["queued"] else "finished"


def read_status(folder: Path) -> Status | None:
    """The status of the state in `folder`; None if its crawl never began.

    Raises StateError.
    """
    with open_states(folder) as state:
        return status_of(state, lock_holder(folder))


def status_of(
    state: StateReader, pid: int | None, hosts: int = TOP_HOSTS
) -> Status | None:
    """The status of an open state whose lock the process `pid` holds.

    `hosts`: how many of those with work are named. None if the crawl never began.
    """
    totals = state.totals()
    if totals is None:
        return None
    config = from_json(totals.run.config.encode())
    left = pages_left(config, totals.counts["page"])
    slowest_host, least_s = slowest_of(
        state.slowest_hosts(config.politeness, left, SLOWEST),
        Controller(config.politeness),
        left,
    )
    return Status(
        **asdict(totals),
        hosts_waiting=tuple(map(_waiting_host, state.busiest(hosts))),
        slowest_host=slowest_host,
        least_s=least_s,
        external=int(state.get(EXTERNAL, "urls") or 0),
        broken_external=int(state.get(EXTERNAL, "broken") or 0),
        external_not_checked=int(state.get(EXTERNAL, "not checked") or 0),
        needs_javascript=int(state.get(NEEDS_JAVASCRIPT, "pages") or 0),
        pid=pid,
        over_limit=max(0, totals.counts["queued"] - totals.queued_images - left),
    )


def _waiting_host(host: HostInfo) -> WaitingHost:
    return WaitingHost(
        host.name, host.pages, host.images, host.ready_at, host.usage.pages
    )


def pages_left(config: Config, pages: int) -> int:
    """How many pages the limit still allows, of which there are `pages`."""
    limit = config.limits.max_pages
    return UNLIMITED if limit is None else max(0, limit - pages)


def began_at(run_id: str) -> float:
    """The time in a ULID (seconds since the epoch).

    It is 48 bits of milliseconds in Crockford's base 32.
    """
    number = 0
    for char in run_id[:10].upper():
        number = number * 32 + max(0, "0123456789ABCDEFGHJKMNPQRSTVWXYZ".find(char))
    return number / 1000
