"""The user's limits: pages, bytes and seconds of a crawl, the size of a picture. No I/O.

The number of pages is exact: a worker takes a place with `take_page` when it holds a page in its
hands, and gives its URL back when no place is left.
"""

from __future__ import annotations

from typing import Literal, Protocol

from crawler.config import ImagesConfig, LimitsConfig
from crawler.notes import PAGES_OF_HOST, Notes
from crawler.records import Lease, Skip
from crawler.schema import FetchRecord, Record

LimitReached = Literal["limit_pages", "limit_time", "limit_bytes"]


class Sized(Protocol):
    """An image as it was read, or its record. Pixels."""

    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...


class Limits:
    """Counts one crawl against its limits, from `started` on. `pages`: those of earlier runs.

    The pages of each host are counted in `notes`, if they are limited at all.
    """

    def __init__(
        self,
        config: LimitsConfig,
        images: ImagesConfig,
        notes: Notes,
        started: float,
        pages: int,
    ) -> None:
        self._config = config
        self._images = images
        self._started = started
        self._pages = pages
        self._bytes = 0
        self._notes = notes

    def judge(self, lease: Lease) -> Skip | None:
        """Whether the lease's host has had all its pages."""
        limit = self._config.max_pages_per_host
        if limit is None or lease.want != "page" or self._of_host(lease) < limit:
            return None
        return Skip("limit_host", f"limits.max_pages_per_host: {limit}")

    def take_page(self, lease: Lease) -> bool:
        """Take a place for one page; False when there is none left."""
        if self._pages_full() or self.judge(lease) is not None:
            return False
        self._pages += 1
        if self._config.max_pages_per_host is not None:
            self._notes.set_note(PAGES_OF_HOST, lease.host, b"%d" % (self._of_host(lease) + 1))
        return True

    def take(self, record: Record) -> None:
        """Count the bytes of a record that is going to be written."""
        if isinstance(record, FetchRecord):
            self._bytes += record.wire_bytes

    def judge_image(self, image: Sized) -> Skip | None:
        """Whether the image is too small to be kept; an image of unknown size is not."""
        least = self._images
        if image.width is not None and image.width < least.min_width:
            return _too_small("width", image.width, least.min_width)
        if image.height is not None and image.height < least.min_height:
            return _too_small("height", image.height, least.min_height)
        return None

    def reached(self, now: float) -> LimitReached | None:
        """The limit that ends the crawl now, if one does. `now` on the clock of `started`."""
        config = self._config
        if config.max_time is not None and now - self._started >= config.max_time:
            return "limit_time"
        if config.max_bytes is not None and self._bytes >= config.max_bytes:
            return "limit_bytes"
        return "limit_pages" if self._pages_full() else None

    def _pages_full(self) -> bool:
        return self._config.max_pages is not None and self._pages >= self._config.max_pages

    def _of_host(self, lease: Lease) -> int:
        return int(self._notes.note(PAGES_OF_HOST, lease.host) or 0)


def _too_small(side: str, size: int, least: int) -> Skip:
    return Skip("filter_dimensions", f"images.min_{side}: {least} > {size}")
