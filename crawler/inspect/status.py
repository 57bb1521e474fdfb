"""How far a crawl is, from its state.

The crawl may be running: its last commit is seen. URLs that are being fetched at this
moment count as queued.
"""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Literal

from msgspec import Struct
from msgspec.structs import asdict, replace

from crawler.frontier.silent_hosts import read_silent_hosts
from crawler.frontier.sqlite.lockfile import lock_holder
from crawler.frontier.state_reader import HostInfo, StateReader, Totals
from crawler.frontier.throttle import Controller
from crawler.frontier.waits import (
    SLOWEST,
    UNLIMITED,
    HostGroup,
    group_waits,
    slowest_of,
    waits_of,
)
from crawler.inspect.state import open_states
from crawler.model.config import Config, from_json
from crawler.model.host import Waits
from crawler.model.metadata import (
    EXTERNAL,
    ITEMS,
    LEFT_OUT,
    NEEDS_JAVASCRIPT,
    Runs,
    clock_shift,
    read_number,
    read_runs,
    saved_at,
)
from crawler.policy.quotas import time_left

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
    items: int
    """`item` records, as in the Summary of a run."""
    left_out: dict[str, int]
    """In how many documents a limit has left something out, by what that is."""
    needs_javascript: int
    """How many of the pages are empty shells without JavaScript."""
    waits: Waits
    """What is waited for, and the bound on the time left, as the view shows them."""
    pid: int | None
    """The process that is crawling now; 0 if it is unknown which."""
    parked: tuple[HostGroup, ...]
    """Hosts that are parked, by cause, in a crawl that no process works on.

    The times of some may be over: the next run tries them all again.
    """
    runs: Runs | None
    """None in the state of a program that did not note them."""
    saved_at: float | None
    """The last commit, seconds since the epoch; None in an old state."""
    over_limit: int
    """Pages in the queue that the limit of pages keeps from being fetched."""

    @property
    def last_run_s(self) -> float | None:
        """How long the last run took, or has taken until now (seconds)."""
        if self.runs is None or self.saved_at is None:
            return None
        return max(0.0, self.saved_at - self.runs.started)

    @property
    def all_runs_s(self) -> float | None:
        """How long all runs took together (seconds)."""
        if self.runs is None or self.last_run_s is None:
            return None
        return self.runs.seconds_before + self.last_run_s

    @property
    def state(self) -> Literal["running", "stopped", "finished"]:
        if self.pid is not None:
            return "running"
        return "stopped" if self.counts["queued"] else "finished"


def list_cut(folder: str) -> str:
    """The command that lists the documents of which a limit has left something out.

    The records of earlier crawls in the same files are left out.
    """
    columns = "--latest -t csv --columns url,left_out --where \"left_out != '[]'\""
    return f"orbweb export {shlex.quote(folder)} {columns}"


def read_status(folder: Path, now: float | None = None) -> Status | None:
    """The status of the state in `folder`; None if its crawl never began.

    `now`: seconds since the epoch by the system's clock, if that is known. Raises
    StateError.
    """
    with open_states(folder) as state:
        return status_of(state, lock_holder(folder), now=now)


def status_of(
    state: StateReader,
    pid: int | None,
    hosts: int = TOP_HOSTS,
    now: float | None = None,
) -> Status | None:
    """The status of an open state whose lock the process `pid` holds.

    `hosts`: how many of those with work are named. None if the crawl never began.
    """
    totals = state.totals()
    if totals is None:
        return None
    config = from_json(totals.run.config.encode())
    left = pages_left(config, totals.counts["page"])
    wall = time.time() if now is None else now
    now = wall - clock_shift(state, wall)
    runs = read_runs(state)
    return Status(
        **asdict(totals),
        hosts_waiting=tuple(map(_waiting_host, state.busiest(hosts))),
        waits=replace(
            _waits(state, config, left, pid, now),
            stops_in_s=(
                time_left(config.limits, runs.started, wall)
                if pid is not None and runs is not None
                else None
            ),
        ),
        external=read_number(state, EXTERNAL, "urls"),
        broken_external=read_number(state, EXTERNAL, "broken"),
        external_not_checked=read_number(state, EXTERNAL, "not checked"),
        items=read_number(state, ITEMS, "items"),
        left_out={one: int(number) for one, number in state.items(LEFT_OUT)},
        needs_javascript=read_number(state, NEEDS_JAVASCRIPT, "pages"),
        pid=pid,
        parked=() if pid is not None else parked_hosts(state),
        runs=runs,
        saved_at=saved_at(state),
        over_limit=max(0, totals.counts["queued"] - totals.queued_images - left),
    )


def _waits(
    state: StateReader, config: Config, left: int, pid: int | None, now: float
) -> Waits:
    """The same as `Frontier.waits`; `left`: the pages that the limit still allows."""
    silent = read_silent_hosts(state)[:1] if pid is not None else []
    return waits_of(
        group_waits(state.host_groups(now), state.retry_counts(now), now),
        slowest_of(
            state.slowest_hosts(config.politeness, left, SLOWEST),
            Controller(config.politeness),
            left,
        ),
        [(one.name, now - one.since) for one in silent],
        config.politeness.max_park_wait if left else None,
    )


def parked_hosts(state: StateReader) -> tuple[HostGroup, ...]:
    """The parked hosts with work, by cause, whether or not they are due."""
    groups = [group for group in state.host_groups(0.0) if group.parked]
    return tuple(sorted(groups, key=lambda group: (-group.hosts, group.cause)))


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
