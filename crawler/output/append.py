"""Opening what the user or the crawl names for appending, without traps.

A symbolic link is not followed: in a folder that others can write to, it could lead our
lines into any file of ours. /dev/stdout, and what a shell makes of `>(gzip)`, are links
of the system, and are followed.

A FIFO is opened only once a program reads it. Opening one blocks until then, without a
word, and Ctrl-C could not end that.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

from crawler.model.errors import OutputError

FIFO_WAIT_S = 10.0
"""How long a program may take to open the other end of a FIFO (seconds)."""
_POLL_S = 0.05
_SYSTEM_LINKS = ("/dev/fd/", "/dev/stdout", "/dev/stderr", "/proc/")
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


def open_for_appending(
    path: Path, mode: int = 0o644, fifo_wait_s: float = FIFO_WAIT_S
) -> int:
    """A descriptor at the end of the file at `path`, which is created if need be.

    Raises OSError, ELOOP for a symbolic link, and OutputError for a FIFO that no
    program reads within `fifo_wait_s` (seconds).
    """
    absolute = os.path.abspath(path)
    if absolute.startswith(_SYSTEM_LINKS):
        return os.open(path, _FLAGS, mode)
    if _is_fifo(path):
        return _open_fifo(path, fifo_wait_s)
    return os.open(path, _FLAGS | os.O_NOFOLLOW, mode)


def _is_fifo(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(path.lstat().st_mode)
    except OSError:
        return False


def _open_fifo(path: Path, wait_s: float) -> int:
    end = time.monotonic() + wait_s
    while True:
        try:
            fd = os.open(path, _FLAGS | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() >= end:
                raise OutputError(
                    f"{path} is a FIFO that no program reads; start its reader first"
                ) from error
            time.sleep(_POLL_S)
        else:
            os.set_blocking(fd, True)
            return fd
