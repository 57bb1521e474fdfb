"""A stream of records that is cut into numbered parts, by size or by time.

`records.jsonl` becomes `records-00001.jsonl`, `records-00002.jsonl` and so on, each a
whole stream of its own with the schema line first. A part is finished when the next one
is there: it never changes again, and may be taken away. Therefore the next part is
begun only

* after the commit that holds the end of the part, that is with the next write, and
* when the part and that commit are on the disk: neither `kill -9` nor a power cut leads
  a resume back into a finished part.

A resume goes on in the part of its position, or in the next one where that has been
begun or where the part was taken away: its crawl had ended then.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from crawler.model.errors import OutputError
from crawler.model.units import parse_bytes, parse_seconds
from crawler.output.append import open_for_appending
from crawler.output.lines import (
    LineFile,
    Pack,
    joined,
    part_number,
    part_path,
    position_in,
    split_position,
    stream_files,
)
from crawler.output.sink import refused

MAX_PART = 99_999
"""The last part is not cut: its name would have six digits, as a date may have."""


class Rotation(Struct, frozen=True):
    """When a part is finished. One of the two is set."""

    size: int | None = None
    """Bytes that a part has at most, unless those of one commit are more."""
    period: float | None = None
    """A part holds what is written in one period [s]; they count from 1970 in UTC."""


def parse_rotation(text: str) -> Rotation:
    """`100M` or `500K` is a size, `1h` or `10m` a time: `m` are minutes, `M` is MiB.

    Raises ValueError with a message for the user.
    """
    text = text.strip()
    try:
        if text[-1:] in tuple("smhd"):
            found = Rotation(period=parse_seconds(text))
        elif text[-1:].isalpha():
            found = Rotation(size=parse_bytes(text))
        else:
            found = Rotation()
    except ValueError:
        found = Rotation()
    if (found.size or 0) < 1 and (found.period or 0.0) < 1.0:
        raise ValueError(
            f"{text[:40]!r} is neither a size nor a time; write 100M or 1G, or 30m, 1h "
            "or 1d"
        )
    return found


class PartedLines:
    """A `LineWriter` that writes the parts of the stream at `path`.

    Without `rotation` it goes on in the last part, for a crawl that was rotated before.
    `before_part` makes durable what is committed. Raises as `open_lines`.
    """

    def __init__(
        self,
        path: Path,
        position: int,
        first_line: bytes | None,
        pack: Pack,
        rotation: Rotation | None,
        before_part: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._first_line = first_line
        self._pack = pack
        self._rotation = rotation
        self._before_part = before_part
        self._clock = clock
        self._head = 0 if first_line is None else len(pack(joined([first_line])))
        self._file: LineFile | None = None
        number, offset = self._start(*split_position(position))
        self._remove_after(number)
        self._open(number, offset)

    def _start(self, number: int, offset: int) -> tuple[int, int]:
        """The part to go on in, and the offset in it."""
        if offset == 0:
            return max(number, 1 if self._rotation else 0), 0
        part = part_path(self._path, number)
        if not part.is_file():  # the file without a number is not taken away
            is_finished = number > 0
        else:
            begun = os.path.lexists(part_path(self._path, number + 1))
            is_finished = begun and part.stat().st_size == offset
        return (number + 1, 0) if is_finished else (number, offset)

    def _remove_after(self, number: int) -> None:
        """Remove the parts behind one: nothing in them is committed."""
        for file in stream_files(self._path):
            if part_number(self._path, file) > number:
                file.unlink()

    def _open(self, number: int, offset: int) -> None:
        path = part_path(self._path, number)
        try:
            fd = open_for_appending(path)
            written_at = os.fstat(fd).st_mtime
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                os.close(fd)
                raise OutputError(f"{path} is no regular file, as a part must be")
        except OSError as error:
            raise refused(error, path) from error
        self._number = number
        self._file = LineFile(fd, path, offset, self._first_line, self._pack)
        self._period = self._period_of(written_at if offset else self._clock())
        if offset == 0:
            _sync_folder(path)

    def _period_of(self, at: float) -> int:
        """The number of the period at a time (epoch seconds)."""
        period = self._rotation.period if self._rotation else None
        return int(at // period) if period else 0

    def write(self, lines: Sequence[bytes]) -> None:
        if not lines:
            return
        data = self._pack(joined(lines))
        now = self._period_of(self._clock())
        if self._is_finished(len(data), now):
            self._begin_next()
        self._period = now
        self._current().append(data)

    def _is_finished(self, size: int, period: int) -> bool:
        """Whether what is written next, `size` bytes in `period`, begins a part."""
        offset = self._current().flush()
        if self._rotation is None or offset <= self._head or self._number >= MAX_PART:
            return False
        if self._number == 0 or period != self._period:
            return True
        most = self._rotation.size
        return most is not None and offset + size > most

    def _begin_next(self) -> None:
        file, self._file = self._current(), None
        file.close()
        self._before_part()
        self._open(self._number + 1, 0)

    def _current(self) -> LineFile:
        assert self._file is not None, "no write follows an error"
        return self._file

    def flush(self) -> int:
        return position_in(self._number, self._current().flush())

    def was_moved(self) -> bool:
        """Only finished parts are moved away."""
        return False

    def sync(self) -> None:
        self._current().sync()

    def begin_anew(self) -> None:
        """Nothing to do: parts begin by themselves."""

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _sync_folder(path: Path) -> None:
    """Make the name of a new file durable."""
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        raise refused(error, path) from error
    finally:
        os.close(fd)
