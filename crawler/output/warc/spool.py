"""A large body on its way into an archive: in a file without a name.

The digest of a record stands before its body, so a body is read twice when it is
written, and cannot go to the archive as it comes. The file ends with the process.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from crawler.output.files import PIECE
from crawler.output.sink import refused


class SpoolFile:
    """A spool on the disk that `folder` is on (`crawler.model.http.Spool`).

    Raises OutputError.
    """

    _fd = -1

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._size = 0
        try:
            self._fd, path = mkstemp(prefix="spool-", dir=folder)
            os.unlink(path)
        except OSError as error:
            raise refused(error, folder) from error

    def __del__(self) -> None:
        with suppress(OSError):
            os.close(self._fd)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        position = 0
        try:
            while piece := os.pread(self._fd, PIECE, position):
                position += len(piece)
                yield piece
        except OSError as error:
            raise refused(error, self._folder) from error

    def write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        try:
            while rest:
                written = os.write(self._fd, rest)
                self._size += written
                rest = rest[written:]
        except OSError as error:
            raise refused(error, self._folder) from error
