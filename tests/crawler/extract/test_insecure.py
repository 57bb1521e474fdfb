"""What a page of https has over http: scripts, films, objects, forms."""

from __future__ import annotations

import pytest

from crawler.engine.link_graph import found_links
from crawler.extract.body import Body
from crawler.extract.html.reader import read_html
from crawler.extract.insecure import insecure_references, may_be_insecure
from crawler.model.documents import Page
from crawler.model.http import Response, Timings

URL = "https://a.example/dir/"
MANY = """<!doctype html><base href="HTTPS://a.example/x/"><title>t</title>
<link rel=stylesheet href="http://c.example/a.css">
<link rel=manifest href=http://c.example/m.json>
<script src='http://c.example/a.js'></script><script src=/own.js></script>
<video src="http://c.example/v.mp4"><source src="http://c.example/v.webm"></video>
<object data="http://c.example/o.swf"></object><embed src="https://c.example/e">
<a href="http://c.example/page">x</a> <img src="http://c.example/i.png">
<form action="http://c.example/search"><input type=submit></form>
<form action="/own"><button formaction="http://c.example/other">b</button></form>
"""


def body(html: str, url: str = URL) -> Body:
    return Body(url, html.encode(), "text/html", "utf-8", 1000, False)


def test_each_kind() -> None:
    found = insecure_references(body(MANY))
    assert [(one.kind, one.url.removeprefix("http://c.example/")) for one in found] == [
        ("manifest", "m.json"),
        ("script", "a.js"),
        ("media", "v.mp4"),
        ("media", "v.webm"),
        ("object", "o.swf"),
        ("form", "search"),
        ("form", "other"),
    ]


@pytest.mark.parametrize(
    ("html", "may_be"),
    [
        ("<p>nothing", False),
        (
            "<a href='http://x.example/'>x</a> http://y.example/ <img src=http://z/>",
            False,
        ),
        ("<script src=http://x.example/>", True),
        ("<ScRiPt async\n src=http://x.example/>", True),
        ("<a href=http://x.example/>" * 300, True),  # too many to look at
    ],
)
def test_most_pages_are_not_read_for_it(html: str, may_be: bool) -> None:
    assert may_be_insecure(html.encode()) is may_be


LOADS = (
    "<script src=http://c.example/a.js></script><img src=http://c.example/i.png>"
    "<link rel=stylesheet href=http://c.example/a.css>"
)


@pytest.mark.parametrize(
    ("url", "kinds"),
    [
        (URL, ["img", "stylesheet", "script"]),
        ("http://a.example/", ["img", "stylesheet"]),
    ],
)
def test_only_pages_of_https_are_looked_through(url: str, kinds: list[str]) -> None:
    page = read_html(body(LOADS, url))
    assert isinstance(page, Page)
    content = LOADS.encode()
    response = Response(
        url, 200, "OK", "1.1", (), content, len(content), Timings(1), None, False
    )
    found = found_links(page, str, response)
    assert [one.kind for one in found.images] == kinds
