"""The user's limits: pages, bytes and seconds of a crawl and of a host; sizes of
pictures. No I/O.

A limit of the whole crawl ends the run, and leaves its URLs queued, for a resume with a
higher one. A limit of a host, or of a template of its paths, is about that URL, which
ends as a skip: the crawl goes on without it, and could not come to its end otherwise.

Numbers of pages are exact: a worker takes a place with `reserve_page` when it holds a page
in its hands, and gives its URL back when no place is left. Bytes and seconds are known
when a request is over: none begins after that, and what is under way then is kept.
"""

from __future__ import annotations

from typing import Literal, Protocol

from crawler.model.config import ImagesConfig, LimitsConfig
from crawler.model.crawl import Destination, Lease, Skip
from crawler.model.host import HostUsage
from crawler.model.metadata import PAGES_OF_TEMPLATE, KeyValue
from crawler.model.units import exact_bytes, exact_seconds
from crawler.policy.check import DUE, Candidate
from crawler.policy.traps.templates import shape_of

QuotaReached = Literal["limit_pages", "limit_time", "limit_bytes"]


class Sized(Protocol):
    """An image as it was read, or its record. Pixels."""

    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...


class Accounts(KeyValue, Protocol):
    """What is kept in the store for the limits."""

    def usage(self, host: str) -> HostUsage: ...
    def set_usage(self, host: str, cost: HostUsage) -> None: ...


class Counts(Protocol):
    """Where the pages of templates are counted: a store, or a look at it from
    outside."""

    def note(self, kind: str, key: str) -> bytes | None: ...


class Quotas:
    """Counts one crawl against its limits, from `started` on.

    `pages` and `received` are those of earlier runs, `received` in bytes. What each
    host has cost is counted in `accounts`, whether it is limited or not; templates are
    where they are.
    """

    name = "quotas"
    moments = DUE

    def __init__(
        self,
        config: LimitsConfig,
        images: ImagesConfig,
        accounts: Accounts,
        started: float,
        pages: int,
        received: int = 0,
    ) -> None:
        self._config = config
        self._images = images
        self._started = started
        self._pages = pages
        self._bytes = received
        self._accounts = accounts

    def check(self, candidate: Candidate) -> Skip | None:
        """Whether the host, or the template of the path, has used up its limit."""
        host, destination = candidate.host, candidate.destination
        usage = self._accounts.usage(host)
        if (rule := usage_reached(self._config, usage, destination)) is not None:
            return Skip("limit_host", rule)
        if destination == "page":
            return self._check_template(host, candidate.url)
        return None

    def charge(self, host: str, sent_at: float, until: float, wire_bytes: int) -> None:
        """One request is over. It kept its host busy from `sent_at` to `until`."""
        self._bytes += wire_bytes
        cost = self._accounts.usage(host).charged(sent_at, until, wire_bytes)
        self._accounts.set_usage(host, cost)

    def reserve_page(self, lease: Lease) -> bool:
        """Take a place for one page; False when there is none left."""
        cost = self._accounts.usage(lease.host)
        full = self._pages_full() or is_reached(
            cost.pages, self._config.max_pages_per_host
        )
        if full or self._check_template(lease.host, lease.url) is not None:
            return False
        self._pages += 1
        self._accounts.set_usage(lease.host, cost.with_page())
        if self._config.max_pages_per_template is not None:
            key = template_of(lease.host, lease.url)
            count = pages_of_template(self._accounts, key) + 1
            self._accounts.set_note(PAGES_OF_TEMPLATE, key, b"%d" % count)
        return True

    def check_image(self, image: Sized) -> Skip | None:
        """Whether the image is too small to be kept; an image of unknown size is
        not."""
        least = self._images
        if image.width is not None and image.width < least.min_width:
            return _too_small("width", image.width, least.min_width)
        if image.height is not None and image.height < least.min_height:
            return _too_small("height", image.height, least.min_height)
        return None

    def reached(self, now: float) -> QuotaReached | None:
        """The limit that ends the crawl now, if one does. `now` on the clock of
        `started`."""
        config = self._config
        if config.max_time is not None and now - self._started >= config.max_time:
            return "limit_time"
        if config.max_bytes is not None and self._bytes >= config.max_bytes:
            return "limit_bytes"
        return "limit_pages" if self._pages_full() else None

    def _pages_full(self) -> bool:
        return is_reached(self._pages, self._config.max_pages)

    def _check_template(self, host: str, url: str) -> Skip | None:
        rule = template_reached(self._config, self._accounts, host, url)
        return None if rule is None else Skip("limit_template", rule)


def usage_reached(
    config: LimitsConfig, cost: HostUsage, destination: Destination
) -> str | None:
    """The limit by which a host that has cost so much is asked for no more of `destination`,
    if one is."""
    if destination == "page" and is_reached(cost.pages, config.max_pages_per_host):
        return f"limits.max_pages_per_host: {config.max_pages_per_host}"
    if (size := config.max_bytes_per_host) is not None and cost.wire_bytes >= size:
        return f"limits.max_bytes_per_host: {exact_bytes(size)}"
    if (time := config.max_time_per_host) is not None and cost.seconds >= time:
        return f"limits.max_time_per_host: {exact_seconds(time)}"
    return None


def template_reached(
    config: LimitsConfig, notes: Counts, host: str, url: str
) -> str | None:
    """The limit by which no page more is asked for whose address is like `url`, if
    there is one."""
    limit = config.max_pages_per_template
    if limit is None:
        return None
    key = template_of(host, url)
    if pages_of_template(notes, key) < limit:
        return None
    return f"limits.max_pages_per_template: {limit} of {key.partition(' ')[2]}"


def template_of(host: str, url: str) -> str:
    """Host and template. Folders in which any name will do are no part of it: they are
    learnt, and it must not change."""
    shape = shape_of(url)
    return f"{host} {shape.path}{''.join(sorted(shape.keys))}"


def pages_of_template(notes: Counts, key: str) -> int:
    return int(notes.note(PAGES_OF_TEMPLATE, key) or 0)


def is_reached(count: int, limit: int | None) -> bool:
    return limit is not None and count >= limit


def _too_small(side: str, size: int, least: int) -> Skip:
    return Skip("filter_dimensions", f"images.min_{side}: {least} > {size}")
