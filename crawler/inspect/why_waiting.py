"""Why a crawl is not finished: what its queued URLs wait for, and how many wait for it.

URLs wait for a time (a retry, a host that is backing off or parked, the interval
between two requests), for a limit to be raised, or for a process to work on them. What
was skipped or failed for good is not waited for, and is counted last: it is why a
finished crawl is smaller than expected.

While a process works, each queued URL is in one line: what the lines of hosts and
retries leave over is in a last one. A limit holds URLs that may wait for a host, too.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from crawler.frontier.silent_hosts import read_silent_hosts
from crawler.frontier.state_reader import HostInfo, StateReader
from crawler.frontier.throttle import Controller, HostThrottle
from crawler.frontier.waits import (
    SLOWEST,
    SOON_S,
    UNLIMITED,
    HostGroup,
    HostWork,
    cause_of,
    cause_of_url,
)
from crawler.inspect.next_command import next_command, used_by_all
from crawler.inspect.status import Status, pages_left
from crawler.model.config import Config
from crawler.model.host import WaitState
from crawler.model.policy_config import PolitenessConfig
from crawler.model.units import counted, exact_bytes, show_moment, show_seconds
from crawler.policy.quotas import is_reached

TOP = 5
"""Lines of each kind."""
NAMES = 3
"""Hosts named in a line."""

_PAUSED: dict[WaitState, str] = {
    "parked": "parked after it",
    "backing off": "backing off after it",
    "slowed down": "slowed down by it",
    "delay": "not due yet",
    "retry": "",
}


class Blocker(Struct, frozen=True):
    """One reason.

    `kind` is `waits` for URLs that are still queued, else how they ended.
    """

    kind: Literal["waits", "error", "skip"]
    reason: str
    urls: int
    """How many wait for it."""
    detail: str
    until: float | None = None
    """When it passes, seconds since the epoch, where that is known."""


def why_waiting(
    state: StateReader, status: Status, config: Config, now: float
) -> list[Blocker]:
    """The reasons, by the number of URLs that they hold back.

    `config.dir` is the folder that the commands in them name. `now`: seconds since the
    epoch.
    """
    requests = _Requests(state, status, now)
    waits = [*_limits(status, config), *requests.blockers(now)]
    waits += _retries(state, now)
    waits += _pauses(state, status, requests, config.politeness, now)
    waits += _intervals(state, status, requests, config, now)
    waits += [*_left_parked(state, status, config, now)]
    waits += [*_no_process(status, config), *_others(waits, state, status, config)]
    waits.sort(key=lambda one: -one.urls)
    return [*waits, *_ended(status, config.dir)]


class _Requests:
    """The requests under way that have had no answer for long."""

    def __init__(self, state: StateReader, status: Status, now: float) -> None:
        self.of_host: Counter[str] = Counter()
        """How many of the queued URLs of a host they are for."""
        self.of_pause: Counter[tuple[WaitState, str]] = Counter()
        """The same by state and cause of the hosts that are not due."""
        hosts = [] if status.pid is None else read_silent_hosts(state)
        for host in hosts:
            info = state.host(host.name)
            if info is None or not info.queued:
                continue  # the answer is in the state
            urls = min(host.requests, info.queued)
            self.of_host[host.name] = urls
            if (pause := _pause_of(info, now)) is not None:
                self.of_pause[pause] += urls
        self._oldest = [host for host in hosts if host.name in self.of_host][:1]

    def blockers(self, now: float) -> Iterator[Blocker]:
        urls = self.of_host.total()
        for oldest in self._oldest:
            silent = show_seconds(max(0.0, now - oldest.since))
            hosts = _name_hosts([*self.of_host][:NAMES], len(self.of_host))
            waited = "no answer for" if len(self.of_host) == 1 else "the longest for"
            requests = counted(urls, "request")
            detail = f"{hosts}: {requests} under way, {waited} {silent}"
            yield Blocker("waits", "no answer", urls, detail)


def _pause_of(info: HostInfo, now: float) -> tuple[WaitState, str] | None:
    """The state and the cause of a host that is not due, as `host_groups` has them."""
    throttle = info.throttle
    soon_s = 0.0 if throttle.failure_code or info.parked else SOON_S
    if info.ready_at <= now + soon_s:
        return None
    group = HostGroup(
        throttle.failure_code,
        info.parked,
        throttle.slowdown > 0,
        throttle.crawl_delay > 0,
        1,
        info.queued,
        info.ready_at,
    )
    return group.state, group.cause


def failures_in_a_row(throttle: HostThrottle) -> str:
    """What a host has done last, for the user: how often it failed or refused."""
    what = "refusals" if throttle.refuses else "failures"
    return f"{throttle.failures} {what} in a row, {cause_of(throttle.failure_code)}"


def _no_process(status: Status, config: Config) -> Iterator[Blocker]:
    queued = status.counts["queued"]
    if queued and status.pid is None:
        detail = f"no process works on it: {_resume(status, config)}"
        yield Blocker("waits", "stopped", queued, detail)


def _left_parked(
    state: StateReader, status: Status, config: Config, now: float
) -> Iterator[Blocker]:
    """What a crawl has left behind since its hosts did not respond."""
    alike: dict[str, list[HostGroup]] = {}
    for group in status.parked:
        alike.setdefault(group.cause, []).append(group)
    for cause, groups in alike.items():
        names = [name for one in groups for name in state.names_of_group(one, 0, NAMES)]
        hosts = sum(one.hosts for one in groups)
        until = min(one.until for one in groups)
        when = show_moment(until, now)
        again = f"{_resume(status, config)} tries again"
        first = "" if hosts == 1 else "the first "
        detail = f"{_name_hosts(names, hosts)}: parked, {first}until {when}; {again}"
        yield Blocker("waits", cause, sum(one.urls for one in groups), detail, until)


def _limits(status: Status, config: Config) -> Iterator[Blocker]:
    limits, queued = config.limits, status.counts["queued"]
    held = status.over_limit
    if held and is_reached(status.counts["page"], limits.max_pages):
        rule = f"limits.max_pages: {limits.max_pages} is reached"
        raised = f"{_resume(status, config)} raises it"
        detail = f"{rule}; images are still fetched ({raised})"
        yield Blocker("waits", "limit_pages", held, detail)
    max_bytes = limits.max_bytes
    used = used_by_all(config.dir, status.counts["page"], status.received_bytes)
    if queued and max_bytes is not None and used.received >= max_bytes:
        rule = f"limits.max_bytes: {exact_bytes(max_bytes)} is reached"
        raised = f"{_resume(status, config)} raises it"
        yield Blocker("waits", "limit_bytes", queued, f"{rule} ({raised})")


def _resume(status: Status, config: Config) -> str:
    pages, received = status.counts["page"], status.received_bytes
    return next_command(config.dir, config.limits, pages, received)


def _retries(state: StateReader, now: float) -> Iterator[Blocker]:
    rows = state.retries(UNLIMITED)
    for row in rows[:TOP]:
        due = show_seconds(max(0.0, row.next_at - now))
        detail = f"{row.host}: another attempt, the next in {due}"
        reason = f"retry {cause_of_url(row.code or '')}".rstrip()
        yield Blocker("waits", reason, row.urls, detail, row.next_at)
    if others := rows[TOP:]:
        until = min(row.next_at for row in others)
        due = show_seconds(max(0.0, until - now))
        hosts = _name_hosts([row.host for row in others[:NAMES]], len(others))
        detail = f"{hosts}: another attempt, the next in {due}"
        urls = sum(row.urls for row in others)
        yield Blocker("waits", "retry", urls, detail, until)


def _pauses(
    state: StateReader,
    status: Status,
    requests: _Requests,
    config: PolitenessConfig,
    now: float,
) -> Iterator[Blocker]:
    """Hosts whose next request is later than in a crawl that is at work anyway."""
    longest = max(config.wait, config.max_wait)  # between two requests
    alike: dict[tuple[WaitState, str], list[HostGroup]] = {}
    for group in state.host_groups(now):
        if group.parked and status.pid is None:
            continue  # `_left_parked` has it, due or not
        alike.setdefault((group.state, group.cause), []).append(group)
    for (how, cause), groups in alike.items():
        names = [
            name for group in groups for name in state.names_of_group(group, now, NAMES)
        ]
        urls = sum(group.urls for group in groups) - requests.of_pause[how, cause]
        if urls <= 0:
            continue
        hosts = sum(group.hosts for group in groups)
        until = min(group.until for group in groups)
        due = show_seconds(until - now)
        detail = f"{_PAUSED[how]}, {'next' if hosts == 1 else 'the next'} request in"
        yield Blocker(
            "waits",
            cause or ("politeness" if until <= now + longest else "backing off"),
            urls,
            f"{_name_hosts(names, hosts)}: {detail} {due}",
            until,
        )


def _name_hosts(names: list[str], hosts: int) -> str:
    shown = ", ".join(names[:NAMES])
    return f"{shown} and {hosts - NAMES:,} more" if hosts > NAMES else shown


def _intervals(
    state: StateReader,
    status: Status,
    requests: _Requests,
    config: Config,
    now: float,
) -> Iterator[Blocker]:
    """Hosts whose queue takes long at the rate that politeness allows."""
    controller = Controller(config.politeness)
    left = pages_left(config, status.counts["page"])
    shown = 0
    for host in state.slowest_hosts(config.politeness, left, SLOWEST):
        interval = controller.interval(host.throttle)
        urls = min(host.pages, left) + host.images - requests.of_host[host.name]
        soon_s = 0.0 if host.throttle.failure_code else SOON_S
        is_due = host.ready_at <= now + soon_s
        if interval and is_due and urls > 1 and shown < TOP:
            shown += 1
            cause = _cause(host, config, interval)
            every = show_seconds(interval) if interval >= 0.1 else f"{interval:.2g} s"
            each = f"a request every {every} ({cause})"
            whole = show_seconds(urls * interval)
            detail = f"{host.name}: {each}, {whole} in all"
            yield Blocker("waits", _reason(host.throttle, interval), urls, detail)


def _others(
    named: list[Blocker], state: StateReader, status: Status, config: Config
) -> Iterator[Blocker]:
    """The queued URLs that no other line has: of hosts that are at work."""
    urls = state.count("queued") - sum(one.urls for one in named)
    if urls <= 0 or status.pid is None:
        return
    wait, most = config.politeness.wait, config.concurrency
    rate = f"a request every {show_seconds(wait)} to each, " if wait else ""
    detail = f"hosts not named here: {rate}at most {counted(most, 'request')} at once"
    yield Blocker("waits", "politeness" if wait else "concurrency", urls, detail)


def _reason(throttle: HostThrottle, interval: float) -> str:
    """What the rate of a host comes from: its refusals, or politeness."""
    if throttle.refuses and throttle.slowdown >= interval:
        return cause_of(throttle.failure_code)
    return "politeness"


def _cause(host: HostWork, config: Config, interval: float) -> str:
    if interval == config.politeness.wait:
        return "politeness.wait"
    if interval == host.throttle.crawl_delay:
        return "Crawl-delay of its robots.txt"
    return (
        "its 429 and 503" if host.throttle.slowdown >= interval else "its response time"
    )


def _ended(status: Status, folder: str) -> Iterator[Blocker]:
    listing = f"orbweb urls {shlex.quote(folder)} --code"
    for code, urls in list(status.reasons["error"].items())[:TOP]:
        yield Blocker("error", code, urls, f"{listing} {code} names them")
    for code, urls in list(status.reasons["skip"].items())[:TOP]:
        yield Blocker("skip", code, urls, f"{listing} {code} names them")
