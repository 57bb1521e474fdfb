"""Numbered WARC files, each with its index beside it: NAME-00000.warc.gz, .cdxj.

Records are appended, and the index with them in the order of the records. When a file
is complete, or the crawl ends, the lines of its index are sorted.

What is committed is a number of a file and an offset in it. Opening cuts that file back
to the offset, drops the lines of its index that point behind it, and removes the files
of higher numbers. So an index needs no position of its own: it may be sorted at any
time, whether the records of it are committed yet or not.
"""

from __future__ import annotations

import os
import re
import zlib
from contextlib import suppress
from pathlib import Path

from crawler.model.errors import OutputError, StateError
from crawler.model.units import counted
from crawler.output.append import open_for_appending
from crawler.output.sink import refused
from crawler.output.warc import cdxj

MAX_LINES = 100_000
"""Lines of one index, which is sorted in memory; the next file begins behind them."""
BUFFERED = 2**20
"""Bytes that are gathered for one system call."""

_WARC, _INDEX = ".warc.gz", ".cdxj"
_GZIP = 31  # the largest window, with the header and trailer of gzip


def existing_files(folder: Path, name: str) -> list[Path]:
    """The WARC files of this name and their indexes, in the order of their names."""
    ours = re.compile(rf"{re.escape(name)}-\d{{5,}}(\.warc\.gz|\.cdxj(\.new)?)")
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if ours.fullmatch(file.name))


class WarcFiles:
    """Appends records to the files of one name, from `number` and `offset` on (bytes).

    `finished`: that file is complete, and need not be there any more. `restarted`: the
    machine was started anew since, so the end of that file may be lost; it is cut
    behind its last whole record then. Raises OutputError, and StateError where less is
    there than was committed.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        number: int = 0,
        offset: int = 0,
        finished: bool = False,
        restarted: bool = False,
    ) -> None:
        self._folder = folder
        self.name = name
        self.number = number
        self.offset = offset
        """Where the next record begins."""
        self._warc: int | None = None
        self._index: int | None = None
        self._records: list[bytes] = []
        self._lines: list[bytes] = []
        self._line_count = 0
        self._buffered = 0
        try:
            if restarted and offset and not finished:
                self.offset = whole_records(self._path(_WARC), offset)
            self._cut(finished)
        except OSError as error:
            raise refused(error, folder) from error
        if finished and offset:
            self.begin_next()

    @property
    def filename(self) -> str:
        """The name of the current file."""
        return f"{self.name}-{self.number:05d}{_WARC}"

    def append(self, record: bytes) -> int:
        """Append a record; returns its offset."""
        offset = self.offset
        self._records.append(record)
        self._buffered += len(record)
        self.offset += len(record)
        if self._buffered >= BUFFERED:
            self.flush()
        return offset

    def add_to_index(self, line: bytes) -> None:
        """Append a line to the current file's index."""
        self._lines.append(line)
        self._line_count += 1

    def is_full(self, max_size: int) -> bool:
        """Whether the next record belongs to the next file; `max_size` in bytes."""
        return self.offset >= max_size or self._line_count >= MAX_LINES

    def flush(self) -> None:
        """Hand everything to the operating system, records before their lines."""
        if not self._records and not self._lines:
            return
        try:
            if self._warc is None or self._index is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._warc = open_for_appending(self._path(_WARC))
                self._index = open_for_appending(self._path(_INDEX))
            _write(self._warc, b"".join(self._records))
            _write(self._index, b"".join(self._lines))
        except OSError as error:
            raise refused(error, self._path(_WARC)) from error
        self._records, self._lines, self._buffered = [], [], 0

    def begin_next(self) -> None:
        """Complete the current file; further records go to the next one."""
        self.close()
        self.number += 1
        self.offset = self._line_count = 0

    def close(self) -> None:
        """Flush to the disk, and sort the index of the current file."""
        self.flush()
        if self._warc is None or self._index is None:
            return
        try:
            os.fsync(self._warc)
            self._sort_index()
        except OSError as error:
            raise refused(error, self._path(_WARC)) from error
        finally:
            os.close(self._warc)
            os.close(self._index)
            self._warc = self._index = None

    def _path(self, ending: str) -> Path:
        return self._folder / f"{self.name}-{self.number:05d}{ending}"

    def _cut(self, finished: bool) -> None:
        """Remove what was not committed."""
        warc, index = self._path(_WARC), self._path(_INDEX)
        for file in existing_files(self._folder, self.name):
            if self._number_of(file) > self.number or file.suffix == ".new":
                file.unlink()
        if not self.offset:
            warc.unlink(missing_ok=True)
            index.unlink(missing_ok=True)
            return
        size = warc.lstat().st_size if os.path.lexists(warc) else 0
        if size < self.offset and not finished:
            raise StateError(
                f"{warc} has {counted(size, 'byte')}, but the state says that "
                f"{self.offset} were written: put the file back, or begin anew with "
                "--fresh"
            )
        if size > self.offset:
            self._truncate(warc)
        if index.is_file():
            lines = index.read_bytes().splitlines(keepends=True)
            kept = cdxj.lines_before(self.offset, lines)
            self._line_count = len(kept)
            self._replace_index(sorted(kept))

    def _truncate(self, warc: Path) -> None:
        if warc.is_symlink():
            raise OutputError(f"{warc} is a symbolic link, which is not followed")
        os.truncate(warc, self.offset)

    def _number_of(self, file: Path) -> int:
        return int(file.name[len(self.name) + 1 :].partition(".")[0])

    def _sort_index(self) -> None:
        lines = self._path(_INDEX).read_bytes().splitlines(keepends=True)
        self._replace_index(sorted(lines))

    def _replace_index(self, lines: list[bytes]) -> None:
        """Put `lines` in place of the index: whole, or not at all."""
        new = self._path(_INDEX + ".new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            _write(fd, b"".join(lines))
        finally:
            os.close(fd)
        os.replace(new, self._path(_INDEX))


def whole_records(warc: Path, limit: int) -> int:
    """The offset behind the last whole gzip member that ends by `limit` (bytes)."""
    end = position = 0
    member = zlib.decompressobj(_GZIP)
    with suppress(OSError, zlib.error), warc.open("rb") as file:
        while position < limit and (data := file.read(min(BUFFERED, limit - position))):
            position += len(data)
            while data:
                member.decompress(data, BUFFERED)
                data = member.unconsumed_tail
                if member.eof:
                    data = member.unused_data
                    end = position - len(data)
                    member = zlib.decompressobj(_GZIP)
    return end


def _write(fd: int, data: bytes) -> None:
    """Write all of `data`: a disk that is nearly full takes a part at first."""
    written = 0
    while written < len(data):
        written += os.write(fd, data[written:])
