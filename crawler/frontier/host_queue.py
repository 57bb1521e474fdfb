"""The URLs of one active host that are at hand, and which of them is next."""

from __future__ import annotations

from collections import deque

from msgspec.structs import replace

from crawler.model.crawl import Lease, Queue

IMAGES_PER_PAGE = 4
"""The number of images leased after a page before the next page.

Images are fetched soon after their own page, and a gallery does not keep its site from
being explored.
"""


class HostQueue:
    """The URLs of one active host that are at hand."""

    __slots__ = (
        "at_hand", "batch", "deferred", "exhausted", "leaving", "name", "offered",
        "out", "parked", "since_page", "workers",
    )  # fmt: skip

    def __init__(self, name: str, batch: int) -> None:
        self.name = name
        self.batch = batch
        """URLs to be leased the next time."""
        self.at_hand: dict[Queue, deque[tuple[Lease, float]]] = {
            "page": deque(),
            "image": deque(),
        }
        """Leased from the store, each with the time when that was."""
        self.exhausted: set[Queue] = set()
        """The queues with no more URLs in the store.

        The store reports when it has new ones.
        """
        self.offered = False
        self.out = 0
        """Leases that are not answered."""
        self.workers = 0
        """Leases that a worker still holds."""
        self.deferred = False
        """Paused until a worker is done with one of them."""
        self.leaving = False
        self.parked = False
        self.since_page = IMAGES_PER_PAGE

    @property
    def short(self) -> bool:
        """Whether the host needs more URLs from the store.

        It does if all queues are empty here, or if one is of which the store may
        have more.
        """
        pages, images = self.at_hand["page"], self.at_hand["image"]
        if pages and images:
            return False
        if not (pages or images):
            return True
        return ("page" if images else "image") not in self.exhausted

    def pop(self, now: float) -> Lease:
        """Take the next URL out."""
        pages, images = self.at_hand["page"], self.at_hand["image"]
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

    def drain(self, kind: Queue) -> list[Lease]:
        """Take out what is at hand."""
        urls = self.at_hand[kind]
        leases = [lease for lease, _ in urls]
        urls.clear()
        return leases
