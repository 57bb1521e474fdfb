"""The protocol of a format: how it is opened, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from crawler.output.export.lines import Line
from crawler.output.export.selection import Field

Write = Callable[[Sequence[Line]], int]
"""Writes records in order; returns how many of them the format could use.

Raises UnreadableLine.
"""


class OpenWriter(Protocol):
    """Opens the writer of one format."""

    def __call__(
        self, target: Path, fields: Sequence[Field]
    ) -> AbstractContextManager[Write]:
        """Records with `fields` as columns go to `target` until the context ends.

        An error in the context leaves no file behind. Raises OutputError, or UsageError
        where a package is missing or a value does not fit.
        """
        ...


class Format(Struct, frozen=True):
    """One format of the table."""

    open: OpenWriter
    ending: str
    """The usual ending of its files, with the dot."""
    types: tuple[str, ...] = ()
    """The records that it is about; empty: any."""
    streams: bool = True
    """Whether it can be written to stdout."""
    tabular: bool = True
    """Whether the columns can be chosen."""
    latest: bool = False
    """Whether it is about URLs, so that only the last record of each counts."""
