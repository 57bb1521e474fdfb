"""The state of a crawl that is cut into shards, read as one.

Everything of a host is in one shard, so that a question about a URL or a host is one
for its owner; all others are asked of each, and the answers are put together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from heapq import merge, nlargest
from itertools import chain
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from crawler.frontier.sqlite.fleet_file import Fleet
from crawler.frontier.state_reader import (
    HostInfo,
    RetryGroup,
    StateReader,
    Totals,
    UrlRow,
)
from crawler.frontier.store import Content, Run, State
from crawler.frontier.throttle import Controller
from crawler.frontier.waits import HostGroup, HostWork, RetryCount, time_of
from crawler.model.link_graph import SourceLinks
from crawler.model.metadata import (
    CLOCKS,
    COOKIES,
    EXTERNAL,
    ITEMS,
    LEFT_OUT,
    NEEDS_JAVASCRIPT,
    REQUESTS_BY_CODE,
)
from crawler.model.policy_config import PolitenessConfig
from crawler.model.shards import Owners

K = TypeVar("K")

_COUNTED = frozenset({EXTERNAL, ITEMS, LEFT_OUT, NEEDS_JAVASCRIPT, REQUESTS_BY_CODE})
"""Metadata that are numbers, of which the crawl has the sum."""


class ShardedState:
    """A `StateReader` of `fleet`, of which `shards` are those that have begun."""

    def __init__(self, fleet: Fleet, shards: dict[int, StateReader]) -> None:
        self._fleet = fleet
        self._by_number = shards
        self._shards = list(shards.values())
        self._owners = Owners(fleet.layout)

    # The crawl

    def run(self) -> Run:
        runs = [run for one in self._shards if (run := one.run()) is not None]
        return Run(
            self._fleet.run_id,
            self._fleet.config,
            sum(run.seq for run in runs),
            next((run.previous_run_id for run in runs if run.previous_run_id), None),
        )

    def totals(self) -> Totals:
        every = [total for one in self._shards if (total := one.totals()) is not None]
        retry = [one.next_retry for one in every if one.next_retry is not None]
        return Totals(
            run=self.run(),
            counts=_sum(one.counts for one in every),
            hosts=sum(one.hosts for one in every),
            received_bytes=sum(one.received_bytes for one in every),
            retries=sum(one.retries for one in every),
            next_retry=min(retry, default=None),
            reasons={
                kind: dict(
                    Counter(_sum(one.reasons[kind] for one in every)).most_common()
                )
                for kind in ("error", "skip")
            },
            changes=_sum(one.changes for one in every),
            queued_images=sum(one.queued_images for one in every),
        )

    def count(self, state: State) -> int:
        return sum(one.count(state) for one in self._shards)

    def received_bytes(self) -> int:
        return sum(one.received_bytes() for one in self._shards)

    # URLs

    def url(self, url: str) -> UrlRow | None:
        owner = self._by_number.get(self._owners.of_url(url))
        return None if owner is None else owner.url(url)

    def urls(
        self,
        states: tuple[State, ...],
        hosts: tuple[str, ...],
        reasons: tuple[str, ...],
    ) -> Iterator[UrlRow]:
        return chain.from_iterable(
            one.urls(states, hosts, reasons) for one in self._shards
        )

    def urls_before(self, row: UrlRow) -> int:
        return self._by_number[self._owners.of_url(row.url)].urls_before(row)

    # Links. The number of a URL is that in its shard, times the number of shards, plus
    # the shard.

    def url_states(self) -> bytearray:
        return self._merged({n: one.url_states() for n, one in self._by_number.items()})

    def external_urls(self) -> bytearray:
        return self._merged(
            {n: one.external_urls() for n, one in self._by_number.items()}
        )

    def _merged(self, every: Mapping[int, bytearray]) -> bytearray:
        """What each shard has for its URLs, by the numbers of the whole crawl."""
        count = self._owners.shards
        merged = bytearray(count * max(map(len, every.values()), default=0))
        for shard, states in every.items():
            merged[shard : len(states) * count : count] = states
        return merged

    def url_at(self, number: int) -> UrlRow:
        own, shard = divmod(number, self._owners.shards)
        return self._by_number[shard].url_at(own)

    def number_of(self, url: str) -> int:
        shard = self._owners.of_url(url)
        owner = self._by_number.get(shard)
        own = 0 if owner is None else owner.number_of(url)
        return self._number(own, shard)

    def source_links(self) -> Iterator[SourceLinks]:
        for shard, one in self._by_number.items():
            for source in one.source_links():
                yield self._of_all(source, shard)

    def links_of(self, number: int) -> SourceLinks | None:
        own, shard = divmod(number, self._owners.shards)
        one = self._by_number.get(shard)
        source = one.links_of(own) if one and own else None
        return None if source is None else self._of_all(source, shard)

    def pages_without_links(self) -> int:
        return sum(one.pages_without_links() for one in self._shards)

    def redirects(self) -> Iterator[SourceLinks]:
        for shard, one in self._by_number.items():
            for source in one.redirects():
                yield self._of_all(source, shard)

    def _number(self, own: int, shard: int) -> int:
        return own * self._owners.shards + shard if own else 0

    def _of_all(self, source: SourceLinks, shard: int) -> SourceLinks:
        """A document as its shard has it, with the numbers of the whole crawl.

        To its shard the URLs of other shards are unknown.
        """
        links = tuple(
            replace(link, target=self._number(link.target, shard))
            if link.target
            else replace(link, target=self.number_of(link.url))
            if link.url
            else link
            for link in source.links
        )
        return replace(source, number=self._number(source.number, shard), links=links)

    def retries(self, limit: int) -> list[RetryGroup]:
        every = chain.from_iterable(one.retries(limit) for one in self._shards)
        return nlargest(limit, every, key=lambda group: group.urls)

    # Hosts

    def host(self, name: str) -> HostInfo | None:
        owner = self._by_number.get(self._owners.of_host(name))
        return None if owner is None else owner.host(name)

    def hosts(self) -> Iterator[HostInfo]:
        return merge(
            *(one.hosts() for one in self._shards), key=lambda host: -host.queued
        )

    def busiest(self, limit: int) -> list[HostInfo]:
        every = chain.from_iterable(one.busiest(limit) for one in self._shards)
        return nlargest(limit, every, key=lambda host: host.queued)

    def host_groups(self, now: float) -> list[HostGroup]:
        found: dict[tuple[str, bool, bool, bool], list[HostGroup]] = {}
        for group in chain.from_iterable(one.host_groups(now) for one in self._shards):
            key = group.failure_code, group.parked, group.slowed, group.delayed
            found.setdefault(key, []).append(group)
        return [
            HostGroup(
                *key,
                sum(one.hosts for one in groups),
                sum(one.urls for one in groups),
                min(one.until for one in groups),
            )
            for key, groups in found.items()
        ]

    def retry_counts(self, now: float) -> list[RetryCount]:
        found: dict[str, list[RetryCount]] = {}
        for one in chain.from_iterable(one.retry_counts(now) for one in self._shards):
            found.setdefault(one.code, []).append(one)
        return [
            RetryCount(
                code, sum(one.urls for one in every), min(one.until for one in every)
            )
            for code, every in found.items()
        ]

    def slowest_hosts(
        self, config: PolitenessConfig, pages_left: int, limit: int
    ) -> list[HostWork]:
        controller = Controller(config)
        every = chain.from_iterable(
            one.slowest_hosts(config, pages_left, limit) for one in self._shards
        )
        return nlargest(
            limit, every, key=lambda one: time_of(one, controller, pages_left)
        )

    def names_of_group(self, group: HostGroup, now: float, limit: int) -> list[str]:
        every = (one.names_of_group(group, now, limit) for one in self._shards)
        return list(chain.from_iterable(every))[:limit]

    # Values and contents

    def get(self, kind: str, key: str) -> bytes | None:
        values = [one.get(kind, key) for one in self._shards]
        found = [value for value in values if value is not None]
        if kind in _COUNTED and found:
            return b"%d" % sum(map(int, found))
        if kind == CLOCKS and found:
            return max(found, key=_saved_at)
        return found[0] if found else None

    def items(self, kind: str) -> Iterable[tuple[str, bytes]]:
        every: dict[str, bytes] = {}
        for number, one in self._by_number.items():
            for key, value in one.items(kind):
                if kind in _COUNTED:
                    value = b"%d" % (int(value) + int(every.get(key, 0)))
                elif kind == COOKIES and self._owners.of_host(key) != number:
                    value = every.get(key, value)  # the owner has the newest ones
                every[key] = value
        return sorted(every.items())

    def image_file(self, url: str) -> Content | None:
        owner = self._by_number.get(self._owners.of_url(url))
        return None if owner is None else owner.image_file(url)


def _saved_at(clocks: bytes) -> float:
    """When a shard has committed last, as its metadata tells."""
    try:
        steady, _wall = msgspec.msgpack.decode(clocks, type=tuple[float, float])
    except msgspec.MsgspecError:
        return 0.0  # damaged: it tells nothing
    return steady


def _sum(counts: Iterable[dict[K, int]]) -> dict[K, int]:
    total: dict[K, int] = {}
    for one in counts:
        for key, number in one.items():
            total[key] = total.get(key, 0) + number
    return total
