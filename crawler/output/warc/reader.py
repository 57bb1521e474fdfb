"""Reads anybody's WARC files: 1.0 and 1.1, plain, `.gz` and `.zst`.

A record is read whole or reported as `Damage`, with its offset, and reading goes on
with the next one: in a compressed file with the next member, in a plain one (or in a
member that holds many records) where the next line `WARC/1` follows an empty one.

Read by our own code. FastWARC, which `docs/warc.md` names for other programs, takes 39
us for a record of 14 kB and this 50 with zlib, which is little beside the extraction of
the page; but it ends at the first damage, ends silently where a file is cut, and holds
a header line of 200 MB in memory (400 MB). warcio takes 76.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from crawler.output.warc.members import DamageError, Members

MAX_HEAD = 64 * 2**10
"""Bytes of the header of a record."""
MAX_REREAD = 3
"""How often, on average, each byte of a damaged file is read again."""

_RECORD = b"WARC/"
_VERSION = re.compile(rb"WARC/\d\.\d{1,2}[ \t]*\r?\n").match
_MAX_VERSION = 20
_HEAD_END = re.compile(rb"\n\r?\n").search
_FOLD = re.compile(r"\r?\n[ \t]+")
_NEXT = re.compile(rb"\n\r?\n(?=WARC/1)")
_OVERLAP = 8

Keep = Callable[[Mapping[str, str]], int | None]
"""How many bytes of a record's block are wanted, by its fields; None: not the record.

The names of fields are in lower case.
"""


class Place(Struct, frozen=True):
    """Where a record begins: its member in the file, and how far into that (bytes)."""

    member: int
    inside: int = 0

    def __str__(self) -> str:
        return f"{self.member}" + (f" +{self.inside}" if self.inside else "")


class WarcRecord(Struct, frozen=True):
    """One record, as far as it is wanted."""

    place: Place
    fields: Mapping[str, str]
    """Named fields, the names in lower case; the first of each name."""
    block: bytes
    cut: bool
    """The block goes on beyond what was wanted."""


def _no_record(start: bytes | bytearray) -> str:
    """Why no record begins with `start`."""
    if start.startswith(b"PK\x03\x04"):
        return (
            "a ZIP file, as a WACZ is; unpack it, and name the WARC files of its "
            "folder archive/"
        )
    return "no record begins here"


class Damage(Struct, frozen=True):
    """A place of a file where no record could be read."""

    place: Place
    message: str


def read_warc(path: Path, keep: Keep) -> Iterator[WarcRecord | Damage]:
    """The records of a file that `keep` wants, and its damages, in order.

    Raises OSError.
    """
    with path.open("rb") as file:
        yield from read_records(file, keep)


def read_records(file: BinaryIO, keep: Keep) -> Iterator[WarcRecord | Damage]:
    """As `read_warc`, of an open file that can seek."""
    yield from _Reading(file, keep).all()


def record_at(path: Path, place: Place, keep: Keep) -> WarcRecord | None:
    """The record at a place that `read_warc` has told; None if it is damaged.

    Raises OSError.
    """
    with path.open("rb") as file:
        return _Reading(file, keep).one(place)


class _Reading:
    """One pass through a file."""

    def __init__(self, file: BinaryIO, keep: Keep) -> None:
        self._keep = keep
        self._file = file
        self._inside = 0  # how far into the member the buffer begins
        self._count = 0  # records of this member
        self._block = -1  # where the block of the last record begins; -1: nowhere
        self._is_whole = False  # all records are in one compressed member
        size = file.seek(0, SEEK_END)
        file.seek(0)
        self._reread = MAX_REREAD * size

    def all(self) -> Iterator[WarcRecord | Damage]:
        try:
            self._members = Members(self._file)
        except DamageError as damage:
            yield Damage(Place(0), str(damage))
            return
        while True:
            try:
                if not self._members.begin_next():
                    return
            except DamageError as damage:
                yield Damage(Place(self._members.offset), str(damage))
                if not self._members.find_next():
                    return
                continue
            self._inside = self._count = 0
            damaged = yield from self._member()
            if damaged and not self._members.find_next():
                return

    def one(self, place: Place) -> WarcRecord | None:
        try:
            self._members = Members(self._file)
            self._members.seek(place.member)
            if not self._members.begin_next():
                return None
            self._skip(place.inside)
            return self._record(place)
        except (DamageError, _MalformedError):
            return None

    def _member(self) -> Generator[WarcRecord | Damage, None, bool]:
        """Its records; returns whether the member is damaged."""
        place = self._here()
        try:
            while self._skip_blank_lines():
                place = self._here()
                try:
                    if (record := self._record(place)) is not None:
                        yield record
                    self._count += 1
                except _MalformedError as malformed:
                    yield Damage(place, str(malformed))
                    if not self._find_record():
                        return False
        except DamageError as damage:
            yield Damage(place, str(damage))
            return True
        return False

    def _here(self) -> Place:
        if self._members.is_plain:
            return Place(self._inside)
        return Place(self._members.offset, self._inside)

    def _record(self, place: Place) -> WarcRecord | None:
        """The record that begins here, None if it is not wanted."""
        self._block = -1
        fields = self._head()
        length = fields.get("content-length", "")
        if not length.isdecimal() or len(length) > 18:
            raise _MalformedError("a record without a valid Content-Length")
        self._block = self._inside
        wanted = self._keep(fields)
        size = int(length)
        kept = min(size, wanted or 0)
        block = self._take(kept)
        self._skip(size - kept)
        self._check_end()
        if wanted is None:
            return None
        return WarcRecord(place, fields, block, size > kept)

    def _head(self) -> dict[str, str]:
        while (end := _HEAD_END(self._members.buffer, 0, MAX_HEAD)) is None:
            start = self._members.buffer[:MAX_HEAD]
            if not _VERSION(start) and (len(start) > _MAX_VERSION or b"\n" in start):
                raise _MalformedError(_no_record(self._members.buffer))
            if len(start) == MAX_HEAD:
                raise _MalformedError(f"a header of more than {MAX_HEAD} bytes")
            if not self._members.fill():
                raise _MalformedError("the header of a record has no end")
        if not _VERSION(self._members.buffer):
            raise _MalformedError(_no_record(self._members.buffer))
        text = self._cut(end.end()).decode("utf-8", "replace")
        rows = _FOLD.sub(" ", text).split("\n")[1:]
        fields: dict[str, str] = {}
        for row in rows:
            name, colon, value = row.partition(":")
            if colon:
                fields.setdefault(name.strip().lower(), value.strip())
        return fields

    def _take(self, size: int) -> bytes:
        pieces: list[bytes] = []
        while size:
            if not self._members.buffer and not self._members.fill():
                raise _MalformedError("a record shorter than its Content-Length")
            pieces.append(self._cut(size))
            size -= len(pieces[-1])
        return b"".join(pieces)

    def _skip(self, size: int) -> None:
        while size > 0:
            if not self._members.buffer and not self._members.fill():
                raise _MalformedError("a record shorter than its Content-Length")
            size -= len(self._cut(size))

    def _cut(self, size: int) -> bytes:
        """Take at most `size` bytes of the buffer."""
        buffer = self._members.buffer
        data, self._members.buffer = buffer[:size], buffer[size:]
        self._inside += len(data)
        return data

    def _check_end(self) -> None:
        """A record ends before an empty line, the next record, or nothing."""
        if not self._skip_blank_lines():
            return
        while len(self._members.buffer) < len(_RECORD) and self._members.fill():
            pass
        if not self._members.buffer.startswith(_RECORD):
            raise _MalformedError("the block does not end where Content-Length says")

    def _skip_blank_lines(self) -> bool:
        """Go to the next line that is not empty; False if the member has none.

        Zeros count as empty: a tape is padded with them.
        """
        while True:
            buffer = self._members.buffer
            rest = buffer.lstrip(b"\r\n\0")
            self._inside += len(buffer) - len(rest)
            self._members.buffer = rest
            if rest:
                return True
            if not self._members.fill():
                return False

    def _find_record(self) -> bool:
        """Go to the next record in this member; False if there is none.

        A member of one record holds no other: what looks so is the body of a page. A
        plain file is searched from behind the header on, since a length that is wrong
        may have led over whole records.
        """
        if self._members.is_plain:
            self._go_back()
        elif self._count < 2 and not self._is_whole:
            inside = self._inside
            is_last = self._members.is_last()
            if self._members.offset or not is_last:
                return False
            self._is_whole = True
            self._go_to(0, 0)
            self._skip(inside)
        while (found := _NEXT.search(self._members.buffer)) is None:
            self._cut(max(0, len(self._members.buffer) - _OVERLAP))
            if not self._members.fill():
                return False
        self._cut(found.end())
        return True

    def _go_back(self) -> None:
        """Go back to the block of the damaged record, unless that was done too often.

        Records could all claim to go on to the end of the file.
        """
        self._reread -= self._inside - self._block
        if self._block >= 0 and self._reread >= 0:
            self._go_to(self._block, self._block)

    def _go_to(self, offset: int, inside: int) -> None:
        self._members.seek(offset)
        self._members.begin_next()
        self._inside = inside


class _MalformedError(Exception):
    """The text of a record is wrong, and what is packed around it is whole."""
