"""The protocol of a sink, which is where records go, and what each sink promises.

A sink takes typed records in order. After each batch `flush` returns its position: an
opaque value, anything that msgspec can encode, which tells how far the sink has come.
The store keeps the position under the sink's name, in the same commit as the outcomes
of that batch. At the next start the sink is opened with its committed position and
rewinds to it, so a record that was written but not committed is written again instead
of twice. A crawl may have several sinks; each rewinds to its own position.

A sink that cannot rewind, such as a pipe, returns None. It gets each record at least
once.

A new sink is one file with an opener (`SinkOpener`) and one line in the table of
`crawler/output/registry.py`. `tests/crawler/output/test_sink_contract.py` runs over
that table.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from crawler.model.content_config import OutputConfig
from crawler.model.errors import OutputError, Stop
from crawler.model.record_base import Record

Position = object
"""How far a sink has come. Only the sink itself interprets it."""

COMPRESSED = (".gz", ".zst")
"""Endings of names whose files are compressed (`compression.py`)."""

DEFAULT_NAME = "records"
"""The name under which the store keeps the position of `records.jsonl`."""


class OutputClosed(Stop):
    """The reader of a pipe closed it (EPIPE), as in `orbweb crawl ... -o - | head`."""

    exit_code = 75


class RecordSink(Protocol):
    """Takes records in order. Every method may raise OutputError."""

    def write(self, records: Sequence[Record]) -> None:
        """Append `records`. What is visible to a reader is whole at any moment."""
        ...

    def flush(self) -> Position | None:
        """Hand everything to the operating system; returns the position reached.

        None stands for a sink that cannot rewind.
        """
        ...

    def close(self) -> None:
        """Flush to the disk and release the resources."""
        ...


@runtime_checkable
class ReopenableSink(Protocol):
    """A sink whose file may be moved away while it is written (log rotation).

    The crawl goes on in a new file at the same path, whose position is 0.
    """

    def was_moved(self) -> bool:
        """Whether the file was moved away, so that another can have its path.

        Raises OutputError if something else has the path already.
        """
        ...

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        ...

    def begin_anew(self) -> None:
        """Go on at the beginning of a new file. Raises OutputError.

        The commit that holds the end of the old one, and the position 0, is made.
        """
        ...


class SinkOpener(Protocol):
    """Opens the sink of one kind."""

    def __call__(
        self,
        output: str,
        position: Position | None,
        config: OutputConfig,
        data: Mapping[str, Any] = ...,
        before_part: Callable[[], None] = ...,
    ) -> RecordSink:
        """The sink that writes to `output` (a path), rewound to `position`.

        `data` has a typed zero for each field of the records' `data` that is known.
        `before_part` makes durable what is committed; a sink that ends one file and
        begins the next calls it between the two.

        `position` is what the last commit kept; None where nothing was committed yet,
        and then the sink begins anew. Raises OutputError, or StateError where less is
        there than was committed.
        """
        ...


def compression_of(name: str) -> str:
    """The ending, of COMPRESSED, by which a file of this name is compressed, or ""."""
    ending = name[name.rfind(".") :].lower() if "." in name else ""
    return ending if ending in COMPRESSED else ""


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def refused(error: OSError, path: Path | str) -> OutputError:
    """The OutputError that tells what is wrong with `path`, and what to do about it."""
    if error.errno in _FULL:
        return OutputError(f"{path}: the disk is full; make room, then `orbweb resume`")
    if error.errno in _REFUSED:
        return OutputError(
            f"{path} is not writable ({error.strerror}); check its owner and mode, "
            "or name another place with --dir or --output"
        )
    if error.errno == errno.ELOOP:
        return OutputError(
            f"{path} is a symbolic link, which is not followed; remove it, or name "
            "another place with --dir or --output"
        )
    return OutputError(f"{path} can't be written: {error.strerror or error}")
