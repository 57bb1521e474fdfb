"""The export itself: rows from the record files, through the selection, to a writer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from crawler.output.export.rows import Row
from crawler.output.export.selection import Selection
from crawler.output.export.writer import Format, Write

CHUNK = 2_000
"""Rows that are handed to a writer at a time."""


def export(
    rows: Iterable[Row], form: Format, selection: Selection, target: Path
) -> int:
    """Write the selected `rows` to `target`; returns how many it has taken.

    Raises OutputError and UsageError; then `target` is as it was.
    """
    written = 0
    with form.open(target, selection.fields(form.types)) as write:
        for chunk in _chunks(selection.rows(rows)):
            written += write(chunk)
    return written


def export_by_type(
    rows: Iterable[Row], form: Format, selection: Selection, target: Path
) -> dict[Path, int]:
    """As `export`, with a file of its own columns for each type of record.

    For `pages.csv` these are `pages-page.csv`, `pages-image.csv` and so on. Returns how
    many rows each file has.
    """
    written: dict[Path, int] = {}
    with ExitStack() as files:
        writers: dict[str, tuple[Path, Write]] = {}
        for chunk in _chunks(selection.rows(rows)):
            for kind, group in _by_type(chunk).items():
                if kind not in writers:
                    path = _with_type(target, kind)
                    opened = form.open(path, selection.fields((kind,)))
                    writers[kind] = path, files.enter_context(opened)
                path, write = writers[kind]
                written[path] = written.get(path, 0) + write(group)
    return written


def _chunks(rows: Iterator[Row]) -> Iterator[Sequence[Row]]:
    while chunk := list(islice(rows, CHUNK)):
        yield chunk


def _by_type(rows: Sequence[Row]) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["type"], []).append(row)
    return groups


def _with_type(target: Path, kind: str) -> Path:
    stem, dot, endings = target.name.partition(".")
    return target.with_name(f"{stem}-{kind}{dot}{endings}")
