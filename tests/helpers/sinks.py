"""A sink that is nothing like JSON Lines: a folder with one file for each batch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from crawler.model.content_config import OutputConfig
from crawler.model.record_base import Record
from crawler.output.sink import Position, RecordSink


class BatchFolder:
    """Writes each batch to a file of its own; its position is the last file's name."""

    def __init__(self, folder: Path, position: bytes | None) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        for file in folder.iterdir():
            if position is None or file.name > position.decode():
                file.unlink()
        self._number = len(list(folder.iterdir()))
        self._position = position

    def write(self, records: Sequence[Record]) -> None:
        self._number += 1
        name = f"{self._number:06d}"
        fd = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(fd, msgspec.msgpack.encode(records))
        os.close(fd)
        self._position = name.encode()

    def flush(self) -> Position | None:
        return self._position

    def close(self) -> None:
        """Each file is closed when it is written."""


def open_batch_folder(
    output: str, position: Position | None, _config: OutputConfig
) -> RecordSink:
    assert position is None or isinstance(position, bytes)
    return BatchFolder(Path(output), position)


def read_batch_folder(folder: Path) -> list[int]:
    """The sequence numbers of the records, in the order in which they are kept."""
    batches = [
        msgspec.msgpack.decode(file.read_bytes()) for file in sorted(folder.iterdir())
    ]
    return [record["seq"] for batch in batches for record in batch]
