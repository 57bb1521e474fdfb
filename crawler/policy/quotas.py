"""The check of the quotas of hosts and templates; and the limits of the whole crawl.

The options `limits.max_..._per_host` and `limits.max_pages_per_template` decide.

A limit of the whole crawl ends the run and leaves its URLs queued, for a resume with a
higher one. A quota of a host, or of a template of its paths, is about that URL, which
ends as a skip: the crawl goes on without it, and could not come to its end otherwise.

Numbers of pages are exact: a worker reserves a page with `reserve_page` when it has
fetched one, and returns its URL to the queue when none is left. Bytes and seconds are
known when a request is over: no request begins after that, and what is under way then
is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial
from math import inf
from typing import TYPE_CHECKING, Literal, Protocol

from crawler.model.content_config import ImagesConfig
from crawler.model.crawl import Destination, Lease, Skip
from crawler.model.host import HostUsage
from crawler.model.metadata import (
    PAGES_OF_TEMPLATE,
    STYLES_OF_HOST,
    KeyValue,
    Readable,
    increase,
    read_number,
)
from crawler.model.policy_config import LimitsConfig
from crawler.model.units import exact_bytes, exact_seconds
from crawler.policy.check import DUE, Candidate
from crawler.policy.scope import NAMED_SITEMAPS
from crawler.policy.traps.templates import shape_of

if TYPE_CHECKING:
    from crawler.policy.kept_images import Sized
    from crawler.policy.sitemap_limits import SitemapLimits

QuotaReached = Literal["limit_pages", "limit_time", "limit_bytes"]


class UsageTable(KeyValue, Protocol):
    """What the store keeps for the quotas."""

    def usage(self, host: str) -> HostUsage: ...
    def set_usage(self, host: str, usage: HostUsage) -> None: ...
    def charge(
        self, host: str, sent_at: float, until: float, wire_bytes: int
    ) -> None: ...


class Grants(Protocol):
    """What a shard of a crawl may have of the limits of the whole (`fleet/`)."""

    def pages(self, used: int) -> int:
        """How many pages it may have in all, asked when it has as many as that."""
        ...

    def bytes(self, used: int) -> int:
        """The same for body bytes."""
        ...

    def has_pages(self) -> bool:
        """Whether it might have more, without having them."""
        ...

    def has_bytes(self) -> bool:
        """The same for body bytes."""
        ...

    def release(self, pages: int, received: int) -> None:
        """It has so many pages and bytes, and needs no more for now."""
        ...


def time_left(limits: LimitsConfig, started: float, now: float) -> float | None:
    """How long a run may go on (seconds, `max_time`); None: without a limit."""
    if limits.max_time is None:
        return None
    return max(0.0, started + limits.max_time - now)


class Quotas:
    """Counts one crawl against its limits, from `started` on.

    `pages` and `received` are those of earlier runs, `received` in bytes. The usage of
    each host is counted in `usages`, whether it is limited or not; that of templates
    only where they are. A shard has `grants`, and may have no more than these.
    """

    name = "quotas"
    moments = DUE

    def __init__(
        self,
        config: LimitsConfig,
        images: ImagesConfig,
        usages: UsageTable,
        started: float,
        pages: int,
        received: int = 0,
        grants: Grants | None = None,
    ) -> None:
        self._config = config
        self._images = images
        self._started = started
        self._pages = pages
        self._bytes = received
        self._usages = usages
        self._grants = grants
        per_host = (config.max_bytes_per_host, config.max_time_per_host)
        self._limits_images = per_host != (None, None)
        self._max_pages = config.max_pages if grants is None else 0
        self._max_bytes = config.max_bytes if grants is None else 0

    @cached_property
    def sitemaps(self) -> SitemapLimits:
        """The limits of sitemaps; most crawls have none, so it is imported late."""
        from crawler.policy.sitemap_limits import SitemapLimits

        return SitemapLimits(self._config, self._usages)

    def check(self, candidate: Candidate) -> Skip | None:
        """Whether the host, or the template of the path, has used up its quota."""
        if candidate.kind in NAMED_SITEMAPS and (
            (skip := self.sitemaps.check(candidate)) is not None
        ):
            return skip
        destination = candidate.destination
        if destination == "image" and not self._limits_images:  # most often
            return None
        host = candidate.host
        usage = self._usages.usage(host)
        if (rule := usage_reached(self._config, usage, destination)) is not None:
            return Skip("limit_host", rule)
        if destination == "page":
            return self._check_template(host, candidate.url)
        if destination == "style":
            rule = styles_reached(self._config, self._usages, host)
            return None if rule is None else Skip("limit_host", rule)
        return None

    def charge(self, host: str, sent_at: float, until: float, wire_bytes: int) -> None:
        """Count a finished request.

        It occupied its host from `sent_at` to `until` (seconds since the epoch).
        """
        self._bytes += wire_bytes
        self._usages.charge(host, sent_at, until, wire_bytes)

    @property
    def pages(self) -> int:
        """How many pages there are, also those of earlier runs."""
        return self._pages

    @property
    def received_bytes(self) -> int:
        """How many body bytes have come, also in earlier runs."""
        return self._bytes

    @property
    def pages_left(self) -> float:
        """Pages that the crawl may still have (`max_pages`)."""
        if self._config.max_pages is None:
            return inf
        return (self._max_pages or 0) - self._pages

    def has_answered(self, host: str) -> bool:
        """Whether the host has sent anything in this crawl."""
        return self._usages.usage(host).wire_bytes > 0

    def reserve_page(self, lease: Lease) -> bool:
        """Count one page more; False when none is left."""
        usage = self._usages.usage(lease.host)
        full = self._pages_full(takes=True) or is_reached(
            usage.pages, self._config.max_pages_per_host
        )
        if full or self._check_template(lease.host, lease.url) is not None:
            return False
        self._pages += 1
        self._usages.set_usage(lease.host, usage.with_page())
        if self._config.max_pages_per_template is not None:
            key = template_of(lease.host, lease.url)
            increase(self._usages, PAGES_OF_TEMPLATE, key)
        return True

    def count_style(self, host: str) -> None:
        """Count one style sheet more."""
        increase(self._usages, STYLES_OF_HOST, host)

    def check_image(self, image: Sized, size: int | None = None) -> Skip | None:
        """Why the image is not kept; None: it is. `size`: bytes of its file."""
        return None if self._limit_image is None else self._limit_image(image, size)

    @cached_property
    def _limit_image(self) -> Callable[[Sized, int | None], Skip | None] | None:
        if not self._images.refuse_some:
            return None
        from crawler.policy.kept_images import check_image  # most crawls have no limit

        return partial(check_image, self._images)

    def reached(self, now: float, *, takes: bool = False) -> QuotaReached | None:
        """The limit that ends the crawl now, if any.

        `now` is on the clock of `started`. `takes`: a shard that has used up what it
        was granted is granted more, which the others then can't have.
        """
        config = self._config
        if config.max_time is not None and now - self._started >= config.max_time:
            return "limit_time"
        if config.max_bytes is not None and self._bytes_full(takes):
            return "limit_bytes"
        if config.max_pages is not None and self._pages_full(takes):
            return "limit_pages"
        return None

    def time_left(self, now: float) -> float | None:
        """As the function of this name; `now` is on the clock of `started`."""
        return time_left(self._config, self._started, now)

    def release(self) -> None:
        """Give back what this shard was granted and has not used."""
        if self._grants is None:
            return
        unused = (self._max_pages or 0) > self._pages
        if unused or (self._max_bytes or 0) > self._bytes:
            self._grants.release(self._pages, self._bytes)
            self._max_pages, self._max_bytes = self._pages, self._bytes

    def _pages_full(self, takes: bool) -> bool:
        if self._config.max_pages is None or not is_reached(
            self._pages, self._max_pages
        ):
            return False
        if self._grants is None:
            return True
        if not takes:
            return not self._grants.has_pages()
        self._max_pages = self._grants.pages(self._pages)
        return is_reached(self._pages, self._max_pages)

    def _bytes_full(self, takes: bool) -> bool:
        if not is_reached(self._bytes, self._max_bytes):
            return False
        if self._grants is None:
            return True
        if not takes:
            return not self._grants.has_bytes()
        self._max_bytes = self._grants.bytes(self._bytes)
        return is_reached(self._bytes, self._max_bytes)

    def _check_template(self, host: str, url: str) -> Skip | None:
        rule = template_reached(self._config, self._usages, host, url)
        return None if rule is None else Skip("limit_template", rule)


def usage_reached(
    config: LimitsConfig, usage: HostUsage, destination: Destination
) -> str | None:
    """The quota that a host of this usage has reached for `destination`, if any."""
    if destination == "page" and is_reached(usage.pages, config.max_pages_per_host):
        return f"limits.max_pages_per_host: {config.max_pages_per_host}"
    if (size := config.max_bytes_per_host) is not None and usage.wire_bytes >= size:
        return f"limits.max_bytes_per_host: {exact_bytes(size)}"
    if (time := config.max_time_per_host) is not None and usage.seconds >= time:
        return f"limits.max_time_per_host: {exact_seconds(time)}"
    return None


def styles_reached(config: LimitsConfig, counts: Readable, host: str) -> str | None:
    """The quota of style sheets, if the host has reached it."""
    limit = config.max_styles_per_host
    if is_reached(styles_of_host(counts, host), limit):
        return f"limits.max_styles_per_host: {limit}"
    return None


def styles_of_host(counts: Readable, host: str) -> int:
    return read_number(counts, STYLES_OF_HOST, host)


def template_reached(
    config: LimitsConfig, counts: Readable, host: str, url: str
) -> str | None:
    """The quota that the template of `url` has reached, if any."""
    limit = config.max_pages_per_template
    if limit is None:
        return None
    key = template_of(host, url)
    if pages_of_template(counts, key) < limit:
        return None
    return f"limits.max_pages_per_template: {limit} of {key.partition(' ')[2]}"


def template_of(host: str, url: str) -> str:
    """Host and template of a URL.

    Folders with too many names are not replaced by `*` here: they are found over time,
    and the template must not change.
    """
    shape = shape_of(url)
    return f"{host} {shape.path}{''.join(sorted(shape.keys))}"


def pages_of_template(counts: Readable, key: str) -> int:
    return read_number(counts, PAGES_OF_TEMPLATE, key)


def is_reached(count: int, limit: int | None) -> bool:
    return limit is not None and count >= limit
