"""Lines at the end of a file that can be cut back, or into a pipe.

A sink of a line format writes through this: JSON Lines does, CSV could.
"""

from __future__ import annotations

import os
import re
import select
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crawler.model.errors import OutputError, StateError
from crawler.model.units import counted
from crawler.output.append import open_for_appending
from crawler.output.sink import OutputClosed, compression_of, refused

if TYPE_CHECKING:
    from crawler.output.parts import Rotation

STDOUT = "-"
_PART_SHIFT = 40

Pack = Callable[[bytes], bytes]
"""Makes what is written at once of the lines: themselves, or a compressed member."""


def part_path(path: Path, number: int) -> Path:
    """The file of a part of the stream at `path`; 0 is the one that is not rotated.

    `records-00001.jsonl.gz` for `records.jsonl.gz`.
    """
    if number == 0:
        return path
    stem, ending = _split_name(path.name)
    return path.with_name(f"{stem}-{number:05}{ending}")


def _split_name(name: str) -> tuple[str, str]:
    """The name without its endings, and these: `.jsonl`, `.jsonl.gz`."""
    packed = compression_of(name)
    plain = Path(name[: len(name) - len(packed)])
    return plain.stem, plain.suffix + packed


def stream_files(path: Path) -> list[Path]:
    """The files of the stream at `path` that are there, in the order of its records."""
    stem, ending = _split_name(path.name)
    part = re.compile(rf"{re.escape(stem)}-(?!00000)\d{{5}}{re.escape(ending)}")
    try:
        names = sorted(filter(part.fullmatch, os.listdir(path.parent)))
    except OSError:
        names = []
    files = [path, *(path.with_name(name) for name in names)]
    return [file for file in files if file.is_file()]


def part_number(path: Path, file: Path) -> int:
    """Which part of the stream at `path` the `file` is."""
    if file == path:
        return 0
    return int(file.name[len(_split_name(path.name)[0]) + 1 :][:5])


def position_of_end(path: Path, file: Path) -> int:
    """The position at the end of a file of the stream at `path`."""
    return position_in(part_number(path, file), file.stat().st_size)


def position_in(number: int, offset: int) -> int:
    """The position behind `offset` bytes of a part: an offset where nothing rotates."""
    return number << _PART_SHIFT | offset


def split_position(position: int) -> tuple[int, int]:
    """The number of the part, and the offset in it (bytes)."""
    return position >> _PART_SHIFT, position & (1 << _PART_SHIFT) - 1


class LineWriter(Protocol):
    """Takes whole lines in order. Every method may raise OutputError."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Append `lines`, each given without its newline, in one system call."""
        ...

    def flush(self) -> int | None:
        """The position after the last line; None where it cannot be cut back."""
        ...

    def close(self) -> None:
        """Flush to the disk and release the file."""
        ...

    def was_moved(self) -> bool:
        """Whether the file was moved away, so that another can have its path.

        Raises OutputError if something else has the path already.
        """
        ...

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        ...

    def begin_anew(self) -> None:
        """Go on in a new file at the path, after `was_moved`: the position is 0."""
        ...


def open_lines(
    output: str,
    position: int | None = None,
    first_line: bytes | None = None,
    rotation: Rotation | None = None,
    before_part: Callable[[], None] = lambda: None,
) -> LineWriter:
    """The writer for `output`, a path or "-" for stdout.

    `position` is what the state has committed: an offset in the file (bytes), or one in
    a part (`position_in`); None if nothing. `first_line` is written where the stream or
    a part begins. `rotation` and `before_part`: see `parts.py`.

    A name that ends in `.gz` or `.zst` is compressed, what is written at once as one
    member (`compression.py`). A path that is no regular file (a FIFO, /dev/null) is
    written like stdout. Raises OutputError, also for a symbolic link and for a FIFO
    that no program reads; StateError for a file shorter than the position says.
    """
    if output == STDOUT:
        return LineStream(1, "stdout", first_line)
    path = Path(output)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pack = _packer(compression_of(path.name))
        if _has_parts(path, position or 0, rotation):
            from crawler.output.parts import PartedLines  # with what few crawls need

            return PartedLines(
                path, position or 0, first_line, pack, rotation, before_part
            )
        fd = open_for_appending(path)
    except OSError as error:
        raise refused(error, path) from error
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return LineFile(fd, path, position or 0, first_line, pack, before_part)
    return LineStream(fd, str(path), first_line, pack)


def _has_parts(path: Path, position: int, rotation: Rotation | None) -> bool:
    """Whether the stream is cut into parts, or has been: what is no file never is."""
    if path.exists() and not path.is_file():
        return False
    if rotation is not None or split_position(position)[0]:
        return True
    return position > 0 and os.path.lexists(part_path(path, 1))


def _packer(ending: str) -> Pack:
    if not ending:
        return bytes
    from crawler.output.compression import packer  # with what few crawls need

    return packer(ending)


class LineFile:
    """Lines at the end of a regular file, which is cut back to `offset` first.

    Owns `fd`. `before_next` makes durable what is committed.
    """

    def __init__(
        self,
        fd: int,
        path: Path,
        offset: int,
        first_line: bytes | None,
        pack: Pack = bytes,
        before_next: Callable[[], None] = lambda: None,
    ) -> None:
        self._path = path
        self._first_line = first_line
        self._pack = pack
        self._before_next = before_next
        self._begin(fd, offset)

    def _begin(self, fd: int, offset: int) -> None:
        self._fd = fd
        self._offset = offset
        try:
            self._cut()
            if offset == 0 and self._first_line is not None:
                self.write([self._first_line])
        except BaseException:
            os.close(fd)
            raise

    def _cut(self) -> None:
        size = os.fstat(self._fd).st_size
        if size == self._offset:
            return  # a part that is finished keeps its time, too
        if size < self._offset:
            raise StateError(
                f"{self._path} has {counted(size, 'byte')}, but the state says that "
                f"{self._offset} were written: put the file back, or begin anew with "
                "--fresh"
            )
        try:
            os.ftruncate(self._fd, self._offset)
        except OSError as error:
            raise refused(error, self._path) from error

    def write(self, lines: Sequence[bytes]) -> None:
        if lines:
            self.append(self._pack(joined(lines)))

    def append(self, data: bytes) -> None:
        """Write whole lines, or a whole member of them."""
        try:
            written = os.write(self._fd, data)
            # A disk that is nearly full takes a part, and then refuses.
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            raise refused(error, self._path) from error
        self._offset += len(data)

    def flush(self) -> int:
        return self._offset

    def sync(self) -> None:
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise refused(error, self._path) from error

    def close(self) -> None:
        try:
            self.sync()
        finally:
            os.close(self._fd)

    def was_moved(self) -> bool:
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            if self._path.parent.is_dir():
                return True
            raise OutputError(f"the folder of {self._path} is gone") from None
        if os.path.samestat(found, os.fstat(self._fd)):
            return False
        if stat.S_ISREG(found.st_mode) and found.st_size == 0:
            return True
        raise OutputError(f"{self._path} is another file now, and is not empty")

    def begin_anew(self) -> None:
        self._before_next()
        try:
            fd = open_for_appending(self._path)
        except OSError as error:
            raise refused(error, self._path) from error
        old = self._fd
        self._begin(fd, 0)
        os.close(old)


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
        rest = memoryview(self._pack(joined(lines)))
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

    def was_moved(self) -> bool:
        """A pipe has no file that could be."""
        return False

    def sync(self) -> None:
        """Nothing to do: the reader has it."""

    def begin_anew(self) -> None:
        """Nothing to do."""

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


def joined(lines: Sequence[bytes]) -> bytes:
    """The lines, each with its newline."""
    return b"\n".join([*lines, b""])
