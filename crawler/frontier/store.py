"""What a store of the frontier must do.

The store knows every URL of the crawl and what became of it. Its promise: **each URL
that enters ends in exactly one terminal record**, also when the process dies at any
moment. Three rules make that possible, and every implementation keeps them:

- Nothing is durable before `commit`, and everything before it becomes durable at once:
  states, new URLs, retries, blocks, notes, the sequence number and the offset of the
  output.
- A lease is not durable. When the store is opened again, what was leased is queued:
  nobody is left who could answer for it. So opening is all that a resume has to do.
- A URL has one row for ever. `add` of a URL that is known does nothing, with two
  exceptions, which make the outcome of a crawl depend less on the order in which pages
  arrive: a decision to skip it is overturned by a find that is not skipped, and a URL
  that still waits takes the smaller depth.

Stores are plain blocking Python and do not know the time: `now` and all moments are
seconds since the epoch, given by the caller. Hosts are *claimed* by the scheduler in
small numbers, so that neither it nor the store has to look at a hundred thousand of
them; URLs are leased from claimed hosts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Literal, Protocol, get_args

from msgspec import Struct

from crawler.frontier.throttle import UNTRIED, HostThrottle
from crawler.model.crawl import Destination, Discovered, Lease, StoredResponse
from crawler.model.host import HostUsage

Ended = Literal["page", "file", "image", "redirect", "error", "skip"]
"""How a URL ended: the `type` of its terminal record."""

State = Literal[
    "queued", "leased", "page", "file", "image", "redirect", "error", "skip"
]
"""What a URL is now. `skip` covers decisions that a later find may still overturn."""

STATES: tuple[State, ...] = get_args(State)

STATE_VERSION = 4
"""Of the folder's format. A store refuses to open any other."""


class Run(Struct, frozen=True):
    """The crawl that a store belongs to; all its resumes are the same run."""

    run_id: str
    config: str
    """The configuration it was started with, as JSON."""
    seq: int = 0
    """Number of the last record written."""
    before: str | None = None
    """run_id of the crawl into the same state that this one compares itself with."""


class HostDue(Struct, frozen=True):
    """A host handed to the scheduler: when it may be asked next, and what it has taught
    us."""

    name: str
    ready_at: float
    throttle: HostThrottle = UNTRIED


class Parked(Struct, frozen=True):
    """Hosts that failed alike too often: how many, with how many URLs, and until when
    at least."""

    failure_code: str
    """`error_code` of the last failure, or "robots_deferred"."""
    hosts: int
    urls: int
    until: float


class Content(Struct, frozen=True):
    """The file with certain bytes: its path in the crawl's folder, and the first URL
    with them.

    None where that URL has other bytes by now, and no other has been met with these.
    """

    path: str
    url: str | None


class Store(Protocol):
    """One crawl's memory. Every method may raise OutputError (disk) or StateError
    (damage)."""

    # URLs

    def add(self, found: Iterable[Discovered], now: float) -> int:
        """Take URLs in. Returns how many were queued by this call: new ones, and skips
        overturned.

        Decisions to skip are kept, and not counted.
        """
        ...

    def known(self, url: str, depth: int) -> bool:
        """Whether a find of `url` at `depth` is sure to change nothing; looks at memory
        only."""
        ...

    def lease(
        self, host: str, destination: Destination, limit: int, now: float
    ) -> list[Lease]:
        """The next URLs of one host: pages by depth and then by discovery, images by
        discovery."""
        ...

    def done(
        self,
        lease: Lease,
        ended: Ended,
        code: str | None = None,
        detail: str | None = None,
        stored: StoredResponse | None = None,
    ) -> None:
        """The URL has its terminal record. `code`: its `error_code`, `reason` of a
        skip, or of what was fetched again how it has changed.

        `detail` is the code in words, for whoever asks later: message, rule, or double of
        what. `stored` is for the next crawl; without one, what is kept already stays.
        """
        ...

    def retry(
        self,
        lease: Lease,
        not_before: float,
        code: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Queue the URL again, from `not_before` on, with one attempt more on its
        account.

        `code` and `detail` say what became of this attempt.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Queue the URL again as if it had not been leased: no attempt was made."""
        ...

    def pending_skips(self, limit: int) -> list[Discovered]:
        """The oldest decisions to skip that are in no record yet (`skip` is set in
        each)."""
        ...

    def skips_written(self, count: int) -> None:
        """The first `count` of `pending_skips` are in the output: they are terminal
        now."""
        ...

    def counts(self) -> dict[State, int]:
        """URLs in each state; kept, not counted."""
        ...

    def changes(self) -> dict[str, int]:
        """Of what a further crawl has fetched, how many URLs are new, changed and
        unchanged."""
        ...

    # Hosts

    def claim(self, limit: int, now: float, images_only: bool = False) -> list[HostDue]:
        """Up to `limit` hosts that have work and may be asked now, longest-waiting
        first."""
        ...

    def unclaim(self, host: str, ready_at: float) -> None:
        """Give a host back, no URL of which is leased any more.

        It goes behind all hosts that are ready before `ready_at`.
        """
        ...

    def refilled(self) -> Collection[str]:
        """Claimed hosts to which URLs have come since this was last asked.

        By `add`, or by a retry that `claim` or `lease` found due.
        """
        ...

    def block(self, host: str, until: float) -> None:
        """No URL of `host` before `until`; of several such moments the latest
        counts."""
        ...

    def set_throttle(self, host: str, throttle: HostThrottle) -> None:
        """Remember what a host has taught us."""
        ...

    def usage(self, host: str) -> HostUsage:
        """What a host has cost so far."""
        ...

    def set_usage(self, host: str, usage: HostUsage) -> None: ...

    def received(self) -> int:
        """Body bytes of all hosts. Reads all hosts: for the beginning of a run."""
        ...

    def park(self, host: str, until: float) -> None:
        """No URL of `host` before `until`, and no crawl is kept from its end by
        them."""
        ...

    def parked(self) -> list[Parked]:
        """The parked hosts that have work, by what ails them."""
        ...

    def next_due(self, images_only: bool = False) -> float | None:
        """When an unclaimed host with work, or a retry, falls due next; None if there
        is none.

        Hosts that are parked do not count.
        """
        ...

    def next_parked(self) -> float | None:
        """When the next host has been parked long enough, or earlier; None if none is
        parked."""
        ...

    def claimed(self) -> dict[str, int]:
        """How many URLs of each claimed host wait or are leased."""
        ...

    def hosts(self) -> int:
        """How many hosts the crawl has met."""
        ...

    # What else a crawl must not forget

    def get(self, kind: str, key: str) -> bytes | None: ...

    def set(self, kind: str, key: str, value: bytes | None) -> None:
        """Keep a small value under (kind, key); None deletes it."""
        ...

    def items(self, kind: str) -> Iterator[tuple[str, bytes]]: ...

    def content(self, sha256: str) -> Content | None: ...

    def set_content(self, sha256: str, content: Content) -> None:
        """Remember where these bytes are."""
        ...

    def position(self, sink: str) -> Any: ...

    def set_position(self, sink: str, offset: Any) -> None: ...

    def run(self) -> Run | None: ...

    def set_run(self, run: Run) -> None: ...

    def commit(self) -> None:
        """Make everything so far durable, in one transaction."""
        ...

    def close(self) -> None:
        """Let go of all files. What was not committed is lost."""
        ...
