"""The part of the durable store that is about hosts alone, in the store's
transaction."""

from __future__ import annotations

from math import inf

from crawler.frontier.sqlite.database import Fallible, explained
from crawler.frontier.sqlite.hosts import HostTable
from crawler.frontier.store import Parked
from crawler.frontier.throttle import HostThrottle
from crawler.model.host import HostUsage


class HostPart(Fallible):
    """Methods of `base.Store` that the table of hosts answers."""

    _hosts: HostTable

    @explained
    def unclaim(self, host: str, ready_at: float) -> None:
        self._begin()
        self._hosts.unclaim(host, ready_at)

    def refilled(self) -> set[str]:
        return self._hosts.refilled()

    @explained
    def block(self, host: str, until: float) -> None:
        self._begin()
        self._hosts.block(host, until)

    @explained
    def set_throttle(self, host: str, throttle: HostThrottle) -> None:
        self._begin()
        self._hosts.set_throttle(host, throttle)

    @explained
    def usage(self, host: str) -> HostUsage:
        self._begin()
        return self._hosts.usage(host)

    @explained
    def set_usage(self, host: str, usage: HostUsage) -> None:
        self._begin()
        self._hosts.set_usage(host, usage)

    @explained
    def received(self) -> int:
        self._begin()
        return self._hosts.received()

    @explained
    def park(self, host: str, until: float) -> None:
        self._begin()
        self._hosts.park(host, until)

    @explained
    def parked(self) -> list[Parked]:
        self._begin()
        return self._hosts.parked()

    def next_parked(self) -> float | None:
        moment = self._hosts.next_parked
        return None if moment == inf else moment

    @explained
    def claimed(self) -> dict[str, int]:
        self._begin()
        return self._hosts.claimed()

    def hosts(self) -> int:
        return self._hosts.total
