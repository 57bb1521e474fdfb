"""Reading anybody's WARC: whole records, and the place of each damage."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest

from crawler.output.compression import zstd
from crawler.output.warc.members import STEP
from crawler.output.warc.reader import (
    MAX_HEAD,
    Damage,
    Place,
    read_records,
    read_warc,
    record_at,
)

Pack = Callable[[bytes], bytes]


def zst(data: bytes) -> bytes:
    return bytes(zstd().compress(data))


def record(name: str, block: bytes = b"x" * 3000, wrong_by: int = 0) -> bytes:
    head = (
        f"WARC/1.1\r\nWARC-Type: response\r\nWARC-Record-ID: {name}\r\n"
        f"Content-Length: {len(block) + wrong_by}\r\n\r\n"
    )
    return head.encode() + block + b"\r\n\r\n"


def read(path: Path, data: bytes) -> list[str]:
    """The ids of records and the messages of damages, in order.

    Each record must be found again at its place.
    """
    path.write_bytes(data)
    found = []
    for one in read_warc(path, lambda _fields: 10**6):
        if isinstance(one, Damage):
            found.append(f"{one.place}: {one.message}")
        else:
            assert record_at(path, one.place, lambda _fields: 10**6) == one
            found.append(one.fields["warc-record-id"])
    return found


SHORT = "a record shorter than its Content-Length"
NOT_THERE = "the block does not end where Content-Length says"


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zst])
def test_records_and_their_places(tmp_path: Path, pack: Pack) -> None:
    data = [pack(record(name)) for name in "abc"]
    assert read(tmp_path / "w", b"".join(data)) == ["a", "b", "c"]
    assert read(tmp_path / "w", pack(b"".join(map(record, "abc")))) == ["a", "b", "c"]
    assert read(tmp_path / "w", b"".join(data) + bytes(10**6)) == ["a", "b", "c"]
    assert read(tmp_path / "w", b"") == []


def test_only_what_is_wanted_is_kept(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(record("a") + record("b", b"0123456789"))
    wanted = {"a": None, "b": 4}
    (one,) = read_warc(tmp_path / "w", lambda fields: wanted[fields["warc-record-id"]])
    assert not isinstance(one, Damage)
    assert (one.block, one.cut) == (b"0123", True)
    assert one.place == Place(len(record("a")))


def test_fields_are_folded_repeated_and_in_any_case(tmp_path: Path) -> None:
    head = b"WARC/1.0 \nwarc-type:response\nX: a\n\t b\nX: c\nCONTENT-LENGTH: 1\n\nx\n"
    (tmp_path / "w").write_bytes(head)
    (one,) = read_warc(tmp_path / "w", lambda _fields: 9)
    assert not isinstance(one, Damage)
    assert one.fields == {"warc-type": "response", "x": "a b", "content-length": "1"}


@pytest.mark.parametrize("pack", [gzip.compress, zst])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda pack: pack(record("x", wrong_by=-9)), NOT_THERE),
        (lambda pack: pack(record("x", wrong_by=9)), SHORT),
        (lambda pack: pack(b"something else"), "the header of a record has no end"),
        (lambda pack: pack(b"something\r\n\r\nelse"), "no record begins here"),
        (lambda pack: b"PK" * 50, "neither a record nor the end of the file"),
        (
            lambda pack: pack(record("x"))[:-4] + b"####",
            "the compressed data is damaged",
        ),
    ],
)
def test_a_damaged_member_is_told_and_the_rest_read(
    tmp_path: Path, pack: Pack, wrong: Callable[[Pack], bytes], message: str
) -> None:
    first, damaged = pack(record("a")), wrong(pack)
    if pack is zst and message.startswith("the compressed"):
        damaged = bytes(damaged[:8]) + b"\xff" * 8 + damaged[16:]
    found = read(tmp_path / "w", first + damaged + pack(record("b")))
    assert found[0] == "a"
    assert found[1].startswith(f"{len(first)}: {message}")
    assert found[2:] == ["b"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zst])
@pytest.mark.parametrize("wrong_by", [-9, 9, 10**7])
def test_a_wrong_length_among_records_that_follow_each_other(
    tmp_path: Path, pack: Pack, wrong_by: int
) -> None:
    records = record("a"), record("x", wrong_by=wrong_by), record("b"), record("c")
    found = read(tmp_path / "w", pack(b"".join(records)))
    assert found[0] == "a"
    place = f"{len(records[0])}" if pack is bytes else f"0 +{len(records[0])}"
    assert found[1] == f"{place}: {SHORT if wrong_by > 9 else NOT_THERE}"
    # In a plain file one can go back to the end of the header.
    is_lost = pack is not bytes and wrong_by > 0
    assert found[-1] == "c" or (is_lost and wrong_by > 9)
    assert ("b" in found) or is_lost


def test_a_body_in_a_damaged_member_is_no_record(tmp_path: Path) -> None:
    """A page could hold one, made up to be found."""
    made_up = b"<p>\r\n\r\n" + record("made up") + b"</p>"
    data = [gzip.compress(one) for one in (record("a"), record("x", made_up, -9))]
    found = read(tmp_path / "w", b"".join(data) + gzip.compress(record("b")))
    assert found == ["a", f"{len(data[0])}: {NOT_THERE}", "b"]


@pytest.mark.parametrize("pack", [gzip.compress, zst])
def test_a_file_that_is_cut(tmp_path: Path, pack: Pack) -> None:
    first = pack(record("a"))
    found = read(tmp_path / "w", first + pack(record("b"))[:-9])
    assert found == ["a", f"{len(first)}: the file ends in the middle of a record"]


def test_a_dictionary_for_all_frames(tmp_path: Path) -> None:
    """As in https://iipc.github.io/warc-specifications/specifications/warc-zstd/."""
    module = zstd()
    samples = [record(f"n{n}", b"<p>text of a page" * n) for n in range(1, 200)]
    dictionary = module.train_dict(samples, 2000)
    for content in (dictionary.dict_content, zst(dictionary.dict_content)):
        frame = b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content
        frames = [module.compress(record(n), zstd_dict=dictionary) for n in "ab"]
        assert read(tmp_path / "w", frame + b"".join(frames)) == ["a", "b"]


@pytest.mark.parametrize("pack", [gzip.compress, zst])
def test_a_header_without_end_and_a_bomb_take_no_memory(
    tmp_path: Path, pack: Pack
) -> None:
    size = 32 * 2**20
    bombs = [
        pack(b"WARC/1.1\r\nX: " + b"x" * size),
        pack(b"\r\n" * (size // 2)),
        pack(record("big", bytes(size))),
    ]
    (tmp_path / "w").write_bytes(b"".join(bombs) + pack(record("a")))
    tracemalloc.start()
    found = list(read_warc(tmp_path / "w", lambda _fields: 100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [type(one).__name__ for one in found] == [
        "Damage",
        "WarcRecord",
        "WarcRecord",
    ]
    assert peak < 40 * MAX_HEAD + 20 * STEP


def test_wrong_lengths_do_not_make_it_read_for_ever(tmp_path: Path) -> None:
    """Each of the records claims to go on nearly to the end of the file."""
    count = 3000
    size = len(record("x", b"")) + 8
    parts = [record("x", b"", size * (count - n) + 30) for n in range(count)]
    (tmp_path / "w").write_bytes(b"".join(parts) + record("last") + b" " * 200)
    reads = Counted(tmp_path / "w")
    found = list(read_records(reads, lambda _fields: 100))
    reads.close()
    assert all(isinstance(one, Damage) for one in found[:3])
    assert reads.count < 10 * (tmp_path / "w").stat().st_size + 300 * 2**18


class Counted(FileIO):
    """Counts the bytes that are read."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self.count += len(data)
        return data


def test_a_wacz_is_told_apart_from_damage(tmp_path: Path) -> None:
    (tmp_path / "a.wacz").write_bytes(b"PK\x03\x04\x14" + bytes(90))
    (damage,) = read_warc(tmp_path / "a.wacz", lambda *_: None)
    assert isinstance(damage, Damage)
    assert "WACZ is; unpack it" in damage.message
