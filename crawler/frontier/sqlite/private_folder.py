"""The folder of a state: its owner's alone, and made of plain files.

It holds cookies, credentials and every URL of a crawl. An earlier version left some of
its files readable by others; what is wider is tightened when the state is opened. A
symbolic link at the name of one of its files is refused, since another user may have
put it there to have a file of ours written elsewhere. SQLite itself would follow it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from crawler.model.errors import OutputError

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def open_private_folder(folder: Path, files: tuple[str, ...]) -> None:
    """Create `folder` if need be, and make it and its files private.

    `files` are the names that a state has; those that are missing are left so. Raises
    OutputError for a symbolic link, or what is no file, at one of the names.
    """
    _make_private(folder, stat.S_ISDIR, FOLDER_MODE)
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} can't be made ({error.strerror})") from error
    for name in files:
        _make_private(folder / name, stat.S_ISREG, FILE_MODE)


def create_private_file(path: Path) -> None:
    """Create an empty file that only its owner may read, if there is none."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        os.close(os.open(path, flags, FILE_MODE))
    except OSError as error:
        raise OutputError(f"{path} can't be written ({error.strerror})") from error


def _make_private(path: Path, is_right_kind: Callable[[int], bool], mode: int) -> None:
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):  # mkdir says what is wrong
        return
    except OSError as error:
        raise OutputError(f"{path} can't be read ({error.strerror})") from error
    if stat.S_ISLNK(found.st_mode):
        raise OutputError(
            f"{path} is a symbolic link, which is not followed; remove it, or name "
            "another folder with --dir"
        )
    if not is_right_kind(found.st_mode):
        raise OutputError(f"{path} is in the way; remove it, or name another --dir")
    if found.st_mode & 0o077 and found.st_uid == os.geteuid():
        path.chmod(mode)
