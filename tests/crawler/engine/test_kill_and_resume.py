"""A crawl killed at any moment and resumed.

Every URL has one record, and every picture and body is on disk once.
"""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crawler.extract.looks.look import HASH_BYTES
from crawler.frontier.sqlite.database import STATE_FOLDER
from crawler.frontier.sqlite.reader import open_state
from crawler.output.lines import stream_files
from tests.helpers.killable import (
    BATCHES,
    IMAGES,
    PACKED,
    PAGES,
    STYLES,
    body,
    items,
    look,
    named_links,
    picture,
    style,
    thumbnail,
)
from tests.helpers.paths import ROOT
from tests.helpers.sinks import read_batch_folder


def run_until_done(folder: Path, first_seed: int, number: int, *more: str) -> int:
    """One round, killed as often as it takes; how often that was."""
    killed = 0
    for seed in range(first_seed, first_seed + 200):
        ended = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.helpers.killable",
                str(folder),
                str(seed),
                str(number),
                *more,
            ],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        if ended.returncode == 0:
            break
        assert ended.returncode in (-signal.SIGKILL, -signal.SIGPROF), (
            ended.stderr.decode()
        )
        killed += 1
    assert ended.returncode == 0
    return killed


def records_of(folder: Path) -> list[dict[str, Any]]:
    data = (folder / "records.jsonl").read_bytes()
    parts = [gzip.decompress(f.read_bytes()) for f in stream_files(folder / PACKED)]
    first_line = data[: data.index(b"\n") + 1]
    assert len(parts) > 3
    assert all(part.startswith(first_line) for part in parts)
    assert first_line + b"".join(part[len(first_line) :] for part in parts) == data
    lines = data.splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    records = [msgspec.json.decode(line) for line in lines]
    seqs = [record["seq"] for record in records]
    assert seqs == list(range(len(records)))
    assert read_batch_folder(folder / BATCHES) == seqs[1:]  # the other sink
    return records[1:]


def assert_each_url_once(records: list[dict[str, Any]]) -> None:
    urls = Counter(record["url"] for record in records if record["type"] != "item")
    assert set(urls.values()) == {1}
    assert len(urls) == PAGES + IMAGES + STYLES + 50


def assert_each_item_once(records: list[dict[str, Any]]) -> None:
    """The items of a page come right behind its record."""
    expected: list[tuple[str, int, int | None]] = []
    for record in records:
        if record["type"] == "page":
            url, seq = record["url"], record["seq"]
            expected.append((url, seq, None))
            expected += [(url, seq + 1 + n.index, n.index) for n in items(url)]
    assert expected == [
        (record["url"], record["seq"], record.get("index"))
        for record in records
        if record["type"] in ("page", "item")
    ]
    assert len(expected) == PAGES * 2


def assert_each_picture_once(folder: Path) -> None:
    pictures = [
        path.read_bytes() for path in (folder / "images").rglob("*") if path.is_file()
    ]
    assert len(pictures) == len(set(pictures)) == IMAGES // 2


def assert_each_body_once(folder: Path, records: list[dict[str, Any]]) -> None:
    """Every record names a file with its bytes, and no file is there without one."""
    bodies = {"page": body, "file": style}
    with_body = [record for record in records if record["type"] in bodies]
    files = {str(p.relative_to(folder)) for p in (folder / "bodies").rglob("*.*")}
    assert {record["body_path"] for record in with_body} == files
    assert len(files) == (PAGES + STYLES) // 2
    for record in with_body:
        sent = bodies[record["type"]](record["url"])
        assert (folder / record["body_path"]).read_bytes() == sent


def assert_each_group_has_one_first(records: list[dict[str, Any]]) -> None:
    """Each four neighbours look the same, and each two of them have the same bytes."""
    images = [record for record in records if record["type"] == "image"]
    firsts = [image["url"] for image in images if image["dup_of"] is None]
    groups = Counter(int(url.rsplit("/", 1)[1]) // 4 for url in firsts)
    assert groups == dict.fromkeys(range(IMAGES // 4), 1)
    kinds = Counter(image["dup_kind"] for image in images)
    assert kinds == {None: IMAGES // 4, "near": IMAGES // 4, "exact": IMAGES // 2}
    for image in images:
        number = int(image["url"].rsplit("/", 1)[1])
        assert image["phash"] == look(number)[:HASH_BYTES].hex()
        if image["dup_kind"] == "near":
            assert image["dup_of"] in firsts


def assert_the_best_of_each_group_is_kept(
    folder: Path, records: list[dict[str, Any]]
) -> None:
    """The later two of each four are the larger ones."""
    last = {one["url"]: one for one in records if one["type"] == "image"}
    best = {picture(f"/{number}") for number in range(IMAGES) if number % 4 >= 2}
    files = [one for one in (folder / "images").rglob("*") if one.is_file()]
    assert {one.read_bytes() for one in files} == best
    assert len(files) == len(best) == IMAGES // 4
    small = [one for one in (folder / "thumbnails").rglob("*") if one.is_file()]
    assert {one.read_bytes() for one in small} == {thumbnail(data) for data in best}
    assert len(small) == len(best)
    replaced = {one["replaces"] for one in last.values()}
    for url, one in last.items():
        if int(url.rsplit("/", 1)[1]) % 4 >= 2:
            assert one["path"]
            assert (folder / one["path"]).read_bytes() == picture(url)
            own = (folder / one["thumbnail_path"]).read_bytes()
            assert own == thumbnail(picture(url))
        elif one["path"] is None:
            assert one["dup_of"] in last
        else:
            assert url in replaced or one["dup_of"] in replaced


def assert_each_page_has_its_links(folder: Path) -> None:
    with open_state(folder / STATE_FOLDER) as state:
        stored = {
            source.url: [
                (state.url_at(one.target).url, one.text) for one in source.links
            ]
            for source in state.source_links()
        }
    assert len(stored) == PAGES
    for url, links in stored.items():
        assert links == [(one.url, one.text) for one in named_links(url)]


@pytest.mark.parametrize("first_seed", [0, 1000])
def test_no_url_is_lost_and_none_is_written_twice(
    tmp_path: Path, first_seed: int
) -> None:
    assert run_until_done(
        tmp_path, first_seed, 0
    )  # the first always; how many more depends on
    found = records_of(tmp_path)  # the machine's speed
    assert_each_url_once(found)
    assert_each_item_once(found)
    assert_each_picture_once(tmp_path)
    assert_each_body_once(tmp_path, found)
    assert_each_group_has_one_first(found)
    assert_each_page_has_its_links(tmp_path)


def test_neither_when_it_is_crawled_again(tmp_path: Path) -> None:
    for number in range(2):
        assert run_until_done(tmp_path, 2000 + 200 * number, number)
    found = records_of(tmp_path)
    for number in range(2):
        ours = [record for record in found if record["run_id"] == str(number)]
        assert_each_url_once(ours)
        assert_each_item_once(ours)
        assert_each_body_once(tmp_path, ours)
        assert_each_group_has_one_first(ours)
        changes = Counter(
            record.get("changed")
            for record in ours
            if record["type"] not in ("skip", "item")
        )
        assert changes == {"unchanged" if number else None: PAGES + IMAGES + STYLES}
        cached = Counter(record.get("from_cache") for record in ours)
        assert (cached["not_modified"] > 0) is (number > 0)
    assert_each_picture_once(tmp_path)
    assert_each_page_has_its_links(tmp_path)


def test_the_best_of_what_looks_the_same_is_kept_and_nothing_else(
    tmp_path: Path,
) -> None:
    assert run_until_done(tmp_path, 4000, 0, "near")
    found = records_of(tmp_path)
    assert_each_url_once(found)
    assert_the_best_of_each_group_is_kept(tmp_path, found)
