"""URLs that are found: new ones, and those that are found again.

For the links of a page it is decisive not to read the file at all: most were seen a
moment ago, and a bounded cache of URLs knows at which depth (`seen_set.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec

from crawler.frontier.sqlite.database import translate_sqlite_errors
from crawler.frontier.sqlite.pending_updates import QueuePosition
from crawler.frontier.sqlite.seen_set import SKIPPED
from crawler.frontier.sqlite.store_part import StorePart, rank_of
from crawler.frontier.sqlite.tables import (
    DESTINATIONS,
    ENDED,
    PENDING_SKIP,
    QUEUED,
    QUEUES,
)
from crawler.model.crawl import Discovered, ImageContext, Skip, queue_of
from crawler.model.http import Hop
from crawler.model.url import host_key, url_id

Origins = dict[tuple[str | None, str | None], int]
"""The numbers of rows of `origin`, by (parent_url, seed_url)."""

_INSERT = """
INSERT INTO url (seq, host_id, url, kind, destination, depth, origin_id, state, alt,
    redirects, context)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
# Most URLs have no more. Each None among the values takes a quarter of an insert
# (`pending_updates.py`).
_INSERT_PLAIN = """
INSERT INTO url (seq, host_id, url, kind, destination, depth, origin_id, state)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_KNOWN = """
SELECT host_id, state, attempts, destination, depth FROM url
WHERE seq = ?
"""
_REPLACE = """
UPDATE url SET kind = ?, destination = ?, depth = ?, origin_id = ?, state = ?, alt = ?,
    redirects = ?, context = ?
WHERE seq = ?
"""
_MOVE = """
UPDATE queue SET rank = ?
WHERE rank = ? AND host_id = ? AND destination = ? AND seq = ?
"""
_SKIPS = """
SELECT url, kind, destination, depth, parent_url, seed_url, alt, redirects, context,
    reason, rule
FROM skip JOIN url USING (seq) JOIN origin USING (origin_id) ORDER BY seq LIMIT ?
"""

decode_hops = msgspec.json.Decoder(tuple[Hop, ...]).decode
decode_context = msgspec.json.Decoder(ImageContext).decode


class IncomingUrls(StorePart):
    """The half of `UrlQueue` that takes URLs in."""

    @translate_sqlite_errors
    def add(self, found: Iterable[Discovered], now: float) -> int:
        self._begin()
        recent, see = self._recent, self._seen.add
        fresh: list[Discovered] = []
        again: list[Discovered] = []
        first = self._next_seq
        for one in found:
            # The target of a redirect may have a key of its own (`url_key`).
            depth = None if one.redirects else recent.get(one.url)
            if depth is None and see(
                url_id(one.url, one.redirects), first + len(fresh)
            ):
                fresh.append(one)
                recent.put(one.url, one.depth if one.skip is None else SKIPPED)
            elif one.skip is None and (depth is None or one.depth < depth):
                again.append(one)
        if fresh:
            self._insert(fresh, first, now)
        return sum(one.skip is None for one in fresh) + sum(
            self._find_again(one, now) for one in again
        )

    def known(self, url: str, depth: int) -> bool:
        # Called for every link of every page; most often the young half knows.
        known = self._recent.young.get(url)
        if known is None:
            known = self._recent.get(url)
        return known is not None and known <= depth

    def _insert(self, fresh: list[Discovered], first: int, now: float) -> None:
        origins: Origins = {}
        plain: list[tuple[Any, ...]] = []
        rows: list[tuple[Any, ...]] = []
        queued: list[QueuePosition] = []
        for seq, one in enumerate(fresh, start=first):
            host_id = self._hosts.id_of(host_key(one.url), now)
            if not one.redirects:  # whose key may be another
                self._links.learn(one.url, seq)
            row = (seq, host_id, one.url, *self._place(one, origins, now))
            if one.alt is None and one.context is None and not one.redirects:
                plain.append(row)
            else:
                rows.append((*row, *_described(one)))
            if one.skip is None:
                queued.append(
                    QueuePosition(host_id, *rank_of(one.destination, one.depth), seq)
                )
            else:
                refusal = (seq, one.skip.reason, one.skip.rule)
                self._db.execute("INSERT INTO skip VALUES (?, ?, ?)", refusal)
                self._tally(f"skip {one.skip.reason}", 1)
        queues = Counter([position[:2] for position in queued])
        for (host_id, destination), new in queues.items():
            self._hosts.count(host_id, destination, new, now)
        self._next_seq = first + len(fresh)
        self._db.executemany(_INSERT_PLAIN, plain)
        self._db.executemany(_INSERT, rows)
        self._positions.put(queued, self._counts["queued"])
        self._tally("queued", len(queued))
        self._tally("skip", len(fresh) - len(queued))

    def _place(
        self, found: Discovered, origins: Origins, now: float
    ) -> tuple[str, int, int, int, int]:
        """kind, destination, depth, origin_id, state."""
        origin = (found.parent_url, found.seed_url)
        if origin not in origins:
            query = "INSERT INTO origin VALUES (NULL, ?, ?, ?)"
            cursor = self._db.execute(query, (*origin, now))
            assert cursor.lastrowid is not None
            origins[origin] = cursor.lastrowid
        return (
            found.kind,
            DESTINATIONS.index(found.destination),
            found.depth,
            origins[origin],
            QUEUED if found.skip is None else PENDING_SKIP,
        )

    def _find_again(self, found: Discovered, now: float) -> int:
        """A known URL was found without `skip`: 1 if this find queues it, else 0.

        It takes the place of the old find if that was a skip, or if it is nearer.
        """
        self._updates.flush()
        seq = self._seen.number_of(url_id(found.url, found.redirects))
        row = self._db.execute(_KNOWN, (seq,)).fetchone()
        host_id, state, attempts, destination, depth = row
        overturned = state == PENDING_SKIP
        untouched = state == QUEUED and not attempts
        queue = QUEUES.index(queue_of(DESTINATIONS[destination]))
        untouched &= seq not in self._seqs(host_id, queue)
        nearer = untouched and found.depth < depth
        if nearer and destination != DESTINATIONS.index(found.destination):
            return self._find_as_other(found, seq, depth)
        self._recent.put(
            found.url, _nearest(found, depth, overturned or nearer, untouched)
        )
        if overturned:
            self._overturn(seq, found.url)
            position = QueuePosition(
                host_id, *rank_of(found.destination, found.depth), seq
            )
            self._enqueue(position, now)
        elif nearer:
            ranks = [
                rank_of(found.destination, near)[1] for near in (found.depth, depth)
            ]
            self._positions.place(host_id, queue)
            self._db.execute(_MOVE, (*ranks, host_id, queue, seq))
        else:
            return 0
        place = self._place(found, {}, now)
        self._db.execute(_REPLACE, (*place, *_described(found), seq))
        return int(overturned)

    def _find_as_other(self, found: Discovered, seq: int, depth: int) -> int:
        """A URL that waits was found nearer, for the other destination: 0.

        An image may turn out to be a page, so it takes the depth of a link to it.
        """
        if found.destination == "page":
            depth = found.depth
            self._db.execute("UPDATE url SET depth = ? WHERE seq = ?", (depth, seq))
        self._recent.put(found.url, depth)
        return 0

    def _overturn(self, seq: int, url: str) -> None:
        """Undo the skip of a URL; it is requested as this find writes it."""
        self._db.execute("UPDATE url SET url = ? WHERE seq = ?", (url, seq))
        query = "SELECT reason FROM skip WHERE seq = ?"
        self._tally(f"skip {self._db.execute(query, (seq,)).fetchone()[0]}", -1)
        self._db.execute("DELETE FROM skip WHERE seq = ?", (seq,))
        self._tally("skip", -1)
        self._tally("queued", 1)

    @translate_sqlite_errors
    def pending_skips(self, limit: int) -> list[Discovered]:
        return [_skipped(row) for row in self._db.execute(_SKIPS, (limit,))]

    @translate_sqlite_errors
    def skips_written(self, count: int) -> None:
        self._begin()
        query = "SELECT reason, rule, seq FROM skip ORDER BY seq LIMIT ?"
        rows = self._db.execute(query, (count,)).fetchall()
        self._db.executemany(
            f"UPDATE url SET state = {ENDED['skip']}, code = ?, detail = ?"
            " WHERE seq = ?",
            rows,
        )
        self._db.executemany(
            "DELETE FROM skip WHERE seq = ?", [(seq,) for *_, seq in rows]
        )


def _skipped(row: tuple[Any, ...]) -> Discovered:
    url, kind, destination, depth, parent, seed, alt, redirects, *more = row
    context, reason, rule = more
    return Discovered(
        url=url,
        kind=kind,
        destination=DESTINATIONS[destination],
        depth=depth,
        parent_url=parent,
        seed_url=seed,
        alt=alt,
        redirects=decode_hops(redirects) if redirects else (),
        skip=Skip(reason, rule),
        context=decode_context(context) if context else None,
    )


def _described(found: Discovered) -> tuple[str | None, str | None, bytes | None]:
    """alt, redirects, context."""
    return (
        found.alt and found.alt.encode("utf-8", "replace").decode(),
        msgspec.json.encode(found.redirects).decode() if found.redirects else None,
        msgspec.json.encode(found.context) if found.context else None,
    )


def _nearest(found: Discovered, depth: int, replaced: bool, untouched: bool) -> int:
    """The depth below which another find of this URL might still change something."""
    if replaced:
        return found.depth
    return depth if untouched else 0
