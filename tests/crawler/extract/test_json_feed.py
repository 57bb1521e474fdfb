"""JSON Feed 1.0 and 1.1: the pages and images of a feed, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crawler.extract.extractor import extract
from crawler.model.documents import File
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig
from tests.helpers.cpu import cpu_within

VERSION = "https://jsonfeed.org/version/1.1"
TYPES = ["application/feed+json", "application/json", "application/json; charset=x",
         "application/octet-stream", "text/plain", "text/json", None]  # fmt: skip


def read(
    body: bytes | dict[str, Any], content_type: str | None = "application/feed+json"
) -> tuple[list[str], list[str]]:
    """Links and images, without `http://h`."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = (("content-type", content_type),) if content_type else ()
    response = Response(
        "http://h/d/feed.json", 200, "OK", "1.1", headers, data, len(data), Timings(1),
        remote_ip=None, reused_connection=False,
    )  # fmt: skip
    found = extract(response, "page", LimitsConfig(max_links=1000))
    assert isinstance(found, File)
    return (
        [one.url.removeprefix("http://h") for one in found.links],
        [one.url.removeprefix("http://h") for one in found.images],
    )


FEED: dict[str, Any] = {
    "version": VERSION,
    "title": "T",
    "home_page_url": "http://h/",
    "feed_url": "http://h/no",
    "next_url": "?page=2",
    "icon": "/icon.png",
    "favicon": "/favicon.ico",
    "hubs": [{"type": "x", "url": "http://h/no"}],
    "authors": [{"name": "A", "url": "http://h/no", "avatar": "/avatar.png"}],
    "items": [
        {
            "id": "1",
            "url": "/1?a=1&b=2",
            "external_url": "http://other/x",
            "content_html": "<a href='/no'>",
            "image": "i.png",
            "banner_image": "/b.png",
            "author": {"avatar": "/a2.png"},
            "attachments": [
                {"url": "/att.jpg", "mime_type": "image/jpeg"},
                {"url": "/no.mp3", "mime_type": "audio/mpeg"},
            ],
        },
        {"id": "http://h/by-id"},
        {"id": "urn:x", "content_text": "no URL"},
    ],
}
PAGES = ["/", "/d/feed.json?page=2", "/1?a=1&b=2", "http://other/x", "/by-id"]
IMAGES = [
    "/icon.png", "/favicon.ico", "/avatar.png", "/d/i.png", "/b.png", "/a2.png",
    "/att.jpg",
]  # fmt: skip


@pytest.mark.parametrize("content_type", TYPES)
def test_a_feed_under_each_type(content_type: str | None) -> None:
    assert read(FEED, content_type) == (PAGES, IMAGES)
    marked = b"\xef\xbb\xbf" + json.dumps(FEED, indent=2).encode()
    assert read(marked, content_type) == (PAGES, IMAGES)


def test_version_1_0_and_escaped_slashes() -> None:
    old = {**FEED, "version": "https://jsonfeed.org/version/1"}
    escaped = json.dumps(old).replace("/", "\\/").encode()
    assert read(escaped) == (PAGES, IMAGES)


@pytest.mark.parametrize(
    "item",
    [
        None, 1, "x", [], {}, {"url": 1}, {"url": None}, {"url": ["/x"]}, {"id": 5},
        {"attachments": 1}, {"attachments": [1]}, {"authors": {}}, {"author": []},
        {"image": {"url": "/x"}}, {"url": ""}, {"url": "mailto:x"},
    ],
)  # fmt: skip
def test_a_mistake_costs_one_item_at_most(item: Any) -> None:
    items = [{"url": "/1"}, item, {"url": "/2"}]
    assert read({"version": VERSION, "items": items}) == (["/1", "/2"], [])


def test_bytes_that_are_not_utf_8() -> None:
    feed = json.dumps({"version": VERSION, "title": "?", "items": [{"url": "/1"}]})
    assert read(feed.encode().replace(b"?", b"\xff")) == (["/1"], [])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"{}", b"null", b"{jsonfeed.org",
        b'{"version": "https://h/", "items": [{"url": "/jsonfeed.org"}]}',
        b'{"version": 1, "x": "jsonfeed.org", "items": []}',
        b'{"version": "https://jsonfeed.org/version/1", "items": {"url": "/1"}}',
    ],
)  # fmt: skip
def test_no_feed(body: bytes) -> None:
    for content_type in TYPES:
        assert read(body, content_type) == ([], [])


def test_other_json_is_searched_where_its_type_says_that_it_is_json() -> None:
    body = b'{"items": [{"url": "/1"}]}'
    for content_type in TYPES:
        is_json = "json" in (content_type or "")
        assert read(body, content_type) == (["/1"] if is_json else [], [])


def test_a_hostile_feed_is_bounded() -> None:
    head = f'{{"version": "{VERSION}", "items": ['.encode()
    units = (b"[", b"{},", b"[],", b'{"url":"/1"},', b'{"authors":[')
    with cpu_within(3):
        for unit in units:
            read(head + unit * (4 * 2**20 // len(unit)))
        many = head + b",".join(b'{"url":"/%d"}' % n for n in range(5000)) + b"]}"
        assert len(read(many)[0]) == 1000
