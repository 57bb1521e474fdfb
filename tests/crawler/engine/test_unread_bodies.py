"""What is neither read nor saved is not downloaded beyond its beginning."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.fetch_url import fetch_url
from crawler.model.config import Config
from crawler.model.content_config import BodiesConfig, FieldConfig
from tests.helpers.crawling import (
    config,
    crawl,
    link,
    page,
    picture,
    png,
    records,
    serve,
)
from tests.site.page import reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

LARGE = 4 * 2**20
PDF = b"%PDF-1.7\n" + b"\0\xff" * (LARGE // 2)
TEXT = b"line\n" * 20_000
SITEMAP = b"<urlset><url><loc>/found</loc></url></urlset>" + b" " * 100_000


class Listening:
    """A plug-in that looks at the body of each response."""

    def __init__(self) -> None:
        self.bytes = 0

    def on_exchange(self, exchange: Any) -> None:
        if exchange.response is not None:
            self.bytes = max(self.bytes, len(exchange.response.body))


def chunked(body: bytes, content_type: str) -> Any:
    def answer(exchange: Exchange) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
        exchange.raw(
            f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode(),
            body + b"\r\n0\r\n\r\n",
        )

    return answer


def fetched(folder: Path) -> dict[str, dict[str, Any]]:
    """The last record of each URL but the index, by its path."""
    found = {
        record["url"].split("/", 3)[3]: record
        for record in records(folder)
        if record["type"] in ("file", "page", "image", "error")
    }
    found.pop("", None)
    return found


def one(serve: Any, answer: Any, name: str = "x") -> Site:
    made: Site = serve(index=page(link(f"/{name}")), **{name: answer})
    return made


def crawled(site: Site, folder: Path, name: str = "x", **bodies: Any) -> dict[str, Any]:
    crawl(config(site, folder, bodies=BodiesConfig(**bodies)))
    return fetched(folder)[name]


def assert_unread(record: dict[str, Any], declared: int | None) -> None:
    assert (record["type"], record["truncated"]) == ("file", "unread")
    assert record["sha256"] is None
    assert record["declared_bytes"] == declared
    assert record["wire_bytes"] < 256 * 2**10


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (PDF, "application/pdf"),
        (PDF, "application/octet-stream"),
        (PDF, ""),
        (b"PK\3\4" + PDF, "application/zip"),
        (TEXT, "text/plain"),
        (TEXT, "text/csv"),
        (gzip.compress(PDF, 0), "application/gzip"),
    ],
)
def test_a_large_body_that_nothing_reads_is_not_downloaded(
    serve: Any, tmp_path: Path, body: bytes, content_type: str
) -> None:
    headers = () if content_type else (("Content-Length", str(len(body))),)
    record = crawled(one(serve, reply(body, content_type, headers=headers)), tmp_path)
    assert_unread(record, len(body))


def test_nor_is_one_of_unknown_length(serve: Any, tmp_path: Path) -> None:
    site = one(serve, chunked(PDF, "application/pdf"))
    assert_unread(crawled(site, tmp_path), None)


def test_nor_is_one_that_comes_coded(serve: Any, tmp_path: Path) -> None:
    packed = gzip.compress(PDF, 0)
    answer = reply(packed, "application/pdf", headers=(("Content-Encoding", "gzip"),))
    assert_unread(crawled(one(serve, answer), tmp_path), len(packed))


@pytest.mark.parametrize("bodies", [{"hash_files": True}, {"save": ("pdf",)}])
def test_it_is_downloaded_for_its_hash_or_to_be_saved(
    serve: Any, tmp_path: Path, bodies: dict[str, Any]
) -> None:
    record = crawled(one(serve, reply(PDF, "application/pdf")), tmp_path, **bodies)
    assert record["sha256"] == hashlib.sha256(PDF).hexdigest()
    assert (record["truncated"], record["declared_bytes"]) == (None, None)
    if "save" in bodies:
        assert (tmp_path / record["body_path"]).read_bytes() == PDF


@pytest.mark.parametrize(
    ("name", "body", "content_type"),
    [
        ("x", b"<p>" + TEXT, "text/html"),
        ("x", SITEMAP, "application/xml"),
        ("x", SITEMAP, "application/octet-stream"),
        ("x", gzip.compress(SITEMAP + PDF[:100_000], 0), "application/gzip"),
        ("sitemap.txt", b"http://a.test/\n" * 9_000, "text/plain"),
        ("x", png() + bytes(100_000), "application/pdf"),
        ("x", b'["x"' + b" " * 70_000 + b"]", "application/json"),
        ("x", b'{"version": "https://jsonfeed.org/version/1.1"}' + b" " * 70_000,
         "application/json"),
    ],
)  # fmt: skip
def test_what_a_reader_wants_is_downloaded_whole(
    serve: Any, tmp_path: Path, name: str, body: bytes, content_type: str
) -> None:
    record = crawled(one(serve, reply(body, content_type), name), tmp_path, name)
    assert record["sha256"] == hashlib.sha256(body).hexdigest()
    assert record["truncated"] is None


def test_json_is_downloaded_for_the_fields_of_the_user(
    serve: Any, tmp_path: Path
) -> None:
    body = b'{"a": 1' + b" " * 100_000 + b"}"
    site = one(serve, reply(body, "application/problem+json"))
    settings = config(site, tmp_path, fields={"a": FieldConfig("json:a", type="int")})
    crawl(settings)
    assert fetched(tmp_path)["x"]["data"] == {"a": 1}


def test_a_small_body_is_hashed_as_ever(serve: Any, tmp_path: Path) -> None:
    body = PDF[: 64 * 2**10]
    record = crawled(one(serve, reply(body, "application/pdf")), tmp_path)
    assert record["sha256"] == hashlib.sha256(body).hexdigest()


def test_an_error_is_what_it_was(serve: Any, tmp_path: Path) -> None:
    record = crawled(one(serve, reply(PDF, "application/pdf", status=404)), tmp_path)
    assert (record["type"], record["error_code"]) == ("error", "status_4xx")


def test_what_a_page_takes_for_an_image_is_not_downloaded_either(
    serve: Any, tmp_path: Path
) -> None:
    video = b"\0\0\0\x18ftypisom" + PDF
    site = serve(index=page(picture("/x")), x=reply(video, "video/mp4"))
    assert_unread(crawled(site, tmp_path), len(video))


def test_one_url_is_fetched_whole(serve: Any, tmp_path: Path) -> None:
    site = one(serve, reply(PDF, "application/pdf"))
    found = fetch_url(config(site, tmp_path), site.url("/x"))
    assert found.response is not None
    assert found.response.body == PDF
    assert found.record.sha256 == hashlib.sha256(PDF).hexdigest()


def test_a_plug_in_that_sees_exchanges_sees_whole_bodies(
    serve: Any, tmp_path: Path
) -> None:
    from crawler.engine.builder import open_crawl

    site, listening = one(serve, reply(PDF, "application/pdf")), Listening()
    open_crawl(config(site, tmp_path), mode="new", plugins=[listening]).run()
    assert listening.bytes == len(PDF)


class Versions:
    """A PDF with the validators of the moment; it answers no condition."""

    def __init__(self) -> None:
        self.body = PDF
        self.headers: tuple[tuple[str, str], ...] = ()
        self.unmodified = False

    def __call__(self, exchange: Exchange) -> None:
        if self.unmodified and "if-none-match" in exchange.hit.headers:
            exchange.reply(status=304, headers=self.headers)
        else:
            exchange.reply(self.body, "application/pdf", headers=self.headers)


def again(settings: Config) -> str | None:
    crawl(settings, "newer")
    changed: str | None = fetched(Path(settings.dir))["x"]["changed"]
    return changed


def test_its_validators_tell_whether_it_has_changed(serve: Any, tmp_path: Path) -> None:
    versions = Versions()
    versions.headers = (("ETag", '"1"'),)
    settings = config(one(serve, versions), tmp_path)
    crawl(settings)
    assert again(settings) == "unchanged"
    versions.headers = (("ETag", '"2"'),)
    assert again(settings) == "changed"
    versions.unmodified = True
    assert again(settings) == "unchanged"
    record = fetched(tmp_path)["x"]
    assert (record["from_cache"], record["sha256"]) == ("not_modified", None)
    assert record["declared_bytes"] == len(PDF)


def test_without_validators_only_the_size_may_tell(serve: Any, tmp_path: Path) -> None:
    versions = Versions()
    settings = config(one(serve, versions), tmp_path)
    crawl(settings)
    assert again(settings) is None
    versions.body = PDF + b"\n"
    assert again(settings) == "changed"
    hashing = replace(settings, bodies=BodiesConfig(hash_files=True))
    assert again(hashing) is None  # no hash to compare it with
    assert again(hashing) == "unchanged"
