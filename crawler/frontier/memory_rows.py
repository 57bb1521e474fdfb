"""What the store in memory knows of one URL, and of one host."""

from __future__ import annotations

from crawler.frontier.store import State
from crawler.frontier.throttle import UNTRIED
from crawler.model.crawl import Discovered, Lease, Queue
from crawler.model.host import NO_USAGE
from crawler.model.url import url_id

Place = tuple[int, int]
"""Rank (depth of a page, 0 of an image) and order of discovery."""


class UrlRow:
    """The state of one URL.

    `state` is "skip" also before the skip is written; see `written`.
    """

    __slots__ = (
        "attempts", "code", "due", "found", "host", "place", "seq", "state", "written",
    )  # fmt: skip

    def __init__(self, found: Discovered, seq: int, now: float, host: str) -> None:
        self.seq = seq
        self.host = host
        self.attempts = 0
        self.code = ""  # of the last attempt, if that failed
        self.written = False
        self.take(found, now)

    def take(self, found: Discovered, now: float) -> None:
        """Follow this find from now on."""
        self.found = found
        self.due = now
        self.state: State = "queued" if found.skip is None else "skip"
        self.place: Place = (
            found.depth if found.destination == "page" else 0,
            self.seq,
        )

    def lease(self, now: float) -> Lease:
        found = self.found
        return Lease(
            url=found.url,
            url_id=url_id(found.url, found.redirects),
            host=self.host,
            kind=found.kind,
            destination=found.destination,
            depth=found.depth,
            attempts=self.attempts,
            queued_ms=max(0, round((now - self.due) * 1000)),
            parent_url=found.parent_url,
            seed_url=found.seed_url,
            alt=found.alt,
            redirects=found.redirects,
            context=found.context,
        )


class HostRow:
    """The queues of one host, and its number of queued URLs.

    URLs that are put off do not count; leased ones do.
    """

    __slots__ = (
        "claimed",
        "heaps",
        "parked",
        "ready_at",
        "throttle",
        "usage",
        "waiting",
    )

    def __init__(self, now: float) -> None:
        self.ready_at = now
        self.throttle = UNTRIED
        self.usage = NO_USAGE
        self.claimed = False
        self.parked = False
        self.heaps: dict[Queue, list[tuple[Place, UrlRow]]] = {
            "page": [],
            "image": [],
        }
        self.waiting: dict[Queue, int] = {"page": 0, "image": 0}

    def has_work(self, images_only: bool) -> bool:
        return self.waiting["image"] > 0 or (
            not images_only and self.waiting["page"] > 0
        )
