"""One process at a time: the lock of a state folder.

`flock(2)` belongs to the open file, so the kernel releases it when the process ends,
however it ends: a crash leaves no lock behind. The number in the file is for people
only.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from crawler.model.errors import OutputError, StateError

LOCK_NAME = "lock"

_TRIES = 4
_PAUSE_S = 0.02


class LockFile:
    """Holds the lock of `folder` until `close`.

    Raises StateError naming the process that has it, or OutputError if the folder
    cannot be written. `pause` waits for seconds: a reader may hold the lock for a
    moment to see whether it can (`lock_holder`), which is tried again.
    """

    def __init__(
        self, folder: Path, pause: Callable[[float], object] = time.sleep
    ) -> None:
        path = folder / LOCK_NAME
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise OutputError(f"{path} can't be written ({error.strerror})") from error
        try:
            self._take(folder, pause)
        except BaseException:
            os.close(self._fd)
            raise

    def _take(self, folder: Path, pause: Callable[[float], object]) -> None:
        try:
            for _ in range(_TRIES - 1):
                if self._try():
                    break
                pause(_PAUSE_S)
            else:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.read(self._fd, 32).decode("ascii", "replace").strip()
            raise StateError(
                f"{folder} is in use by a running crawl, process {pid or '?'}; "
                "wait for its end, or stop it"
            ) from error
        except OSError as error:
            raise StateError(
                f"{folder} can't be locked ({error.strerror}); put it on a local file "
                "system"
            ) from error
        try:
            os.ftruncate(self._fd, 0)
            os.write(self._fd, f"{os.getpid()}\n".encode())
        except OSError as error:
            raise OutputError(
                f"{folder}/lock can't be written ({error.strerror})"
            ) from error

    def _try(self) -> bool:
        """Whether the lock could be taken."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        os.close(self._fd)


def lock_holder(folder: Path) -> int | None:
    """The process that holds the lock of `folder`; None if no process does.

    0 if the process cannot be told.
    """
    try:
        fd = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(fd, 32).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else 0
    except OSError:
        return None
    finally:
        os.close(fd)
    return None
