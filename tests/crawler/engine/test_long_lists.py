"""Long rows of one thing are read in linear time.

A response read in quadratic time would stop the crawl.

Each of these once took minutes or hours; now each takes less than can be measured.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import get_args

import pytest

from crawler.extract.extractor import extract
from crawler.fetch.http1.parser import ResponseReader
from crawler.model.crawl import Destination
from crawler.model.errors import Failure
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig
from crawler.policy.traps.templates import shape_of
from tests.helpers.cpu import cpu_within

MAX_CPU_S = 1.0
"""Seconds of CPU time, on any machine. Quadratic time is more than 10."""
MB = 2**20


def head(*lines: bytes) -> None:
    reader = ResponseReader("GET", 2**17, 2**20)
    reader.feed(
        b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"Content-Length: 0", b"", b""])
    )
    assert reader.done


def read(content_type: str, body: bytes) -> None:
    fields = (("content-type", content_type),)
    response = Response(
        "http://a.example/",
        200,
        "",
        "1.1",
        fields,
        body,
        len(body),
        Timings(0),
        None,
        False,
    )
    for destination in get_args(Destination):
        with suppress(Failure):
            extract(response, destination, LimitsConfig())


ROWS: dict[str, Callable[[], object]] = {
    "spaces in a header, beside a fold": lambda: head(
        b"A: b", b" c", b"X: " + b" " * 60_000 + b"y"
    ),
    "tabs in a header, beside a fold": lambda: head(
        b"A: b", b"\tc", b"X: " + b"\t" * 60_000 + b"y"
    ),
    "folds in a header": lambda: head(b"A: b", *[b" c"] * 20_000),
    "digits in a refresh": lambda: read(
        "text/html", b"<meta http-equiv=refresh content='" + b"1" * 200_000 + b"'>"
    ),
    "dots in a refresh": lambda: read(
        "text/html", b"<meta http-equiv=refresh content='1" + b"." * 200_000 + b"'>"
    ),
    "spaces in a refresh": lambda: read(
        "text/html", b"<meta http-equiv=refresh content='1" + b" " * 200_000 + b"x'>"
    ),
    "tags in XML that never end": lambda: read(
        "application/xml", b"<urlset>" + b"<a" * MB + b">"
    ),
    "the same, in many pieces": lambda: read(
        "application/xml", b"<urlset>" + (b"<a" * 60 + b" " * 20_000) * 100 + b">"
    ),
    "tags in a feed that never end": lambda: read(
        "application/rss+xml", b"<rss><item><link>" + b"<a" * MB + b">"
    ),
    "tags in a picture that never end": lambda: read(
        "image/svg+xml", b"<svg>" + b"<a" * MB + b">"
    ),
    "letters in a URL": lambda: [
        shape_of(f"http://a.example/{n}/{'a' * 8000}") for n in range(50)
    ],
}


@pytest.mark.parametrize("name", ROWS)
def test_a_long_row(name: str) -> None:
    with cpu_within(MAX_CPU_S):
        ROWS[name]()


def test_a_feed_that_contains_code_is_read() -> None:
    """A `<` in CDATA is no tag that never ends."""
    code = "".join(f"if (a{n} < b) c << 2; " for n in range(20)) + "<b>x</b>"
    body = (
        f"<rss><channel><item><link>/x</link><description><![CDATA[{code * 100}]]>"
        "</description></item><item><link>/y</link></item></channel></rss>"
    ).encode()
    response = Response(
        "http://a.example/", 200, "", "1.1", (("content-type", "application/rss+xml"),),
        body, 0, Timings(0), None, False,
    )  # fmt: skip
    found = extract(response, "page", LimitsConfig())
    assert [link.url for link in getattr(found, "links", ())] == [
        "http://a.example/x", "http://a.example/y",
    ]  # fmt: skip
