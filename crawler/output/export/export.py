"""The export itself: lines of the record files, through the selection, to a writer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from crawler.model.errors import UsageError
from crawler.output.export.lines import (
    UnreadableLine,
    by_kind,
    place_of,
    read_batches,
)
from crawler.output.export.selection import Selection
from crawler.output.export.writer import Format, Write


def export(
    files: Sequence[Path], form: Format, selection: Selection, target: Path
) -> int:
    """Write the selected records of `files` to `target`; returns how many it has taken.

    Raises OutputError and UsageError; then `target` is as it was.
    """
    written = 0
    with (
        placed(files),
        form.open(target, selection.fields(form.types)) as write,
    ):
        for lines in selection.lines(read_batches(files)):
            written += write(lines)
    return written


def export_by_type(
    files: Sequence[Path], form: Format, selection: Selection, target: Path
) -> dict[Path, int]:
    """As `export`, with a file of its own columns for each type of record.

    For `pages.csv` these are `pages-page.csv`, `pages-image.csv` and so on. Returns how
    many records each file has.
    """
    written: dict[Path, int] = {}
    with placed(files), ExitStack() as opened:
        writers: dict[str, tuple[Path, Write]] = {}
        for lines in selection.lines(read_batches(files)):
            for kind, group in by_kind(lines).items():
                if kind not in writers:
                    path = _with_type(target, kind)
                    writer = form.open(path, selection.fields((kind,)))
                    writers[kind] = path, opened.enter_context(writer)
                path, write = writers[kind]
                written[path] = written.get(path, 0) + write(group)
    return written


@contextmanager
def placed(files: Sequence[Path]) -> Iterator[None]:
    """Say in which line of which file an UnreadableLine is, as a UsageError."""
    try:
        yield
    except UnreadableLine as error:
        raise UsageError(f"{place_of(error.line, files)}: {error}") from error


def _with_type(target: Path, kind: str) -> Path:
    stem, dot, endings = target.name.partition(".")
    return target.with_name(f"{stem}-{kind}{dot}{endings}")
