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

from collections.abc import Iterator

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

    def fill(self, record: ImageRecord, look: bytes | None) -> None:
        """Set `phash`, and of a near-duplicate `dup_of`.

        `look`: that of the picture, if it has one. Of a 304 it is in the store.
        """
        assert record.sha256 is not None
        name = record.sha256[: 2 * ID_BYTES]
        stored = self._store.get(LOOKS, name)
        if look is None and stored is not None:
            look = stored[:SIZE]
        if look is None:
            return
        record.phash = hash_of(look).hex()
        if stored is None:
            self._store.set(LOOKS, name, look + record.url.encode())
        if record.dup_of is None:
            record.dup_of = self._first_alike(look, name, record.url)
            record.dup_kind = None if record.dup_of is None else "near"

    def forget(self, sha256: str, url: str) -> None:
        """The URL has other bytes now: nothing looks like it any more."""
        name = sha256[: 2 * ID_BYTES]
        stored = self._store.get(LOOKS, name)
        if stored is not None and stored[SIZE:].decode() == url:
            self._store.set(LOOKS, name, None)

    def _first_alike(self, look: bytes, name: str, url: str) -> str | None:
        """The URL of the first picture that looks like this one.

        None: it is the first, and is entered. `name`: the start of its SHA-256.
        """
        for candidate in self._candidates(hash_of(look)):
            stored = self._store.get(LOOKS, candidate)
            if stored is not None and are_alike(look, stored[:SIZE]):
                first = stored[SIZE:].decode()
                return None if first == url else first
        self._enter(hash_of(look), bytes.fromhex(name))
        return None

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


def _chunks(ours: bytes) -> list[str]:
    """The keys of a hash's chunks: the place, then its bits."""
    return [
        f"{place} {ours[CHUNK_BYTES * place : CHUNK_BYTES * (place + 1)].hex()}"
        for place in range(CHUNKS)
    ]
