"""Takes a snapshot of a shard, while its process goes on with it.

The state is copied as of one commit (`frontier/sqlite/shard_copy.py`). Of files that
grow at their end, what that commit knows is taken, and only what has come since the
snapshot before. Pictures and bodies are files that never change.

Nothing here switches: it runs in a thread of the parent, which does not crawl.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msgspec import Struct

from crawler.engine.archive.archiving import POSITION as WARC
from crawler.fleet.shard_config import shard_config
from crawler.fleet.snapshots import (
    Piece,
    Snapshot,
    SnapshotStore,
    Stream,
    name_of,
    pieces_to_keep,
)
from crawler.frontier.mail import Mark
from crawler.frontier.sqlite.database import FILE_NAME, sync_commits
from crawler.frontier.sqlite.private_folder import create_private_file
from crawler.frontier.sqlite.shard_copy import ShardState, copy_state, read_state
from crawler.model.config import Config
from crawler.model.errors import StateError
from crawler.output.compression import packer
from crawler.output.files import BODIES, DAMAGED, IMAGES, THUMBNAILS, Journal
from crawler.output.lines import part_number, split_position, stream_files
from crawler.output.sink import refused
from crawler.output.warc.files import existing_files
from crawler.workspace.outputs import outputs
from crawler.workspace.paths import (
    image_journal,
    part_of,
    state_folder,
    warc_folder,
)

COPY = "snapshot"
"""The copy of the state, in its folder, while the snapshot is taken."""
SMALL_PIECE = 8 * 2**20
LARGE_PIECE = 32 * 2**20
_BLOCK = 4 * 2**20
_UPLOADS = 8
"""Pictures that are uploaded at once."""


class Taken(Struct, frozen=True):
    """What a snapshot has."""

    taken_at: float
    marks: Mapping[int, Mark]
    """By sender: the last message that was taken."""


class SnapshotTaker:
    """Takes snapshots of shards of the crawl under `config` into `store`.

    `clock`: seconds since the epoch of Unix.
    """

    def __init__(
        self,
        store: SnapshotStore,
        config: Config,
        run_id: str,
        shards: int,
        program: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._config = config
        self._run_id = run_id
        self._shards = shards
        self._program = program
        self._clock = clock
        self._last: dict[int, Snapshot | None] = {}
        self._uploaded: dict[int, set[str]] = {}

    def take(self, shard: int, may_publish: Callable[[], None]) -> Taken | None:
        """Take a snapshot of a shard; None if it has not begun.

        `may_publish` is called before the snapshot counts, and raises what prevents it.
        Raises StorageError, OutputError, and StateError if another machine has run the
        shard meanwhile.
        """
        config = shard_config(self._config, shard, self._shards)
        folder = state_folder(config.dir)
        copy = folder / COPY
        if shard not in self._last:
            self._last[shard] = self._store.newest(shard)
        before, taken_at = self._last[shard], self._clock()
        try:
            state = copy_state(folder / FILE_NAME, copy)
            if state is None:
                return None
            _refuse_older(shard, state.epoch, before)
            sync_commits(folder)  # a power cut must not undo what is in a snapshot
            name = name_of(shard, state.epoch, taken_at)
            streams = self._streams(config, state, before, name)
            self._files(config, shard)
            key = self._put_state(copy, name)
        finally:
            for file in (copy, copy.with_name(f"{COPY}.zst")):
                file.unlink(missing_ok=True)
        snapshot = Snapshot(
            name,
            self._run_id,
            shard,
            self._shards,
            self._program,
            state.epoch,
            taken_at,
            key,
            streams,
        )
        may_publish()
        self._store.publish(snapshot)
        self._last[shard] = snapshot
        return Taken(taken_at, state.marks)

    def refuse_older(self, shard: int) -> None:
        """Raise StateError if the state here is older than the newest snapshot.

        The exchange tells an owner that another one has its shard; but it may have
        gone back to a time before that.
        """
        folder = state_folder(shard_config(self._config, shard, self._shards).dir)
        state = read_state(folder / FILE_NAME)
        self._last[shard] = self._store.newest(shard)
        if state is not None:
            _refuse_older(shard, state.epoch, self._last[shard])

    def _put_state(self, copy: Path, name: str) -> str:
        key, pack = f"{name}.state.zst", packer(".zst")
        packed = copy.with_name(f"{COPY}.zst")
        create_private_file(packed)
        try:
            with copy.open("rb") as source, packed.open("wb") as out:
                while block := source.read(_BLOCK):
                    out.write(pack(block))
        except OSError as error:
            raise refused(error, packed) from error
        self._store.put(key, packed)
        return key

    # Files that grow at their end

    def _streams(
        self, config: Config, state: ShardState, before: Snapshot | None, name: str
    ) -> tuple[Stream, ...]:
        known = {one.path: one.pieces for one in before.streams} if before else {}
        made, count = [], 0
        for file, length in _grown_files(config, state.positions):
            path = self._relative(file)
            pieces = pieces_to_keep(known.get(path, ()), length, SMALL_PIECE)
            start = sum(one.bytes for one in pieces)
            for content in _pieces(file, start, length):
                pieces.append(Piece(f"{name}.{count}", len(content)))
                self._store.put(pieces[-1].key, content)
                count += 1
            made.append(Stream(path, tuple(pieces)))
        return tuple(made)

    def _relative(self, file: Path) -> str:
        path = os.path.relpath(file, self._config.dir)
        return str(file.absolute()) if path.startswith("..") else path

    # Files that are written once

    def _files(self, config: Config, shard: int) -> None:
        if shard not in self._uploaded:
            found = [path for _, path in self._store.files(shard)]
            # The index of a WARC file is sorted when that is complete.
            self._uploaded[shard] = {one for one in found if ".cdxj" not in one}
        uploaded = self._uploaded[shard]
        new = [one for one in self._whole_files(config) if one[1] not in uploaded]
        with ThreadPoolExecutor(_UPLOADS) as pool:
            for name in pool.map(lambda one: self._put_file(shard, *one), new):
                uploaded.add(name)

    def _put_file(self, shard: int, file: Path, name: str) -> str:
        path = self._relative(file)
        if file.is_file():
            self._store.put(self._store.file_key(shard, path), file)
        return name

    def _whole_files(self, config: Config) -> Iterator[tuple[Path, str]]:
        """The pictures, bodies and indexes of WARC files, each with a name of its own.

        A file that is still written is in the journal, with the hash of its content.
        """
        folder = Path(self._config.dir)
        found = [
            Path(place, name)
            for kind in (IMAGES, BODIES, DAMAGED, THUMBNAILS)
            for place, _, names in os.walk(folder / kind / part_of(config.dir))
            for name in names
        ]
        journal = Journal(image_journal(config.dir))
        begun = {name: sha256 for sha256, name in journal.read()}
        for file in found:
            path = self._relative(file)
            if path not in begun or _sha256(file) == begun[path]:
                yield file, path
        if config.warc.write:
            for file in existing_files(warc_folder(config.dir), config.warc.prefix):
                if file.suffix == ".cdxj":
                    status = file.stat()
                    name = f"{self._relative(file)} {status.st_size} {status.st_mtime}"
                    yield file, name


def _refuse_older(shard: int, epoch: int, newest: Snapshot | None) -> None:
    if newest is None or newest.epoch <= epoch:
        return
    raise StateError(
        f"another machine has run shard {shard} of the crawl from a snapshot, while "
        "this one was away; the folder is behind, and must not be used any more"
    )


def _grown_files(
    config: Config, positions: Mapping[str, Any]
) -> Iterator[tuple[Path, int]]:
    """The files of records, and WARC files, with the length that is committed."""
    for one in outputs(config):
        position = positions.get(one.name)
        if one.path is None or not isinstance(position, int):
            continue
        last, offset = split_position(position)
        for file in stream_files(one.path):
            number = part_number(one.path, file)
            if number <= last:
                yield file, offset if number == last else file.stat().st_size
    match positions.get(WARC):
        case [_, [str(prefix), _, int(last), int(offset), *_]]:
            current = f"{prefix}-{last:05d}.warc.gz"
            for file in existing_files(warc_folder(config.dir), prefix):
                if file.suffix == ".gz" and file.name <= current:
                    is_last = file.name == current
                    yield file, offset if is_last else file.stat().st_size


def _pieces(file: Path, start: int, end: int) -> Iterator[bytes]:
    """What is between two offsets of a file, which is on the disk then."""
    try:
        with file.open("rb") as stream:
            if start < end:
                os.fsync(stream.fileno())
            stream.seek(start)
            while start < end and (
                content := stream.read(min(LARGE_PIECE, end - start))
            ):
                start += len(content)
                yield content
    except FileNotFoundError:
        return  # it was uploaded as an output, or taken away
    except OSError as error:
        raise refused(error, file) from error


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
