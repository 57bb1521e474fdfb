"""A stream in numbered parts: each record once, and a finished part never changes."""

from __future__ import annotations

import gzip
import json
import os
import random
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from crawler.model.errors import OutputError, StateError
from crawler.output import parts
from crawler.output.lines import (
    LineFile,
    open_lines,
    part_path,
    position_of_end,
    split_position,
    stream_files,
)
from crawler.output.parts import PartedLines, Rotation, parse_rotation

HOURLY = Rotation(period=3600.0)
SCHEMA = b'{"type":"schema"}'


class Crawls:
    """Writes numbers into one stream, as crawls do that are killed and resumed."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path = path
        self.chance = random.Random(seed)
        self.position: int | None = None
        self.number = 0
        self.taken: dict[str, bytes] = {}
        """What a pipeline has taken away, by name."""
        self.finished: dict[str, tuple[bytes, int]] = {}
        """Contents and time of the finished parts that are there."""

    def run(self) -> None:
        """One process: some commits, and perhaps a kill within one."""
        rotation = self.chance.choice(
            [None, Rotation(size=90), Rotation(size=300), Rotation(size=300)]
        )
        writer = open_lines(str(self.path), self.position, SCHEMA, rotation)
        if self.position is None:  # the commit with which a crawl begins
            self.position = writer.flush()
        number = self.number
        for _ in range(self.chance.randrange(12)):
            batch = range(number, number + self.chance.randrange(9))
            writer.write([b'{"n":%d}' % n for n in batch])
            number = batch.stop
            self.check_finished()
            if self.chance.random() < 0.15:  # killed before the commit
                os.close(file_of(writer)._fd)
                return
            self.position, self.number = writer.flush(), number
            if self.chance.random() < 0.2:
                self.take_away(all_of_them=False)
        writer.write([b'{"n":%d}' % number])  # a crawl's last record says that it ended
        self.position, self.number = writer.flush(), number + 1
        self.check_finished()
        writer.close()
        if self.chance.random() < 0.3:
            self.take_away(all_of_them=True)

    def check_finished(self) -> None:
        *finished, _last = stream_files(self.path) or [self.path]
        for file in finished:
            now = file.read_bytes(), file.stat().st_mtime_ns
            assert self.finished.setdefault(file.name, now) == now

    def take_away(self, *, all_of_them: bool) -> None:
        """As a pipeline does: finished parts, and the last one after a crawl's end."""
        files = stream_files(self.path)
        for file in files if all_of_them else files[:-1]:
            if file != self.path and self.chance.random() < 0.7:
                assert file.name not in self.taken
                self.taken[file.name] = file.read_bytes()
                file.unlink()

    def everything(self) -> list[Any]:
        """All that is there or was taken away, in the order of the parts."""
        there = {file.name: file.read_bytes() for file in stream_files(self.path)}
        found = self.taken | there
        assert len(found) == len(self.taken) + len(there)
        numbers = []
        first = found.pop(self.path.name, b"")
        for data in filter(None, [first, *(found[name] for name in sorted(found))]):
            text = gzip.decompress(data) if self.path.suffix == ".gz" else data
            head, *lines = text.splitlines()
            assert head == SCHEMA
            numbers += [json.loads(line)["n"] for line in lines]
        return numbers


def file_of(writer: Any) -> LineFile:
    if isinstance(writer, LineFile):
        return writer
    assert writer._file is not None
    return writer._file  # type: ignore[no-any-return]


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("seed", range(40))
def test_every_record_is_there_once_whatever_happens(
    tmp_path: Path, seed: int, ending: str
) -> None:
    crawls = Crawls(tmp_path / f"records.jsonl{ending}", seed)
    for _ in range(30):
        crawls.run()
    open_lines(str(crawls.path), crawls.position, SCHEMA).close()
    assert crawls.everything() == list(range(crawls.number))


def test_no_part_is_larger_unless_a_commit_is(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    writer = open_lines(str(path), None, SCHEMA, Rotation(size=100))
    for size in (30, 30, 30, 500, 10):
        writer.write([b"x" * (size - 1)])
    writer.close()
    sizes = [file.stat().st_size for file in stream_files(path)]
    assert sizes == [len(SCHEMA) + 1 + more for more in (60, 30, 500, 10)]


def test_a_part_holds_one_period(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    times = iter([3000.0, 3100.0, 3599.0, 3600.0, 3600.0, 7199.0])
    writer = PartedLines(path, 0, None, bytes, HOURLY, clock=times.__next__)
    for number in range(4):
        writer.write([b"%d" % number])
    position = writer.flush()
    writer.close()
    assert [file.read_bytes() for file in stream_files(path)] == [b"0\n1\n", b"2\n3\n"]
    os.utime(part_path(path, 2), (7199.0, 7199.0))
    for now, files in ((7199.5, 2), (7200.0, 3)):  # a resume knows when it was written
        clock = repeat(now).__next__
        writer = PartedLines(path, position, None, bytes, HOURLY, clock=clock)
        writer.write([b"4"])
        writer.close()
        assert len(stream_files(path)) == files
        part_path(path, 3).unlink(missing_ok=True)
        os.truncate(part_path(path, 2), split_position(position)[1])
        os.utime(part_path(path, 2), (7199.0, 7199.0))


def test_what_is_committed_is_durable_before_the_next_part_is_there(
    tmp_path: Path,
) -> None:
    path = tmp_path / "r.jsonl"
    seen = []
    writer = open_lines(
        str(path), None, None, Rotation(size=3), lambda: seen.append(stream_files(path))
    )
    writer.write([b"1"])
    writer.write([b"2"])
    writer.close()
    assert seen == [[part_path(path, 1)]]
    assert len(stream_files(path)) == 2


def test_an_error_between_two_parts_leaves_the_first_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    writer = open_lines(str(path), None, None, Rotation(size=3))
    writer.write([b"1"])
    position = writer.flush()
    part_path(path, 2).mkdir()
    with pytest.raises(OutputError, match=r"r-00002\.jsonl"):
        writer.write([b"2"])
    writer.close()
    part_path(path, 2).rmdir()
    writer = open_lines(str(path), position, None, Rotation(size=3))
    writer.write([b"2"])
    writer.close()
    assert [file.read_bytes() for file in stream_files(path)] == [b"1\n", b"2\n"]


def test_a_part_that_is_shorter_than_the_state_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    writer = open_lines(str(path), None, SCHEMA, Rotation(size=999))
    writer.write([b"1"])
    position = writer.flush()
    writer.close()
    os.truncate(part_path(path, 1), 5)
    with pytest.raises(StateError, match=r"r-00001.jsonl has 5 bytes"):
        open_lines(str(path), position, SCHEMA, Rotation(size=999))


def test_the_last_number_is_not_exceeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "MAX_PART", 2)
    path = tmp_path / "r.jsonl"
    writer = open_lines(str(path), None, None, Rotation(size=3))
    for _ in range(4):
        writer.write([b"1"])
    writer.close()
    assert position_of_end(path, stream_files(path)[-1]) == 2 << 40 | 6
    assert len(stream_files(path)) == 2


def test_only_parts_belong_to_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "site.example.jsonl"
    others = ("site.example-1.jsonl", "site.example-202601.jsonl",
              "site.example-00000.jsonl", "site.example-00001.jsonl.gz",
              "xsite.example-00001.jsonl", "site-00001.jsonl")  # fmt: skip
    for name in (*others, "site.example-00012.jsonl", "site.example-00003.jsonl"):
        (tmp_path / name).touch()
    assert [file.name for file in stream_files(path)] == [
        "site.example-00003.jsonl",
        "site.example-00012.jsonl",
    ]
    path.touch()
    assert stream_files(path)[0] == path
    assert stream_files(tmp_path / "missing" / "r.jsonl") == []


@pytest.mark.parametrize(
    ("text", "rotation"),
    [
        ("100M", Rotation(size=100 * 2**20)),
        ("1.5GiB", Rotation(size=3 * 2**29)),
        ("64k", Rotation(size=2**16)),
        ("512B", Rotation(size=512)),
        ("10m", Rotation(period=600.0)),
        ("1h30m", Rotation(period=5400.0)),
        (" 1d ", Rotation(period=86400.0)),
        ("30s", Rotation(period=30.0)),
    ],
)
def test_a_size_and_a_time_are_told_apart(text: str, rotation: Rotation) -> None:
    assert parse_rotation(text) == rotation


@pytest.mark.parametrize("text", ["100", "0M", "0h", "500ms", "daily", "", "-1h", "M"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write 100M or 1G, or 30m, 1h or 1d"):
        parse_rotation(text)
