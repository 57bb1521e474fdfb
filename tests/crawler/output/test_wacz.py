"""A WACZ file by itself: many lines in the index, large files, odd names, errors."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from pathlib import Path
from zipfile import ZipFile

import msgspec
import pytest

from crawler.model.errors import OutputError
from crawler.output.warc import cdxj
from crawler.output.warc.wacz import About, Cancelled, Page, pack

ABOUT = About("A title", None, "orbweb/test", 1_800_000_000.0)


def archive(folder: Path, number: int, lines: int = 0, size: int = 9) -> Path:
    """A file of the archive with so many lines in its index; its bytes are zeros."""
    warc = folder / f"A-{number:05}.warc.gz"
    with warc.open("wb") as file:
        file.truncate(size)
    entries = (
        cdxj.Entry(f"https://a.test/{n:05}", "text/html", "200", "", "1", "0", "A")
        for n in range(number, lines * 3, 3)
    )
    index = b"".join(cdxj.line("2026-11-30T12:00:00Z", entry) for entry in entries)
    warc.with_name(f"A-{number:05}.cdxj").write_bytes(index)
    return warc


def test_the_index_is_cut_into_members(tmp_path: Path) -> None:
    warcs = [archive(tmp_path, number, lines=1000) for number in range(3)]
    target = tmp_path / "a.wacz"
    pack(target, warcs, [Page("https://a.test/", "2026-11-30T12:00:00Z")], ABOUT)
    with ZipFile(target) as file:
        packed = file.read("indexes/index.cdx.gz")
        _, *members = file.read("indexes/index.idx").splitlines()
        package = msgspec.json.decode(file.read("datapackage.json"))
    places = [msgspec.json.decode(member.split(b" ", 2)[2]) for member in members]
    keys, end = [], 0
    for member, place in zip(members, places, strict=True):
        assert place["offset"] == end
        end += place["length"]
        lines = gzip.decompress(packed[place["offset"] : end]).splitlines()
        assert lines[0].startswith(b" ".join(member.split(b" ", 2)[:2]))
        keys += [line.split(b" ")[0].decode() for line in lines]
    assert keys == [f"test,a)/{n:05}" for n in range(3000)]
    assert (len(places), end) == (3, len(packed))
    assert package["resources"][0]["name"] == "a-00000.warc.gz"


def test_memory_does_not_depend_on_the_size(tmp_path: Path) -> None:
    warcs = [archive(tmp_path, 0, size=60 * 2**20)]
    page = Page("https://a.test/", "2026-11-30T12:00:00Z", "", "title", "x" * 10_000)
    tracemalloc.start()
    try:
        pack(tmp_path / "a.wacz", warcs, (page for _ in range(2000)), ABOUT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20


def test_what_is_there_stays_where_it_fails(tmp_path: Path) -> None:
    target, warcs = tmp_path / "a.wacz", [archive(tmp_path, 0)]
    target.write_bytes(b"before")
    with pytest.raises(Cancelled):
        pack(target, warcs, [], ABOUT, is_wanted=lambda: False)
    with pytest.raises(OutputError, match=r"gone.*No such file"):
        pack(target, [*warcs, tmp_path / "gone.warc.gz"], [], ABOUT)
    assert sorted(path.name for path in tmp_path.glob("*wacz*")) == ["a.wacz"]
    assert target.read_bytes() == b"before"


def test_no_link_is_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"theirs")
    os.symlink(other, tmp_path / "a.wacz.new")
    with pytest.raises(OutputError, match="symbolic link"):
        pack(tmp_path / "a.wacz", [archive(tmp_path, 0)], [], ABOUT)
    assert other.read_bytes() == b"theirs"
