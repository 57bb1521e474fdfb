"""The URLs of one active host that are at hand, and which of them is next."""

from __future__ import annotations

from collections import deque

from msgspec.structs import replace

from crawler.model.crawl import Destination, Lease

IMAGES_PER_PAGE = 4
"""Pictures handed out after a page before the next page: they come soon after their own
page, and a gallery does not keep its site from being explored."""


class HostQueue:
    """The URLs of one active host that are at hand."""

    __slots__ = (
        "batch", "dry", "lanes", "leaving", "name", "offered", "out", "parked", "since_page",
    )  # fmt: skip

    def __init__(self, name: str, batch: int) -> None:
        self.name = name
        self.batch = batch
        """URLs to be leased the next time."""
        self.lanes: dict[Destination, deque[tuple[Lease, float]]] = {
            "page": deque(),
            "image": deque(),
        }
        self.dry: set[Destination] = set()
        """Of what the store has no more, unless it says that the host was refilled."""
        self.offered = False
        self.out = 0
        self.leaving = False
        self.parked = False
        self.since_page = IMAGES_PER_PAGE

    @property
    def short(self) -> bool:
        """Whether a lane is empty of which the store may have more, or both are."""
        empty = [destination for destination, lane in self.lanes.items() if not lane]
        return len(empty) == len(self.lanes) or not self.dry.issuperset(empty)

    def pop(self, now: float) -> Lease:
        pages, images = self.lanes["page"], self.lanes["image"]
        if images and (not pages or self.since_page < IMAGES_PER_PAGE):
            self.since_page += 1
            lease, since = images.popleft()
        else:
            self.since_page = 0
            lease, since = pages.popleft()
        waited_ms = round((now - since) * 1000)
        return (
            replace(lease, queued_ms=lease.queued_ms + waited_ms)
            if waited_ms > 0
            else lease
        )

    def drain(self, destination: Destination) -> list[Lease]:
        """Take out what is at hand."""
        lane = self.lanes[destination]
        leases = [lease for lease, _ in lane]
        lane.clear()
        return leases
