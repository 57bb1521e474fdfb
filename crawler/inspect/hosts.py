"""The hosts of a crawl: what waits for each, and what became of the rest."""

from __future__ import annotations

from msgspec import Struct

from crawler.frontier.state_reader import HostInfo
from crawler.frontier.waits import cause_of
from crawler.model.units import show_moment


class HostSummary(Struct, frozen=True):
    """One host in numbers of URLs, and when its next URL may be fetched."""

    name: str
    queued: int
    fetched: int
    """With a page, a file, an image or a redirect."""
    failed: int
    skipped: int
    wire_bytes: int
    seconds: float
    next_in: float | None
    """Seconds until it is due; None if it is due now, or has no work."""
    failing: str
    """What its last requests failed with, and until when it is parked; "" if not."""


def summarise(host: HostInfo, now: float) -> HostSummary:
    """The numbers of a host. `now`: seconds since the epoch."""
    failed, skipped = host.ended.get("error", 0), host.ended.get("skip", 0)
    wait = host.ready_at - now
    return HostSummary(
        name=host.name,
        queued=host.queued,
        fetched=sum(host.ended.values()) - failed - skipped,
        failed=failed,
        skipped=skipped,
        wire_bytes=host.usage.wire_bytes,
        seconds=host.usage.seconds,
        next_in=wait if wait > 0 and host.queued else None,
        failing=_failing(host, now),
    )


def _failing(host: HostInfo, now: float) -> str:
    cause = cause_of(host.throttle.failure_code)
    if not (host.parked and host.queued):
        return cause
    return f"{cause}, parked until {show_moment(host.ready_at, now)}"
