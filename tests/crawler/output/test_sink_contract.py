"""What every sink promises: written, killed, rewound; nothing twice, nothing lost."""

from __future__ import annotations

import gzip
import json
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import msgspec
import pytest

from crawler.model.content_config import OutputConfig
from crawler.model.record_base import Record
from crawler.model.records import RunRecord
from crawler.output.compression import zstd
from crawler.output.lines import stream_files
from crawler.output.registry import SINKS, open_sink
from crawler.output.sink import Position, RecordSink, SinkOpener
from tests.helpers.sinks import open_batch_folder, read_batch_folder


def read_jsonl(path: Path) -> list[int]:
    """The sequence numbers of the records, in the order of their lines."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [line["seq"] for line in lines if line["type"] != "schema"]


def read_packed(path: Path) -> list[int]:
    """The same of a file that any program for its format unpacks."""
    module = gzip if path.suffix == ".gz" else zstd()
    plain = path.with_name("unpacked")
    plain.write_bytes(module.decompress(path.read_bytes()))
    return read_jsonl(plain)


READERS: dict[str, Callable[[Path], list[int]]] = {
    ".jsonl": read_jsonl,
    ".gz": read_packed,
    ".zst": read_packed,
}
"""How the test reads back what a sink of each ending wrote; a new sink needs one."""


def open_rotated(output: str, position: Position | None, _: object) -> RecordSink:
    return open_sink(output, position, OutputConfig(rotate="1K"))


def read_rotated(path: Path) -> list[int]:
    """Each part is a file of its own; there is none without a number."""
    assert not path.exists()
    parts = stream_files(path)
    assert [part.name for part in parts] == [
        path.name.replace(".", f"-{number:05}.", 1)
        for number in range(1, len(parts) + 1)
    ]
    read = READERS[path.suffix]
    return [seq for part in parts for seq in read(part)]


CASES: list[tuple[str, SinkOpener, Callable[[Path], list[int]]]] = [
    *((ending, opener, READERS[ending]) for ending, opener in SINKS.items()),
    *((f".parts{ending}", open_rotated, read_rotated) for ending in SINKS),
    (".batches", open_batch_folder, read_batch_folder),
]


def records(first: int, last: int) -> list[Record]:
    return [RunRecord(event="started", seq=seq) for seq in range(first, last + 1)]


class SinkCase:
    """One kind of sink with the path that it writes to."""

    def __init__(
        self, path: Path, opener: SinkOpener, read: Callable[[Path], list[int]]
    ) -> None:
        self.path = path
        self._open = opener
        self._read = read

    def read(self) -> list[int]:
        return self._read(self.path)

    def write(self, position: Position | None, *batches: list[Record]) -> Position:
        """Write the batches; the position after the last."""
        with closing(self._open(str(self.path), position, OutputConfig())) as sink:
            for batch in batches:
                sink.write(batch)
                position = sink.flush()
        assert position is not None
        kept = msgspec.msgpack.encode(position)
        return msgspec.msgpack.decode(kept, type=type(position))

    def write_and_die(self, position: Position | None, *batches: list[Record]) -> None:
        """Write the batches in a process that is killed after them."""
        child = os.fork()
        if child == 0:
            self._die_writing(position, batches)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL

    def _die_writing(
        self, position: Position | None, batches: tuple[list[Record], ...]
    ) -> NoReturn:
        try:
            sink = self._open(str(self.path), position, OutputConfig())
            for batch in batches:
                sink.write(batch)
                sink.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)


@pytest.fixture(params=CASES, ids=[case[0] for case in CASES])
def sink(request: pytest.FixtureRequest, tmp_path: Path) -> SinkCase:
    ending, opener, read = request.param
    return SinkCase(tmp_path / f"out{Path(ending).suffix or ending}", opener, read)


def test_what_is_written_can_be_read_in_order(sink: SinkCase) -> None:
    sink.write(None, records(1, 3), records(4, 4))
    assert sink.read() == [1, 2, 3, 4]


def test_it_goes_on_behind_its_position(sink: SinkCase) -> None:
    position = sink.write(None, records(1, 3))
    sink.write(position, records(4, 5))
    assert sink.read() == [1, 2, 3, 4, 5]


def test_what_was_not_committed_is_rewound(sink: SinkCase) -> None:
    position = sink.write(None, records(1, 3))
    sink.write_and_die(position, records(4, 9), records(10, 12))
    sink.write(position, records(4, 5))
    assert sink.read() == [1, 2, 3, 4, 5]


def test_killed_before_the_first_commit_it_begins_anew(sink: SinkCase) -> None:
    sink.write_and_die(None, records(1, 9))
    sink.write(None, records(1, 2))
    assert sink.read() == [1, 2]


def test_a_position_may_be_committed_without_a_record(sink: SinkCase) -> None:
    position = sink.write(None, records(1, 2))
    assert sink.write(position) == position
    assert sink.read() == [1, 2]


def test_the_ending_of_the_name_chooses_the_sink(tmp_path: Path) -> None:
    for ending, read in {**READERS, ".txt": read_jsonl, "": read_jsonl}.items():
        path = tmp_path / f"records{ending}"
        with closing(open_sink(str(path), None, OutputConfig())) as sink:
            sink.write(records(1, 1))
        assert read(path) == [1]
