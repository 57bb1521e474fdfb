"""What the records say about responses that break HTTP, or end too early."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brotli
import pytest

from crawler.model.content_config import OutputConfig
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import RetryConfig
from tests.helpers.crawling import (
    config,
    crawl,
    endings,
    link,
    of,
    page,
    picture,
    png,
    records,
    serve,
)
from tests.site.codings import raw_deflate, zstd
from tests.site.page import keep_open, raw, reply
from tests.site.server import Exchange, Handler

__all__ = ["serve"]

LINK = b"<title>T</title><a href=/a>A</a>"
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
SHORT = b"Content-Length: 999\r\n\r\n"


def in_turn(*answers: Handler) -> Handler:
    """Answer the first request with the first handler, and the last ones alike."""
    left = list(answers)

    def answer(exchange: Exchange) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(exchange)

    return answer


def test_a_record_names_what_was_tolerated(serve: Any, tmp_path: Path) -> None:
    odd = raw(
        b"HTTP/1.1 200OK\r\nContent-Type : text/html\r\nno colon\r\n"
        b"Content-Length: 15\r\n\r\n<a href=/a>A</a>"
    )
    site = serve(index=page(link("/odd")), odd=odd, a=page("A"))
    crawl(config(site, tmp_path))
    tolerated = {r["url"]: r["tolerated"] for r in of(tmp_path, "page")}
    assert tolerated == {
        site.url("/"): [],
        site.url("/a"): [],
        site.url("/odd"): ["status_line", "space_before_colon", "no_colon"],
    }


def test_a_redirect_names_its_media_type_without_parameters(
    serve: Any, tmp_path: Path
) -> None:
    moved = reply(
        "moved", "text/plain, text/html; charset=utf-8", status=302,
        headers=(("Location", "/a"),),
    )  # fmt: skip
    site = serve(index=page(link("/moved")), moved=moved, a=page("A"))
    crawl(config(site, tmp_path))
    assert [record["content_type"] for record in of(tmp_path, "redirect")] == [
        "text/html"
    ]


def test_the_bytes_of_a_location_reach_the_server_as_they_were_sent(
    serve: Any, tmp_path: Path
) -> None:
    gbk = "/s?q=你好".encode("gbk")
    moved = raw(
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + gbk + b"\r\n\r\n"
    )
    site = serve(index=page(link("/moved")), moved=moved, s=page("found"))
    crawl(config(site, tmp_path))
    assert "/s?q=%C4%E3%BA%C3" in [hit.target for hit in site.log]


# -- bodies that are not needed

BROKEN_BODIES: dict[str, tuple[bytes, bytes, Callable[..., Handler]]] = {
    "shorter than its length": (SHORT, b"short", raw),
    "never comes": (SHORT, b"", keep_open),
    "half a chunk": (b"Transfer-Encoding: chunked\r\n\r\n", b"ff\r\nshort", raw),
    "no chunk at all": (b"Transfer-Encoding: chunked\r\n\r\n", b"<html>\r\n", raw),
    "no last chunk": (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", keep_open),
    "half a coding": (
        b"Content-Encoding: gzip\r\n\r\n", gzip.compress(LINK)[:20], raw
    ),
    "another coding": (b"Content-Encoding: br\r\n" + SHORT, b"short", raw),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_a_redirect_and_an_error_need_no_body(
    serve: Any, tmp_path: Path, name: str
) -> None:
    fields, body, send = BROKEN_BODIES[name]
    moved = b"HTTP/1.1 302 Found\r\nLocation: /a\r\n" + fields + body
    gone = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n" + fields + body
    site = serve(
        index=page(link("/moved", "/gone")),
        moved=send(moved),
        gone=send(gone),
        a=page("A"),
        **{"robots.txt": send(gone)},
    )
    http = HttpConfig(timeout=5.0, read_timeout=0.3)
    crawl(config(site, tmp_path, http=http))
    assert endings(tmp_path, site) == {
        "/": "page", "/moved": "redirect", "/gone": "error", "/a": "page"
    }  # fmt: skip
    (error,) = of(tmp_path, "error")
    assert (error["status"], error["error_code"]) == (404, "status_4xx")
    assert error["attempts"] == 1


def test_a_redirect_says_that_its_body_broke_off(serve: Any, tmp_path: Path) -> None:
    moved = raw(b"HTTP/1.1 302 Found\r\nLocation: /a\r\n" + SHORT + b"short")
    site = serve(index=page(link("/moved")), moved=moved, a=page("A"))
    crawl(config(site, tmp_path))
    (redirect,) = of(tmp_path, "redirect")
    assert (redirect["truncated"], redirect["wire_bytes"]) == ("disconnect", 5)


@pytest.mark.parametrize("status", [b"404 Not Found", b"302 Found\r\nLocation: /a"])
def test_a_body_that_is_not_needed_has_little_time(
    serve: Any, tmp_path: Path, status: bytes
) -> None:
    def drip(exchange: Exchange) -> None:
        exchange.raw(b"HTTP/1.1 " + status + b"\r\n" + SHORT)
        while True:
            exchange.raw(b"x")
            exchange.sleep(0.02)

    site = serve(index=page(link("/drip")), drip=drip, a=page("A"))
    crawl(config(site, tmp_path, http=HttpConfig(timeout=1.0)))
    ended = endings(tmp_path, site)
    assert ended["/drip"] == ("error" if b"404" in status else "redirect")
    assert [e["error_code"] for e in of(tmp_path, "error")] in ([], ["status_4xx"])
    (dripping,) = [hit for hit in site.log if hit.target == "/drip"]
    later = site.log[site.log.index(dripping) + 1 :]
    assert dripping.connection not in [hit.connection for hit in later]


def test_a_300_without_a_location_needs_its_body(serve: Any, tmp_path: Path) -> None:
    choices = raw(b"HTTP/1.1 300 C\r\nContent-Type: text/html\r\n" + SHORT + LINK)
    site = serve(index=choices, a=page("A"))
    crawl(config(site, tmp_path, records=OutputConfig(keep_truncated="none")))
    assert [e["error_code"] for e in of(tmp_path, "error")] == ["reset"]


# -- bodies that broke off are requested again

CODINGS = {
    "gzip": gzip.compress(LINK * 50),
    "deflate": raw_deflate(LINK * 50),
    "br": brotli.compress(LINK * 50),
    "zstd": zstd.compress(LINK * 50),
    "gzip, br": brotli.compress(gzip.compress(LINK * 50)),
}


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("length", [True, False])
def test_a_coding_that_was_cut_short_is_requested_again(
    serve: Any, tmp_path: Path, coding: str, length: bool
) -> None:
    whole = CODINGS[coding]

    def coded(body: bytes) -> Handler:
        fields = f"Content-Encoding: {coding}\r\n".encode()
        if length:
            fields += b"Content-Length: %d\r\n" % len(body)
        return raw(HTML + fields + b"\r\n" + body)

    site = serve(index=in_turn(coded(whole[:-6]), coded(whole)), a=page("A"))
    crawl(config(site, tmp_path))
    found = {r["url"]: (r["attempts"], r["truncated"]) for r in of(tmp_path, "page")}
    assert found == {site.url("/"): (2, None), site.url("/a"): (1, None)}


def test_an_image_that_only_the_end_of_the_connection_ended_is_requested_again(
    serve: Any, tmp_path: Path
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n\r\n"
    half, whole = raw(head + png()[:40]), raw(head + png())
    lengthy = reply(png()[:40], "image/png")
    site = serve(
        index=page(picture("/cut.png", "/sized.png", "/no.png")),
        **{
            "cut.png": in_turn(half, whole),
            "sized.png": lengthy,
            "no.png": raw(head + b"no image"),
        },
    )
    crawl(config(site, tmp_path))
    assert [(r["attempts"], r["width"]) for r in of(tmp_path, "image")] == [(2, 3)]
    errors = of(tmp_path, "error")
    assert {r["url"]: (r["attempts"], r["error_code"]) for r in errors} == {
        site.url("/sized.png"): (1, "image_decode"),
        site.url("/no.png"): (1, "image_decode"),
    }  # fmt: skip


# -- what came is kept after the last attempt


def broken_site(serve: Any) -> Any:
    half = png(40, 40)[:-20]
    return serve(
        index=page(link("/cut", "/coded", "/empty", "/cut.txt"), picture("/cut.png")),
        cut=raw(HTML + SHORT + LINK),
        coded=raw(HTML + b"Content-Encoding: gzip\r\n\r\n" + CODINGS["gzip"][:-9]),
        empty=raw(HTML + SHORT),
        a=page("A"),
        **{
            "cut.txt": raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + SHORT
                           + b"half"),
            "cut.png": raw(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n" + SHORT
                           + half),
        },
    )  # fmt: skip


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        ("none", {"/cut": "error", "/coded": "error"}),
        ("pages", {"/a": "page"}),
        ("all", {"/a": "page", "/cut.txt": "file", "/cut.png": "image"}),
    ],
)
def test_what_is_kept_of_a_body_that_broke_off(
    serve: Any, tmp_path: Path, keep: Any, kept: dict[str, str]
) -> None:
    site = broken_site(serve)
    crawl(config(site, tmp_path, records=OutputConfig(keep_truncated=keep)))
    assert endings(tmp_path, site) == {
        "/": "page", "/cut": "page", "/coded": "page", "/empty": "error",
        "/cut.txt": "error", "/cut.png": "error",
    } | kept  # fmt: skip
    truncated = {
        record["url"].removeprefix(site.base): record["attempts"]
        for record in records(tmp_path)
        if record.get("truncated") == "disconnect"
    }
    whole = {"/", "/a"}
    ended = endings(tmp_path, site).items()
    assert set(truncated) == {p for p, k in ended if k != "error"} - whole
    assert set(truncated.values()) <= {2}
    failed = {r["error_code"] for r in of(tmp_path, "error")}
    assert failed <= {"reset", "decode"}


def test_the_links_of_half_a_sitemap_are_kept(serve: Any, tmp_path: Path) -> None:
    half = "<urlset><url><loc>/a</loc></url><url><lo"
    body = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n" + SHORT
    site = serve(
        index=page(link("/map.xml")),
        a=page("A"),
        **{"map.xml": raw(body + half.encode())},
    )
    crawl(config(site, tmp_path))
    assert endings(tmp_path, site) == {"/": "page", "/map.xml": "file", "/a": "page"}
    assert [file["truncated"] for file in of(tmp_path, "file")] == ["disconnect"]


def test_a_robots_txt_whose_coding_was_cut_short_is_requested_again(
    serve: Any, tmp_path: Path
) -> None:
    rules = gzip.compress(b"User-agent: *\nDisallow: /no\n" * 20)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    head += b"Content-Encoding: gzip\r\n\r\n"
    site = serve(
        robots=in_turn(raw(head + rules[:-9]), raw(head + rules)),
        index=page(link("/a", "/no")),
        a=page("A"),
    )
    crawl(config(site, tmp_path))
    assert endings(tmp_path, site) == {"/": "page", "/a": "page"}


def test_half_a_picture_is_kept_as_a_file_that_says_so(
    serve: Any, tmp_path: Path
) -> None:
    site = broken_site(serve)
    crawl(config(site, tmp_path, records=OutputConfig(keep_truncated="all")))
    (image,) = of(tmp_path, "image")
    assert (image["format"], image["truncated"]) == ("png", "disconnect")
    assert (tmp_path / image["path"]).read_bytes() == png(40, 40)[:-20]


def test_what_broke_off_is_not_revalidated(serve: Any, tmp_path: Path) -> None:
    validated = HTML + b'ETag: "1"\r\n'
    site = serve(index=in_turn(raw(validated + SHORT + LINK),
                               raw(validated + SHORT + LINK), page("whole")),
                 a=page("A"))  # fmt: skip
    settings = config(site, tmp_path)
    crawl(settings)
    crawl(settings, "newer")
    asked = [hit for hit in site.log if hit.target == "/"]
    assert [hit.headers.get("if-none-match") for hit in asked] == [None] * 3


def test_the_beginning_of_a_long_download_is_kept(serve: Any, tmp_path: Path) -> None:
    """It was resumed, and each further connection broke."""
    body = LINK + b"x" * 100_000
    head = HTML + b'ETag: "1"\r\nContent-Length: 999999\r\n\r\n'
    site = serve(index=raw(head + body), a=page("A"))
    crawl(config(site, tmp_path, retry=RetryConfig(tries=1)))
    found = {r["url"]: (r["truncated"], r["body_bytes"]) for r in of(tmp_path, "page")}
    assert found[site.url("/")] == ("disconnect", len(body))


def test_a_total_timeout_keeps_nothing(serve: Any, tmp_path: Path) -> None:
    def drip(exchange: Exchange) -> None:
        exchange.raw(HTML + SHORT + LINK)
        while True:
            exchange.raw(b"x")
            exchange.sleep(0.05)

    site = serve(index=drip)
    crawl(config(site, tmp_path, http=HttpConfig(timeout=0.5)))
    assert [e["error_code"] for e in of(tmp_path, "error")] == ["total_timeout"]
