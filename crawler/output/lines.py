"""Lines at the end of a file that can be cut back, or into a pipe.

A sink of a line format writes through this: JSON Lines does, CSV could.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from crawler.model.errors import StateError
from crawler.output.append import open_for_appending
from crawler.output.sink import OutputClosed, compression_of, refused

STDOUT = "-"

Pack = Callable[[bytes], bytes]
"""Makes what is written at once of the lines: themselves, or a compressed member."""


class LineWriter(Protocol):
    """Takes whole lines in order. Every method may raise OutputError."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Append `lines`, each given without its newline, in one system call."""
        ...

    def flush(self) -> int | None:
        """The offset after the last line (bytes); None where it cannot be cut back."""
        ...

    def close(self) -> None:
        """Flush to the disk and release the file."""
        ...


def open_lines(
    output: str, offset: int | None = None, first_line: bytes | None = None
) -> LineWriter:
    """The writer for `output`, a path or "-" for stdout.

    `offset` (bytes) is what the state has committed; None if nothing. `first_line` is
    written where the stream begins. A name that ends in `.gz` or `.zst` is compressed,
    what is written at once as one member (`compression.py`). A path that is no regular
    file (a FIFO, /dev/null) is written like stdout. Raises OutputError, also for a
    symbolic link and for a FIFO that no program reads; StateError for a file shorter
    than `offset`.
    """
    if output == STDOUT:
        return LineStream(1, "stdout", first_line)
    path = Path(output)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = open_for_appending(path)
    except OSError as error:
        raise refused(error, path) from error
    pack = _packer(compression_of(path.name))
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return LineFile(fd, path, offset or 0, first_line, pack)
    return LineStream(fd, str(path), first_line, pack)


def _packer(ending: str) -> Pack:
    if not ending:
        return bytes
    from crawler.output.compression import packer  # with what few crawls need

    return packer(ending)


class LineFile:
    """Lines at the end of a regular file, which is cut back to `offset` first.

    Owns `fd`.
    """

    def __init__(
        self,
        fd: int,
        path: Path,
        offset: int,
        first_line: bytes | None,
        pack: Pack = bytes,
    ) -> None:
        self._fd = fd
        self._path = path
        self._pack = pack
        self._offset = offset
        try:
            self._cut()
            if offset == 0 and first_line is not None:
                self.write([first_line])
        except BaseException:
            os.close(fd)
            raise

    def _cut(self) -> None:
        size = os.fstat(self._fd).st_size
        if size < self._offset:
            raise StateError(
                f"{self._path} has {size} bytes, but the state says that "
                f"{self._offset} were written: put the file back, or begin anew with "
                "--fresh"
            )
        try:
            os.ftruncate(self._fd, self._offset)
        except OSError as error:
            raise refused(error, self._path) from error

    def write(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        data = self._pack(_joined(lines))
        try:
            written = os.write(self._fd, data)
            # A disk that is nearly full takes a part, and then refuses.
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            raise refused(error, self._path) from error
        self._offset += len(data)

    def flush(self) -> int | None:
        return self._offset

    def close(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise refused(error, self._path) from error
        finally:
            os.close(self._fd)


class LineStream:
    """Lines into a pipe or a terminal. Raises OutputClosed if its reader closed it."""

    def __init__(
        self, fd: int, name: str, first_line: bytes | None, pack: Pack = bytes
    ) -> None:
        self._fd = fd
        self._name = name
        self._pack = _escaped if os.isatty(fd) else pack
        if first_line is not None:
            self.write([first_line])

    def write(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        rest = memoryview(self._pack(_joined(lines)))
        while rest:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:  # another process made the pipe non-blocking
                self._wait()
            except BrokenPipeError as error:
                raise OutputClosed(
                    f"broken pipe: the reader closed {self._name}"
                ) from error
            except OSError as error:
                raise refused(error, self._name) from error

    def flush(self) -> int | None:
        return None

    def _wait(self) -> None:
        """Wait until the pipe takes more; `select` fails beyond 1,024 descriptors."""
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        poll.poll()

    def close(self) -> None:
        """stdout belongs to the process, and stays open."""
        if self._fd > 2:
            os.close(self._fd)


def _escaped(data: bytes) -> bytes:
    """`data` as a terminal may show it; lines of JSON keep their values."""
    from crawler.model.controls import escape_controls

    return escape_controls(data.decode()).encode()


def _joined(lines: Sequence[bytes]) -> bytes:
    return b"\n".join(lines) + b"\n"
