"""Which picture of a crawl was the first to look like this one: an index in the state.

Multi-index hashing: a hash of 64 bits has four chunks of 16. Hashes that differ in at
most three bits have one chunk in common, so only those pictures are compared that share
a chunk at its place: of n different pictures, 4 n / 65,536. So the time for all of them
is near-linear, and no more is in memory than the store keeps there.

It holds the first picture of each group. All of it is in the store, and in the commit
of the picture's record: an exact index after `kill -9`. A chunk holds MAX_SHARING
pictures, and a picture is compared with at most MAX_COMPARED of them by colours, so a
site that shows always the same gradient costs no more than others; beyond that,
pictures that look the same may not be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from crawler.extract.looks.look import (
    HASH_BYTES,
    MAX_DISTANCE,
    SIZE,
    are_alike,
    distance,
    hash_of,
)
from crawler.model.metadata import LOOKS, LOOKS_BY_CHUNK, KeyValue
from crawler.model.records import ImageRecord

CHUNKS = 4
CHUNK_BYTES = HASH_BYTES // CHUNKS
ID_BYTES = 8
"""The length of the part of a SHA-256 that names a picture in a chunk."""
ENTRY = HASH_BYTES + ID_BYTES
MAX_SHARING = 512
MAX_COMPARED = 64


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
        for candidate in self._candidates(hash_of(look)):
            stored = self._store.get(LOOKS, candidate)
            if stored is None or not are_alike(look, stored[:SIZE]):
                continue
            if may_be(candidate):
                return candidate, stored[SIZE:].decode()
        name = _name(record)
        self._enter(hash_of(look), bytes.fromhex(name))
        return name, record.url

    def _candidates(self, ours: bytes) -> Iterator[str]:
        """The names of those whose hashes are near, the oldest of each chunk first."""
        seen: set[bytes] = set()
        for key in _chunks(ours):
            sharing = self._store.get(LOOKS_BY_CHUNK, key) or b""
            for at in range(0, len(sharing), ENTRY):
                entry = sharing[at : at + ENTRY]
                self.compared += 1
                near = distance(ours, entry[:HASH_BYTES]) <= MAX_DISTANCE
                if near and entry not in seen:
                    seen.add(entry)
                    yield entry[HASH_BYTES:].hex()
                    if len(seen) == MAX_COMPARED:
                        return

    def _enter(self, ours: bytes, name: bytes) -> None:
        for key in _chunks(ours):
            sharing = self._store.get(LOOKS_BY_CHUNK, key) or b""
            if len(sharing) < MAX_SHARING * ENTRY and ours + name not in sharing:
                self._store.set(LOOKS_BY_CHUNK, key, sharing + ours + name)


def _name(record: ImageRecord) -> str:
    assert record.sha256 is not None
    return record.sha256[: 2 * ID_BYTES]


def _chunks(ours: bytes) -> list[str]:
    """The keys of a hash's chunks: the place, then its bits."""
    return [
        f"{place} {ours[CHUNK_BYTES * place : CHUNK_BYTES * (place + 1)].hex()}"
        for place in range(CHUNKS)
    ]
