"""Which URLs the crawl knows: the number of each by the hash of its key.

The table `seen` is ordered by a hash, so a row that is put into it at once costs a page
that is read, written to the log and written to the file: 6.5 kB at ten million URLs for
a row of twenty bytes. Hence new rows wait in memory, in BUCKETS dicts by the top bits
of the hash, and in the order of discovery in the table `unmerged`, a row a commit. When
more than MAX_UNMERGED wait, the bucket that has waited longest is sorted and goes to
`seen`, where many of its rows share a page; `merged` says up to which number that was
done. A commit merges about as many as came in since the one before, so that none is
much slower than the others.

A crawl of fewer URLs never uses `seen`, and looks for a URL in memory only. In a larger
one, each bucket has a filter of one bit for each value of the hash's lowest bits: if
it is not set, `seen` need not be asked whether a URL is new. At ten million URLs it is
set for 4 % of those that are. A state that was opened again has no filters at first;
each is made when its bucket is merged.

Before the seen-set is asked, a cache knows which URLs were found a moment ago, and how
near. It has two generations: when the young one is full it becomes the old one, and the
old one is forgotten. A URL that is found again moves to the young one. That is nearly
"least recently used" at the price of two dict look-ups.
"""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterable

from crawler.frontier.sqlite.database import first_column

SKIPPED = 1 << 30
"""Stands for the depth of a URL that is known only as a decision to skip it."""

MAX_URLS = 1 << 16
"""URLs in one generation: about 12 MB each with URLs of the usual length."""
MAX_CHARACTERS = 8 * 2**20
"""The maximum length (characters) of all URLs of one generation.

Some URLs are a hundred times as long as usual.
"""

BUCKETS = 256
MAX_UNMERGED = 1 << 19
"""URLs that wait in memory at most, 120 bytes each."""

FILTER_BYTES = 1 << 17
"""The filter of one bucket; all together are 32 MiB."""
_NOTHING = bytes(FILTER_BYTES)
"""The filter of a bucket of which nothing is in the table."""

_SHIFT = 64 - BUCKETS.bit_length() + 1
_MASK = FILTER_BYTES - 1
_FIND = "SELECT seq FROM seen WHERE url_id = ?"


class SeenCache:
    """Depths by URL. A URL at depth 0 cannot be found any nearer."""

    def __init__(
        self, max_urls: int = MAX_URLS, max_characters: int = MAX_CHARACTERS
    ) -> None:
        """Both are bounds of one generation, of which two are kept."""
        self._max_urls = max_urls
        self._max_characters = self._characters_left = max_characters
        self.young: dict[str, int] = {}
        self._old: dict[str, int] = {}

    def get(self, url: str) -> int | None:
        depth = self.young.get(url)
        if depth is None:
            depth = self._old.get(url)
            if depth is not None:
                self.put(url, depth)
        return depth

    def put(self, url: str, depth: int) -> None:
        if len(self.young) >= self._max_urls or self._characters_left <= 0:
            self._old = self.young
            self.young = {}
            self._characters_left = self._max_characters
        self.young[url] = depth
        self._characters_left -= len(url)

    def __len__(self) -> int:
        return len(self.young) + len(self._old)


class SeenSet:
    """Reads and writes the tables within the open transaction of the store."""

    def __init__(
        self, db: sqlite3.Connection, max_unmerged: int = MAX_UNMERGED
    ) -> None:
        self._db = db
        self._max_unmerged = max_unmerged
        self._merged_to = [0] * BUCKETS
        for bucket, seq in db.execute("SELECT bucket, seq FROM merged"):
            self._merged_to[bucket] = seq
        self._buckets: list[dict[int, int]] = [{} for _ in range(BUCKETS)]
        self._unmerged = 0
        self._first_new = 0
        self._new: list[int] = []
        is_empty = db.execute("SELECT 1 FROM seen").fetchone() is None
        unknown = _NOTHING if is_empty else b"\xff" * FILTER_BYTES
        self._filters: list[bytes | bytearray] = [unknown] * BUCKETS
        for first, url_ids in db.execute("SELECT first_seq, url_ids FROM unmerged"):
            self._read(first, url_ids)

    def _read(self, first: int, url_ids: bytes) -> None:
        buckets, merged_to = self._buckets, self._merged_to
        for seq, url_id in enumerate(unpack_ids(url_ids), start=first):
            bucket = url_id >> _SHIFT & BUCKETS - 1
            if seq > merged_to[bucket]:
                buckets[bucket][url_id] = seq
                self._unmerged += 1

    def number_of(self, url_id: int) -> int:
        """The number of a URL; 0: the crawl does not know it."""
        number = url_id >> _SHIFT & BUCKETS - 1
        seq = self._buckets[number].get(url_id)
        if seq is not None:
            return seq
        if not self._filters[number][url_id >> 3 & _MASK] >> (url_id & 7) & 1:
            return 0
        return int(first_column(self._db.execute(_FIND, (url_id,)), 0))

    def add(self, url_id: int, seq: int) -> bool:
        """Whether the URL is new; if so, it has this number now, the next one."""
        number = url_id >> _SHIFT & BUCKETS - 1
        bucket = self._buckets[number]
        if url_id in bucket or (
            self._filters[number][url_id >> 3 & _MASK] >> (url_id & 7) & 1
            and self._db.execute(_FIND, (url_id,)).fetchone() is not None
        ):
            return False
        bucket[url_id] = seq
        if not self._new:
            self._first_new = seq
        self._new.append(url_id)
        return True

    def flush(self) -> None:
        """Write what was added, and merge a bucket if too many wait."""
        if not self._new:
            return
        new, self._new = self._new, []
        row = (self._first_new, pack_ids(new))
        self._db.execute("INSERT INTO unmerged VALUES (?, ?)", row)
        self._unmerged += len(new)
        while self._unmerged > self._max_unmerged:
            self._merge(self._first_new + len(new) - 1)

    def _merge(self, last: int) -> None:
        """Merge the bucket that has waited longest, up to `last`, the last number."""
        number = self._merged_to.index(min(self._merged_to))
        rows = sorted(self._buckets[number].items())
        self._buckets[number] = {}
        self._unmerged -= len(rows)
        db = self._db
        db.executemany("INSERT INTO seen VALUES (?, ?)", rows)
        self._filter(number, rows)
        db.execute("INSERT OR REPLACE INTO merged VALUES (?, ?)", (number, last))
        self._merged_to[number] = last
        db.execute("DELETE FROM unmerged WHERE first_seq <= ?", (min(self._merged_to),))

    def _filter(self, number: int, merged: Iterable[tuple[int, ...]]) -> None:
        """Let the filter of a bucket know what was merged just now."""
        bits = self._filters[number]
        if not isinstance(bits, bytearray):
            if bits is not _NOTHING:
                signed = number - BUCKETS if number >= BUCKETS // 2 else number
                merged = self._db.execute(
                    "SELECT url_id FROM seen WHERE url_id BETWEEN ? AND ?",
                    (signed << _SHIFT, (signed + 1 << _SHIFT) - 1),
                )
            bits = self._filters[number] = bytearray(FILTER_BYTES)
        for url_id, *_ in merged:
            bits[url_id >> 3 & _MASK] |= 1 << (url_id & 7)


def pack_ids(url_ids: list[int]) -> bytes:
    """The column `unmerged.url_ids`: eight bytes each, the lowest first."""
    return struct.pack(f"<{len(url_ids)}q", *url_ids)


def unpack_ids(packed: bytes) -> tuple[int, ...]:
    """Undo `pack_ids`."""
    return struct.unpack(f"<{len(packed) // 8}q", packed)
