"""The store in memory, for crawls without a folder.

It is also the model with which the tests compare the durable store.

Everything is a dict or a heap. An entry that has moved leaves its old place in a heap
behind; its `place` tells which one is true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from heapq import heapify, heappop, heappush
from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from crawler.frontier import memory_waits
from crawler.frontier.memory_rows import HostRow, UrlRow
from crawler.frontier.store import STATES, Content, Ended, HostDue, Parked, Run, State
from crawler.frontier.throttle import HostThrottle
from crawler.model.crawl import (
    Destination,
    Discovered,
    Lease,
    Queue,
    StoredResponse,
    queue_of,
)
from crawler.model.host import NO_USAGE, HostUsage
from crawler.model.link_graph import OutLinks
from crawler.model.policy_config import PolitenessConfig
from crawler.model.url import host_key, url_key

if TYPE_CHECKING:
    from crawler.frontier.waits import HostGroup, HostWork, RetryCount


class MemoryStore:
    """A `Store` without durability: `commit` does nothing, and no links are kept."""

    def __init__(self) -> None:
        self._urls: dict[str, UrlRow] = {}
        self._hosts: dict[str, HostRow] = {}
        self._later: list[tuple[float, int, UrlRow]] = []
        self._refilled: set[str] = set()
        self._counts: dict[State, int] = dict.fromkeys(STATES, 0)
        self._codes: Counter[str] = Counter()
        self._metadata: dict[tuple[str, str], bytes] = {}
        self._contents: dict[str, Content] = {}
        self._positions: dict[str, Any] = {}
        self._run: Run | None = None

    def add(self, found: Iterable[Discovered], now: float) -> int:
        return sum(self._add(one, now) for one in found)

    def known(self, url: str, depth: int) -> bool:
        known = self._urls.get(url_key(url))
        return known is not None and not self._yields(known, depth)

    def waits(self, url_id: int) -> bool:
        return any(
            row.state == "queued" and row.lease(0.0).url_id == url_id
            for row in self._urls.values()
        )

    def lease(self, host: str, queue: Queue, limit: int, now: float) -> list[Lease]:
        self._promote(now)
        known = self._hosts.get(host)
        leases: list[Lease] = []
        while known is not None and known.heaps[queue] and len(leases) < limit:
            place, url = heappop(known.heaps[queue])
            if (
                url.state == "queued"
                and url.place == place
                and queue_of(url.found.destination) == queue
            ):
                self._turn(url, "leased")
                leases.append(url.lease(now))
        return leases

    def finish(
        self,
        lease: Lease,
        ended: Ended,
        code: str | None = None,
        detail: str | None = None,
        stored: StoredResponse | None = None,
        links: OutLinks | None = None,
    ) -> None:
        url = self._leased(lease)
        self._hosts[url.host].waiting[queue_of(url.found.destination)] -= 1
        url.written = True
        if code is not None and ended in ("error", "skip"):
            self._codes[code] += 1
        self._turn(url, ended)

    def retry(
        self,
        lease: Lease,
        at: float,
        code: str | None = None,
        detail: str | None = None,
        destination: Destination | None = None,
    ) -> None:
        url = self._leased(lease)
        self._hosts[url.host].waiting[queue_of(url.found.destination)] -= 1
        self._turn(url, "queued")
        if destination is not None:
            url.take(replace(url.found, destination=destination), at)
        url.attempts += 1
        url.code = code or ""
        url.due = at
        heappush(self._later, (at, url.seq, url))

    def release(self, lease: Lease) -> None:
        url = self._leased(lease)
        self._turn(url, "queued")
        self._push(url)

    def pending_skips(self, limit: int) -> list[Discovered]:
        return [url.found for url in self._skips()][:limit]

    def skips_written(self, count: int) -> None:
        for url in self._skips()[:count]:
            url.written = True

    def counts(self) -> dict[State, int]:
        return dict(self._counts)

    def changes(self) -> dict[str, int]:
        return {}  # nothing was fetched before

    def codes(self) -> dict[str, int]:
        return dict(self._codes)

    def claim(self, limit: int, now: float, images_only: bool = False) -> list[HostDue]:
        self._promote(now)
        for host in self._hosts.values():
            host.parked &= host.ready_at > now
        due = [
            (host.ready_at, name)
            for name, host in self._hosts.items()
            if not host.claimed and host.ready_at <= now and host.has_work(images_only)
        ]
        due.sort(key=itemgetter(0))  # of equals, the one that was found first
        claimed = [name for _, name in due[:limit]]
        for name in claimed:
            self._hosts[name].claimed = True
        return [
            HostDue(n, self._hosts[n].ready_at, self._hosts[n].throttle)
            for n in claimed
        ]

    def unclaim(self, host: str, ready_at: float) -> None:
        self._hosts[host].claimed = False
        self._refilled.discard(host)
        self.block(host, ready_at)

    def refilled(self) -> Collection[str]:
        hosts, self._refilled = self._refilled, set()
        return hosts

    def block(self, host: str, until: float) -> None:
        known = self._host(host, until)
        known.ready_at = max(known.ready_at, until)

    def set_throttle(self, host: str, throttle: HostThrottle) -> None:
        self._host(host, 0.0).throttle = throttle

    def usage(self, host: str) -> HostUsage:
        known = self._hosts.get(host)
        return NO_USAGE if known is None else known.usage

    def set_usage(self, host: str, usage: HostUsage) -> None:
        self._host(host, 0.0).usage = usage

    def charge(self, host: str, sent_at: float, until: float, wire_bytes: int) -> None:
        known = self._host(host, 0.0)
        known.usage = known.usage.charged(sent_at, until, wire_bytes)

    def received_bytes(self) -> int:
        return sum(host.usage.wire_bytes for host in self._hosts.values())

    def park(self, host: str, until: float) -> None:
        self.block(host, until)
        self._hosts[host].parked = True

    def move_due_times(self, seconds: float) -> None:
        for host in self._hosts.values():
            host.ready_at += seconds
            until = host.usage.until + seconds
            host.usage = replace(host.usage, until=until)
        self._put_off(lambda at: at + seconds)

    def limit_due_times(self, hosts: float, urls: float) -> None:
        for host in self._hosts.values():
            latest = inf if host.parked else hosts + host.throttle.crawl_delay
            host.ready_at = min(host.ready_at, latest)
        self._put_off(lambda at: min(at, urls))

    def _put_off(self, until: Callable[[float], float]) -> None:
        self._later = [(until(at), seq, url) for at, seq, url in self._later]
        heapify(self._later)

    def release_parked(self, now: float) -> None:
        for host in self._hosts.values():
            if host.parked:
                host.parked = False
                host.ready_at = min(host.ready_at, now)

    def parked(self) -> list[Parked]:
        hosts: dict[str, list[HostRow]] = {}
        for host in self._hosts.values():
            if host.parked and host.has_work(images_only=False):
                hosts.setdefault(host.throttle.failure_code, []).append(host)
        return [
            Parked(
                failure_code,
                len(group),
                sum(sum(host.waiting.values()) for host in group),
                min(host.ready_at for host in group),
            )
            for failure_code, group in sorted(hosts.items())
        ]

    def next_parked(self) -> float | None:
        return min(
            (host.ready_at for host in self._hosts.values() if host.parked),
            default=None,
        )

    def next_due(self, images_only: bool = False) -> float | None:
        moments = [
            host.ready_at
            for host in self._hosts.values()
            if not host.claimed and not host.parked and host.has_work(images_only)
        ]
        moments += [
            moment
            for moment, _, url in self._later
            if not images_only or url.found.destination != "page"
        ]
        return min(moments, default=None)

    def claimed(self) -> dict[str, int]:
        return {
            name: sum(host.waiting.values())
            for name, host in self._hosts.items()
            if host.claimed
        }

    def hosts(self) -> int:
        return len(self._hosts)

    def host_groups(self, now: float) -> list[HostGroup]:
        return memory_waits.host_groups(self._hosts.values(), now)

    def waiting_hosts(self, now: float, limit: int) -> list[tuple[str, int]]:
        return memory_waits.waiting_hosts(self._hosts, self._later, now, limit)

    def retry_counts(self, now: float) -> list[RetryCount]:
        return memory_waits.retry_counts(self._later, now)

    def slowest_hosts(
        self, config: PolitenessConfig, pages_left: int, limit: int
    ) -> list[HostWork]:
        return memory_waits.slowest_hosts(self._hosts, config, pages_left, limit)

    def get(self, kind: str, key: str) -> bytes | None:
        return self._metadata.get((kind, key))

    def set(self, kind: str, key: str, value: bytes | None) -> None:
        if value is None:
            self._metadata.pop((kind, key), None)
        else:
            self._metadata[kind, key] = value

    def items(self, kind: str) -> Iterator[tuple[str, bytes]]:
        return iter(
            sorted(
                (key, value) for (k, key), value in self._metadata.items() if k == kind
            )
        )

    def content(self, sha256: str) -> Content | None:
        return self._contents.get(sha256)

    def set_content(self, sha256: str, content: Content) -> None:
        self._contents[sha256] = content

    def position(self, sink: str) -> Any:
        return self._positions.get(sink)

    def set_position(self, sink: str, position: Any) -> None:
        self._positions[sink] = position

    def run(self) -> Run | None:
        return self._run

    def set_run(self, run: Run) -> None:
        self._run = run

    def commit(self) -> None:
        """Nothing is durable here."""

    def close(self) -> None:
        """Nothing to let go of."""

    def _add(self, found: Discovered, now: float) -> int:
        key = url_key(found.url, found.redirects)
        url = self._urls.get(key)
        if url is None:
            host = host_key(found.url)
            url = self._urls[key] = UrlRow(found, len(self._urls), now, host)
            self._counts[url.state] += 1
            self._host(host, now)
        elif found.skip is None and self._yields(url, found.depth):
            nearer = url.state == "queued"
            if nearer and found.destination != url.found.destination:
                if found.destination == "page":
                    url.found = replace(url.found, depth=found.depth)
                return 0
            self._counts[url.state] -= 1
            self._counts["queued"] += 1
            url.take(replace(found, url=url.found.url) if nearer else found, now)
            if nearer:
                self._push(url)
                return 0
        else:
            return 0
        if url.state == "queued":
            self._enqueue(url, now)
        return int(url.state == "queued")

    @staticmethod
    def _yields(url: UrlRow, depth: int) -> bool:
        """Whether a find at `depth` may change the known one."""
        if url.state == "queued":
            return not url.attempts and depth < url.found.depth
        return url.state == "skip" and not url.written

    def _host(self, name: str, now: float) -> HostRow:
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = HostRow(now)
        return host

    def _enqueue(self, url: UrlRow, now: float) -> None:
        host = self._hosts[url.host]
        if not host.has_work(images_only=False):
            host.ready_at = max(host.ready_at, now)
        queue = queue_of(url.found.destination)
        self._push(url)
        host.waiting[queue] += 1
        if host.claimed:
            self._refilled.add(url.host)

    def _push(self, url: UrlRow) -> None:
        heap = self._hosts[url.host].heaps[queue_of(url.found.destination)]
        heappush(heap, (url.place, url))

    def _promote(self, now: float) -> None:
        """Put the retries that are due back into their hosts' queues."""
        while self._later and self._later[0][0] <= now:
            not_before, _, url = heappop(self._later)
            self._enqueue(url, not_before)

    def _leased(self, lease: Lease) -> UrlRow:
        url = self._urls[url_key(lease.url, lease.redirects)]
        if url.state != "leased":
            raise ValueError(f"{lease.url} is not leased, but {url.state}")
        return url

    def _turn(self, url: UrlRow, state: State) -> None:
        self._counts[url.state] -= 1
        self._counts[state] += 1
        url.state = state

    def _skips(self) -> list[UrlRow]:
        return [
            url
            for url in self._urls.values()
            if url.state == "skip" and not url.written
        ]
