"""The progress of a crawl: counters fed by the committer, and frozen snapshots.

Counting lies on the path of every record and is a few additions. All else (rates, the
busiest hosts) is worked out when a snapshot is taken, a few times a second at most.
This module does not import the hub, so no other greenlet sees it half-counted.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from heapq import nlargest
from typing import Protocol

from msgspec import Struct

from crawler.model.host import NO_WAITS, Waits
from crawler.model.record_base import FetchRecord, Record, UrlRecord
from crawler.model.records import ErrorRecord, RedirectRecord
from crawler.model.seed import parse_seed

RATE_WINDOW_S = 10.0
"""The time over which rates are measured (seconds).

It is long enough for a steady number and short enough to show a stall.
"""

TOP_HOSTS = 40
LAST_ERRORS = 10
LAST_URLS = 20
MAX_HOSTS = 20_000
"""Counted apart; beyond, those with the fewest URLs are forgotten."""


_LOGIN = re.compile(r"(?i)[/._-](?:log|sign)[-_]?(?:in|on)(?![a-z])").search


class FrontierStatistics(Protocol):
    """The counts that a snapshot needs.

    URLs waiting, those that workers have, of which some are in flight, and hosts known.
    """

    @property
    def queued(self) -> int: ...
    @property
    def leased(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def hosts(self) -> int: ...


class Snapshot(Struct, frozen=True):
    """A crawl at one moment.

    `bytes` are those of this run, as `HostUsage.wire_bytes` has it; rates are per
    second.
    """

    elapsed_s: float
    pages: int = 0
    files: int = 0
    images: int = 0
    redirects: int = 0
    errors: int = 0
    skipped: int = 0
    bytes: int = 0
    queued: int = 0
    in_flight: int = 0
    """URLs that are being fetched."""
    unwritten: int = 0
    """URLs whose request is over, and whose record is to come."""
    hosts: int = 0
    pages_per_s: float = 0.0
    bytes_per_s: float = 0.0
    hosts_top: tuple[tuple[str, int, int, int], ...] = ()
    """The busiest hosts that have work: (host, done, queued, in flight)."""
    last_errors: tuple[tuple[str, str, str], ...] = ()
    """(URL, error_code, message), the newest last."""
    errors_by_code: dict[str, int] = {}
    last_urls: tuple[tuple[str, str], ...] = ()
    """What was done last: (record type, URL), the newest last."""
    draining: bool = False
    waits: Waits = NO_WAITS
    """What is waited for, and the least time that the queues take."""


class Stats:
    """The counters of one crawl.

    `done`: the counts by record type from which a resumed crawl goes on. `login_url`:
    the page of the login, if the crawl has logged in.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        done: Mapping[str, int] | None = None,
        login_url: str = "",
    ) -> None:
        self._clock = clock
        self._started = clock()
        self._by_type: Counter[str] = Counter(done or {})
        self._by_host: Counter[str] = Counter()
        self._by_code: Counter[str] = Counter()
        self._last_errors: deque[tuple[str, str, str]] = deque(maxlen=LAST_ERRORS)
        self._last_urls: deque[UrlRecord] = deque(maxlen=LAST_URLS)
        self.seed_failures: Counter[tuple[str, int | None]] = Counter()
        """(error_code, status) of the seeds that failed, also behind a redirect."""
        self.seed_error = ""
        """The message of the last of these."""
        self.last_error = ""
        """The message of the page that failed last."""
        url = login_url and parse_seed(login_url).url
        self._login_url = url.partition("?")[0]
        self.to_login = 0
        """Redirects to the page of the login."""
        self.login_page = ""
        """Where a seed redirects to, if that looks like a login and there was none."""
        # (time, pages, bytes), one per snapshot, the oldest about RATE_WINDOW_S old.
        self._samples = deque([(self._started, self._by_type["page"], 0)])

    def count(self, record: Record) -> None:
        """Take one record of the stream into account."""
        self._by_type[record.type] += 1
        if len(self._by_host) > MAX_HOSTS:
            self._by_host = Counter(dict(self._by_host.most_common(MAX_HOSTS // 2)))
        if isinstance(record, FetchRecord):
            self._by_host[record.host] += 1
            self._last_urls.append(record)
            if isinstance(record, RedirectRecord):
                self._redirected(record)
        elif isinstance(record, ErrorRecord):
            self._by_code[record.error_code] += 1
            self._by_host[record.host] += 1
            self._last_errors.append(
                (record.url, record.error_code, record.error_message)
            )
            if record.for_type == "page":
                self.last_error = record.error_message
            if record.depth == 0:
                self.seed_failures[record.error_code, record.status] += 1
                self.seed_error = record.error_message

    def _redirected(self, record: RedirectRecord) -> None:
        target = record.location.partition("?")[0]
        if self._login_url:
            self.to_login += target == self._login_url
        elif not record.depth and _LOGIN(target):
            self.login_page = target

    def snapshot(
        self,
        frontier: FrontierStatistics,
        by_host: Mapping[str, tuple[int, int]] | None = None,
        *,
        received: int = 0,
        skipped: int | None = None,
        draining: bool = False,
        waits: Waits = NO_WAITS,
    ) -> Snapshot:
        """The crawl now.

        `by_host` gives (queued, in flight) for each host with requests in flight.
        `received`: bytes of bodies in this run; the quotas count them.

        `skipped`: decisions to skip, where the caller knows of those that are in no
        record yet.
        """
        now = self._clock()
        pages_per_s, bytes_per_s = self._rates(now, received)
        by_type = self._by_type
        return Snapshot(
            elapsed_s=now - self._started,
            pages=by_type["page"],
            files=by_type["file"],
            images=by_type["image"],
            redirects=by_type["redirect"],
            errors=by_type["error"],
            skipped=by_type["skip"] if skipped is None else skipped,
            bytes=received,
            queued=frontier.queued,
            in_flight=frontier.in_flight,
            unwritten=frontier.leased - frontier.in_flight,
            hosts=frontier.hosts,
            pages_per_s=pages_per_s,
            bytes_per_s=bytes_per_s,
            hosts_top=self._busiest(by_host or {}),
            last_errors=tuple(self._last_errors),
            errors_by_code=dict(self._by_code.most_common()),
            last_urls=tuple((record.type, record.url) for record in self._last_urls),
            draining=draining,
            waits=waits,
        )

    def _busiest(
        self, by_host: Mapping[str, tuple[int, int]]
    ) -> tuple[tuple[str, int, int, int], ...]:
        """The busiest hosts of those given that have work.

        A crawl of a million hosts pays no more for this than one of ten.
        """
        rows = [
            (host, self._by_host[host], queued, in_flight)
            for host, (queued, in_flight) in by_host.items()
            if queued or in_flight
        ]
        return tuple(nlargest(TOP_HOSTS, rows, key=_by_activity))

    def _rates(self, now: float, received: int) -> tuple[float, float]:
        pages = self._by_type["page"]
        samples = self._samples
        while len(samples) > 1 and samples[1][0] <= now - RATE_WINDOW_S:
            samples.popleft()
        then, pages_then, received_then = samples[0]
        samples.append((now, pages, received))
        span = now - then
        if span <= 0:
            return 0.0, 0.0
        return (pages - pages_then) / span, (received - received_then) / span


def combined(snapshots: Sequence[Snapshot]) -> Snapshot:
    """The sum of several concurrent crawls.

    A host that two of them crawl is counted twice.
    """
    from crawler.frontier.waits import combine_waits  # for several crawls only

    sums = {
        name: sum(getattr(snapshot, name) for snapshot in snapshots)
        for name in Snapshot.__struct_fields__
        if isinstance(getattr(snapshots[0], name), int | float) and name != "draining"
    }
    errors = [error for snapshot in snapshots for error in snapshot.last_errors]
    by_code: Counter[str] = Counter()
    for snapshot in snapshots:
        by_code.update(snapshot.errors_by_code)
    hosts = (host for snapshot in snapshots for host in snapshot.hosts_top)
    return Snapshot(
        **{**sums, "elapsed_s": max(snapshot.elapsed_s for snapshot in snapshots)},
        hosts_top=tuple(nlargest(TOP_HOSTS, hosts, key=_by_activity)),
        last_errors=tuple(errors[-LAST_ERRORS:]),
        errors_by_code=dict(by_code.most_common()),
        last_urls=tuple(url for snapshot in snapshots for url in snapshot.last_urls)[
            -LAST_URLS:
        ],
        draining=any(snapshot.draining for snapshot in snapshots),
        waits=combine_waits([snapshot.waits for snapshot in snapshots]),
    )


def _by_activity(row: tuple[str, int, int, int]) -> tuple[int, int, int]:
    """Hosts with requests in flight first, then those with the longest queues."""
    _, done, queued, in_flight = row
    return in_flight, queued, done
