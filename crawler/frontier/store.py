"""What a store of the frontier must do, in four protocols.

    UrlQueue     every URL of the crawl, and what became of it
    HostTable    every host: when it is due, its throttle, its usage
    KeyValue     small values of other rooms (`model/metadata.py`)
    Ledger       the run, the positions of its sinks, its contents, and the commit

Its promise: **each URL that enters ends in exactly one terminal record**, also when the
process dies at any moment. Three rules make that possible, and every implementation
keeps them:

- Nothing is durable before `commit`, and everything before it becomes durable at once:
  states, new URLs, retries, blocks, metadata, the sequence number and the positions of
  the sinks.
- A lease is not durable. When the store is opened again, what was leased is queued: no
  process is left that could answer for it. So a resume has to do nothing but open it.
- A URL has one row for ever. `add` of a URL that is known does nothing, with two
  exceptions, which make the outcome of a crawl depend less on the order in which pages
  arrive: a decision to skip it is overturned by a find that is not skipped, and a URL
  that still waits takes the smaller depth. A find as a page that is nearer than one as
  an image changes the depth and nothing else: the image keeps its page.

Stores are plain blocking Python and do not know the time: `now` and all moments are
seconds since the epoch, given by the caller. Hosts are *claimed* by the scheduler in
small numbers, so that neither it nor the store has to look at a hundred thousand of
them; URLs are leased from claimed hosts.

Every method may raise OutputError (disk) or StateError (damage).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from msgspec import Struct

from crawler.frontier.throttle import UNTRIED, HostThrottle
from crawler.model.crawl import Destination, Discovered, Lease, Queue, StoredResponse
from crawler.model.host import HostUsage
from crawler.model.link_graph import OutLinks
from crawler.model.metadata import KeyValue
from crawler.model.policy_config import PolitenessConfig

if TYPE_CHECKING:
    from crawler.frontier.waits import HostGroup, HostWork, RetryCount

Ended = Literal["page", "file", "image", "redirect", "error", "skip"]
"""How a URL ended: the `type` of its terminal record."""

State = Literal[
    "queued", "leased", "page", "file", "image", "redirect", "error", "skip"
]
"""What a URL is now. `skip` covers decisions that a later find may still overturn."""

STATES: tuple[State, ...] = get_args(State)


class UrlQueue(Protocol):
    """The URLs of a crawl."""

    def add(self, found: Iterable[Discovered], now: float) -> int:
        """Add URLs; return how many were queued by it.

        Those are new URLs and overturned skips. Decisions to skip are stored, and not
        counted.
        """
        ...

    def known(self, url: str, depth: int) -> bool:
        """Whether a find of `url` at `depth` is sure to change nothing.

        Only memory is searched.
        """
        ...

    def lease(self, host: str, queue: Queue, limit: int, now: float) -> list[Lease]:
        """The next URLs of one of a host's queues, leased.

        Pages come by depth and then by discovery, images and style sheets by discovery.
        """
        ...

    def finish(
        self,
        lease: Lease,
        ended: Ended,
        code: str | None = None,
        detail: str | None = None,
        stored: StoredResponse | None = None,
        links: OutLinks | None = None,
    ) -> None:
        """The URL has its terminal record.

        `code` is its `error_code`, the `reason` of a skip, or for a URL that was
        fetched again how it has changed. `detail` is the same in words: the message,
        the rule, what it is a duplicate of, or what a limit has left out of it.
        `stored` is for the next crawl; without one, what is stored already stays.
        `links` take the place of those that are stored; None: these stay.
        """
        ...

    def retry(
        self,
        lease: Lease,
        at: float,
        code: str | None = None,
        detail: str | None = None,
        destination: Destination | None = None,
    ) -> None:
        """Queue the URL again, from `at` on, with one attempt more.

        `code` and `detail` tell what became of this attempt. `destination` takes the
        place of the one that it had.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Queue the URL again as if it had not been leased: no attempt was made."""
        ...

    def waits(self, url_id: int) -> bool:
        """Whether the URL is still to be fetched. Asked before the first lease."""
        ...

    def pending_skips(self, limit: int) -> list[Discovered]:
        """The oldest decisions to skip that no record has yet; each has a `skip`."""
        ...

    def skips_written(self, count: int) -> None:
        """Mark the first `count` of `pending_skips` as written, hence terminal."""
        ...

    def counts(self) -> dict[State, int]:
        """How many URLs are in each state; kept, not counted."""
        ...

    def changes(self) -> dict[str, int]:
        """How many of the URLs fetched again are new, changed and unchanged."""
        ...

    def codes(self) -> dict[str, int]:
        """How many URLs ended with each `error_code`; kept, not counted.

        Those that were skipped for each `reason` are among them.
        """
        ...


class HostDue(Struct, frozen=True):
    """A host handed to the scheduler: when it is due, and its throttle."""

    name: str
    ready_at: float
    throttle: HostThrottle = UNTRIED


class Parked(Struct, frozen=True):
    """Hosts that failed alike too often."""

    failure_code: str
    """`error_code` of the last failure, or that of `throttle.robots_failure`."""
    hosts: int
    urls: int
    until: float
    """When the first of them is due again."""


class HostTable(Protocol):
    """The hosts of a crawl."""

    def claim(self, limit: int, now: float, images_only: bool = False) -> list[HostDue]:
        """Claim up to `limit` hosts that have work and are due, longest wait first."""
        ...

    def unclaim(self, host: str, ready_at: float) -> None:
        """Return a host none of whose URLs is leased.

        It goes behind all hosts that are ready before `ready_at`.
        """
        ...

    def refilled(self) -> Collection[str]:
        """Claimed hosts that got URLs since the last call.

        They came by `add`, or by a retry that `claim` or `lease` found due.
        """
        ...

    def block(self, host: str, until: float) -> None:
        """Lease no URL of `host` before `until`.

        The latest of several such times counts.
        """
        ...

    def set_throttle(self, host: str, throttle: HostThrottle) -> None:
        """Store the throttle of a host."""
        ...

    def park(self, host: str, until: float) -> None:
        """Lease no URL of `host` before `until`; the crawl may end without them."""
        ...

    def move_due_times(self, seconds: float) -> None:
        """Everything is due so much later, or earlier if `seconds` is negative."""
        ...

    def limit_due_times(self, hosts: float, urls: float) -> None:
        """No host and no retry of a URL is due later than this.

        A host with a Crawl-delay may be later by that. Parked hosts are left alone.
        Reads all hosts: for the beginning of a run.
        """
        ...

    def release_parked(self, now: float) -> None:
        """All parked hosts are due `now`, whatever they were parked until."""
        ...

    def parked(self) -> list[Parked]:
        """The parked hosts that have work, by failure code."""
        ...

    def next_due(self, images_only: bool = False) -> float | None:
        """When an unclaimed host with work, or a retry, falls due; None without one.

        Parked hosts do not count.
        """
        ...

    def next_parked(self) -> float | None:
        """When the next parked host becomes due, or a moment before; or None."""
        ...

    def claimed(self) -> dict[str, int]:
        """How many URLs of each claimed host wait or are leased."""
        ...

    def hosts(self) -> int:
        """How many hosts the crawl knows."""
        ...

    def host_groups(self, now: float) -> list[HostGroup]:
        """Hosts with work that are not due, by what they wait for.

        A host that keeps a delay counts if it is due later than `SOON_S` from now.
        Reads all hosts.
        """
        ...

    def waiting_hosts(self, now: float, limit: int) -> list[tuple[str, int]]:
        """Hosts of `host_groups` and of `retry_counts`, and how many URLs each has.

        Those with the most URLs come first. Reads all hosts.
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

    def usage(self, host: str) -> HostUsage:
        """What a host has used so far."""
        ...

    def set_usage(self, host: str, usage: HostUsage) -> None: ...

    def charge(self, host: str, sent_at: float, until: float, wire_bytes: int) -> None:
        """Count a finished request (`HostUsage.charged`)."""
        ...

    def received_bytes(self) -> int:
        """Body bytes of all hosts. Reads all hosts: for the beginning of a run."""
        ...


class Run(Struct, frozen=True):
    """The crawl that a store belongs to; all its resumes are the same run."""

    run_id: str
    config: str
    """The configuration it was started with, as JSON."""
    seq: int = 0
    """Number of the last record written."""
    previous_run_id: str | None = None
    """The crawl into the same state with which this one compares itself."""


class Content(Struct, frozen=True):
    """Certain bytes that were seen: the file with them, and the first URL with them."""

    path: str
    """In the crawl's folder."""
    url: str | None
    """None where that URL has other bytes by now, and no other has these."""


class Ledger(Protocol):
    """What belongs to the crawl as a whole, and the commit."""

    def run(self) -> Run | None: ...

    def set_run(self, run: Run) -> None: ...

    def position(self, sink: str) -> Any:
        """The position of a sink, as it reported it; None before the first time."""
        ...

    def set_position(self, sink: str, position: Any) -> None:
        """Keep the position of a sink: any value that msgspec can encode."""
        ...

    def content(self, sha256: str) -> Content | None: ...

    def set_content(self, sha256: str, content: Content) -> None: ...

    def commit(self) -> None:
        """Make everything so far durable, in one transaction."""
        ...

    def close(self) -> None:
        """Close all files. What was not committed is lost."""
        ...


class Store(UrlQueue, HostTable, KeyValue, Ledger, Protocol):
    """One crawl's memory. A room that needs a part of it names that part's protocol."""
