"""Queries about a crawl's state, for rooms that only read it.

A reader sees the last commit, while a crawl writes or after its end. Leases live in the
crawl's own process, so a URL that is being fetched at this moment counts as queued.
Where a question costs more than a look at an index, its docstring says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from crawler.frontier.store import Content, Run, State
from crawler.frontier.throttle import HostThrottle
from crawler.model.crawl import Destination
from crawler.model.documents import LinkKind
from crawler.model.host import NO_USAGE, HostUsage
from crawler.model.http import Hop
from crawler.model.link_graph import SourceLinks
from crawler.model.policy_config import PolitenessConfig

if TYPE_CHECKING:
    from crawler.frontier.waits import HostGroup, HostWork, RetryCount


class UrlRow(Struct, frozen=True):
    """One URL, as the state has it."""

    url: str
    """As the first link to it wrote it."""
    url_id: str
    host: str
    kind: LinkKind
    destination: Destination
    depth: int
    state: State
    """The state of a URL.

    It is `skip` also while a later find may overturn that, and `queued` also while it
    is being fetched.
    """
    attempts: int
    """Requests made for it."""
    retry_at: float | None
    """From when on a URL that failed gets another attempt, epoch seconds."""
    code: str | None
    """`error_code`, `reason` of a skip, or change.

    A URL that waits has the `error_code` of its last attempt. A URL of a recrawl is
    new, changed or unchanged.
    """
    detail: str | None
    """The same in words: message, rule, or what it is a duplicate of.

    Of a page or a file: what a limit has left out of it.
    """
    redirects: tuple[Hop, ...]
    parent_url: str | None
    seed_url: str | None
    found_at: float


class HostInfo(Struct, frozen=True):
    """One host: what waits for it, and what has become of its URLs."""

    name: str
    pages: int
    """Queued, those that wait for a retry left out."""
    images: int
    ready_at: float
    """It is not due before (seconds since the epoch)."""
    parked: bool
    """It failed too often, and is left alone until `ready_at`."""
    throttle: HostThrottle
    """Its throttle: Crawl-delay, slowdown, failures in a row."""
    usage: HostUsage = NO_USAGE
    """What it has used so far."""
    ended: dict[State, int] = {}
    """How many of its URLs ended in each state; empty where that was not counted."""

    @property
    def queued(self) -> int:
        return self.pages + self.images


class RetryGroup(Struct, frozen=True):
    """URLs of one host that wait for another attempt after the same kind of failure."""

    code: str | None
    host: str
    urls: int
    next_at: float


class Totals(Struct, frozen=True):
    """The crawl as a whole."""

    run: Run
    counts: dict[State, int]
    hosts: int
    received_bytes: int
    """Body bytes of all hosts, as `HostUsage.wire_bytes` has it."""
    retries: int
    """URLs that failed and wait for another attempt, counted in `queued` as well."""
    next_retry: float | None
    """When the first of them is due, epoch seconds."""
    reasons: dict[str, dict[str, int]]
    """How many URLs have each `error_code` and each `reason`, largest number first."""
    changes: dict[str, int]
    """How many URLs of a recrawl are new, changed and unchanged.

    It is empty in a first crawl.
    """
    queued_images: int
    """How many of the queued URLs are images, which a limit of pages does not stop.

    Those that wait for another attempt are left out.
    """


class StateReader(Protocol):
    """A crawl's state as of one moment. Every method may raise StateError."""

    def run(self) -> Run | None:
        """The crawl it belongs to; None if that never began."""
        ...

    def totals(self) -> Totals | None:
        """None if the crawl never began. Reads all hosts."""
        ...

    def count(self, state: State) -> int:
        """How many URLs are in this state; kept, not counted."""
        ...

    def received_bytes(self) -> int:
        """Body bytes of all hosts. Reads all hosts."""
        ...

    def url(self, url: str) -> UrlRow | None:
        """The canonical `url`; None if the crawl does not know it."""
        ...

    def urls(
        self,
        states: tuple[State, ...],
        hosts: tuple[str, ...],
        reasons: tuple[str, ...],
    ) -> Iterator[UrlRow]:
        """All URLs that match, in order of discovery.

        An empty filter matches all. Reads all URLs.
        """
        ...

    def url_states(self) -> bytearray:
        """The state of each URL by its number, as 1 + its index in STATES.

        The number is its place in the order of discovery, from 1 on; 0: there is no URL
        with it. A byte for each URL.
        """
        ...

    def external_urls(self) -> bytearray:
        """1 for each URL, by its number, that the scope refused or requested only."""
        ...

    def url_at(self, number: int) -> UrlRow:
        """The URL with this number."""
        ...

    def number_of(self, url: str) -> int:
        """The number of the canonical `url`; 0: the crawl does not know it."""
        ...

    def source_links(self) -> Iterator[SourceLinks]:
        """All documents that have links or facts, one at a time, by their numbers.

        Redirects are among them. Reads all links.
        """
        ...

    def links_of(self, number: int) -> SourceLinks | None:
        """One of them; None: it has no links and no facts."""
        ...

    def pages_without_links(self) -> int:
        """How many pages were fetched by a program that kept no links."""
        ...

    def redirects(self) -> Iterator[SourceLinks]:
        """Those that are redirects, each with the link to where it leads."""
        ...

    def urls_before(self, row: UrlRow) -> int:
        """How many URLs of its host are fetched before this queued one. Counts them."""
        ...

    def host(self, name: str) -> HostInfo | None: ...

    def hosts(self) -> Iterator[HostInfo]:
        """All hosts, those with the most work first.

        Reads all URLs once to count them.
        """
        ...

    def busiest(self, limit: int) -> list[HostInfo]:
        """The hosts with the longest queues."""
        ...

    def host_groups(self, now: float) -> list[HostGroup]:
        """Hosts with work that are not due, by what they wait for.

        A host that keeps a delay counts if it is due later than `SOON_S` from now.
        Reads all hosts.
        """
        ...

    def retry_counts(self, now: float) -> list[RetryCount]:
        """URLs that wait for another attempt later than `now`, by failure.

        It counts `MAX_RETRIES` of them.
        """
        ...

    def slowest_hosts(
        self, config: PolitenessConfig, pages_left: int, limit: int
    ) -> list[HostWork]:
        """The hosts whose queues take longest at the rate that politeness allows.

        Parked ones are left out. `pages_left`: how many pages are still to be fetched
        of any host. Reads all hosts.
        """
        ...

    def names_of_group(self, group: HostGroup, now: float, limit: int) -> list[str]:
        """The first hosts of a group, those with the longest queues first."""
        ...

    def retries(self, limit: int) -> list[RetryGroup]:
        """What waits for another attempt, by code and host, the largest first."""
        ...

    def image_file(self, url: str) -> Content | None:
        """The file with the image of `url`, if it was the first with these bytes.

        Reads all contents.
        """
        ...

    def get(self, kind: str, key: str) -> bytes | None:
        """A value of `KeyValue`."""
        ...

    def items(self, kind: str) -> Iterable[tuple[str, bytes]]:
        """All keys and values of one kind."""
        ...
