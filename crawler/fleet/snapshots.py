"""Snapshots of shards in object storage: what is where, and which is the newest.

    RUN_ID/003/EPOCH-TIME.json       a snapshot of shard 3: its manifest
    RUN_ID/003/EPOCH-TIME.state.zst  its state
    RUN_ID/003/EPOCH-TIME.N          a piece of a file of records, or of a WARC file
    RUN_ID/003/files/...             pictures and bodies, each once

The manifest is written last, so that what it names is whole. Names are used once, and
sort as the shard was run: an opening of a shard has a higher epoch than the one before
(`frontier/mail.py`). So an owner that has lost its shard, and does not know it yet, can
write nothing in place of what the next owner has written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct

from crawler.model.errors import StateError
from crawler.output.objects.bucket import Bucket, StorageError

OPTION = "--snapshot"
FORMAT = 1
_FILES = "files/"
_MANIFEST = ".json"


class Piece(Struct, frozen=True):
    """A piece of a file that grows at its end."""

    key: str
    bytes: int


class Stream(Struct, frozen=True):
    """A file that grows at its end, as far as the state knows of it."""

    path: str
    """In the crawl's folder, or absolute."""
    pieces: tuple[Piece, ...]

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.pieces)


class Snapshot(Struct, frozen=True):
    """A snapshot of one shard: its manifest."""

    name: str
    run_id: str
    shard: int
    shards: int
    program: str
    """The version of orbweb that has taken it."""
    epoch: int
    taken_at: float
    """Seconds since the epoch of Unix, by the clock of its machine."""
    state: str
    """The key of the state."""
    streams: tuple[Stream, ...] = ()
    format: int = FORMAT

    def keys(self) -> set[str]:
        """The keys of all its objects but pictures and bodies."""
        pieces = {piece.key for one in self.streams for piece in one.pieces}
        return {f"{self.name}{_MANIFEST}", self.state, *pieces}


class _Versioned(Struct):
    format: int


class SnapshotStore:
    """The snapshots of the crawl `run_id` of so many shards, below `root`.

    Nothing here switches; it is used in threads. Raises UsageError if the storage can't
    be used; all methods may raise StorageError.
    """

    def __init__(self, root: str, run_id: str, shards: int) -> None:
        self._bucket = Bucket(f"{root}/{run_id}", OPTION)
        self._run_id = run_id
        self._shards = shards
        self.where = f"{root}/{run_id}"

    def newest(self, shard: int) -> Snapshot | None:
        """The newest snapshot of a shard, None if it has none.

        Raises StateError if it is of another crawl, or of another version of orbweb.
        """
        while (name := self._newest_name(shard)) is not None:
            content = self._bucket.get(name)
            if content is not None:  # else a newer one is there by now
                return self._checked(shard, name, content)
        return None

    def _newest_name(self, shard: int) -> str | None:
        names = self._bucket.names(f"{shard:03}")
        return max((one for one in names if _is_manifest(one)), default=None)

    def _checked(self, shard: int, name: str, content: bytes) -> Snapshot:
        try:
            version = msgspec.json.decode(content, type=_Versioned).format
            found = None
            if version == FORMAT:
                found = msgspec.json.decode(content, type=Snapshot)
        except msgspec.MsgspecError as error:
            raise StateError(f"{self.where}/{name} is no snapshot") from error
        if found is None:
            raise StateError(
                f"{self.where}/{name} was written by another version of orbweb: all "
                "machines of a crawl need the same one"
            )
        if (found.run_id, found.shard, found.shards) != (
            self._run_id, shard, self._shards
        ):  # fmt: skip
            raise StateError(f"{self.where}/{name} is a snapshot of another crawl")
        return found

    def put(self, key: str, content: bytes | Path) -> None:
        """Write one of the objects of a snapshot."""
        self._bucket.put(key, content)

    def publish(self, snapshot: Snapshot) -> None:
        """Write the manifest, and remove what is in no snapshot of later."""
        content = msgspec.json.format(msgspec.json.encode(snapshot), indent=1)
        self._bucket.put(f"{snapshot.name}{_MANIFEST}", content)
        kept, folder = snapshot.keys(), f"{snapshot.shard:03}"
        outdated = [
            key
            for key in self._bucket.names(folder)
            if key not in kept
            and not key.startswith(f"{folder}/{_FILES}")
            and key.partition(".")[0] <= snapshot.name
        ]
        if outdated:
            self._bucket.remove(outdated)

    def fetch(self, key: str, file: Path) -> None:
        """Write an object to a file."""
        self._bucket.fetch(key, file)

    def fetch_stream(self, stream: Stream, file: Path) -> None:
        """Write a file that grows at its end, as far as the snapshot has it."""
        part = file.with_name(f"{file.name}.new")
        with file.open("wb") as out:
            for piece in stream.pieces:
                self._bucket.fetch(piece.key, part)
                content = part.read_bytes()
                if len(content) != piece.bytes:
                    raise StorageError(f"{self.where}/{piece.key} is cut off", True)
                out.write(content)
        part.unlink(missing_ok=True)

    def file_key(self, shard: int, path: str) -> str:
        """The key of a picture or a body, by its path in the crawl's folder."""
        return f"{shard:03}/{_FILES}{quote(path).replace('%', '=')}"

    def files(self, shard: int) -> Iterable[tuple[str, str]]:
        """The pictures and bodies of a shard: key, and path in the crawl's folder."""
        folder = f"{shard:03}/{_FILES}"
        for key in self._bucket.names(folder.rstrip("/")):
            yield key, unquote(key.removeprefix(folder).replace("=", "%"))


def _is_manifest(key: str) -> bool:
    return key.endswith(_MANIFEST) and f"/{_FILES}" not in key


def name_of(shard: int, epoch: int, taken_at: float) -> str:
    """The name of a snapshot."""
    return f"{shard:03}/{epoch:015}-{int(taken_at * 1000):015}"


def pieces_to_keep(before: Sequence[Piece], length: int, least: int) -> list[Piece]:
    """The pieces of an earlier snapshot that a file of this length still has.

    A last piece of less than `least` bytes is written anew, with what has come since,
    so that their number stays small.
    """
    kept = [*before]
    total = sum(one.bytes for one in kept)
    if total > length:
        return []  # the file is another one
    if kept and total < length and kept[-1].bytes < least:
        kept.pop()
    return kept
