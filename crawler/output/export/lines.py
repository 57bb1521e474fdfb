"""Reads the files of records in batches of lines, which are not decoded.

A format decodes a line where it needs its values, and only as far as it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from crawler.model.errors import UsageError
from crawler.model.records import RECORD_TYPES
from crawler.output.compression import damage, open_unpacked
from crawler.output.sink import compression_of

Line = bytes
"""A record as JSON, with its newline."""

BATCH = 2 * 2**20
"""Bytes of lines that are read at once."""

Row = dict[str, Any]
"""A record as JSON has it."""

T = TypeVar("T")


class UnreadableLine(ValueError):
    """A line that is no record, or has a value that does not fit its column."""

    def __init__(self, line: Line, problem: str) -> None:
        super().__init__(problem)
        self.line = line


def read_batches(files: Iterable[Path]) -> Iterator[list[Line]]:
    """The lines of `files`, which are JSON Lines, also as `.gz` or `.zst`.

    A last line that is not whole is left out: a crawl is still writing it. Raises
    UsageError where a file is damaged or cannot be read.
    """
    for file in files:
        ending = compression_of(file.name)
        try:
            yield from _unpacked(file, ending) if ending else _plain(file)
        except damage(ending) as error:
            raise UsageError(f"{file} is damaged: {error}") from error
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror or error}") from error


def _plain(file: Path) -> Iterator[list[Line]]:
    with file.open("rb") as stream:
        while lines := stream.readlines(BATCH):
            if not lines[-1].endswith(b"\n"):
                lines.pop()
            yield lines


def _unpacked(file: Path, ending: str) -> Iterator[list[Line]]:
    """The same of a compressed file, whose last member may not be whole."""
    lines: list[Line] = []
    size = 0
    with open_unpacked(file, ending) as stream, suppress(EOFError):
        for line in stream:
            if size >= BATCH:
                yield lines
                lines, size = [], 0
            if line.endswith(b"\n"):
                lines.append(line)
                size += len(line)
    yield lines


def place_of(line: Line, files: Iterable[Path]) -> str:
    """Where the line is, for a message: `records.jsonl, line 4`."""
    for file in files:
        before = 0
        for batch in read_batches([file]):
            if line in batch:
                return f"{file}, line {before + batch.index(line) + 1:,}"
            before += len(batch)
    return "a record"


def data_fields(files: Iterable[Path]) -> dict[str, Any]:
    """What the schema lines of `files` say about `data`: a typed zero for each field.

    Raises UsageError.
    """
    fields: dict[str, Any] = {}
    for file in files:
        first = next(chain.from_iterable(read_batches([file])), None)
        if first is not None and kind_of(first) == "schema":
            fields |= decode(first, msgspec.json.decode).get("data") or {}
    return fields


def with_data(files: Iterable[Path], names: Iterable[str]) -> set[str]:
    """Those of `names` that `data` of some record has; reads on until all are found."""
    missing = {name: msgspec.json.encode(name) for name in names}
    found: set[str] = set()
    for batch in read_batches(files) if missing else ():
        for line in batch:
            if any(key in line for key in missing.values()):
                data = decode(line, msgspec.json.decode).get("data") or {}
                found |= missing.keys() & data.keys()
                missing = {one: missing[one] for one in missing.keys() - data.keys()}
        if not missing:
            break
    return found


class _Kind(Struct):
    type: str


_kind = msgspec.json.Decoder(_Kind).decode
_BEGINNING = b'{"type":"'
_KINDS = {name.encode(): name for name in (*RECORD_TYPES, "schema")}


def kind_of(line: Line) -> str:
    """The type of a record: one of RECORD_TYPES, or "schema". Raises UnreadableLine.

    The sinks write it first, so the line need not be decoded.
    """
    if line.startswith(_BEGINNING):
        end = line.find(b'"', len(_BEGINNING))
        kind = _KINDS.get(line[len(_BEGINNING) : end])
        if kind is not None:
            return kind
    found = decode(line, _kind).type
    if found != "schema" and found not in RECORD_TYPES:
        raise UnreadableLine(line, f"not a record: there is no type {found!r}")
    return found


def by_kind(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """The records by type."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(kind_of(line), []).append(line)
    return groups


def decode(line: Line, decoder: Callable[[Line], T]) -> T:
    """The line as `decoder` reads it. Raises UnreadableLine."""
    try:
        return decoder(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableLine(line, f"not a record: {error}") from error


def decode_all(lines: Sequence[Line], decoder: Callable[[Line], T]) -> list[T]:
    """The lines as `decoder` reads them. Raises UnreadableLine."""
    try:
        return list(map(decoder, lines))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [decode(line, decoder) for line in lines]  # finds the line, and raises


_row = msgspec.json.Decoder(Row).decode


def rows(lines: Sequence[Line]) -> list[Row]:
    """The lines with all that they have. Raises UnreadableLine."""
    return decode_all(lines, _row)
