"""Which pictures may lie on disk without a record.

A picture is written before the commit that holds its record. Killed in between, the
next run may meet the same bytes under another URL first, and would give them another
name: the file left behind would belong to no record. So a name is noted here before its
file is made, and the notes are dropped when the commit is done; what is still noted at
the next start, and in no record, is removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from crawler.output.sink import refused


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
