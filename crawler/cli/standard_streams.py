"""Standard streams that are closed when the program starts (`2>&-`).

The first file that the program opens would get the descriptor's number, and messages
for stderr would be written into the state. So a closed descriptor is reserved before
anything else is opened, as GNU's `stdopen` does. Messages to a closed stderr are
discarded, which is what the user chose; writing records to a closed stdout fails,
because that would lose data.
"""

from __future__ import annotations

import os
import sys


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
