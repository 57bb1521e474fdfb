"""Pictures on disk: safe names, and contents that are complete or absent.

The name is made from the user's template and from three things of the network: the
host, the last segment of the URL's path, and the picture's format. Each is made
harmless *before* it is put into the template, so that nothing of the network can reach
another folder, hide a file, or end up as a device of some other system on which the
folder is unpacked. The hash in the name keeps apart what differs, also where a file
system takes `A.png` and `a.png` for one; where the template has too little of it, the
whole hash is added.

The pictures of a batch are written together (`flush`): their names go to the journal in
one call, then each is written once, under its own name. The reader of a record finds
its picture whole, since records come later; what a kill leaves behind, half written or
whole, is in the journal and removed at the next start. A second write of the same bytes
finds its own file and leaves it alone; a file that is only their beginning takes its
place.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from string import Formatter
from typing import Protocol
from urllib.parse import unquote

from crawler.model.errors import UsageError
from crawler.model.url import host_key
from crawler.output.image_journal import Journal
from crawler.output.sink import refused

FOLDER = "images"
MAX_REAL_FOLDERS = 10_000
"""Folders that are remembered as no symbolic links, so that each is looked at once."""

_FIELDS = {"host", "stem", "sha256", "ext", "format"}
_EXTENSIONS = {"jpeg": "jpg", "tiff": "tif"}

_MAX_STEM = 80
_MAX_HOST = 100
_MAX_NAME = 255
"""Bytes of one name in the usual file systems."""

_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")

# Most are harmless as they stand, but for their length and the reserved ones.
_HARMLESS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")

# Forbidden in names on Windows or a burden in shells; control characters are found by
# category.
_UNSAFE = re.compile(r"""[/\\:*?"'<>|\s`$&;!#%~^{}()\[\]]+""")
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|clock\$|com\d|lpt\d|conin\$|conout\$)(?:\.|$)", re.I
)


class ImageStore(Protocol):
    """Where a crawl keeps its images."""

    def recover(self, recorded: Callable[[str, str], bool]) -> None:
        """Remove what an earlier run left behind without a record."""
        ...

    def holds(self, name: str) -> bool:
        """Whether the file `name`, as `put` gave it, is there, or will be."""
        ...

    def put(self, data: bytes, url: str, sha256: str, image_format: str) -> str:
        """Keep `data`, whose hash is `sha256`; its path in the crawl's folder."""
        ...

    def flush(self) -> None:
        """Write what was put. Raises OutputError."""
        ...

    def settle(self) -> None:
        """Everything written so far has its record."""
        ...


class UnsavedImages:
    """Names images as ImageFiles does, and writes nothing."""

    def __init__(self, template: str) -> None:
        self._template = template

    def recover(self, recorded: Callable[[str, str], bool]) -> None:
        """Nothing was left behind."""

    def holds(self, name: str) -> bool:
        return False

    def put(self, data: bytes, url: str, sha256: str, image_format: str) -> str:
        return image_path(self._template, url, sha256, image_format)

    def flush(self) -> None:
        """Nothing is written."""

    def settle(self) -> None:
        """Nothing was written."""


class ImageFiles:
    """Writes pictures below `folder`/images.

    Raises UsageError for an unusable template.
    """

    def __init__(self, folder: Path, template: str, journal: Journal) -> None:
        self._folder = folder
        self._root = str(folder)
        self._template = template
        self._journal = journal
        self._waiting: dict[str, tuple[str, bytes]] = {}  # hash and bytes by name
        self._real_folders: set[str] = set()  # those that are no symbolic links
        check_template(template)

    def recover(self, recorded: Callable[[str, str], bool]) -> None:
        """Remove incomplete files of an earlier run.

        These are the files for which `recorded(sha256, name)` is false, and those that
        the run was writing when it was killed: a later crawl may write a recorded file
        once more.

        A name without its file is one that the run did not get to.
        """
        for sha256, name in self._journal.read():
            path = self._folder / name
            if ".." in name.split("/") or not name.startswith(f"{FOLDER}/"):
                continue  # no name that we give: the journal is damaged
            if path.is_file() and not (
                recorded(sha256, name) and _hash(path) == sha256
            ):
                path.unlink()
        self._journal.clear()

    def settle(self) -> None:
        """Everything written so far has its record."""
        self._journal.clear()

    def close(self) -> None:
        self._journal.close()

    def holds(self, name: str) -> bool:
        """Whether the file `name`, as `put` gave it, is still there, or will be."""
        return name in self._waiting or os.path.exists(f"{self._root}/{name}")

    def put(self, data: bytes, url: str, sha256: str, image_format: str) -> str:
        """Keep `data`, whose hash is `sha256`; the path relative to the crawl's folder.

        It is there after the next `flush`.
        """
        name = image_path(self._template, url, sha256, image_format)
        if not self._takes(name, data, sha256):
            base, dot, extension = name.rpartition(".")
            name = f"{base}-{sha256}{dot}{extension}" if base else f"{name}-{sha256}"
            self._takes(name, data, sha256)
        return name

    def flush(self) -> None:
        """Write what was put. Raises OutputError."""
        if not self._waiting:
            return
        self._journal.note(
            (sha256, name) for name, (sha256, _) in self._waiting.items()
        )
        for name, (_, data) in self._waiting.items():
            path = f"{self._root}/{name}"
            try:
                self._refuse_links(name)
                _create(path, data)
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

    def _takes(self, name: str, data: bytes, sha256: str) -> bool:
        """Whether `data` is under `name`, or will be; False if other bytes are."""
        if name in self._waiting:
            return self._waiting[name][1] == data
        path = f"{self._root}/{name}"
        if (mode := _mode(path)) is not None:
            if stat.S_ISLNK(mode):
                raise refused(OSError(errno.ELOOP, os.strerror(errno.ELOOP)), path)
            if not stat.S_ISREG(mode):
                return False
            try:
                there = Path(path).read_bytes()
                if there == data or not data.startswith(there):
                    return there == data
                os.unlink(path)  # a run was killed while writing it
            except OSError as error:
                raise refused(error, path) from error
        self._waiting[name] = sha256, data
        return True


def image_path(template: str, url: str, sha256: str, image_format: str) -> str:
    """The path of an image in the crawl's folder, by the user's template."""
    image_format = _label(image_format, 10) or "bin"
    name = template.format(
        host=_label(host_key(url), _MAX_HOST) or "host",
        stem=_harmless(_stem(url), _MAX_STEM) or "image",
        sha256=sha256,
        format=image_format,
        ext=_EXTENSIONS.get(image_format, image_format),
    )
    return f"{FOLDER}/{name}"


def _mode(path: str) -> int | None:
    """The kind and the permissions of what is at `path`; None if nothing is."""
    try:
        return os.lstat(path).st_mode
    except OSError:
        return None


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _create(path: str, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o666)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(path, flags, 0o666)
    try:
        rest = data
        while rest:
            rest = rest[os.write(fd, rest) :]
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(fd)


def check_template(template: str) -> None:
    """Refuse a template that leaves the folder or may make names too long."""
    try:
        fields = {
            field for _, field, _, _ in Formatter().parse(template) if field is not None
        }
        longest = template.format(
            host="h" * _MAX_HOST,
            stem="s" * _MAX_STEM,
            sha256="0" * 64,
            ext="e" * 10,
            format="f" * 10,
        )
    except (ValueError, LookupError, AttributeError) as error:
        raise UsageError(
            f"images.name: {template!r} is no template: {error}"
        ) from error
    if unknown := fields - _FIELDS:
        known = ", ".join(sorted(_FIELDS))
        raise UsageError(f"images.name: {sorted(unknown)[0]!r} is none of {known}")
    if any(part in ("", ".", "..") for part in longest.split("/")) or "\0" in longest:
        raise UsageError(
            f"images.name: {template!r} must be a relative path without '.' and '..'"
        )
    if any(len(os.fsencode(part)) + 65 > _MAX_NAME for part in longest.split("/")):
        raise UsageError(
            f"images.name: {template!r} makes names that are too long for a disk"
        )


def _stem(url: str) -> str:
    """The last segment of the URL's path, decoded, without extension."""
    path = url.partition("://")[2].partition("?")[0].partition("/")[2]
    name = path.rstrip("/").rpartition("/")[2]
    return _EXTENSION.sub("", unquote(name, errors="replace") if "%" in name else name)


@lru_cache(maxsize=256)
def _label(text: str, limit: int) -> str:
    """`_harmless` of a host or a format: a few of them are in nearly all names."""
    return _harmless(text, limit)


def _harmless(text: str, limit: int) -> str:
    """`text` as part of a file name: NFC, printable, at most `limit` bytes.

    It may be "".

    A leading dot would hide the file, a leading dash would make it an option. NFC comes
    first because it turns some characters into unsafe ones (U+037E into a semicolon),
    and last because what stood between two others may have gone.
    """
    if len(text) > limit or not _HARMLESS.fullmatch(text):
        text = _made_harmless(text, limit)
    return f"_{text}" if _RESERVED.match(text) else text


def _made_harmless(text: str, limit: int) -> str:
    text = _UNSAFE.sub("_", unicodedata.normalize("NFC", text))
    text = "".join(
        c for c in text if unicodedata.category(c)[0] not in "CZ" and c != "\ufffd"
    )
    text = unicodedata.normalize("NFC", text)
    return (
        text.encode("utf-8", "ignore")[:limit].decode("utf-8", "ignore").strip("._- ")
    )
