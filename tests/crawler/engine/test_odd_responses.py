"""What the records say about responses that break HTTP, or end too early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.helpers.crawling import config, crawl, link, of, page
from tests.site.page import raw, reply


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
