"""Which picture of a crawl was the first to look like this one: an index in the state.

Multi-index hashing: a hash of 64 bits has four chunks of 16. Hashes that differ in at
most three bits have one chunk in common, so only those pictures are compared that
share a chunk at its place: of n different pictures, 4 n / 65,536. Where many share one,
as the screenshots of a program do, the other 48 bits are divided again, into four
pieces of 12, of which one is in common, too. A bucket is compared as a whole
(`look_bucket.py`). So the time for all of them is near-linear, and no more is in memory
than the store keeps there.

It holds the first picture of each group. All of it is in the store, and in the commit
of the picture's record: an exact index after `kill -9`. A bucket holds MAX_SHARING
pictures, and a picture is compared with at most MAX_COMPARED of the same mean colour,
field by field, so a site that shows always the same gradient costs no more than others;
beyond that, pictures that look the same may not be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from crawler.engine.images.look_bucket import ENTRY, near_entries
from crawler.extract.looks.look import (
    FIELDS,
    HASH_BYTES,
    SIZE,
    are_alike,
    hash_of,
)
from crawler.model.metadata import LOOKS, LOOKS_BY_CHUNK, KeyValue
from crawler.model.records import ImageRecord

CHUNKS, CHUNK_BITS = 4, 16
PIECES, PIECE_BITS = 4, 12
ID_BYTES = 8
"""The length of the part of a SHA-256 that names a picture in a bucket."""
MAX_SHARING = 512
MAX_ENTRIES = CHUNKS * (1 + PIECES) * MAX_SHARING
"""Hashes that one is compared with."""
MAX_COMPARED = 64

_FULL = MAX_SHARING * ENTRY.size


class LookIndex:
    """The looks of one crawl's pictures, in `store`."""

    def __init__(self, store: KeyValue) -> None:
        self._store = store
        self.compared = 0
        """Pairs of hashes that were compared so far."""

    def fill(self, record: ImageRecord, look: bytes | None) -> bool:
        """Set `phash`, and of a near-duplicate `dup_of`. True: its file is kept.

        `look`: that of the picture, if it has one. Of a 304 it is in the store.
        """
        look = self.take(record, look)
        if look is not None and record.dup_of is None:
            _, first = self.first_alike(record, look)
            if first != record.url:
                record.dup_of, record.dup_kind = first, "near"
        return True

    def take(self, record: ImageRecord, look: bytes | None) -> bytes | None:
        """Keep the look of a picture, and set its `phash`; the look, if it has one."""
        name = _name(record)
        stored = self._store.get(LOOKS, name)
        if look is None and stored is not None:
            look = stored[:SIZE]
        if look is None:
            return None
        record.phash = hash_of(look).hex()
        if stored is None:
            self._store.set(LOOKS, name, look + record.url.encode())
        return look

    def forget(self, sha256: str, url: str) -> None:
        """The URL has other bytes now: nothing looks like it any more."""
        name = sha256[: 2 * ID_BYTES]
        stored = self._store.get(LOOKS, name)
        if stored is not None and stored[SIZE:].decode() == url:
            self._store.set(LOOKS, name, None)

    def first_alike(
        self,
        record: ImageRecord,
        look: bytes,
        may_be: Callable[[str], bool] = lambda _: True,
    ) -> tuple[str, str]:
        """The first picture with this look that `may_be` meant: its name and its URL.

        A name is the start of a SHA-256. Where there is none, it is the picture of
        `record`, which is entered.
        """
        for candidate in self._candidates(look):
            stored = self._store.get(LOOKS, candidate)
            if stored is None or not are_alike(look, stored[:SIZE]):
                continue
            if may_be(candidate):
                return candidate, stored[SIZE:].decode()
        name = _name(record)
        self._enter(look, name)
        return name, record.url

    def _candidates(self, look: bytes) -> Iterator[str]:
        """The names of those whose hashes are near, the oldest of each bucket first."""
        seen: set[int] = set()
        ours, colour = _number(look), _mean_colour(look)
        for bucket in self._buckets(ours):
            self.compared += len(bucket) // ENTRY.size
            for name in near_entries(bucket, ours, colour):
                if name in seen:
                    continue
                seen.add(name)
                yield f"{name:016x}"
                if len(seen) == MAX_COMPARED:
                    return

    def _buckets(self, ours: int) -> Iterator[bytes]:
        """The entries that have a chunk in common, or beyond MAX_SHARING a piece."""
        for place in range(CHUNKS):
            bucket = self._store.get(LOOKS_BY_CHUNK, _chunk(ours, place)) or b""
            yield bucket
            if len(bucket) >= _FULL:
                for key in _pieces(ours, place):
                    yield self._store.get(LOOKS_BY_CHUNK, key) or b""

    def _enter(self, look: bytes, name: str) -> None:
        ours = _number(look)
        entry = ENTRY.pack(ours, int(name, 16), *_mean_colour(look))
        for place in range(CHUNKS):
            if not self._append(_chunk(ours, place), entry):
                for key in _pieces(ours, place):
                    self._append(key, entry)

    def _append(self, key: str, entry: bytes) -> bool:
        """Put an entry into a bucket, unless it is there; False if it is full."""
        bucket = self._store.get(LOOKS_BY_CHUNK, key) or b""
        if entry in bucket:
            return True
        if len(bucket) >= _FULL:
            return False
        self._store.set(LOOKS_BY_CHUNK, key, bucket + entry)
        return True


def _name(record: ImageRecord) -> str:
    assert record.sha256 is not None
    return record.sha256[: 2 * ID_BYTES]


def _number(look: bytes) -> int:
    return int.from_bytes(hash_of(look), "big")


def _mean_colour(look: bytes) -> tuple[int, int, int]:
    red, green, blue = (
        sum(look[HASH_BYTES + at :: 3]) // (FIELDS * FIELDS) for at in range(3)
    )
    return red, green, blue


def _chunk(ours: int, place: int) -> str:
    """The key of one chunk: the place, then its bits."""
    return f"{place} {ours >> CHUNK_BITS * place & 0xFFFF:04x}"


def _pieces(ours: int, place: int) -> Iterator[str]:
    """The keys of the pieces of the other chunks."""
    at = CHUNK_BITS * place
    others = ours >> (at + CHUNK_BITS) << at | (ours & ((1 << at) - 1))
    for number in range(PIECES):
        piece = others >> PIECE_BITS * number & 0xFFF
        yield f"{_chunk(ours, place)} {number} {piece:03x}"
