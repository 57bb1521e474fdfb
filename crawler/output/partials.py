"""Large bodies on their way to the disk, each in a file of its own.

    state/partial/3f0c...e1          the bytes, as far as they came
    state/partial/3f0c...e1.json     what is needed to request the rest

The name is the identity of the URL (`url_id`). The second file is made before the first
byte is written, and only where the server has sent a strong validator: without one the
rest of a body cannot be requested. A body that is complete stays here until its record
is committed; `files.py` gives it a second name (a hard link) below images/ or bodies/,
so that a kill at any moment leaves either the record and its file, or what the next run
goes on with.

What a killed process has written is on the disk in its order. After a power cut it may
not be: then, told by the boot id, all partial files are removed.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from crawler.model.http import BodySink, Header, PartialResponse, Response, Timings
from crawler.model.url import id_from_hex, id_to_hex
from crawler.output.files import READING, pieces_of
from crawler.output.sink import refused

MAX_START = 64 * 2**10
"""Bytes of a body's beginning that are read to tell what it is."""
_TAIL = 4096
"""Bytes at the end of a body that are kept where nothing else is kept of it."""
_META = ".json"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class _Meta(Struct):
    """What is needed to request the rest of a body."""

    url: str
    boot: str
    validator: str
    length: int | None
    status: int
    reason: str
    http_version: str
    headers: tuple[Header, ...]


class HashedBody:
    """A body of which only the size and the hash are kept."""

    path = None

    def __init__(self) -> None:
        self.size = 0
        self._hash = hashlib.sha256()
        self._tail = b""

    def write(self, piece: bytes) -> None:
        self.size += len(piece)
        self._hash.update(piece)
        self._tail = (self._tail + piece[-_TAIL:])[-_TAIL:]

    def tail(self, size: int) -> bytes:
        return self._tail[-size:] if size else b""

    def digest(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        """Nothing is open."""


class BodyFile:
    """A body in the file `path`: a new one, or the one that is there."""

    def __init__(self, path: str, *, new: bool) -> None:
        self.path = path
        self._fd: int | None = None
        self._hash = hashlib.sha256() if new else None
        self.size = 0
        try:
            if new:
                with suppress(FileNotFoundError):
                    os.unlink(path)
                self._fd = os.open(path, _CREATE, 0o666)
            else:
                self.size = os.stat(path, follow_symlinks=False).st_size
        except OSError as error:
            raise refused(error, path) from error

    def write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        try:
            fd = self._opened()
            while rest:
                written = os.write(fd, rest)
                self.size += written
                rest = rest[written:]
        except OSError as error:
            raise refused(error, self.path) from error
        if self._hash is not None:
            self._hash.update(piece)

    def tail(self, size: int) -> bytes:
        try:
            fd = os.open(self.path, READING)
            try:
                return os.pread(fd, size, max(0, self.size - size))
            finally:
                os.close(fd)
        except OSError as error:
            raise refused(error, self.path) from error

    def digest(self) -> str:
        """The hash; of a file of an earlier run, that is read for it."""
        if self._hash is None:
            self._hash = hashlib.sha256()
            for piece in pieces_of(self.path):
                self._hash.update(piece)
        return self._hash.hexdigest()

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _opened(self) -> int:
        if self._fd is None:
            self._fd = os.open(self.path, _APPEND)
        return self._fd


class PartialFiles:
    """The bodies below `folder` that are not complete, or not committed yet.

    `boot`: the machine's boot id. The keys are those of URLs in the store.
    """

    def __init__(self, folder: Path, boot: str) -> None:
        self._folder = folder
        self._boot = boot
        self._parts: dict[int, PartialResponse | None] = {}
        self._files: dict[int, BodyFile | None] = {}

    def recover(self, is_waiting: Callable[[int], bool]) -> None:
        """Take over what an earlier run has left of the URLs that are still to fetch.

        The rest is removed.
        """
        if self._folder.is_symlink():
            raise refused(OSError(errno.ELOOP, os.strerror(errno.ELOOP)), self._folder)
        if not self._folder.is_dir():
            return
        for path in list(self._folder.iterdir()):
            key = id_from_hex(path.name.removesuffix(_META))
            if key is None or key in self._files:
                continue
            self._files[key] = None
            if not is_waiting(key):
                self.discard(key)

    def open(self, key: int, part: PartialResponse | None) -> BodyFile:
        """A new file for the body of a URL; what there is of another is removed.

        `part` is its beginning, if the rest of it could be requested.
        """
        self.discard(key)
        path = self._path(key)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            if part is not None:
                self._write_meta(path, part)
        except OSError as error:
            raise refused(error, path) from error
        self._files[key] = file = BodyFile(path, new=True)
        self._parts[key] = part and _as_kept(part, part.head.body, file)
        return file

    def resume(self, key: int, url: str) -> PartialResponse | None:
        """What is there of the body of `url`; None if the rest cannot be requested."""
        if key not in self._files:
            return None
        if self._files[key] is None:
            self._parts[key] = self._read(key)
        part = self._parts.get(key)
        if part is None or part.head.url != url or not part.head.size:
            self.discard(key)
            return None
        return part

    def discard(self, key: int) -> None:
        """Nothing of that URL is needed any more."""
        if key not in self._files:
            return
        file = self._files.pop(key)
        self._parts.pop(key, None)
        if file is not None:
            file.close()
        path = self._path(key)
        for name in (path + _META, path):
            with suppress(FileNotFoundError):
                os.unlink(name)

    def discard_all(self, keys: Iterable[int]) -> None:
        """Nothing of these URLs is needed any more. Most crawls have no such file."""
        if self._files:
            for key in keys:
                self.discard(key)

    def close(self) -> None:
        """Close the files, and remove the folder if it is empty."""
        for file in self._files.values():
            if file is not None:
                file.close()
        with suppress(OSError):
            self._folder.rmdir()

    def _path(self, key: int) -> str:
        return f"{self._folder}/{id_to_hex(key)}"

    def _write_meta(self, path: str, part: PartialResponse) -> None:
        head = part.head
        meta = _Meta(
            head.url, self._boot, part.validator, part.length,
            head.status, head.reason, head.http_version, head.headers,
        )  # fmt: skip
        fd = os.open(path + _META, _CREATE, 0o600)
        try:
            rest = msgspec.json.encode(meta)
            while rest:
                rest = rest[os.write(fd, rest) :]
        finally:
            os.close(fd)

    def _read(self, key: int) -> PartialResponse | None:
        """The part that an earlier run has left; None if it is of no use."""
        path = self._path(key)
        try:
            meta = _decode(Path(path + _META).read_bytes())
        except (OSError, msgspec.MsgspecError):
            return None
        if meta.boot != self._boot or not _is_plain_file(path):
            return None
        self._files[key] = file = BodyFile(path, new=False)
        head = Response(
            meta.url, meta.status, meta.reason, meta.http_version, meta.headers,
            b"", 0, Timings(0), None, False,
        )  # fmt: skip
        start = next(pieces_of(path, MAX_START), b"")
        part = PartialResponse(head, meta.validator, meta.length)
        return _as_kept(part, start, file)


_decode = msgspec.json.Decoder(_Meta).decode


def _as_kept(part: PartialResponse, start: bytes, file: BodySink) -> PartialResponse:
    """`part` as it is between two requests: what it was charged for is forgotten."""
    head = replace(
        part.head,
        body=start[:MAX_START],
        wire_bytes=0,
        truncated="disconnect",
        streamed=file,
    )
    return replace(part, head=head)


def _is_plain_file(path: str) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def mapped(path: str) -> bytes:
    """The bytes of a file that is not empty, as readers take them.

    They are no copy in memory. Raises OutputError.
    """
    from mmap import ACCESS_READ, mmap  # few crawls have large pictures

    class Mapped(mmap):
        def startswith(self, prefix: bytes, start: int = 0) -> bool:
            return self[start : start + len(prefix)] == prefix

    try:
        fd = os.open(path, READING)
        try:
            return cast(bytes, Mapped(fd, 0, access=ACCESS_READ))
        finally:
            os.close(fd)
    except OSError as error:
        raise refused(error, path) from error
