"""Pictures on disk: names from the network do no harm, contents are whole."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.model.content_config import ImagesConfig
from crawler.model.errors import OutputError, UsageError
from crawler.output.files import Journal
from crawler.output.images import (
    ImageFacts,
    ImageFiles,
    check_template,
    image_path,
)

TEMPLATE = ImagesConfig().name


def open_files(folder: Path, template: str = TEMPLATE) -> ImageFiles:
    return ImageFiles(folder, template, Journal(folder.with_suffix(".journal")))


def keep(
    folder: Path, data: bytes, url: str, template: str = TEMPLATE, kind: str = "png"
) -> str:
    images = open_files(folder, template)
    try:
        name = images.put(data, url, hashlib.sha256(data).hexdigest(), kind)
        images.flush()
        return name
    finally:
        images.close()


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_default_name(tmp_path: Path) -> None:
    name = keep(
        tmp_path, b"picture", "https://a.example/x/cat.final.jpeg?w=1#f", kind="jpeg"
    )
    sha = hashlib.sha256(b"picture").hexdigest()
    assert name == f"images/a.example/cat.final-{sha[:8]}.jpg"
    assert (tmp_path / name).read_bytes() == b"picture"
    assert files(tmp_path) == [name]


def test_a_second_write_of_the_same_bytes_changes_nothing(tmp_path: Path) -> None:
    name = keep(tmp_path, b"picture", "https://a.example/1.png")
    before = (tmp_path / name).stat()
    assert keep(tmp_path, b"picture", "https://a.example/1.png") == name
    assert (tmp_path / name).stat() == before


def test_what_a_crash_left_half_written_is_no_obstacle(tmp_path: Path) -> None:
    name = keep(tmp_path, b"picture", "https://a.example/1.png")
    for half in (b"pict", b""):
        (tmp_path / name).write_bytes(half)
        assert keep(tmp_path, b"picture", "https://a.example/1.png") == name
        assert (tmp_path / name).read_bytes() == b"picture"
        assert files(tmp_path) == [name]


def test_different_bytes_never_share_a_name(tmp_path: Path) -> None:
    names = {
        keep(tmp_path, data, "https://a.example/1.png", "{host}/{stem}.{ext}")
        for data in (b"1", b"2", b"3", b"2")
    }
    assert len(names) == 3
    assert {(tmp_path / name).read_bytes() for name in names} == {b"1", b"2", b"3"}


def test_different_bytes_of_one_batch_never_share_a_name(tmp_path: Path) -> None:
    images = open_files(tmp_path, "{host}/{stem}.{ext}")
    hashes = {data: hashlib.sha256(data).hexdigest() for data in (b"1", b"2")}
    url = "https://a.example/1.png"
    names = [
        images.put(data, url, hashes[data], "png") for data in (b"1", b"2", b"1", b"2")
    ]
    assert files(tmp_path) == []
    images.flush()
    images.close()
    assert (
        names
        == ["images/a.example/1.png", f"images/a.example/1-{hashes[b'2']}.png"] * 2
    )
    assert [(tmp_path / name).read_bytes() for name in names] == [b"1", b"2"] * 2
    assert files(tmp_path) == sorted({*names})


@pytest.mark.parametrize(
    ("url", "stem"),
    [
        ("https://a.example/", "image"),
        ("https://a.example/?q=/x.png", "image"),
        ("https://a.example/dir/", "dir"),
        ("https://a.example/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "etc_passwd"),
        ("https://a.example/..%5c..%5cboot.ini", "boot"),
        ("https://a.example/.htaccess", "htaccess"),
        ("https://a.example/v1.2-final", "v1.2-final"),
        ("https://a.example/-rf.png", "rf"),
        ("https://a.example/con.png", "_con"),
        ("https://a.example/LPT1.x.png", "_LPT1.x"),
        ("https://a.example/a%00b%0ac%1b%5b31m.png", "ab_c_31m"),
        ("https://a.example/gnp%e2%80%aegpj.png", "gnpgpj"),
        ("https://a.example/cafe%cc%81.png", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
        ("https://a.example/%e9.png", "image"),
        ("https://a.example/a%20b%3b%60id%60.png", "a_b_id"),
        ("https://a.example/" + "x" * 500 + ".png", "x" * 80),
        ("https://a.example/" + quote("\N{CAT}" * 50) + ".png", "\N{CAT}" * 20),
    ],
)
def test_stems(tmp_path: Path, url: str, stem: str) -> None:
    assert keep(tmp_path, b"1", url, "{stem}/{sha256}") == f"images/{stem}/" + (
        hashlib.sha256(b"1").hexdigest()
    )


@pytest.mark.parametrize(
    ("host", "folder"),
    [
        ("a.example:8080", "a.example_8080"),
        ("[::1]:8080", "1_8080"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_hosts(tmp_path: Path, host: str, folder: str) -> None:
    assert keep(tmp_path, b"1", f"http://{host}/1.png").split("/")[1].endswith(folder)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    stem=st.text(max_size=120),
    host=st.text(min_size=1, max_size=40),
    kind=st.text(max_size=8),
)
def test_no_name_leads_astray(
    tmp_path_factory: pytest.TempPathFactory, stem: str, host: str, kind: str
) -> None:
    folder = tmp_path_factory.mktemp("names")
    path = quote(stem.encode("utf-8", "replace"), safe="./:")
    name = keep(
        folder, b"1", f"http://{host.replace('/', '') or 'h'}/x/{path}", kind=kind
    )
    written = folder / name
    assert written.resolve().is_relative_to((folder / "images").resolve())
    assert len(name.split("/")) == 3
    for part in name.split("/"):
        assert part[0] not in ".-"
        assert part[-1] not in ". "
        assert len(os.fsencode(part)) <= 255
        assert unicodedata.is_normalized("NFC", part)
        assert all(unicodedata.category(c)[0] != "C" for c in part)
        assert not set(part) & set('\\:*?"<>|`$;&')
    assert files(folder) == [name]


@pytest.mark.parametrize(
    "template",
    [
        "../{sha256}",
        "/abs/{sha256}",
        "{host}//{stem}",
        "{host}/./{stem}",
        "{stem",
        "{nope}",
        "{}",
        "{host.__class__}",
        "{stem:d}",
        "x" * 300,
        "{stem}{stem}{stem}",
        "",
    ],
)
def test_templates_that_can_not_work_are_refused(tmp_path: Path, template: str) -> None:
    with pytest.raises(UsageError, match=r"images\.name"):
        check_template(template)


def test_a_disk_that_refuses_is_named(tmp_path: Path) -> None:
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(OutputError, match=r"images/a\.example/.* can't be written"):
        keep(tmp_path, b"1", "https://a.example/1.png")


def test_a_full_disk_leaves_no_part_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "crawl").mkdir()

    def full(fd: int, data: bytes) -> int:
        if data == b"1":
            raise OSError(28, "No space left on device")
        return write(fd, data)

    write = os.write
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="the disk is full"):
        keep(tmp_path / "crawl", b"1", "https://a.example/1.png")
    assert files(tmp_path / "crawl") == []


def test_what_has_no_record_is_removed_at_the_next_start(tmp_path: Path) -> None:
    folder = tmp_path / "crawl"
    kept = keep(folder, b"recorded", "https://a.example/1.png")
    lost = keep(folder, b"not recorded", "https://a.example/2.png")
    (folder / lost).write_bytes(b"not rec")
    asked: list[tuple[str, str]] = []

    def recorded(sha256: str, name: str) -> bool:
        asked.append((sha256, name))
        return name == kept

    open_files(folder).recover(recorded)
    assert files(folder) == [kept]
    assert asked[1] == (hashlib.sha256(b"not recorded").hexdigest(), lost)
    open_files(folder).recover(lambda sha256, name: False)
    assert files(folder) == [kept]


@pytest.mark.parametrize("is_committed", [False, True])
def test_what_is_removed_is_there_until_the_commit_and_not_after_it(
    tmp_path: Path, is_committed: bool
) -> None:
    folder = tmp_path / "crawl"
    folder.mkdir()
    data = b"one"
    digest = hashlib.sha256(data).hexdigest()
    images = open_files(folder)
    name = images.put(data, "https://a.example/1.png", digest, "png")
    images.flush()
    images.settle()
    images.remove(name, digest)
    assert not images.holds(name)
    images.flush()
    assert files(folder) == [name]
    images.close()  # killed before the commit, or between it and `settle`
    open_files(folder).recover(lambda sha256, name: not is_committed)
    assert files(folder) == ([] if is_committed else [name])


@pytest.mark.parametrize("is_killed", [False, True])
def test_folders_that_a_removal_has_emptied_go_with_it(
    tmp_path: Path, is_killed: bool
) -> None:
    """Those that hold another file stay, and a later picture gets its folder again."""
    folder = tmp_path / "crawl"
    folder.mkdir()
    images = open_files(folder)
    names = {}
    for path in ("a/b/c", "a/d"):
        digest = hashlib.sha256(path.encode()).hexdigest()
        name = images.keep(f"images/{path}/1.png", path.encode(), digest)
        names[name] = digest
    images.flush()
    images.settle()
    first, second = names
    images.remove(first, names[first])
    images.flush()
    if is_killed:
        images.close()
        images = open_files(folder)
        images.recover(lambda sha256, name: False)
    else:
        images.settle()
    assert not (folder / "images/a/b").exists()
    assert files(folder) == [second]
    assert images.keep(first, b"a/b/c", names[first]) == first
    images.flush()
    assert files(folder) == sorted(names)
    images.remove(first, names[first])
    images.remove(second, names[second])
    images.flush()
    images.settle()
    assert [one.name for one in folder.glob("images/**/*")] == []
    assert (folder / "images").is_dir()
    images.close()


def test_what_is_put_again_is_not_removed(tmp_path: Path) -> None:
    folder = tmp_path / "crawl"
    folder.mkdir()
    images = open_files(folder)
    name = images.put(b"x", "https://a.example/1.png", "0" * 64, "png")
    images.flush()
    images.settle()
    images.remove(name, "0" * 64)
    assert images.put(b"x", "https://a.example/1.png", "0" * 64, "png") == name
    images.flush()
    images.settle()
    assert files(folder) == [name]
    images.remove(name, "0" * 64)
    images.flush()
    images.settle()
    assert files(folder) == []


def test_a_settled_picture_stays(tmp_path: Path) -> None:
    folder = tmp_path / "crawl"
    folder.mkdir()
    images = open_files(folder)
    name = images.put(b"x", "https://a.example/1.png", "0" * 64, "png")
    images.flush()
    images.settle()
    images.close()
    open_files(folder).recover(lambda sha256, name: False)
    assert files(folder) == [name]


def test_a_note_that_was_cut_is_of_a_file_that_was_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "crawl"
    name = keep(folder, b"x", "https://a.example/1.png")
    folder.with_suffix(".journal").write_text("0" * 64 + f" {name}")
    open_files(folder).recover(lambda sha256, name: False)
    assert files(folder) == [name]


def test_a_recorded_picture_that_was_being_written_again_is_no_half_one(
    tmp_path: Path,
) -> None:
    """The file was deleted, and the crawl that replaces it is killed."""
    folder = tmp_path / "crawl"
    name = keep(folder, b"recorded", "https://a.example/1.png")
    (folder / name).write_bytes(b"rec")
    open_files(folder).recover(lambda sha256, name: True)
    assert files(folder) == []


def test_a_damaged_journal_removes_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for name in ("victim", "out/records.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"precious")
    names = ("../victim", "images/../../victim", "records.jsonl", "", "/etc/hosts")
    lines = [f"{'0' * 64} {name}" for name in names]
    journal = folder.with_suffix(".journal")
    journal.write_bytes(b"\xff\xfe\0 \n" + "\n".join(lines).encode() + b"\ncut")
    open_files(folder).recover(lambda sha256, name: False)
    assert files(tmp_path) == ["out.journal", "out/records.jsonl", "victim"]


WHOLE = "{host}/{path}/{data.no}/{data.title}-{width}x{height:04}-{stem}.{ext}"


@pytest.mark.parametrize(
    ("url", "facts", "name"),
    [
        (
            "https://a.example/x/y%20z/1.png",
            ImageFacts(30, 20, {"title": "A cat", "no": 7}),
            "a.example/x/y_z/7/A_cat-30x0020-1.png",
        ),
        ("https://a.example/1.png", ImageFacts(), "a.example/none/none-0x0000-1.png"),
        (
            "https://a.example/..%2f../%2e%2e/con/-x/1.png",
            ImageFacts(1, 1, {"title": "../../etc/passwd", "no": ["a"]}),
            "a.example/_con/x/none/etc_passwd-1x0001-1.png",
        ),
        (
            "https://a.example/" + "a/" * 50 + "1.png",
            ImageFacts(1, 1, {"title": "x" * 500, "no": {}}),
            "a.example/" + "a/" * 8 + "none/" + "x" * 60 + "-1x0001-1.png",
        ),
        ("https://a.example/{stem}/1.png", ImageFacts(1, 1, {"title": "{sha256}"}),
         "a.example/stem/none/sha256-1x0001-1.png"),
    ],
)  # fmt: skip
def test_names_of_folders_dimensions_and_data(
    tmp_path: Path, url: str, facts: ImageFacts, name: str
) -> None:
    images = open_files(tmp_path, WHOLE)
    digest = hashlib.sha256(b"1").hexdigest()
    found = images.put(b"1", url, digest, "png", facts)
    images.flush()
    images.close()
    assert found.startswith(f"images/{name.removesuffix('.png')}")
    assert files(tmp_path) == [found]


@given(st.text(), st.text(), st.integers(0))
@settings(max_examples=50)
def test_nothing_of_a_path_or_of_data_leaves_the_folder(
    path: str, title: str, side: int
) -> None:
    url = f"https://a.example/{quote(path, safe='/')}/1.png"
    facts = ImageFacts(side, side, {"title": title})
    name = image_path(WHOLE, url, "0" * 64, "png", facts)
    parts = name.split("/")
    assert parts[:2] == ["images", "a.example"]
    assert not {"", ".", ".."}.intersection(parts)
    assert all(len(os.fsencode(part)) + 65 <= 255 for part in parts)


def test_unknown_fields_are_named() -> None:
    with pytest.raises(UsageError, match=r"there is no {page}; .*{data\.NAME}"):
        check_template("{page}.{ext}")
    check_template("{data.title}-{sha256}.{ext}")
    with pytest.raises(UsageError, match="too long"):
        check_template("{data.a}{data.b}{data.c}.{ext}")
