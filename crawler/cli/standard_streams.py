"""The three descriptors that a program is started with, where somebody has closed one
(`2>&-`).

The first file that we open would get its number, and what is then said on stderr would
be written into the state. So its place is taken before anything else is opened. What is
said on a closed stderr is lost, as was wished; what is written to a closed stdout
fails, because nobody wishes to lose data. As GNU's `stdopen` does.
"""

from __future__ import annotations

import os
import sys


def occupy_closed() -> None:
    """Put something harmless where a standard descriptor is closed."""
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
