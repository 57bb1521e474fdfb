"""crawler/extract: choice of the reader, sitemaps, feeds, SVG, failures.

Only BodyFailure is raised.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crawler.extract.extractor import InlineExtractor, extract
from crawler.extract.xml.listing import read_listing
from crawler.model.crawl import Destination
from crawler.model.documents import File, Image, Page
from crawler.model.errors import (
    BodyFailure,
    ExtractFailure,
    ImageDecodeFailure,
    TooLarge,
)
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig
from tests.helpers.cpu import cpu_within

GIF = b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0;"
SITEMAP = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def response(
    body: bytes, content_type: str | None = None, url: str = "http://h/d/p"
) -> Response:
    headers = (("content-type", content_type),) if content_type else ()
    return Response(
        url, 200, "OK", "1.1", headers, body, len(body), Timings(1), remote_ip=None,
        reused_connection=False,
    )  # fmt: skip


def read(
    body: bytes,
    content_type: str | None = None,
    destination: Destination = "page",
    **options: Any,
) -> Page | Image | File:
    url = options.pop("url", "http://h/d/p")
    return extract(
        response(body, content_type, url), destination, LimitsConfig(**options)
    )


def urls_in(
    body: bytes, content_type: str | None, **options: Any
) -> tuple[list[str], list[str]]:
    found = read(body, content_type, **options)
    assert not isinstance(found, Image)
    links = [
        f"{link.kind} {link.url.removeprefix('http://h/')}" for link in found.links
    ]
    return links, [image.url.removeprefix("http://h/") for image in found.images]


@pytest.mark.parametrize(
    ("body", "content_type", "kind", "media_type"),
    [
        (b"<p>x", "text/html; charset=utf-8", Page, "text/html"),
        (b"", "text/html", Page, "text/html"),
        (b"<!doctype html>", None, Page, "text/html"),
        (b"<p/>", "application/xhtml+xml", Page, "application/xhtml+xml"),
        (b"<html xmlns='http://www.w3.org/1999/xhtml'/>", "text/xml", Page, "text/xml"),
        (b"<!doctype html>", "text/plain", File, "text/plain"),
        (b"", None, File, "text/plain"),
        (b"%PDF-1.4", None, File, "application/pdf"),
        (b"x", "video/mp4", File, "video/mp4"),
        (b"<x/>", "application/xml", File, "application/xml"),
        (b"not XML", "application/xml", File, "application/xml"),
        (b"{}", "application/json; charset=utf-8", File, "application/json"),
        (GIF, "text/html", Image, "image/gif"),
        (GIF, None, Image, "image/gif"),
        (b"<svg/>", "image/svg+xml", Image, "image/svg+xml"),
        (b"<?xml version='1.0'?><svg/>", "text/xml", Image, "image/svg+xml"),
        (gzip.compress(b"hello"), "application/gzip", File, "application/gzip"),
        (b"\x1f\x8b\x08damaged", "application/gzip", File, "application/gzip"),
    ],
)
def test_which_reader_reads_what(
    body: bytes, content_type: str | None, kind: type, media_type: str
) -> None:
    found = read(body, content_type)
    assert type(found) is kind
    assert found.content_type == media_type


@pytest.mark.parametrize(
    ("content_type", "body", "charset"),
    [
        ("text/html; charset=latin1", b"<title>\xe9", "windows-1252"),
        ("text/html", b"<meta charset=koi8-r><title>\xe9", "koi8-r"),
        ("application/xhtml+xml", "<title>é".encode(), "utf-8"),
        (
            "application/xhtml+xml",
            b"<?xml version='1.0' encoding='koi8-r'?><title>",
            "koi8-r",
        ),
        (
            "application/xhtml+xml; charset=koi8-u",
            b"<?xml encoding='koi8-r'?>",
            "koi8-u",
        ),
    ],
)
def test_charset_of_a_page(content_type: str, body: bytes, charset: str) -> None:
    found = read(body, content_type)
    assert isinstance(found, Page)
    assert found.charset == charset


def test_the_last_of_several_content_types_decides() -> None:
    fields = [("content-type", "text/plain; charset=koi8-r")]
    fields += [("content-type", "text/html; charset=koi8-u")]
    body = b"<a href=x>X</a>"
    twice = replace(response(body, None), headers=tuple(fields))
    page = extract(twice, "page", LimitsConfig())
    assert isinstance(page, Page)
    assert (page.content_type, page.charset) == ("text/html", "koi8-u")
    swapped = replace(response(body, None), headers=tuple(fields[::-1]))
    assert isinstance(extract(swapped, "page", LimitsConfig()), File)


def test_texts_of_links() -> None:
    page = extract(
        response(b"<a href=x>X</a>", "text/html"),
        "page",
        LimitsConfig(),
        with_text=True,
    )
    assert isinstance(page, Page)
    assert page.links[0].text == "X"


def test_a_body_wanted_as_an_image_must_be_one() -> None:
    assert isinstance(read(GIF, "text/html", "image"), Image)
    assert isinstance(read(b"<!-- x --><svg/>", "text/plain", "image"), Image)
    for body in (b"<html>not found", b"", b"<x/>"):
        for content_type in ("text/html", "image/png", None):
            with pytest.raises(ImageDecodeFailure):
                read(body, content_type, "image")


def test_an_image_over_the_size_limit() -> None:
    cut = replace(response(GIF[:30]), truncated="length")
    with pytest.raises(TooLarge):
        extract(cut, "page", LimitsConfig())


@pytest.mark.parametrize(
    ("svg", "width", "height"),
    [
        ('<svg width="30" height="20px"/>', 30, 20),
        ('<svg width="1in" height="2.54cm"/>', 96, 96),
        ('<svg width="100%" height="100%" viewBox="0 0 64 48"/>', 64, 48),
        ('<svg viewBox="0,0,1e2,.6e2"/>', 100, 60),
        ('<svg width="30"/>', 30, None),
        ('<svg viewBox="0 0 1e99 0"/>', None, None),
        (
            '<s:svg xmlns:s="http://www.w3.org/2000/svg" viewBox="0 0 1 2"></s:svg>',
            1,
            2,
        ),
        (
            '<!DOCTYPE svg [<!ENTITY a "x">]><svg viewBox="0 0 1 2">&a;</svg><!-- -->',
            1,
            2,
        ),
    ],
)
def test_svg(svg: str, width: int | None, height: int | None) -> None:
    found = read(svg.encode(), "image/svg+xml")
    assert found == Image("image/svg+xml", "svg", width, height, 1)


@pytest.mark.parametrize("svg", [b"<svg><g>", b"<svg", b"<html/>", b"", b"<svg><g></g"])
def test_no_svg(svg: bytes) -> None:
    with pytest.raises(ImageDecodeFailure):
        read(svg, "image/svg+xml")


URLSET = f"""<?xml version="1.0"?>
<urlset {SITEMAP} xmlns:i="http://www.google.com/schemas/sitemap-image/1.1"
    xmlns:x="http://www.w3.org/1999/xhtml">
  <url><loc> http://h/a?b&amp;c </loc><lastmod>2024-01-01</lastmod>
    <i:image><i:loc>http://h/i.png</i:loc></i:image>
    <x:link rel="alternate" hreflang="de" href="http://h/de"/></url>
  <url><loc><![CDATA[http://h/e]]></loc></url><url><loc/></url><url><loc>http://h/e</loc></url>
</urlset>""".encode()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (URLSET, "text/xml"),
        (URLSET, "application/xml; charset=utf-8"),
        (URLSET, None),
        (URLSET, "text/xml; charset=no-such"),
        (gzip.compress(URLSET), "application/x-gzip"),
        (gzip.compress(URLSET), None),
        (gzip.compress(URLSET)[:-9], "application/gzip"),
    ],
)
def test_sitemap(body: bytes, content_type: str | None) -> None:
    links, images = urls_in(body, content_type)
    assert links == ["sitemap a?b&c", "sitemap de", "sitemap e"]
    assert images == ["i.png"]


def test_a_sitemap_tells_the_languages_of_translations() -> None:
    document = read(URLSET, "text/xml")
    assert isinstance(document, File)
    assert [link.hreflang for link in document.links] == [None, "de", None]


def test_a_sitemap_of_news() -> None:
    news = f"""<urlset {SITEMAP}
        xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">
        <url><loc>http://h/story</loc><news:news><news:publication><news:name>The Times
        </news:name><news:language>en</news:language></news:publication><news:title>Rain
        </news:title><news:loc>http://h/no</news:loc></news:news></url></urlset>"""
    assert urls_in(news.encode(), "application/xml") == (["sitemap story"], [])


def test_a_sitemap_is_read_part_by_part_and_no_further_than_its_links_may_go() -> None:
    def parts() -> Iterator[bytes]:
        yield f"<urlset {SITEMAP}>".encode()
        for number in range(10**9):
            asked.append(number)
            yield f"<url><loc>http://h/{number}</loc></url>".encode()

    asked: list[int] = []
    listing = read_listing(parts(), "http://h/", "text/xml", None, max_links=1000)
    assert isinstance(listing, File)
    assert len(listing.links) == 1000
    assert len(asked) < 1100


def test_sitemap_index_and_text() -> None:
    entry = "<sitemap><loc>http://h/1.xml</loc></sitemap>"
    index = f"<sitemapindex {SITEMAP}>{entry}</sitemapindex>"
    assert urls_in(index.encode(), "text/xml") == (["sitemap_index 1.xml"], [])
    text = b"http://h/1\r\n\nhttps://h/2\nftp://h/3\nnothing\n"
    assert urls_in(text, "text/plain", url="http://h/sitemap.txt")[0] == [
        "sitemap 1",
        "sitemap https://h/2",
    ]
    assert urls_in(text, "text/plain")[0] == []


def test_feeds() -> None:
    rss = b"""<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel>
        <link>http://h/</link><title>&nbsp;<title>
        <image><url>/logo.png</url><link>/</link></image>
        <item><link><![CDATA[ /1 ]]></link><guid>http://h/2</guid>
          <description>http://h/no</description>
          <enclosure url="/e.jpg" type="image/jpeg"/>
          <enclosure url="/e.mp3" type="audio/mpeg"/>
          <media:thumbnail url="/t.jpg"/><comments>/no</comments></item>
        <item><guid isPermaLink="false">http://h/no</guid></item></channel></rss>"""
    for content_type in ("application/rss+xml", "text/xml", "text/html", None):
        links, images = urls_in(rss, content_type)
        assert links == ["feed ", "feed 1", "feed 2"]
        assert images == ["logo.png", "e.jpg", "t.jpg"]
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><link rel="self" href="/no"/>
        <link rel="next" href="/2"/><logo>/l.png</logo><entry><link href="e"/>
        <content type="image/png" src="/no"/></entry></feed>"""
    assert urls_in(atom, "application/atom+xml") == (["feed 2", "feed d/e"], ["l.png"])


def test_listings_are_bounded() -> None:
    many = "".join(f"<url><loc>http://h/{n}</loc></url>" for n in range(5000))
    body = f"<urlset {SITEMAP}>{many}</urlset>".encode()
    assert len(urls_in(body, "text/xml", max_links=100)[0]) == 100
    bomb = gzip.compress(
        b"<urlset>" + b" " * 60_000_000 + b"<url><loc>http://h/x</loc></url>"
    )
    assert urls_in(bomb, "application/gzip") == ([], [])


def entity_bomb() -> bytes:
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    head = f'<!DOCTYPE x [<!ENTITY a0 "lol">{entities}]>'
    return f"{head}<urlset><url><loc>&a11;</loc>".encode()


@pytest.mark.parametrize(
    "body",
    [
        entity_bomb(),
        b"<urlset>" + b"<x>" * 200_000,
        b"<urlset " + b"a='' " * 100_000 + b"/>",
        b"<urlset>" + b"<loc>" + b"x" * 10_000_000,
        b"<?xml version='1.0'?>" + b"<!-- -->" * 100_000,
        b"<!" * 100_000,
        b"<svg " + b"<svg>" * 100_000,
    ],
)
def test_hostile_xml(body: bytes) -> None:
    with cpu_within(3):
        for destination in get_args(Destination):
            try:
                found = read(body, "text/xml", destination)
            except ImageDecodeFailure:
                continue
            assert not isinstance(found, File) or found.links == ()


def test_external_entities_are_not_read(tmp_path: Any) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    head = f'<!DOCTYPE x [<!ENTITY s SYSTEM "{secret.as_uri()}">]>'
    body = f"{head}<urlset><url><loc>http://h/&s;</loc>"
    assert "secret" not in str(read(body.encode(), "text/xml"))


# fmt: off
TYPES = st.sampled_from([
    "text/html", "application/xhtml+xml", "text/xml", "text/plain", "application/gzip",
    "image/png", "image/svg+xml", "application/rss+xml", "x",
    "text/html; charset=utf-16", "a/b; charset=\xe9",
])
STARTS = st.sampled_from([
    b"", GIF[:20], b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x20\0\0\0WEBPVP8 ",
    b"\xff\xfe", b"II*\0\x08\0\0\0", b"<?xml version='1.0'?><urlset><url><loc>",
    b"<svg ", b"<rss><item><link>", b"\0\0\1\0\1\0",
    b"\0\0\0\x10ftypavif\0\0\0\0\0\0\0\x20meta", gzip.compress(URLSET)[:60],
    b"<!doctype html><a href=", b"<?xml version='1.0' encoding='",
    b"BM" + bytes(12) + b"\x28\0\0\0",
])
# fmt: on


@settings(max_examples=400)
@given(
    st.none() | TYPES,
    STARTS,
    st.binary(max_size=80),
    st.sampled_from(["page", "image"]),
)
def test_any_body(
    content_type: str | None, start: bytes, rest: bytes, destination: Destination
) -> None:
    try:
        found = read(start + rest, content_type, destination, url="http://h/sitemap")
    except ExtractFailure:
        raise  # a defect of a reader: none is known
    except BodyFailure:
        return
    assert isinstance(found, Image if destination == "image" else (Page, Image, File))


def test_a_reader_that_fails_is_an_error_of_that_document_alone() -> None:
    def broken(body: Any) -> Page:
        raise RecursionError("too deep")

    extractor = InlineExtractor({"text/html": broken})
    with pytest.raises(ExtractFailure, match="text/html: RecursionError: too deep"):
        extractor.extract(response(b"", "text/html"), "page", LimitsConfig())
