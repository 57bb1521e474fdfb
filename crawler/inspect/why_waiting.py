"""What keeps a crawl from being finished: the reasons, with the URLs that each holds
back.

Work in the queue is held back by time (a retry, a host that is not to be asked yet, the
interval between two requests), by a limit, or because nobody is working. What was left
out or failed for good holds nothing back, and is counted after it: it is why a finished
crawl is smaller than hoped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from crawler.frontier.state_reader import HostInfo, StateReader
from crawler.frontier.throttle import Controller
from crawler.inspect.status import Status
from crawler.model.config import Config
from crawler.model.units import exact_bytes, show_seconds
from crawler.policy.quotas import is_reached

TOP = 5
"""Of each kind of reason."""


class Blocker(Struct, frozen=True):
    """One reason. `kind` is `waits` for URLs that are still to come, else how they
    ended."""

    kind: Literal["waits", "error", "skip"]
    reason: str
    urls: int
    detail: str
    until: float | None = None
    """When it passes, epoch seconds, where that is known."""


def why_waiting(
    state: StateReader, status: Status, config: Config, now: float
) -> list[Blocker]:
    """The reasons, those that hold back the most URLs first."""
    waits = [*_nobody(status), *_limits(status, config), *_retries(state, now)]
    waits += [*_cooling(state, now), *_interval(state, config, now)]
    waits.sort(key=lambda one: -one.urls)
    return [*waits, *_ended(status)]


def _nobody(status: Status) -> Iterator[Blocker]:
    queued = status.counts["queued"]
    if queued and status.pid is None:
        yield Blocker(
            "waits", "stopped", queued, "no process works on it: orbweb resume"
        )


def _limits(status: Status, config: Config) -> Iterator[Blocker]:
    limits, queued = config.limits, status.counts["queued"]
    if queued and is_reached(status.counts["page"], limits.max_pages):
        rule = f"limits.max_pages: {limits.max_pages} is reached; pictures are still fetched"
        yield Blocker("waits", "limit_pages", queued, rule)
    if (
        queued
        and limits.max_bytes is not None
        and status.received_bytes >= limits.max_bytes
    ):
        rule = f"limits.max_bytes: {exact_bytes(limits.max_bytes)} is reached"
        yield Blocker("waits", "limit_bytes", queued, rule)


def _retries(state: StateReader, now: float) -> Iterator[Blocker]:
    for row in state.retries(TOP):
        due = show_seconds(max(0.0, row.next_at - now))
        detail = f"{row.host}: another attempt, the next in {due}"
        yield Blocker(
            "waits", f"retry {row.code or ''}".rstrip(), row.urls, detail, row.next_at
        )


def _cooling(state: StateReader, now: float) -> Iterator[Blocker]:
    """Hosts that are longer in coming than the next request of a crawl at work would
    be."""
    hosts, top = state.backing_off(now + 1, TOP)
    for host in top:
        due = show_seconds(host.ready_at - now)
        if host.parked:
            reason = f"host_parked {host.throttle.failure_code}"
            detail = f"{host.name} failed {host.throttle.failures} times in a row, is asked in {due}"
        else:
            reason = "backing_off"
            detail = f"{host.name} may be asked again in {due}"
        yield Blocker("waits", reason, _work(host), detail, host.ready_at)
    if hosts > TOP:
        yield Blocker("waits", "backing_off", 0, f"and {hosts - TOP:,} hosts more")


def _interval(state: StateReader, config: Config, now: float) -> Iterator[Blocker]:
    """Hosts whose queue takes long at the pace that manners allow."""
    controller = Controller(config.politeness)
    for host in state.busiest(TOP):
        interval = controller.interval(host.throttle)
        if interval and host.ready_at <= now + 1 and _work(host) > 1:
            cause = _cause(host, config, interval)
            whole = show_seconds(_work(host) * interval)
            detail = f"{host.name}: a request in {show_seconds(interval)} ({cause}), in all {whole}"
            yield Blocker("waits", "pace", _work(host), detail)


def _cause(host: HostInfo, config: Config, interval: float) -> str:
    if interval == config.politeness.wait:
        return "politeness.wait"
    if interval == host.throttle.crawl_delay:
        return "Crawl-delay of its robots.txt"
    return (
        "its 429 and 503"
        if host.throttle.slowdown >= interval
        else "the time it takes to answer"
    )


def _ended(status: Status) -> Iterator[Blocker]:
    for code, urls in list(status.codes["error"].items())[:TOP]:
        yield Blocker("error", code, urls, f"orbweb urls --code {code} names them")
    for code, urls in list(status.codes["skip"].items())[:TOP]:
        yield Blocker("skip", code, urls, f"orbweb urls --code {code} names them")


def _work(host: HostInfo) -> int:
    return host.pages + host.images
