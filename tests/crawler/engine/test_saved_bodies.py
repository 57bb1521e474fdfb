"""`--save`: bodies on disk, byte for byte, once, and named in their records."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.model.config import Config
from crawler.model.content_config import BodiesConfig, OutputConfig
from crawler.model.policy_config import ScopeConfig
from tests.helpers.crawling import (
    TERMINAL,
    config,
    crawl,
    link,
    page,
    picture,
    png,
    records,
    serve,
)
from tests.site.page import raw, reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

HTML = "<!doctype html><title>ü</title>" + link("/a", "/b", "/d.json", "/d.pdf", "/x")
JSON, PDF, CSS = b'{"a": 1}', b"%PDF-1.7 \0\xff", b"a { color: red }"


class Revalidated:
    """Answers 304 to its ETag; `sent` counts the bodies."""

    def __init__(self, body: bytes, content_type: str) -> None:
        self.body, self.content_type, self.sent = body, content_type, 0

    def __call__(self, exchange: Exchange) -> None:
        etag = f'"{hashlib.sha256(self.body).hexdigest()}"'
        if exchange.hit.headers.get("if-none-match") == etag:
            exchange.reply(status=304, headers=(("ETag", etag),))
        else:
            self.sent += 1
            exchange.reply(self.body, self.content_type, headers=(("ETag", etag),))


@pytest.fixture
def pdf() -> Revalidated:
    return Revalidated(PDF, "application/pdf")


@pytest.fixture
def site(serve: Any, pdf: Revalidated) -> Site:
    zipped = (("Content-Encoding", "gzip"),)
    pages = {
        "a": reply(gzip.compress(CSS), "text/css", headers=zipped),
        "b": reply(CSS, "text/css"),
        "d.json": reply(JSON, "application/problem+json"),
        "d.pdf": pdf,
        "x": page("<p>x", picture("/i.png")),
        "i.png": reply(png(), "image/png"),
    }
    made: Site = serve(index=Revalidated(HTML.encode(), "text/html"), **pages)
    return made


def saving(site: Site, folder: Path, *types: str, **changes: Any) -> Config:
    return config(site, folder, bodies=BodiesConfig(types), **changes)


def by_path(folder: Path) -> dict[str, dict[str, Any]]:
    """The last record of each URL, by its path."""
    return {
        record["url"].split("/", 3)[3]: record
        for record in records(folder)
        if record["type"] in TERMINAL
    }


def files_of(folder: Path) -> set[str]:
    found = (folder / "bodies").rglob("*")
    return {str(path.relative_to(folder)) for path in found if path.is_file()}


@pytest.mark.parametrize(
    ("types", "saved"),
    [
        ((), set()),
        (("html",), {"", "x"}),
        (("pdf", "json"), {"d.pdf", "d.json"}),
        (("application/pdf",), {"d.pdf"}),
        (("text/*",), {"", "x", "a", "b"}),
        (("css", "js"), {"a", "b"}),
        (("all",), {"", "x", "a", "b", "d.json", "d.pdf"}),
    ],
)
def test_the_types_that_were_named_are_saved(
    site: Site, tmp_path: Path, types: tuple[str, ...], saved: set[str]
) -> None:
    crawl(saving(site, tmp_path, *types))
    found = by_path(tmp_path)
    named = {path: one["body_path"] for path, one in found.items() if path != "i.png"}
    assert {path for path, file in named.items() if file} == saved
    assert {named[path] for path in saved} == files_of(tmp_path)
    assert "body_path" not in found["i.png"]
    assert found["i.png"]["path"].startswith("images/")
    for path in saved:
        data = (tmp_path / named[path]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == found[path]["sha256"]


def test_a_body_is_kept_as_decoded_once_and_named_by_type_and_hash(
    site: Site, tmp_path: Path
) -> None:
    crawl(saving(site, tmp_path, "all"))
    found = by_path(tmp_path)
    name = hashlib.sha256(CSS).hexdigest()
    assert found["a"]["body_path"] == f"bodies/{name[:2]}/{name}.css"
    assert found["b"]["body_path"] == found["a"]["body_path"]
    assert (tmp_path / found["a"]["body_path"]).read_bytes() == CSS
    assert (tmp_path / found[""]["body_path"]).read_bytes() == HTML.encode()
    assert found["d.json"]["body_path"].endswith(".json")
    assert (tmp_path / found["d.pdf"]["body_path"]).read_bytes() == PDF
    assert len(files_of(tmp_path)) == 5


def test_an_unchanged_body_keeps_its_file(
    site: Site, tmp_path: Path, pdf: Revalidated
) -> None:
    settings = saving(site, tmp_path, "all")
    crawl(settings)
    before, files = by_path(tmp_path), files_of(tmp_path)
    crawl(settings, "newer")
    after = by_path(tmp_path)
    assert pdf.sent == 1
    assert after["d.pdf"]["from_cache"] == "not_modified"
    assert files_of(tmp_path) == files
    for path in ("", "a", "b", "d.json", "d.pdf", "x"):
        assert after[path]["changed"] == "unchanged"
        assert after[path]["body_path"] == before[path]["body_path"]


def test_a_body_whose_file_is_gone_is_fetched_whole(
    site: Site, tmp_path: Path, pdf: Revalidated
) -> None:
    settings = saving(site, tmp_path, "all")
    crawl(settings)
    file = tmp_path / by_path(tmp_path)["d.pdf"]["body_path"]
    file.unlink()
    crawl(settings, "newer")
    record = by_path(tmp_path)["d.pdf"]
    assert pdf.sent == 2
    assert (record["from_cache"], record["changed"]) == ("miss", "unchanged")
    assert file.read_bytes() == PDF


def test_a_recrawl_that_saves_more_fetches_whole(
    site: Site, tmp_path: Path, pdf: Revalidated
) -> None:
    crawl(saving(site, tmp_path, "html"))
    assert by_path(tmp_path)["d.pdf"]["body_path"] is None
    crawl(saving(site, tmp_path, "html", "pdf"), "newer")
    assert pdf.sent == 2
    assert (tmp_path / by_path(tmp_path)["d.pdf"]["body_path"]).read_bytes() == PDF


def test_a_changed_body_gets_a_file_of_its_own(
    site: Site, tmp_path: Path, pdf: Revalidated
) -> None:
    settings = saving(site, tmp_path, "pdf")
    crawl(settings)
    old = by_path(tmp_path)["d.pdf"]["body_path"]
    pdf.body = b"%PDF-2.0"
    crawl(settings, "newer")
    record = by_path(tmp_path)["d.pdf"]
    assert record["changed"] == "changed"
    assert (tmp_path / record["body_path"]).read_bytes() == b"%PDF-2.0"
    assert (tmp_path / old).read_bytes() == PDF


def test_a_duplicate_that_is_skipped_does_not_hide_the_saved_one(
    site: Site, tmp_path: Path
) -> None:
    settings = saving(
        site,
        tmp_path,
        "css",
        scope=ScopeConfig(dedupe_content=True),
        records=OutputConfig(record=("skips",)),
    )
    crawl(settings)
    crawl(settings, "newer")
    found = by_path(tmp_path)
    first, second = sorted((found["a"], found["b"]), key=lambda one: one["type"])
    assert (first["type"], second["type"]) == ("file", "skip")
    assert second["reason"] == "duplicate_content"
    assert {first["body_path"]} == files_of(tmp_path)


def test_what_other_bytes_stand_in_is_left_alone(site: Site, tmp_path: Path) -> None:
    name = hashlib.sha256(PDF).hexdigest()
    there = tmp_path / "bodies" / name[:2] / f"{name}.pdf"
    there.parent.mkdir(parents=True)
    there.write_bytes(b"the user's own")
    crawl(saving(site, tmp_path, "pdf"))
    file = by_path(tmp_path)["d.pdf"]["body_path"]
    assert there.read_bytes() == b"the user's own"
    assert (tmp_path / file).read_bytes() == PDF


def test_a_fresh_crawl_finds_the_files_again(site: Site, tmp_path: Path) -> None:
    settings = saving(site, tmp_path, "all")
    crawl(settings)
    files = files_of(tmp_path)
    crawl(replace(settings, bodies=BodiesConfig(("pdf",))), "fresh")
    assert files_of(tmp_path) == files
    assert by_path(tmp_path)["d.pdf"]["body_path"] in files


def test_an_empty_body_and_a_page_that_broke_off_are_saved_as_they_came(
    serve: Any, tmp_path: Path
) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\n<p>"
    site = serve(
        index=page(link("/empty", "/cut")),
        empty=reply(b"", "text/plain"),
        cut=raw(cut),
    )
    crawl(saving(site, tmp_path, "text"))
    found = by_path(tmp_path)
    assert (tmp_path / found["empty"]["body_path"]).read_bytes() == b""
    assert found["cut"]["truncated"] == "disconnect"
    assert (tmp_path / found["cut"]["body_path"]).read_bytes() == b"<p>"
