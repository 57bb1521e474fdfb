"""Contents of the web on disk: pictures and bodies, complete or absent.

The contents of a batch are written together (`flush`): their names go to the journal in
one call, then each is written once, under its own name. The reader of a record finds
its file whole, since records come later; what a kill leaves behind, half written or
whole, is in the journal and removed at the next start. A second write of the same bytes
finds its own file and leaves it alone; a file that is only their beginning takes its
place.

The journal is needed because a file is written before the commit that holds its record.
Killed in between, the next run may meet the same bytes under another URL first, and
would give them another name: the file left behind would belong to no record. So a name
is noted before its file is made, and the notes are dropped when the commit is done;
what is still noted at the next start, and in no record, is removed.

A file that is to be removed (`remove`) is noted as well, before the commit that takes
it out of the state, and is unlinked after that commit.

The names are made by `images.py` and `bodies.py`; one journal and one order serve both.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from crawler.model.http import BodySink
from crawler.output.sink import refused

Content = bytes | BodySink
"""A picture or a body: its bytes, or the sink that has it in a file."""

IMAGES, BODIES, DAMAGED, THUMBNAILS = "images", "bodies", "damaged", "thumbnails"
"""The folders in the crawl's folder; damaged pictures have one of their own."""
MAX_REAL_FOLDERS = 10_000
"""Folders that are remembered as no symbolic links, so that each is looked at once."""

PIECE = 2**20
"""Bytes that are read from a file at once."""
READING = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags for a file of ours: a symbolic link is none."""

_FOLDERS = (f"{IMAGES}/", f"{BODIES}/", f"{DAMAGED}/", f"{THUMBNAILS}/")


class Journal:
    """A file of lines, `SHA256 PATH`, at `path`; made when the first is noted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None
        self._empty = False

    def note(self, files: Iterable[tuple[str, str]]) -> None:
        """Files of this hash and name are about to be made."""
        try:
            if self._fd is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
                self._fd = os.open(self._path, flags | os.O_NOFOLLOW, 0o600)
            rest = "".join(f"{sha256} {name}\n" for sha256, name in files).encode()
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise refused(error, self._path) from error
        self._empty = False

    def clear(self) -> None:
        """All that was noted has its record."""
        if not self._empty and self._path.exists():
            os.truncate(self._path, 0)
        self._empty = True

    def read(self) -> list[tuple[str, str]]:
        """Hash and name of what was noted by a run that did not get to `clear`."""
        if not self._path.exists():
            return []
        # A damaged file names nothing that is there.
        *lines, _cut = self._path.read_text(errors="replace").split("\n")
        return [
            (sha256, name)
            for sha256, _, name in (line.partition(" ") for line in lines)
        ]

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class ContentFiles:
    """Writes contents below `folder`, in the folders that are named above.

    `part` is the name of a folder in each of them for the contents of one shard, which
    no other may write to or clean up; "" where there are no shards.
    """

    def __init__(self, folder: Path, journal: Journal, part: str = "") -> None:
        self._folder = folder
        self._part = part
        self._root = str(folder)
        self._journal = journal
        self._waiting: dict[str, tuple[str, Content]] = {}  # hash and content by name
        self._unwanted: dict[str, str] = {}  # hash by name of what is to be removed
        self._real_folders: set[str] = set()  # those that are no symbolic links

    def recover(self, recorded: Callable[[str, str], bool]) -> None:
        """Remove incomplete files of an earlier run.

        These are the files for which `recorded(sha256, name)` is false, and those that
        the run was writing when it was killed: a later crawl may write a recorded file
        once more.

        A name without its file is one that the run did not get to.
        """
        for sha256, name in self._journal.read():
            path = self._folder / name
            if ".." in name.split("/") or not name.startswith(_FOLDERS):
                continue  # no name that we give: the journal is damaged
            if path.is_file() and not (
                recorded(sha256, name) and _hash(path) == sha256
            ):
                path.unlink()
                self._remove_empty(name)
        self._journal.clear()

    def settle(self) -> None:
        """Everything written so far has its record; what was to be removed, is.

        So are the folders that this empties. Raises OutputError.
        """
        for name in self._unwanted:
            try:
                os.unlink(f"{self._root}/{name}")
            except FileNotFoundError:
                pass
            except OSError as error:
                raise refused(error, f"{self._root}/{name}") from error
        for name in self._unwanted:
            self._remove_empty(name)
        self._unwanted.clear()
        self._journal.clear()

    def close(self) -> None:
        self._journal.close()

    def holds(self, name: str, size: int | None = None) -> bool:
        """Whether the file `name`, as `put` gave it, is still there, or will be.

        With `size` (bytes): whether it is so large. A file that lost its end, as by a
        power failure, is not.
        """
        if name in self._waiting:
            return True
        if name in self._unwanted:
            return False
        try:
            found = os.stat(f"{self._root}/{name}").st_size
        except OSError:
            return False
        return size is None or found == size

    def read(self, name: str, limit: int) -> bytes | None:
        """The bytes of the file `name`; None if it has more than `limit`, or is gone.

        Also a symbolic link, which a crawl does not write, is none of its files.
        """
        if name in self._waiting:
            data = self._waiting[name][1]
            if _size(data) > limit:
                return None
            if isinstance(data, bytes):
                return data
            return b"".join(pieces_of(_file_of(data)))
        return read_file(Path(self._root), name, limit)

    def keep(self, name: str, data: Content, sha256: str) -> str:
        """Keep `data`, whose hash is `sha256`, as the file `name`; its name then.

        Where other bytes have that name, it is longer. The file is there after the next
        `flush`. Names are relative to the crawl's folder.
        """
        if self._part:
            kind, _, rest = name.partition("/")
            name = f"{kind}/{self._part}/{rest}"
        if not self._takes(name, data, sha256):
            base, dot, extension = name.rpartition(".")
            name = f"{base}-{sha256}{dot}{extension}" if base else f"{name}-{sha256}"
            self._takes(name, data, sha256)
        return name

    def remove(self, name: str, sha256: str) -> None:
        """Remove the file `name`, whose hash is `sha256`, after the commit (`settle`).

        The journal has its name until then. So if the process is killed in between, the
        next run removes the file.
        """
        if self._waiting.pop(name, None) is None:
            self._unwanted[name] = sha256

    def flush(self) -> None:
        """Write what was put. Raises OutputError."""
        if not (self._waiting or self._unwanted):
            return
        new = [(sha256, name) for name, (sha256, _) in self._waiting.items()]
        old = [(sha256, name) for name, sha256 in self._unwanted.items()]
        self._journal.note(new + old)
        for name, (_, data) in self._waiting.items():
            path = f"{self._root}/{name}"
            try:
                self._refuse_links(name)
                if isinstance(data, bytes):
                    _create(path, data)
                else:
                    _create_second_name(path, data)
            except OSError as error:
                raise refused(error, error.filename or path) from error
        self._waiting.clear()

    def _refuse_links(self, name: str) -> None:
        """Refuse a folder on the way to `name` that is a symbolic link (ELOOP)."""
        folder = name.rpartition("/")[0]
        if folder in self._real_folders:
            return
        path = self._root
        for part in folder.split("/"):
            path = f"{path}/{part}"
            if os.path.islink(path):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if len(self._real_folders) >= MAX_REAL_FOLDERS:
            self._real_folders.clear()
        self._real_folders.add(folder)

    def _remove_empty(self, name: str) -> None:
        """Remove the folders of the file `name`, up to one that is not empty.

        The first, which all files of a kind have in common, stays.
        """
        folder = name.rpartition("/")[0]
        while "/" in folder:
            try:
                os.rmdir(f"{self._root}/{folder}")
            except OSError:  # not empty, or no folder of ours
                return
            self._real_folders.discard(folder)
            folder = folder.rpartition("/")[0]

    def _takes(self, name: str, data: Content, sha256: str) -> bool:
        """Whether `data` is under `name`, or will be; False if other bytes are."""
        if name in self._waiting:
            return self._waiting[name][0] == sha256
        if self._unwanted.get(name) == sha256:
            del self._unwanted[name]
        path = f"{self._root}/{name}"
        if (mode := _mode(path)) is not None:
            if stat.S_ISLNK(mode):
                raise refused(OSError(errno.ELOOP, os.strerror(errno.ELOOP)), path)
            if not stat.S_ISREG(mode):
                return False
            try:
                if not _begins_with(data, path):
                    return False
                if os.path.getsize(path) == _size(data):
                    return True
                os.unlink(path)  # a run was killed while writing it
            except OSError as error:
                raise refused(error, path) from error
        self._waiting[name] = sha256, data
        return True


def read_file(folder: Path, name: str, limit: int) -> bytes | None:
    """The bytes of the file that a record names; as `ContentFiles.read`."""
    if ".." in name.split("/") or not name.startswith(_FOLDERS):
        return None  # no name that we give
    try:
        fd = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(fd, "rb") as file:
            data = file.read(limit + 1)
    except OSError:
        return None
    return data if len(data) <= limit else None


def _mode(path: str) -> int | None:
    """The kind and the permissions of what is at `path`; None if nothing is.

    A link that leads nowhere counts as nothing; no file is created in its place.
    """
    if not os.access(path, os.F_OK):  # most often; an exception would cost more
        return None
    try:
        return os.lstat(path).st_mode
    except OSError:
        return None


def _hash(path: Path) -> str:
    hashed = hashlib.sha256()
    for piece in pieces_of(str(path)):
        hashed.update(piece)
    return hashed.hexdigest()


def _size(data: Content) -> int:
    return len(data) if isinstance(data, bytes) else data.size


def _begins_with(data: Content, path: str) -> bool:
    """Whether the bytes of the file `path` are the beginning of `data`, or all."""
    size = os.path.getsize(path)
    if size > _size(data):
        return False
    if isinstance(data, bytes):
        return data.startswith(Path(path).read_bytes())
    pairs = zip(pieces_of(path), pieces_of(_file_of(data)), strict=False)
    return all(ours.startswith(theirs) for theirs, ours in pairs)


def _file_of(data: BodySink) -> str:
    assert data.path is not None  # what is only hashed is not kept
    return data.path


def _create_second_name(path: str, data: BodySink) -> None:
    """Make the file of `data` one at `path`, too; copy it where links cannot be made.

    The first name stays until the commit, which the process may not live to see.
    """
    first = _file_of(data)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        os.link(first, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _create(path, pieces_of(first))


_NO_LINKS = frozenset(
    {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS}
)
"""What file systems without hard links say, and others about files elsewhere."""


def _create(path: str, data: bytes | Iterable[bytes]) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(path, flags, 0o666)
    try:
        for rest in (data,) if isinstance(data, bytes) else data:
            while rest:
                rest = rest[os.write(fd, rest) :]
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(fd)


def pieces_of(path: str, size: int = PIECE) -> Iterator[bytes]:
    """The bytes of a file, in pieces of `size` bytes. Raises OutputError."""
    try:
        fd = os.open(path, READING)
        try:
            while piece := os.read(fd, size):
                yield piece
        finally:
            os.close(fd)
    except OSError as error:
        raise refused(error, path) from error
