"""The durable store: one SQLite file in the crawl's folder (tables and their reasons:
`tables.py`).

WAL with `synchronous=NORMAL`: a commit is a write to the log and no fsync, so that it
survives the death of the process, though the last ones may be lost with the machine's
power; the file stays consistent in either case. Readers (`orbweb status`) see the last
commit while the crawl runs.

A transaction is open from the first change to `commit`. Leases are two dicts of this
process. For the links of a page it is decisive not to ask the file at all: most were
seen a moment ago, and a bounded cache of URLs knows at which depth.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from math import inf
from pathlib import Path
from typing import Any

import msgspec

from crawler.frontier.sqlite.database import explained, first_column, open_database
from crawler.frontier.sqlite.host_part import HostPart
from crawler.frontier.sqlite.hosts import HostTable
from crawler.frontier.sqlite.lockfile import LockFile
from crawler.frontier.sqlite.metadata import MetadataTables
from crawler.frontier.sqlite.pending_updates import Endings, Place
from crawler.frontier.sqlite.recent import SKIPPED, Recent
from crawler.frontier.sqlite.requeue import Check, reopen, requeue, requeue_unwritten
from crawler.frontier.sqlite.status import changes_in
from crawler.frontier.sqlite.tables import DECIDED, ENDED, LANES, WAITING
from crawler.frontier.store import STATES, Content, Ended, HostDue, State
from crawler.model.crawl import Destination, Discovered, Lease, Skip, StoredResponse
from crawler.model.errors import OutputError
from crawler.model.http import Hop
from crawler.model.url import host_key, url_id

MAX_DETAIL = 500

_ROWS = """
SELECT seq, url, kind, depth, attempts, coalesce(due, at), parent_url, seed_url, alt, redirects,
    digest, answer
FROM url JOIN origin USING (origin_id) WHERE seq IN (%s)
"""

_hops = msgspec.json.Decoder(tuple[Hop, ...])


class SqliteStore(MetadataTables, HostPart):
    """A `Store` in `folder`, which is made if need be. Opening it takes back all
    leases.

    Raises StateError if another process has it open, or if it is of another version or
    damaged; OutputError if it can't be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds cookies
        except OSError as error:
            raise OutputError(f"{folder} can't be made ({error.strerror})") from error
        self._lock = LockFile(folder)
        self._leased: dict[int, Place] = {}
        self._leased_seqs: dict[tuple[int, int], set[int]] = {}
        self._changed: set[str] = set()
        self._contents: dict[str, Content] = {}
        with ExitStack() as undo:
            undo.callback(self._lock.close)
            self._db = open_database(folder)
            undo.callback(self._db.close)
            self._load()
            undo.pop_all()

    @explained
    def _load(self) -> None:
        db = self._db
        self._begin()
        self._recent = Recent()
        self._hosts = HostTable(db)
        self._endings = Endings(db)
        self._next_seq = db.execute(
            "SELECT coalesce(max(seq), 0) + 1 FROM url"
        ).fetchone()[0]
        self._next_retry = first_column(
            db.execute("SELECT min(not_before) FROM later"), inf
        )
        self._counts: Counter[str] = Counter(
            dict(db.execute("SELECT name, n FROM count"))
        )

    # URLs coming in

    @explained
    def add(self, found: Iterable[Discovered], now: float) -> int:
        self._begin()
        recent, see = self._recent, self._see
        fresh: list[Discovered] = []
        again: list[Discovered] = []
        first = self._next_seq
        for one in found:
            depth = recent.get(one.url)
            if depth is None and see(one.url, first + len(fresh)):
                fresh.append(one)
                recent.put(one.url, one.depth if one.skip is None else SKIPPED)
            elif one.skip is None and (depth is None or one.depth < depth):
                again.append(one)
        if fresh:
            self._insert(fresh, first, now)
        return sum(one.skip is None for one in fresh) + sum(
            self._find_again(o, now) for o in again
        )

    def known(self, url: str, depth: int) -> bool:
        known = self._recent.young.get(
            url
        )  # most often; asked for every link of every page
        if known is None:
            known = self._recent.get(url)
        return known is not None and known <= depth

    def _see(self, url: str, seq: int) -> bool:
        """Whether the URL is new; if so, it has this number now."""
        cursor = self._db.execute(
            "INSERT OR IGNORE INTO seen VALUES (?, ?)", (url_id(url), seq)
        )
        return cursor.rowcount == 1

    def _insert(self, fresh: list[Discovered], first: int, now: float) -> None:
        origins: dict[tuple[str | None, str | None], int] = {}
        rows: list[tuple[Any, ...]] = []
        queued: list[Place] = []
        for seq, one in enumerate(fresh, start=first):
            host_id = self._hosts.id_of(host_key(one.url), now)
            rows.append((seq, host_id, one.url, *self._values(one, origins, now)))
            if one.skip is None:
                queued.append(Place(host_id, *_place(one.destination, one.depth), seq))
            else:
                self._db.execute(
                    "INSERT INTO skip VALUES (?, ?, ?)",
                    (seq, one.skip.reason, one.skip.rule),
                )
                self._tally(f"skip {one.skip.reason}", 1)
        for (host_id, lane), came in Counter([place[:2] for place in queued]).items():
            self._hosts.count(host_id, lane, came, now)
        self._next_seq = first + len(fresh)
        self._db.executemany(
            "INSERT INTO url (seq, host_id, url, kind, lane, depth, origin_id, state, alt,"
            " redirects) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
        self._db.executemany("INSERT INTO queue VALUES (?, ?, ?, ?)", queued)
        self._tally("queued", len(queued))
        self._tally("skip", len(fresh) - len(queued))

    def _values(
        self,
        found: Discovered,
        origins: dict[tuple[str | None, str | None], int],
        now: float,
    ) -> tuple[Any, ...]:
        """kind, lane, depth, origin_id, state, alt, redirects."""
        origin = (found.parent_url, found.seed_url)
        if origin not in origins:
            cursor = self._db.execute(
                "INSERT INTO origin VALUES (NULL, ?, ?, ?)", (*origin, now)
            )
            assert cursor.lastrowid is not None
            origins[origin] = cursor.lastrowid
        return (
            found.kind,
            LANES.index(found.destination),
            found.depth,
            origins[origin],
            WAITING if found.skip is None else DECIDED,
            found.alt and found.alt.encode("utf-8", "replace").decode(),
            msgspec.json.encode(found.redirects).decode() if found.redirects else None,
        )

    def _find_again(self, found: Discovered, now: float) -> int:
        """A URL that is known was found without `skip`: does it take the place of the
        old find?"""
        self._endings.flush()
        seq, host_id, state, attempts, lane, depth = self._db.execute(
            "SELECT seq, host_id, state, attempts, lane, depth FROM url WHERE seq ="
            " (SELECT seq FROM seen WHERE url_id = ?)",
            (url_id(found.url),),
        ).fetchone()
        overturned = state == DECIDED
        untouched = (
            state == WAITING and not attempts and seq not in self._seqs(host_id, lane)
        )
        nearer = (
            untouched and found.depth < depth and lane == LANES.index(found.destination)
        )
        self._recent.put(
            found.url, _nearest(found, depth, overturned or nearer, untouched)
        )
        if overturned:
            self._overturn(seq)
            self._enqueue(seq, host_id, *_place(found.destination, found.depth), now)
        elif nearer:
            ranks = (
                _place(found.destination, near)[1] for near in (found.depth, depth)
            )
            self._db.execute(
                "UPDATE queue SET rank = ? WHERE rank = ? AND host_id = ? AND lane = ? AND seq = ?",
                (*ranks, host_id, lane, seq),
            )
        else:
            return 0
        self._db.execute(
            "UPDATE url SET kind = ?, lane = ?, depth = ?, origin_id = ?, state = ?, alt = ?,"
            " redirects = ? WHERE seq = ?",
            (*self._values(found, {}, now), seq),
        )
        return int(overturned)

    def _overturn(self, seq: int) -> None:
        query = "SELECT reason FROM skip WHERE seq = ?"
        self._tally(f"skip {self._db.execute(query, (seq,)).fetchone()[0]}", -1)
        self._db.execute("DELETE FROM skip WHERE seq = ?", (seq,))
        self._tally("skip", -1)
        self._tally("queued", 1)

    # Leases

    @explained
    def lease(
        self, host: str, destination: Destination, limit: int, now: float
    ) -> list[Lease]:
        self._promote(now)
        self._endings.flush()
        host_id, lane = self._hosts.id_of(host, now), LANES.index(destination)
        leased = self._seqs(host_id, lane)
        rows = self._db.execute(
            "SELECT seq, rank FROM queue WHERE host_id = ? AND lane = ? ORDER BY rank, seq LIMIT ?",
            (host_id, lane, limit + len(leased)),
        ).fetchall()
        places = [
            Place(host_id, lane, rank, seq) for seq, rank in rows if seq not in leased
        ]
        del places[limit:]
        if not places:
            return []
        seqs = [place.seq for place in places]
        self._leased_seqs.setdefault((host_id, lane), set()).update(seqs)
        found = self._db.execute(_ROWS % ",".join("?" * len(seqs)), seqs)
        by_seq = {row[0]: row for row in found}
        return [
            self._lease(host, destination, place, by_seq[place.seq], now)
            for place in places
        ]

    def _lease(
        self,
        host: str,
        destination: Destination,
        place: Place,
        row: tuple[Any, ...],
        now: float,
    ) -> Lease:
        (
            _,
            url,
            kind,
            depth,
            attempts,
            due,
            parent,
            seed,
            alt,
            redirects,
            digest,
            answer,
        ) = row
        identity = url_id(url)
        self._leased[identity] = place
        self._recent.put(url, 0)  # nothing that is found from now on can change it
        queued_ms = max(0, round((now - due) * 1000))
        hops = _hops.decode(redirects) if redirects else ()
        stored = None if digest is None else StoredResponse(digest, answer)
        return Lease(
            url, identity, host, kind, destination, depth, attempts, queued_ms, parent, seed, alt, hops,
            stored,
        )  # fmt: skip

    @explained
    def done(
        self,
        lease: Lease,
        ended: Ended,
        code: str | None = None,
        detail: str | None = None,
        stored: StoredResponse | None = None,
    ) -> None:
        self._begin()
        place = self._answer(lease)
        self._endings.put(place, ENDED[ended], code, _short(detail), stored)
        self._hosts.count(place.host_id, place.lane, -1, 0.0)
        self._counts["queued"] -= 1
        self._counts[ended] += 1
        self._changed.update(("queued", ended))
        if code is not None:
            self._tally(f"{ended} {code}", 1)

    @explained
    def retry(
        self,
        lease: Lease,
        not_before: float,
        code: str | None = None,
        detail: str | None = None,
    ) -> None:
        self._begin()
        place = self._answer(lease)
        query = (
            "DELETE FROM queue WHERE host_id = ? AND lane = ? AND rank = ? AND seq = ?"
        )
        self._db.execute(query, place)
        self._hosts.count(place.host_id, place.lane, -1, 0.0)
        self._db.execute(
            "UPDATE url SET attempts = attempts + 1, due = ?, code = ?, why = ? WHERE seq = ?",
            (not_before, code, _short(detail), place.seq),
        )
        self._db.execute("INSERT INTO later VALUES (?, ?)", (not_before, place.seq))
        self._next_retry = min(self._next_retry, not_before)

    def release(self, lease: Lease) -> None:
        self._answer(lease)
        self._recent.put(lease.url, lease.depth if lease.attempts == 0 else 0)

    def _answer(self, lease: Lease) -> Place:
        """Take the lease back from its holder."""
        place = self._leased.pop(lease.url_id, None)
        if place is None:
            raise ValueError(f"{lease.url} is not leased")
        seqs = self._leased_seqs[place.host_id, place.lane]
        seqs.discard(place.seq)
        if not seqs:
            del self._leased_seqs[place.host_id, place.lane]
        return place

    def _seqs(self, host_id: int, lane: int) -> set[int]:
        return self._leased_seqs.get((host_id, lane)) or set()

    def _enqueue(
        self, seq: int, host_id: int, lane: int, rank: int, now: float
    ) -> None:
        self._db.execute(
            "INSERT INTO queue VALUES (?, ?, ?, ?)", (host_id, lane, rank, seq)
        )
        self._hosts.count(host_id, lane, 1, now)

    def _promote(self, now: float) -> None:
        """Put the retries that are due back into their hosts' queues."""
        if now < self._next_retry:
            return
        self._begin()
        due = self._db.execute(
            "SELECT not_before, seq, host_id, lane, depth FROM later JOIN url USING (seq)"
            " WHERE not_before <= ?",
            (now,),
        ).fetchall()
        for not_before, seq, host_id, lane, depth in due:
            self._enqueue(seq, host_id, *_place(LANES[lane], depth), not_before)
        self._db.execute("DELETE FROM later WHERE not_before <= ?", (now,))
        self._next_retry = first_column(
            self._db.execute("SELECT min(not_before) FROM later"), inf
        )

    # Asking again

    @explained
    def requeue_failed(
        self, codes: tuple[str, ...], hosts: tuple[str, ...], now: float
    ) -> int:
        """Queue failed URLs again, as if they had never been asked for; how many there
        are.

        Those with one of these `error_code`s (or `reason`s of skips), of these hosts;
        with no code named, all errors. Their hosts are no longer parked or given up.
        Reads all URLs. Just after opening, as `start_over`.
        """
        self._begin()
        count = requeue(self._db, codes, hosts, now)
        self._load()
        return count

    @explained
    def requeue_unwritten(
        self, written: Iterable[tuple[int, Ended]], now: float
    ) -> int:
        """Queue the URLs again of which the state knows more than the records do:
        (url_id, type).

        How many there are. Reads all URLs. Just after opening, as `start_over`.
        """
        self._begin()
        count = requeue_unwritten(self._db, written, now)
        self._load()
        return count

    @explained
    def requeue_all(
        self, now: float, check: Check | None, *, keep_cached_fields: bool
    ) -> None:
        """Queue every URL again, for another crawl (see `reopening.py`). Just after
        opening."""
        self._begin()
        reopen(self._db, now, check, keep_cached_fields=keep_cached_fields)
        self._load()

    def changes(self) -> dict[str, int]:
        """Of what this crawl has fetched again: how many are new, changed and
        unchanged."""
        return changes_in(self._counts)

    # Decisions to skip

    @explained
    def pending_skips(self, limit: int) -> list[Discovered]:
        rows = self._db.execute(
            "SELECT url, kind, lane, depth, parent_url, seed_url, alt, redirects, reason, rule"
            " FROM skip JOIN url USING (seq) JOIN origin USING (origin_id) ORDER BY seq LIMIT ?",
            (limit,),
        )
        return [
            Discovered(
                url=url,
                kind=kind,
                destination=LANES[lane],
                depth=depth,
                parent_url=parent,
                seed_url=seed,
                alt=alt,
                redirects=_hops.decode(redirects) if redirects else (),
                skip=Skip(reason, rule),
            )
            for url, kind, lane, depth, parent, seed, alt, redirects, reason, rule in rows
        ]

    @explained
    def skips_written(self, count: int) -> None:
        self._begin()
        rows = self._db.execute(
            "SELECT reason, rule, seq FROM skip ORDER BY seq LIMIT ?", (count,)
        )
        self._db.executemany(
            f"UPDATE url SET state = {ENDED['skip']}, code = ?, why = ? WHERE seq = ?",
            rows.fetchall(),
        )
        self._db.execute(
            "DELETE FROM skip WHERE seq IN (SELECT seq FROM skip ORDER BY seq LIMIT ?)",
            (count,),
        )

    def counts(self) -> dict[State, int]:
        counts = {state: self._counts[state] for state in STATES}
        counts["leased"] = len(self._leased)
        counts["queued"] -= len(self._leased)
        return counts

    # Hosts

    @explained
    def claim(self, limit: int, now: float, images_only: bool = False) -> list[HostDue]:
        self._promote(now)
        self._begin()
        return self._hosts.claim(limit, now, images_only)

    @explained
    def next_due(self, images_only: bool = False) -> float | None:
        self._begin()
        retry = self._next_retry
        if images_only and retry != inf:
            retry = self._next_image_retry()
        moment = min(self._hosts.next_due(images_only), retry)
        return None if moment == inf else moment

    def _next_image_retry(self) -> float:
        query = "SELECT min(not_before) FROM later JOIN url USING (seq) WHERE lane = 1"
        moment: float = first_column(self._db.execute(query), inf)
        return moment

    # The transaction

    @explained
    def commit(self) -> None:
        if not self._db.in_transaction:
            return
        self._endings.flush()
        self._write_contents()
        self._hosts.flush()
        rows = [(name, self._counts[name]) for name in self._changed]
        self._db.executemany("INSERT OR REPLACE INTO count VALUES (?, ?)", rows)
        self._changed.clear()
        self._db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()  # which rolls back
        self._lock.close()

    def _tally(self, name: str, change: int) -> None:
        """Count a state, or "STATE CODE" for the codes of errors and skips."""
        if change:
            self._counts[name] += change
            self._changed.add(name)


def _place(destination: Destination, depth: int) -> tuple[int, int]:
    """Lane and rank: pages go by depth and then by discovery, images by discovery
    alone."""
    return (0, depth) if destination == "page" else (1, 0)


def _short(detail: str | None) -> str | None:
    """A stranger's server has a say in what messages hold."""
    return detail and detail[:MAX_DETAIL].encode("utf-8", "replace").decode()


def _nearest(found: Discovered, depth: int, taken: bool, untouched: bool) -> int:
    """The depth below which another find of this URL might still change something."""
    if taken:
        return found.depth
    return depth if untouched else 0
