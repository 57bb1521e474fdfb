"""Where records go.

A sink takes whole lines and says up to which byte they have reached it. That offset is
stored in the frontier's transaction; on the next start the sink is cut back to it, so
that what was written but not committed is written again instead of twice.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from crawler.model.errors import OutputError, Stop

STREAM = "records"
"""The name under which the store keeps the record stream's offset."""


class OutputClosed(Stop):
    """Whoever read our output has gone (EPIPE), as in `orbweb crawl ... -o - |
    head`."""

    exit_code = 75


class Sink(Protocol):
    """Takes lines in order. Every method may raise OutputError."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Append `lines`, each given without its newline, in one system call."""
        ...

    def flush(self) -> int | None:
        """Hand everything to the operating system; the offset after the last line, in
        bytes.

        None for what can't be cut back: a pipe, a terminal.
        """
        ...

    def close(self) -> None:
        """Flush to the disk, and let go."""
        ...


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def refused(error: OSError, path: Path | str) -> OutputError:
    """What went wrong with the file at `path`, and what to do about it."""
    if error.errno in _FULL:
        return OutputError(f"{path}: the disk is full; make room, then `orbweb resume`")
    if error.errno in _REFUSED:
        return OutputError(
            f"{path} is not writable ({error.strerror}); check its owner and mode, "
            "or name another place with --dir or --output"
        )
    return OutputError(f"{path} can't be written: {error.strerror or error}")
