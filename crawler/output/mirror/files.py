"""The files of a mirror: each whole, and new only where it has changed.

A file is written beside its place and takes it by a rename, so a reader sees the old
content or the new one. What needs no conversion is a hard link to the saved file, where
the file system allows that, and a copy elsewhere.

The names of all files that were ever written stand in a list, which is replaced before
the first file is. So a conversion that is killed leaves nothing behind that the next
one does not know, and what is no longer part of the mirror is removed. Other files in
the folder are left alone.
"""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from crawler.output.sink import refused

MIRROR = "mirror"
"""The folder of the mirror, in the crawl's folder."""
LIST = ".orbweb-files"
"""The list of the files that were written, in the folder of the mirror."""
_NEW = ".orbweb-new"
_MAX_LIST = 2**28


class MirrorFiles:
    """The folder mirror/ of the crawl in `folder`.

    Every method may raise OutputError. Names are paths below mirror/, as
    `names.assign` gives them.
    """

    def __init__(self, folder: Path) -> None:
        self._crawl = folder
        self.root = folder / MIRROR
        self._old: set[str] = set()
        self._names: set[str] = set()
        self._real_folders: set[str] = set()

    def begin(self, names: Iterable[str]) -> None:
        """Write a mirror of files of these names; remove those of before."""
        self._names = set(names)
        try:
            self._refuse_link(self.root)
            self.root.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                os.unlink(self.root / _NEW)
            self._old = self._listed()
            self._list(self._old | self._names)
            for name in sorted(self._old - self._names):
                self._remove(name)
        except OSError as error:
            raise refused(error, error.filename or self.root) from error

    def write(self, name: str, content: bytes) -> None:
        """Make `content` the content of the file `name`."""
        with self._place(name) as place:
            if place.is_written(content):
                return
            place.new.write_bytes(content)
            place.take()

    def link(self, name: str, path: str) -> None:
        """Make the file `name` one with `path`, a file in the crawl's folder."""
        source = self._crawl / path
        with self._place(name) as place:
            if place.is_same(source):
                return
            try:
                os.link(source, place.new, follow_symlinks=False)
            except OSError as error:
                if error.errno not in (
                    errno.EPERM,
                    errno.EXDEV,
                    errno.EMLINK,
                    errno.ENOTSUP,
                    errno.EACCES,
                ):
                    raise
                shutil.copyfile(source, place.new, follow_symlinks=False)
            place.take()

    def end(self) -> None:
        """All files are written: the list is that of this mirror."""
        try:
            self._list(self._names)
        except OSError as error:
            raise refused(error, self.root / LIST) from error

    def _place(self, name: str) -> _Place:
        path = self.root / name
        try:
            self._make_folders(name)
        except OSError as error:
            raise refused(error, error.filename or path) from error
        return _Place(path, self.root / _NEW)

    def _make_folders(self, name: str) -> None:
        """The folders of `name`, none of which may be a symbolic link."""
        folder = name.rpartition("/")[0]
        if folder in self._real_folders:
            return
        path = self.root
        for part in folder.split("/"):
            path /= part
            with suppress(FileExistsError):
                path.mkdir()
            self._refuse_link(path)
        self._real_folders.add(folder)

    def _refuse_link(self, path: Path) -> None:
        if path.is_symlink():
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))

    def _remove(self, name: str) -> None:
        """Remove a file, and the folders that it leaves empty."""
        path = self.root / name
        with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            path.unlink()
        with suppress(OSError):  # the first that is not empty
            for folder in path.parents:
                if folder == self.root:
                    break
                folder.rmdir()

    def _listed(self) -> set[str]:
        try:
            with (self.root / LIST).open("rb") as file:
                lines = file.read(_MAX_LIST).decode("utf-8", "replace").split("\n")
        except FileNotFoundError:
            return set()
        return {
            line
            for line in lines
            if line
            and not line.startswith("/")
            and {"..", "."}.isdisjoint(line.split("/"))
        }

    def _list(self, names: set[str]) -> None:
        new = self.root / _NEW
        new.write_text("".join(f"{name}\n" for name in sorted(names)), "utf-8")
        os.replace(new, self.root / LIST)


class _Place:
    """Where a file goes. As a context it turns errors into OutputError."""

    def __init__(self, path: Path, new: Path) -> None:
        self._path = path
        self.new = new

    def __enter__(self) -> _Place:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, OSError):
            with suppress(OSError):
                self.new.unlink()
            raise refused(error, error.filename or self._path) from error

    def is_written(self, content: bytes) -> bool:
        """Whether the file has this content, and is one of its own."""
        try:
            found = self._path.lstat()
            return (
                stat.S_ISREG(found.st_mode)
                and found.st_nlink == 1
                and found.st_size == len(content)
                and self._path.read_bytes() == content
            )
        except FileNotFoundError:
            return False

    def is_same(self, source: Path) -> bool:
        """Whether the file is `source`, or a copy of it."""
        try:
            found, there = self._path.lstat(), source.lstat()
        except FileNotFoundError:
            return False
        if (found.st_dev, found.st_ino) == (there.st_dev, there.st_ino):
            return True
        return (
            stat.S_ISREG(found.st_mode)
            and found.st_size == there.st_size
            and filecmp.cmp(self._path, source, shallow=False)
        )

    def take(self) -> None:
        """Put the new file in its place."""
        os.replace(self.new, self._path)
