"""URLs that are leased, and the answers to the leases.

Leases are two dicts of this process: a lease is not durable.
"""

from __future__ import annotations

from typing import Any

from crawler.frontier.sqlite.database import translate_sqlite_errors
from crawler.frontier.sqlite.incoming import decode_context, decode_hops
from crawler.frontier.sqlite.pending_updates import QueuePosition
from crawler.frontier.sqlite.store_part import StorePart
from crawler.frontier.sqlite.tables import DESTINATIONS, ENDED, QUEUED, QUEUES
from crawler.frontier.store import STATES, Ended, State
from crawler.model.crawl import Destination, Lease, Queue, StoredResponse
from crawler.model.link_graph import OutLinks
from crawler.model.url import url_id

MAX_DETAIL = 500
"""Characters; a server has a say in what messages hold."""

_QUEUED = """
SELECT seq, rank FROM queue WHERE host_id = ? AND destination = ?
ORDER BY rank, seq LIMIT ?
"""
_ROWS = """
SELECT seq, url, kind, destination, depth, attempts, coalesce(retry_at, found_at),
    parent_url, seed_url, alt, redirects, context, digest, cached_fields
FROM url JOIN origin USING (origin_id) WHERE seq IN (%s)
"""
_DELETE = """
DELETE FROM queue WHERE host_id = ? AND destination = ? AND rank = ? AND seq = ?
"""
_RETRY = """
UPDATE url SET attempts = attempts + 1, retry_at = ?, code = ?, detail = ?,
    destination = ?
WHERE seq = ?
"""
_WAITS = "SELECT 1 FROM url WHERE seq = ? AND state = ?"


class Leases(StorePart):
    """The half of `UrlQueue` that hands URLs out and takes the answers."""

    @translate_sqlite_errors
    def waits(self, url_id: int) -> bool:
        row = (self._seen.number_of(url_id), QUEUED)
        return self._db.execute(_WAITS, row).fetchone() is not None

    @translate_sqlite_errors
    def lease(self, host: str, queue: Queue, limit: int, now: float) -> list[Lease]:
        self._promote(now)
        self._updates.flush()
        host_id = self._hosts.id_of(host, now)
        number = QUEUES.index(queue)
        self._positions.place(host_id, number)
        leased = self._seqs(host_id, number)
        rows = self._db.execute(_QUEUED, (host_id, number, limit + len(leased)))
        positions = [
            QueuePosition(host_id, number, rank, seq)
            for seq, rank in rows.fetchall()
            if seq not in leased
        ]
        del positions[limit:]
        if not positions:
            return []
        seqs = [position.seq for position in positions]
        self._leased_seqs.setdefault((host_id, number), set()).update(seqs)
        found = self._db.execute(_ROWS % ",".join("?" * len(seqs)), seqs)
        by_seq = {row[0]: row for row in found}
        return [
            self._lease(host, position, by_seq[position.seq], now)
            for position in positions
        ]

    def _lease(
        self,
        host: str,
        position: QueuePosition,
        row: tuple[Any, ...],
        now: float,
    ) -> Lease:
        _, url, kind, to, depth, attempts, due, parent, seed, alt, hops, *kept = row
        context, digest, more = kept
        redirects = decode_hops(hops) if hops else ()
        identity = url_id(url, redirects)
        self._leased[identity] = position
        self._recent.put(url, 0)  # no later find of it can change anything
        return Lease(
            url=url,
            url_id=identity,
            host=host,
            kind=kind,
            destination=DESTINATIONS[to],
            depth=depth,
            attempts=attempts,
            queued_ms=max(0, round((now - due) * 1000)),
            parent_url=parent,
            seed_url=seed,
            alt=alt,
            redirects=redirects,
            stored=None if digest is None else StoredResponse(digest, more),
            context=decode_context(context) if context else None,
        )

    @translate_sqlite_errors
    def finish(
        self,
        lease: Lease,
        ended: Ended,
        code: str | None = None,
        detail: str | None = None,
        stored: StoredResponse | None = None,
        links: OutLinks | None = None,
    ) -> None:
        self._begin()
        position = self._answer(lease)
        self._updates.put(position, ENDED[ended], code, _short(detail), stored)
        if links is not None:
            self._links.put(position.seq, links)
        self._hosts.count(position.host_id, position.destination, -1, 0.0)
        self._counts["queued"] -= 1
        self._counts[ended] += 1
        self._changed.update(("queued", ended))
        if code is not None:
            self._tally(f"{ended} {code}", 1)

    @translate_sqlite_errors
    def retry(
        self,
        lease: Lease,
        at: float,
        code: str | None = None,
        detail: str | None = None,
        destination: Destination | None = None,
    ) -> None:
        self._begin()
        position = self._answer(lease)
        self._db.execute(_DELETE, position)
        self._hosts.count(position.host_id, position.destination, -1, 0.0)
        number = DESTINATIONS.index(destination or lease.destination)
        row = (at, code, _short(detail), number, position.seq)
        self._db.execute(_RETRY, row)
        self._db.execute("INSERT INTO retry VALUES (?, ?)", (at, position.seq))
        self._next_retry = min(self._next_retry, at)

    def release(self, lease: Lease) -> None:
        self._answer(lease)
        self._recent.put(lease.url, lease.depth if lease.attempts == 0 else 0)

    def counts(self) -> dict[State, int]:
        counts = {state: self._counts[state] for state in STATES}
        counts["leased"] = len(self._leased)
        counts["queued"] -= len(self._leased)
        return counts

    def _answer(self, lease: Lease) -> QueuePosition:
        """Forget the lease; returns where its URL stands."""
        position = self._leased.pop(lease.url_id, None)
        if position is None:
            raise ValueError(f"{lease.url} is not leased")
        seqs = self._leased_seqs[position.host_id, position.destination]
        seqs.discard(position.seq)
        if not seqs:
            del self._leased_seqs[position.host_id, position.destination]
        return position


def _short(detail: str | None) -> str | None:
    return detail and detail[:MAX_DETAIL].encode("utf-8", "replace").decode()
