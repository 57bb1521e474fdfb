"""A crawl that keeps contents, killed at any moment: records, items, bodies, archive.

As in `test_kill.py`, the moments are random but reproducible. Two more kinds of
progress lead into the other steps of a commit: bytes of WARC files, and files that no
record names yet.
"""

from __future__ import annotations

import hashlib
import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from crawler.output.compression import open_unpacked
from tests.helpers.content_site import ContentSite
from tests.helpers.killed_crawl import RECORD_BYTES, Crawl
from tests.helpers.waczs import read_wacz
from tests.helpers.warcs import Read, problems, read_warcs

TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}

PAGES = 200
SETTINGS = """
[bodies]
save = ["all"]
[warc]
wacz = true
prefix = "site"
max_size = "60K"
[fields]
title = "css:h1::text"
[[site]]
match = "/"
items = "css:.item"
[site.fields]
name = "css:b"
price = { select = "css:i", type = "int" }
"""


class Content(Crawl):
    """The same with contents: fields, items, bodies, WARC files."""

    site: ContentSite
    settings = SETTINGS

    def __init__(self, site: ContentSite, folder: Path, seed: int) -> None:
        super().__init__(site, folder, seed)
        self.progress += [self._archived, self._writing_files]

    def _archived(self, amount: int) -> Callable[[], bool]:
        goal = self._warc_size() + amount * RECORD_BYTES
        return lambda: self._warc_size() >= goal

    def _warc_size(self) -> int:
        return size_of(*(self.folder / "warc").glob("*.warc.gz"))

    def _writing_files(self, amount: int) -> Callable[[], bool]:
        """So many requests, and files that no record names yet."""
        enough, journal = self._requests(amount), self.folder / "state" / "pictures"
        return lambda: enough() and size_of(journal) > 0

    def _arguments(self) -> list[str]:
        if self.folder.exists():
            return super()._arguments()
        settings = self.folder.with_suffix(".toml")
        settings.write_text(self.settings)
        return [*super()._arguments(), "--config", str(settings)]


class Packed(Content):
    """The same with records in compressed parts; a plain output is beside them."""

    outputs = ("plain.jsonl", "packed.jsonl.gz", "packed.jsonl.zst")
    settings = SETTINGS + '[records]\nrotate = "40K"\n'

    def lines(self) -> list[dict[str, Any]]:
        plain, *packed = (self._stream(name) for name in self.outputs)
        assert all(stream == plain for stream in packed)
        return [json.loads(line) for line in plain.splitlines()]

    def _arguments(self) -> list[str]:
        if self.folder.exists():
            return super()._arguments()
        outputs = [f"-o{self.folder / name}" for name in self.outputs]
        return [*super()._arguments(), *outputs]

    def _size(self) -> int:
        return size_of(*self._parts(self.outputs[0]))

    def _parts(self, name: str) -> list[Path]:
        stem, _, endings = name.partition(".")
        return sorted(self.folder.glob(f"{stem}-*.{endings}"))

    def _stream(self, name: str) -> bytes:
        """The records of all parts of an output; each part begins with the schema."""
        parts = [unpacked(part) for part in self._parts(name)]
        first = parts[0][: parts[0].index(b"\n") + 1]
        assert len(parts) > 1
        assert all(part.startswith(first) for part in parts)
        return first + b"".join(part[len(first) :] for part in parts)


def size_of(*files: Path) -> int:
    """Bytes in those of `files` that are there: the crawl removes some meanwhile."""
    size = 0
    for file in files:
        with suppress(FileNotFoundError):
            size += file.stat().st_size
    return size


def unpacked(file: Path) -> bytes:
    if file.suffix == ".jsonl":
        return file.read_bytes()
    with open_unpacked(file, file.suffix) as stream:
        return stream.read()


@pytest.fixture
def content_site() -> Iterator[ContentSite]:
    with ContentSite(PAGES, seed=7) as running:
        yield running


def check_contents(crawl: Content) -> None:
    """Each URL, item, body and exchange is there exactly once, as it was served."""
    lines = crawl.lines()[1:]
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1))
    ends = {line["url"]: line for line in lines if line["type"] in TERMINAL}
    assert len(ends) == sum(line["type"] in TERMINAL for line in lines)
    served = {crawl.site.url + path: one for path, one in crawl.site.answers.items()}
    assert {url: kind_of(*answer[:2]) for url, answer in served.items()} == {
        url: end["type"] for url, end in ends.items()
    }
    check_items(crawl.site, lines)
    check_files(crawl.folder, ends, {url: body for url, (_, _, body) in served.items()})
    check_archive(crawl, served)


def kind_of(status: int, media_type: str) -> str:
    if status != 200:
        return "error" if status == 404 else "redirect"
    return {"text/html": "page", "image/png": "image"}.get(media_type, "file")


def check_items(site: ContentSite, lines: list[dict[str, Any]]) -> None:
    """The items of a page come behind its record, and no others."""
    expected = []
    for page in (line for line in lines if line["type"] == "page"):
        assert page["data"] == {"title": page["url"].removeprefix(site.url)}
        items = site.items(page["url"])
        expected += [(page["url_id"], page["seq"], None)]
        expected += [
            (page["url_id"], page["seq"] + 1 + place, item)
            for place, item in enumerate(items)
        ]
    assert expected == [
        (line["url_id"], line["seq"], line["data"] if line["type"] == "item" else None)
        for line in lines
        if line["type"] in ("page", "item")
    ]
    assert sum(line["type"] == "item" for line in lines) > PAGES // 2


def check_files(
    folder: Path, ends: dict[str, dict[str, Any]], bodies: dict[str, bytes]
) -> None:
    """Each record names a file with its bytes; each content has one file."""
    named: dict[str, str] = {}
    for url, end in ends.items():
        if end["type"] in ("page", "file", "image"):
            name = end["path"] if end["type"] == "image" else end["body_path"]
            digest = hashlib.sha256(bodies[url]).hexdigest()
            assert end["sha256"] == digest
            assert named.setdefault(digest, name) == name
    for digest, name in named.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert set(named.values()) == {
        str(path.relative_to(folder))
        for kind in ("images", "bodies")
        for path in (folder / kind).rglob("*")
        if path.is_file()
    }


def check_archive(crawl: Content, served: dict[str, tuple[int, str, bytes]]) -> None:
    """Each URL has one exchange of three records; `warcio check` agrees."""
    folder = crawl.folder / "warc"
    records = [r for r in read_warcs(folder) if r.kind != "warcinfo"]
    counted = Counter((group_of(record), record.url) for record in records)
    assert set(counted.values()) == {1}
    urls = {*served, crawl.site.url + "/robots.txt"}
    assert counted.keys() == {
        (group, url) for group in ("answer", "request", "metadata") for url in urls
    }
    for record in records:
        if record.kind == "response" and not record.url.endswith("/robots.txt"):
            status, _, body = served[record.url]
            assert record.status == str(status)
            assert record.content == body
    assert read_wacz(crawl.folder / "site.wacz").urls == sorted(urls)
    for file in folder.glob("*.warc.gz"):
        assert problems(file) == []


def group_of(record: Read) -> str:
    return "answer" if record.kind in ("response", "revisit") else record.kind


def test_twenty_kills_lose_and_repeat_no_content(
    content_site: ContentSite, tmp_path: Path
) -> None:
    crawl = Content(content_site, tmp_path / "crawl", seed=8)
    for _ in range(20):
        assert crawl.run_until(signal.SIGKILL, step=18) == -signal.SIGKILL
    crawl.finish()
    check_contents(crawl)


def test_kills_lose_and_repeat_nothing_in_compressed_parts(
    content_site: ContentSite, tmp_path: Path
) -> None:
    crawl = Packed(content_site, tmp_path / "crawl", seed=9)
    for _ in range(8):
        assert crawl.run_until(signal.SIGKILL, step=45) == -signal.SIGKILL
    crawl.finish()
    check_contents(crawl)
