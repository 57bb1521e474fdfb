"""Partial files: what is left of them, and what another run makes of it."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.model.errors import OutputError
from crawler.model.http import PartialResponse, Response, Timings
from crawler.output.files import ContentFiles, Journal
from crawler.output.partials import HashedBody, PartialFiles, mapped

URL = "https://a.example/x"
KEY = -7
HEADERS = (("content-type", "video/mp4"), ("etag", '"ü\xff"'))
HEAD = Response(URL, 200, "OK", "1.1", HEADERS, b"", 9, Timings(1), None, False)
PART = PartialResponse(HEAD, '"ü\xff"', 1000)
BYTES = random.Random(2).randbytes(3 * 2**20)


def everything(_key: int) -> bool:
    return True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "partial"


def another_run(folder: Path, boot: str = "now") -> PartialFiles:
    files = PartialFiles(folder, boot)
    files.recover(everything)
    return files


def begun(folder: Path, part: PartialResponse | None = PART) -> PartialFiles:
    """A run that has taken the first bytes of a body."""
    files = PartialFiles(folder, "now")
    file = files.open(KEY, part)
    file.write(BYTES[:1000])
    return files


def test_what_a_killed_run_has_written_is_gone_on_with(folder: Path) -> None:
    begun(folder)  # it is not closed
    part = another_run(folder).resume(KEY, URL)
    assert part is not None
    assert (part.validator, part.length) == (PART.validator, PART.length)
    assert part.head.headers == HEADERS
    assert (part.head.status, part.head.size) == (200, 1000)
    assert part.head.body == BYTES[:1000]
    assert part.head.truncated == "disconnect"
    sink = part.head.streamed
    assert sink is not None
    assert sink.tail(100) == BYTES[900:1000]
    sink.write(BYTES[1000:])
    sink.close()
    assert sink.size == len(BYTES)
    assert sink.digest() == hashlib.sha256(BYTES).hexdigest()
    assert sink.path is not None
    assert Path(sink.path).read_bytes() == BYTES


def test_in_the_same_run_too(folder: Path) -> None:
    files = begun(folder)
    part = files.resume(KEY, URL)
    assert part is not None
    assert part.head.streamed is not None
    part.head.streamed.write(BYTES[1000:])
    assert part.head.streamed.digest() == hashlib.sha256(BYTES).hexdigest()


def test_nothing_is_there_without_a_part(folder: Path) -> None:
    assert another_run(folder).resume(KEY, URL) is None
    assert not folder.exists()


@pytest.mark.parametrize(
    "damage", ["no meta", "half", "empty", "other url", "boot", "no bytes", "link"]
)
def test_what_is_of_no_use_is_removed(folder: Path, damage: str) -> None:
    begun(folder)
    (meta,) = folder.glob("*.json")
    body = meta.with_suffix("")
    url, boot = URL, "now"
    if damage == "no meta":
        meta.unlink()
    elif damage == "half":
        os.truncate(meta, 20)
    elif damage == "empty":
        os.truncate(meta, 0)
    elif damage == "other url":
        url = "https://a.example/y"
    elif damage == "boot":
        boot = "after a power cut"
    elif damage == "no bytes":
        os.truncate(body, 0)
    else:
        body.unlink()
        body.symlink_to(meta)
    assert another_run(folder, boot).resume(KEY, url) is None
    assert list(folder.iterdir()) == []


def test_a_body_that_cannot_go_on_is_kept_for_its_attempt_only(folder: Path) -> None:
    files = begun(folder, None)
    assert len(list(folder.iterdir())) == 1
    assert files.resume(KEY, URL) is None
    assert list(folder.iterdir()) == []


def test_an_orphan_is_removed_on_opening(folder: Path) -> None:
    begun(folder)
    (folder / "a stranger's").write_bytes(b"")
    PartialFiles(folder, "now").recover(lambda key: key != KEY)
    assert [one.name for one in folder.iterdir()] == ["a stranger's"]


def test_what_has_its_record_is_removed(folder: Path) -> None:
    files = begun(folder)
    files.discard_all([1, 2])
    assert len(list(folder.iterdir())) == 2
    files.discard_all([1, KEY])
    files.close()
    assert not folder.exists()


def test_a_symbolic_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="is a symbolic link"):
        another_run(folder)


def test_the_head_is_private(folder: Path) -> None:
    begun(folder)
    (meta,) = folder.glob("*.json")
    assert meta.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_a_kill_before_the_commit_leaves_the_partial_file(tmp_path: Path) -> None:
    """The second name is in the journal, and removed; the first one goes on."""
    folder = tmp_path / "partial"
    file = PartialFiles(folder, "now").open(KEY, PART)
    file.write(BYTES)
    file.close()
    contents = ContentFiles(tmp_path, Journal(tmp_path / "journal"))
    name = contents.keep("bodies/ab/x.mp4", file, file.digest())
    contents.flush()
    assert (tmp_path / name).read_bytes() == BYTES
    contents.close()

    again = ContentFiles(tmp_path, Journal(tmp_path / "journal"))
    again.recover(lambda *_: False)
    assert not (tmp_path / name).exists()
    part = another_run(folder).resume(KEY, URL)
    assert part is not None
    assert part.head.size == len(BYTES)


def test_a_kill_after_the_commit_leaves_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "partial"
    file = PartialFiles(folder, "now").open(KEY, PART)
    file.write(BYTES)
    contents = ContentFiles(tmp_path, Journal(tmp_path / "journal"))
    name = contents.keep("bodies/ab/x.mp4", file, file.digest())
    contents.flush()

    again = ContentFiles(tmp_path, Journal(tmp_path / "journal"))
    again.recover(lambda *_: True)
    PartialFiles(folder, "now").recover(lambda _: False)
    assert (tmp_path / name).read_bytes() == BYTES
    assert list(folder.iterdir()) == []


def test_a_body_of_which_the_hash_is_kept() -> None:
    body, dice, position = HashedBody(), random.Random(4), 0
    while position < len(BYTES):
        size = dice.choice([1, 700, 5000, 2**16])
        body.write(BYTES[position : position + size])
        position += size
    assert (body.size, body.path) == (len(BYTES), None)
    assert body.digest() == hashlib.sha256(BYTES).hexdigest()
    assert body.tail(1024) == BYTES[-1024:]
    assert body.tail(0) == b""


def test_a_file_is_read_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(BYTES)
    there = mapped(str(tmp_path / "x"))
    assert len(there) == len(BYTES)
    assert there[5:900] == BYTES[5:900]
    assert there.startswith(BYTES[3:9], 3)
    assert not there.startswith(b"no")
    assert there.rfind(BYTES[-3:]) == BYTES.rfind(BYTES[-3:])


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    files = PartialFiles(tmp_path / "partial", "now")
    file = files.open(KEY, replace(PART, length=None))
    file.close()
    os.unlink(file.path)
    os.symlink("/dev/full", file.path)
    with pytest.raises(OutputError, match="symbolic link"):
        file.write(b"x")
