"""The `HostTable` of the durable store, in the store's transaction."""

from __future__ import annotations

from collections.abc import Collection
from math import inf
from typing import TYPE_CHECKING

from crawler.frontier.sqlite.database import first_column, translate_sqlite_errors
from crawler.frontier.sqlite.store_part import StorePart
from crawler.frontier.store import HostDue, Parked
from crawler.frontier.throttle import HostThrottle
from crawler.model.host import HostUsage
from crawler.model.policy_config import PolitenessConfig

if TYPE_CHECKING:
    from crawler.frontier.waits import HostGroup, HostWork, RetryCount


class SqliteHostTable(StorePart):
    """The `HostTable` protocol, by way of `HostRows`."""

    @translate_sqlite_errors
    def claim(self, limit: int, now: float, images_only: bool = False) -> list[HostDue]:
        self._promote(now)
        self._begin()
        return self._hosts.claim(limit, now, images_only)

    @translate_sqlite_errors
    def next_due(self, images_only: bool = False) -> float | None:
        self._begin()
        retry = self._next_retry
        if images_only and retry != inf:
            retry = self._next_image_retry()
        moment = min(self._hosts.next_due(images_only), retry)
        return None if moment == inf else moment

    def _next_image_retry(self) -> float:
        query = """
            SELECT min(retry.retry_at) FROM retry JOIN url USING (seq)
            WHERE destination > 0"""
        moment: float = first_column(self._db.execute(query), inf)
        return moment

    @translate_sqlite_errors
    def unclaim(self, host: str, ready_at: float) -> None:
        self._begin()
        self._hosts.unclaim(host, ready_at)

    def refilled(self) -> Collection[str]:
        return self._hosts.refilled()

    @translate_sqlite_errors
    def block(self, host: str, until: float) -> None:
        self._begin()
        self._hosts.block(host, until)

    @translate_sqlite_errors
    def set_throttle(self, host: str, throttle: HostThrottle) -> None:
        self._begin()
        self._hosts.set_throttle(host, throttle)

    @translate_sqlite_errors
    def usage(self, host: str) -> HostUsage:
        self._begin()
        return self._hosts.usage(host)

    @translate_sqlite_errors
    def set_usage(self, host: str, usage: HostUsage) -> None:
        self._begin()
        self._hosts.set_usage(host, usage)

    @translate_sqlite_errors
    def charge(self, host: str, sent_at: float, until: float, wire_bytes: int) -> None:
        self._begin()
        self._hosts.charge(host, sent_at, until, wire_bytes)

    @translate_sqlite_errors
    def received_bytes(self) -> int:
        self._begin()
        return self._hosts.received_bytes()

    @translate_sqlite_errors
    def park(self, host: str, until: float) -> None:
        self._begin()
        self._hosts.park(host, until)

    @translate_sqlite_errors
    def move_due_times(self, seconds: float) -> None:
        self._begin()
        self._hosts.move_due_times(seconds)
        self._reschedule("retry_at + :value", "retry_at IS NOT NULL", seconds)

    @translate_sqlite_errors
    def limit_due_times(self, hosts: float, urls: float) -> None:
        self._begin()
        self._hosts.limit_due_times(hosts)
        self._reschedule(":value", "retry_at > :value", urls)

    def _reschedule(self, moment: str, which: str, value: float) -> None:
        """Change the moments of retries, in both tables that hold them."""
        self._updates.flush()
        db, values = self._db, {"value": value}
        waiting = f"{which} AND seq IN (SELECT seq FROM retry)"
        db.execute(f"UPDATE url SET retry_at = {moment} WHERE {waiting}", values)
        db.execute(f"UPDATE retry SET retry_at = {moment} WHERE {which}", values)
        self._next_retry = self._first_retry()

    @translate_sqlite_errors
    def release_parked(self, now: float) -> None:
        self._begin()
        self._hosts.release_parked(now)

    @translate_sqlite_errors
    def parked(self) -> list[Parked]:
        self._begin()
        return self._hosts.parked()

    def next_parked(self) -> float | None:
        moment = self._hosts.next_parked
        return None if moment == inf else moment

    @translate_sqlite_errors
    def claimed(self) -> dict[str, int]:
        self._begin()
        return self._hosts.claimed()

    @translate_sqlite_errors
    def host_groups(self, now: float) -> list[HostGroup]:
        from crawler.frontier.sqlite.host_waits import host_groups

        self._begin()
        self._hosts.flush()
        return host_groups(self._db, now)

    @translate_sqlite_errors
    def waiting_hosts(self, now: float, limit: int) -> list[tuple[str, int]]:
        from crawler.frontier.sqlite.host_waits import waiting_hosts

        self._begin()
        self._hosts.flush()
        self._updates.flush()
        return waiting_hosts(self._db, now, limit)

    @translate_sqlite_errors
    def retry_counts(self, now: float) -> list[RetryCount]:
        from crawler.frontier.sqlite.host_waits import retry_counts

        self._begin()
        self._updates.flush()
        return retry_counts(self._db, now)

    @translate_sqlite_errors
    def slowest_hosts(
        self, config: PolitenessConfig, pages_left: int, limit: int
    ) -> list[HostWork]:
        from crawler.frontier.sqlite.host_waits import slowest_hosts

        self._begin()
        self._hosts.flush()
        return slowest_hosts(self._db, config, pages_left, limit)

    def hosts(self) -> int:
        return self._hosts.total
