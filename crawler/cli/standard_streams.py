"""Standard streams that are closed when the program starts (`2>&-`), or read no more.

The first file that the program opens would get the descriptor's number, and messages
for stderr would be written into the state. So a closed descriptor is reserved before
anything else is opened, as GNU's `stdopen` does. Messages to a closed stderr are
discarded, which is what the user chose; writing records to a closed stdout fails,
because that would lose data.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class ReaderLeft(Exception):
    """The program behind the pipe has closed it: it needs no more (`| head`).

    This is no OSError, since click ends with 1 where that says EPIPE.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


@contextmanager
def reader_may_leave(exit_code: int = 0) -> Iterator[None]:
    """Inside, an answer is written to stdout. Raises ReaderLeft if it is closed.

    An answer that is known before it is written has its `exit_code` all the same.
    """
    try:
        yield
        if exit_code:
            sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderLeft(exit_code) from error


def reserve_closed() -> None:
    """Open /dev/null where a standard descriptor is closed, in the wrong direction.

    stdout is open for reading only, so that writing to it fails.
    """
    for fd, flags in enumerate((os.O_WRONLY, os.O_RDONLY, os.O_WRONLY)):
        if _is_closed(fd):
            os.open(os.devnull, flags)  # the lowest number that is free: this one
    sys.stdin = sys.stdin or os.fdopen(0, encoding="utf-8")
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8")


def _is_closed(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return True
    return False
