"""The hosts of the durable store.

`ready_at` is two things in one: no URL of the host may be leased before it, and among
the hosts that are ready it is the order. A host that comes back goes behind all that
became ready before it, which is round robin over any number of hosts with a single
index.

Changes of the queues' lengths, and blocks, are gathered, and written when hosts are
claimed and at a commit: the links of a page mostly lead to one host.
"""

from __future__ import annotations

import sqlite3
from math import inf

from msgspec.structs import astuple

from crawler.frontier.sqlite.database import first_column
from crawler.frontier.store import HostDue, Parked
from crawler.frontier.throttle import HostThrottle
from crawler.model.host import HostUsage

_MAX_IDS = 1 << 16
"""Host numbers kept in memory; all are forgotten when there are more."""

_WORK = {
    False: "claimed = 0 AND parked = 0 AND pages + images > 0",
    True: "claimed = 0 AND parked = 0 AND images > 0",
}

THROTTLE = "crawl_delay, latency, slowdown, failures, parkings, failure_code"
USAGE = "used_pages, used_bytes, used_seconds, used_until"

_LENGTHS = """
UPDATE host SET
    ready_at = CASE WHEN pages + images = 0 THEN max(ready_at, ?) ELSE ready_at END,
    pages = pages + ?, images = images + ?
WHERE host_id = ?
"""

_PARKED = """
SELECT failure_code, count(*), sum(pages + images), min(ready_at) FROM host
WHERE parked = 1 AND pages + images > 0 GROUP BY 1 ORDER BY 1
"""


class HostRows:
    """Reads and writes the table `host` within the open transaction of the store."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ids: dict[str, int] = {}
        self._lengths: dict[int, list[int]] = {}
        self._queued_at: dict[int, float] = {}
        self._blocks: dict[int, float] = {}
        self._throttles: dict[int, HostThrottle] = {}
        self._usages: dict[int, HostUsage] = {}
        self._claimed: dict[int, str] = {}
        self._refilled: set[str] = set()
        self.total: int = db.execute(
            "SELECT coalesce(max(host_id), 0) FROM host"
        ).fetchone()[0]
        db.execute("UPDATE host SET claimed = 0 WHERE claimed = 1")
        self.next_parked = self._first_parked()
        """When the next parked host becomes due; infinite if none is parked."""

    def id_of(self, name: str, now: float) -> int:
        """The host's number; a new host is ready `now`."""
        known = self._ids.get(name)
        if known is not None:
            return known
        row = self._db.execute(
            "SELECT host_id FROM host WHERE name = ?", (name,)
        ).fetchone()
        host_id: int = self._insert(name, now) if row is None else row[0]
        if len(self._ids) >= _MAX_IDS:
            self._ids.clear()
        self._ids[name] = host_id
        return host_id

    def count(self, host_id: int, destination: int, change: int, now: float) -> None:
        """The queue of this destination has become longer (at `now`) or shorter."""
        lengths = self._lengths.get(host_id)
        if lengths is None:
            lengths = self._lengths[host_id] = [0, 0]
        lengths[destination] += change
        if change > 0:
            self._queued_at.setdefault(host_id, now)
            if host_id in self._claimed:
                self._refilled.add(self._claimed[host_id])

    def flush(self) -> None:
        """Write what `count`, `block`, `set_throttle` and `set_usage` have gathered.

        A host that had no work queues up behind the others.
        """
        rows = [
            (self._queued_at.get(host_id, 0.0), pages, images, host_id)
            for host_id, (pages, images) in self._lengths.items()
        ]
        self._db.executemany(_LENGTHS, rows)
        self._db.executemany(
            "UPDATE host SET ready_at = max(ready_at, ?) WHERE host_id = ?",
            [(until, host_id) for host_id, until in self._blocks.items()],
        )
        self._db.executemany(
            "UPDATE host SET crawl_delay = ?, latency = ?, slowdown = ?, failures = ?,"
            " parkings = ?, failure_code = ? WHERE host_id = ?",
            [
                (*astuple(throttle), host_id)
                for host_id, throttle in self._throttles.items()
            ],
        )
        self._write_usages()
        self._throttles.clear()
        self._lengths.clear()
        self._queued_at.clear()
        self._blocks.clear()

    def claim(self, limit: int, now: float, images_only: bool) -> list[HostDue]:
        self.flush()
        self._unpark(now)
        rows = self._db.execute(
            f"SELECT host_id, name, ready_at, {THROTTLE} FROM host"
            f" WHERE {_WORK[images_only]} AND ready_at <= ?"
            " ORDER BY ready_at, host_id LIMIT ?",
            (now, limit),
        ).fetchall()
        self._db.executemany(
            "UPDATE host SET claimed = 1 WHERE host_id = ?", [(row[0],) for row in rows]
        )
        self._claimed.update((row[0], row[1]) for row in rows)
        return [
            HostDue(name, ready_at, HostThrottle(*throttle))
            for _, name, ready_at, *throttle in rows
        ]

    def refilled(self) -> set[str]:
        hosts, self._refilled = self._refilled, set()
        return hosts

    def unclaim(self, name: str, ready_at: float) -> None:
        self.flush()
        host_id = self.id_of(name, ready_at)
        self._claimed.pop(host_id, None)
        self._refilled.discard(name)
        self._db.execute(
            "UPDATE host SET claimed = 0, ready_at = max(ready_at, ?)"
            " WHERE host_id = ?",
            (ready_at, host_id),
        )

    def block(self, name: str, until: float) -> None:
        host_id = self.id_of(name, until)
        self._blocks[host_id] = max(until, self._blocks.get(host_id, until))

    def set_throttle(self, name: str, throttle: HostThrottle) -> None:
        self._throttles[self.id_of(name, 0.0)] = throttle

    def usage(self, name: str) -> HostUsage:
        return self._usage(self.id_of(name, 0.0))

    def _usage(self, host_id: int) -> HostUsage:
        usage = self._usages.get(host_id)
        if usage is None:
            query = f"SELECT {USAGE} FROM host WHERE host_id = ?"
            usage = HostUsage(*self._db.execute(query, (host_id,)).fetchone())
        return usage

    def set_usage(self, name: str, usage: HostUsage) -> None:
        self._usages[self.id_of(name, 0.0)] = usage

    def charge(self, name: str, sent_at: float, until: float, wire_bytes: int) -> None:
        host_id = self.id_of(name, 0.0)
        usage = self._usages.get(host_id) or self._usage(host_id)
        self._usages[host_id] = usage.charged(sent_at, until, wire_bytes)

    def received_bytes(self) -> int:
        self.flush()
        total: int = first_column(
            self._db.execute("SELECT sum(used_bytes) FROM host"), 0
        )
        return total

    def _write_usages(self) -> None:
        self._db.executemany(
            "UPDATE host SET used_pages = ?, used_bytes = ?, used_seconds = ?,"
            " used_until = ? WHERE host_id = ?",
            [(*astuple(usage), host_id) for host_id, usage in self._usages.items()],
        )
        self._usages.clear()

    def park(self, name: str, until: float) -> None:
        self.block(name, until)
        self.flush()
        query = "UPDATE host SET parked = 1 WHERE host_id = ? RETURNING ready_at"
        row = self._db.execute(query, (self.id_of(name, until),)).fetchone()
        self.next_parked = min(self.next_parked, row[0])

    def move_due_times(self, seconds: float) -> None:
        self.flush()
        self._db.execute(
            "UPDATE host SET ready_at = ready_at + ?, used_until = used_until + ?",
            (seconds, seconds),
        )
        self.next_parked = self._first_parked()

    def limit_due_times(self, latest: float) -> None:
        self.flush()
        self._db.execute(
            "UPDATE host SET ready_at = ? + crawl_delay"
            " WHERE parked = 0 AND ready_at > ? + crawl_delay",
            (latest, latest),
        )

    def release_parked(self, now: float) -> None:
        self.flush()
        self._db.execute(
            "UPDATE host SET parked = 0, ready_at = min(ready_at, ?) WHERE parked = 1",
            (now,),
        )
        self.next_parked = inf

    def parked(self) -> list[Parked]:
        self.flush()
        rows = self._db.execute(_PARKED)
        return [Parked(*row) for row in rows]

    def next_due(self, images_only: bool) -> float:
        """Infinite if no unclaimed host has work."""
        self.flush()
        moment: float | None = self._db.execute(
            f"SELECT min(ready_at) FROM host WHERE {_WORK[images_only]}"
        ).fetchone()[0]
        return inf if moment is None else moment

    def claimed(self) -> dict[str, int]:
        """Length of the queues of each claimed host."""
        self.flush()
        return dict(
            self._db.execute("SELECT name, pages + images FROM host WHERE claimed = 1")
        )

    def _unpark(self, now: float) -> None:
        if now < self.next_parked:
            return
        self._db.execute(
            "UPDATE host SET parked = 0 WHERE parked = 1 AND ready_at <= ?", (now,)
        )
        self.next_parked = self._first_parked()

    def _first_parked(self) -> float:
        query = "SELECT min(ready_at) FROM host WHERE parked = 1"
        moment: float = first_column(self._db.execute(query), inf)
        return moment

    def _insert(self, name: str, now: float) -> int:
        row = (name, now)
        cursor = self._db.execute(
            "INSERT INTO host (name, ready_at) VALUES (?, ?)", row
        )
        assert cursor.lastrowid is not None
        self.total += 1
        return cursor.lastrowid
