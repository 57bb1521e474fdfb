"""Sitemaps and feeds are found by their bytes, whatever the Content-Type says."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from crawler.extract.extractor import extract
from crawler.extract.xml.sitemap import unpacked
from crawler.model.documents import File, Page
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig
from tests.helpers.cpu import cpu_within

MEBI = 2**20
Packing = Callable[[bytes], bytes]

URLSET = b"<?xml version='1.0'?><urlset><url><loc>http://h/1</loc></url></urlset>"
INDEX = b"<sitemapindex><sitemap><loc>http://h/1</loc></sitemap></sitemapindex>"
RSS = b"<rss><channel><item><link>http://h/1</link></item></channel></rss>"
RDF = b"<rdf:RDF><item><link>http://h/1</link></item></rdf:RDF>"
ATOM = b"<!-- x --><feed><entry><link href='/1'/></entry></feed>"
TEXT = b"http://h/1\nhttps://h/2\n"
JSON = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"url": "/1"}]}'

TYPES = [
    None, "text/html", "text/plain", "application/octet-stream", "text/xml; charset=x",
    "binary/octet-stream", "application/x-rss+xml", "application/x-gzip", "*/*",
    "application/gzip", "application/download", "text/css", "video/mp4", "nonsense",
]  # fmt: skip
PACKINGS: list[Packing] = [
    bytes,
    gzip.compress,
    lambda body: gzip.compress(gzip.compress(body)),
    lambda body: b"".join(gzip.compress(body[at : at + 9]) for at in range(0, 99, 9)),
    lambda body: b"\xef\xbb\xbf" + body,
    lambda body: gzip.compress(b"\xef\xbb\xbf" + body),
    lambda body: b"\r\n \n" + body,
    lambda body: body.decode().encode("utf-16"),
    lambda body: gzip.compress(body.decode().encode("utf-16")),
]


def read(
    body: bytes,
    content_type: str | None,
    url: str = "http://h/list",
    *,
    named: bool = False,
) -> list[str]:
    """The links of a body, without `http://h`."""
    headers = (("content-type", content_type),) if content_type else ()
    response = Response(
        url, 200, "OK", "1.1", headers, body, len(body), Timings(1), remote_ip=None,
        reused_connection=False,
    )  # fmt: skip
    found = extract(response, "page", LimitsConfig(), named_sitemap=named)
    assert isinstance(found, File)
    return [link.url.removeprefix("http://h") for link in found.links]


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("pack", PACKINGS)
def test_a_sitemap_that_was_named_as_one(
    content_type: str | None, pack: Packing
) -> None:
    for body in (URLSET, INDEX, RSS, ATOM):
        assert read(pack(body), content_type, named=True) == ["/1"]
    assert read(pack(TEXT), content_type, named=True) == ["/1", "https://h/2"]


@pytest.mark.parametrize(
    "content_type", [one for one in TYPES if one and "gzip" not in one] + [None]
)
def test_xml_that_nobody_named(content_type: str | None) -> None:
    for body in (URLSET, INDEX, RSS, RDF, ATOM):
        assert read(body, content_type) == ["/1"]
        assert read(body.decode().encode("utf-16"), content_type) == ["/1"]


@pytest.mark.parametrize(
    "content_type",
    [None, "application/gzip", "application/x-gzip", "application/octet-stream"],
)
def test_packed_xml_that_nobody_named(content_type: str | None) -> None:
    for body in (URLSET, INDEX, RSS, ATOM):
        assert read(gzip.compress(body), content_type) == ["/1"]
        assert read(gzip.compress(gzip.compress(body)), content_type) == ["/1"]


def test_text_that_nobody_named_is_a_sitemap_by_its_name_alone() -> None:
    for body in (TEXT, gzip.compress(TEXT)):
        assert read(body, "application/octet-stream", "http://h/sitemap2.txt.gz")
    assert read(TEXT, "text/plain") == []
    assert read(b"see http://h/1", "text/plain", named=True) == []


def test_a_page_that_was_named_as_a_sitemap_is_a_page() -> None:
    for body in (b"<!doctype html><a href=/1>x</a>", b"<p>http://h/1"):
        response = Response(
            "http://h/", 200, "OK", "1.1", (("content-type", "text/html"),), body,
            len(body), Timings(1), remote_ip=None, reused_connection=False,
        )  # fmt: skip
        found = extract(response, "page", LimitsConfig(), named_sitemap=True)
        assert isinstance(found, Page)


def test_the_lines_of_a_text_sitemap() -> None:
    text = "\ufeffHTTP://h/1\r\n\r\n  http://h/2?a&b  \rhttp://h/é\n# no\nftp://h/x\n"
    for body in (text.encode(), text.encode("utf-16-le")):
        assert read(body, "text/plain", named=True) == ["/1", "/2?a&b", "/%C3%A9"]
    long = b"http://h/1\n" + b"x" * 3 * MEBI + b"\nhttp://h/2"
    with cpu_within(1):
        assert read(long, "text/plain", named=True) == ["/1", "/2"]


def test_unpacking_is_bounded() -> None:
    bomb = gzip.compress(bytes(60 * MEBI))
    for body in (bomb, gzip.compress(bomb), gzip.compress(gzip.compress(bomb))):
        assert sum(map(len, unpacked(body))) < 51 * MEBI
    with cpu_within(2):
        many = gzip.compress(b"") * 50_000
        assert sum(map(len, unpacked(many + gzip.compress(b"x")))) == 0
    assert b"".join(unpacked(gzip.compress(b"ab") + b"rubbish")) == b"ab"
    assert b"".join(unpacked(gzip.compress(b"x" * 70_000)[:-9])) == b"x" * 70_000
