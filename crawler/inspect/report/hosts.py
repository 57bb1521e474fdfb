"""What came of each host, in bounded memory."""

from __future__ import annotations

from msgspec import Struct

from crawler.inspect.report.rows import Row

MAX_HOSTS = 20_000
"""Hosts that are counted by name.

Of more, the half with the fewest URLs is dropped, so that the numbers of small hosts
are lower bounds then.
"""


class HostRow(Struct):
    """The URLs of one host."""

    name: str
    pages: int = 0
    pictures: int = 0
    others: int = 0
    failed: int = 0
    received: int = 0
    """Bytes of bodies."""
    took_ms: int = 0
    answers: int = 0

    @property
    def urls(self) -> int:
        return self.pages + self.pictures + self.others + self.failed

    @property
    def mean_ms(self) -> float | None:
        return self.took_ms / self.answers if self.answers else None


class Hosts:
    def __init__(self) -> None:
        self._rows: dict[str, HostRow] = {}
        self.dropped = 0
        """How often a host was dropped."""

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row: Row) -> None:
        host = self._rows.get(row.host)
        if host is None:
            host = self._rows[row.host] = HostRow(row.host)
            if len(self._rows) > MAX_HOSTS:
                self._drop()
        if row.type == "page":
            host.pages += 1
        elif row.type == "image":
            host.pictures += 1
        elif row.type == "error":
            host.failed += 1
        else:
            host.others += 1
        host.received += row.wire_bytes
        if row.fetch_ms is not None and row.type != "error":
            host.took_ms += row.fetch_ms
            host.answers += 1

    def _drop(self) -> None:
        rows = self.largest(MAX_HOSTS // 2)
        self.dropped += len(self._rows) - len(rows)
        self._rows = {row.name: row for row in rows}

    def largest(self, limit: int) -> list[HostRow]:
        """Those with the most URLs."""
        rows = sorted(self._rows.values(), key=lambda row: (-row.urls, row.name))
        return rows[:limit]
