"""Recovery after a power cut: fetch again what never reached the disk.

A killed process loses nothing that it has written: the kernel has it. A machine that
stops loses what the kernel had not written yet, some thirty seconds of it, and in no
order. SQLite keeps the state whole (`frontier/sqlite/store.py`), but the state may then
know of records that are missing at the end of a file, or are nothing but zeros, and of
images and saved bodies that are empty or cut off. Waiting for the disk at each commit
would prevent that, and stop every fetch meanwhile. The state is repaired instead:

    each file of records    is read once, and cut behind its last whole line
    a URL                   that has ended, but not in a record that is there, is queued
    an image, a saved body  whose file has not the size of its record is fetched again,
                            unless the state says that its file was removed

That the machine was started anew while a run was under way is known by its boot id
(random(4)). A run that ends by itself removes it: what the user makes of the images
then is no damage. Skips are not looked at, since most are never written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol, cast, get_args

import msgspec
from msgspec import Struct

from crawler.frontier.store import Ended, Ledger, Run, Store
from crawler.model.http import Hop
from crawler.model.metadata import BOOT, REOPENED
from crawler.model.url import id_from_hex, key_id, url_id
from crawler.output.lines import (
    part_number,
    position_in,
    split_position,
    stream_files,
)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TYPES = frozenset(get_args(Ended))


class RequeueingStore(Store, Protocol):
    """A store that can queue again what has ended."""

    def requeue_unwritten(
        self, written: Iterable[tuple[int, Ended]], now: float
    ) -> int: ...


class _Line(Struct):
    """The fields that tell whether a record is whole, and what it is about."""

    type: str
    run_id: str = ""
    url: str = ""
    url_id: str = ""
    sha256: str | None = None
    path: str | None = None
    body_path: str | None = None
    thumbnail_path: str | None = None
    body_bytes: int | None = None
    redirects: tuple[Hop, ...] = ()


_decode_lines = msgspec.json.Decoder(_Line).decode_lines


def boot_id() -> bytes:
    """The boot id: different after each start of the machine, empty if unknown."""
    with suppress(OSError):
        return _BOOT_ID.read_bytes().strip()
    return b""


def recover(
    store: RequeueingStore, folder: Path, streams: Mapping[str, Path], now: float
) -> int:
    """Queue again what was lost, if the machine was started anew during a run.

    Returns how many URLs that are. `streams` are the outputs that are files of JSON
    Lines, by the name under which the store has their position. A URL counts as written
    if it is in all of them. The caller commits.
    """
    boot = boot_id()
    before = store.get(BOOT, "")
    if before == boot:
        return 0
    store.set(BOOT, "", boot)
    run = store.run()
    if before is None or run is None:
        return 0
    read = {
        name: stream
        for name, path in streams.items()
        if (stream := _stream(path, name, store)).can_tell()
    }
    if not read:
        return 0
    written = _written(read.values(), folder, run, store)
    lost = store.requeue_unwritten(written, now)
    for name, whole in read.items():
        store.set_position(name, whole.end)
    return lost


def _stream(path: Path, name: str, store: Store) -> _Whole:
    reopened = store.get(REOPENED, name) is not None
    return _Whole(path, store.position(name) or 0, reopened=reopened)


def _written(
    streams: Iterable[_Whole], folder: Path, run: Run, store: Ledger
) -> Iterator[tuple[int, Ended]]:
    """The URLs that have ended in a record of this run in all `streams`."""
    first, *others = (_endings(whole, folder, run, store) for whole in streams)
    in_others = [frozenset(one) for one in others]
    return (one for one in first if all(one in other for other in in_others))


def _endings(
    whole: _Whole, folder: Path, run: Run, store: Ledger
) -> Iterator[tuple[int, Ended]]:
    for line in whole:
        is_ending = line.run_id == run.run_id and line.type in _TYPES
        if is_ending and (_is_there(folder, line) or _was_removed(store, line)):
            yield _identity(line), cast(Ended, line.type)


def _identity(line: _Line) -> int:
    """The key in the store of the URL of a record.

    A record that was written before format 6 has the hash of the URL as it is.
    """
    identity = id_from_hex(line.url_id)
    if identity is None or identity == key_id(line.url):
        return url_id(line.url, line.redirects)
    return identity


class _Whole:
    """The whole lines of a stream up to `position`; `end` is behind the last one.

    A part that is finished is on the disk, since the next one was begun after that; so
    is what a `reopened` stream has in files that were moved away.
    """

    def __init__(self, path: Path, position: int, *, reopened: bool) -> None:
        self._reopened = reopened
        self._files = {part_number(path, file): file for file in stream_files(path)}
        self._position = position
        self._last, self._limit = split_position(position)
        self.end = position

    def can_tell(self) -> bool:
        """Whether it tells which URLs are written.

        A stream does not whose parts were taken away, unless what is left is damaged:
        then all that is not in those that are there counts as lost.
        """
        if self._last == 0 and not self._reopened:
            return 0 in self._files
        if self._last and all(
            number in self._files for number in range(1, self._last + 1)
        ):
            return True
        for _ in self:
            pass
        return self.end != self._position

    def __iter__(self) -> Iterator[_Line]:
        is_finished = self._last + 1 in self._files or self._last not in self._files
        for number, file in self._files.items():
            if number < self._last or (number == self._last and is_finished):
                for lines, _end in self._lines(file, file.stat().st_size):
                    yield from lines
        if is_finished:
            return
        self.end = position_in(self._last, 0)
        for lines, end in self._lines(self._files[self._last], self._limit):
            self.end = position_in(self._last, end)
            yield from lines

    def _lines(self, file: Path, limit: int) -> Iterator[tuple[list[_Line], int]]:
        from crawler.output.stored_lines import pieces  # needed after a power cut only

        for data, end in pieces(file, limit):
            try:
                yield _decode_lines(data), end
            except msgspec.DecodeError:
                return


def _is_there(folder: Path, line: _Line) -> bool:
    """Whether the content of a record is in its file, if the record names one."""
    name = line.path if line.type == "image" else line.body_path
    if not name:
        return True
    if line.thumbnail_path and not _has_bytes(folder / line.thumbnail_path):
        return False
    path = folder / name
    with suppress(OSError):
        if path.stat().st_size == line.body_bytes:
            return True
        path.unlink()
    return False


def _was_removed(store: Ledger, line: _Line) -> bool:
    """Whether the state says that a picture has no file, since a better one has."""
    content = None if line.sha256 is None else store.content(line.sha256)
    return line.type == "image" and content is not None and not content.path


def _has_bytes(path: Path) -> bool:
    with suppress(OSError):
        return path.stat().st_size > 0
    return False
