"""crawler/extract/header_links.py: links in the fields Link and Refresh."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.extract.extractor import extract
from crawler.extract.header_links import link_values
from crawler.model.documents import Alternate, Declared, Document, File, Image, Page
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig
from tests.helpers.cpu import cpu_within
from tests.site.images import PNG

URL = "http://h/d/p"


def read(
    *headers: tuple[str, str],
    body: bytes = b"<title>x</title>",
    content_type: str = "text/html",
    max_links: int = 100,
) -> Document:
    fields = (("content-type", content_type), *headers)
    response = Response(
        URL, 200, "OK", "1.1", fields, body, len(body), Timings(1), None, False
    )
    return extract(response, "page", LimitsConfig(max_links=max_links))


def links(*headers: tuple[str, str], **more: Any) -> list[tuple[str, str]]:
    document = read(*headers, **more)
    assert isinstance(document, Page | File)
    return [(one.kind, one.url.removeprefix("http://h/")) for one in document.links]


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ('</2>; rel="next"', [("link_next", "2")]),
        ("<2>;rel=next", [("link_next", "d/2")]),
        ('<?p=2>; rel="next", <?p=9>; rel="last"', [("link_next", "d/p?p=2")]),
        ('<a,b;c>; title="x, <y>; \\" z" ; REL = "Prev x"', [("link_next", "d/a,b;c")]),
        ("<1>; rel=next; rel=canonical", [("link_next", "d/1")]),
        ("</c>; rel=canonical", [("link_canonical", "c")]),
        ("</de>; rel=alternate; hreflang=de", [("link_alternate", "de")]),
        ('</f>; rel="alternate"; type="application/rss+xml"', [("feed", "f")]),
        ('</j>; rel="alternate"; type="application/json"', []),
        ('</wp-json/>; rel="https://api.w.org/", </?p=1>; rel=shortlink', []),
        ('</s.css>; rel=preload; as=style, <//x>; rel="preconnect"', []),
        ('</2>; rel="next"; anchor="/other"', []),
        ('</2>; rel="next"; anchor="#part"', [("link_next", "2")]),
        ('broken, </2>; rel=next, <no end; rel=next, </3>; rel="next', [
            ("link_next", "2"), ("link_next", "3"),
        ]),
        ("</caf\xc3\xa9>; rel=next", [("link_next", "caf%C3%A9")]),
        ("</caf\xe9>; rel=next", [("link_next", "caf%E9")]),
        ("<http://[/>; rel=next, <mailto:a@b>; rel=next, <>; rel=next", []),
        ("", []),
        ("<", []),
    ],
)  # fmt: skip
def test_link(field: str, found: list[tuple[str, str]]) -> None:
    assert links(("link", field)) == found


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("0; url=/t", [("meta_refresh", "t")]),
        ("0;URL='t'", [("meta_refresh", "d/t")]),
        ("5, http://other/x", [("meta_refresh", "http://other/x")]),
        ("3 t", [("meta_refresh", "d/t")]),
        ("0; url=/caf\xe9", [("meta_refresh", "caf%E9")]),
        ("10", []),
        ("url=/t", []),
    ],
)
def test_refresh(field: str, found: list[tuple[str, str]]) -> None:
    assert links(("refresh", field)) == found


def test_the_header_comes_first_and_has_a_base_of_its_own() -> None:
    body = b"<base href='/b/'><link rel=next href=n><a href=x><a href=y>"
    fields = (("link", "<n>; rel=next"), ("link", "</b/x>; rel=alternate"))
    assert links(*fields, ("refresh", "1;r"), body=body) == [
        ("meta_refresh", "d/r"),
        ("link_next", "d/n"),
        ("link_alternate", "b/x"),
        ("link_next", "b/n"),
        ("a", "b/y"),
    ]


@pytest.mark.parametrize(
    ("body", "url", "source"),
    [
        (b"", "http://h/c", "http"),
        (b"<link rel=canonical href=/of-the-body>", "http://h/of-the-body", "link"),
        (b"<meta property=og:url content=/o>", "http://h/c", "http"),
    ],
)
def test_canonical(body: bytes, url: str, source: str) -> None:
    page = read(("link", '<http://h/c>; rel="canonical"'), body=b"<p>" + body)
    assert isinstance(page, Page)
    assert (page.canonical_url, page.canonical_source) == (url, source)


def test_what_the_header_declares() -> None:
    page = read(
        ("link", '</de>; rel=alternate; hreflang=de, </amp>; rel="amphtml"'),
        ("link", "</feed>; rel=alternate; type=application/rss+xml"),
        body=b"<link rel=amphtml href=/own><link rel=alternate hreflang=fr href=/fr>"
        b"<meta name=author content=Jane>",
    )
    assert isinstance(page, Page)
    assert page.declared == Declared(
        author="Jane",
        feeds=("http://h/feed",),
        amp_url="http://h/own",
        alternates=(Alternate("de", "http://h/de"), Alternate("fr", "http://h/fr")),
    )
    assert {link.url: link.hreflang for link in page.links} == {
        "http://h/de": "de",
        "http://h/feed": None,
        "http://h/fr": "fr",
    }


def test_images_that_are_preloaded() -> None:
    field = (
        "link",
        '</a.png>; rel=preload; as=image; imagesrcset="/b.png 2x", </i.ico>; rel=icon',
    )
    page = read(field, body=b"<img src=/a.png><img src=/c.png>")
    assert isinstance(page, Page)
    assert [image.url.removeprefix("http://h/") for image in page.images] == [
        "a.png", "b.png", "i.ico", "c.png",
    ]  # fmt: skip


def test_files_have_them_and_images_not() -> None:
    fields = (("link", "</2>; rel=next"), ("refresh", "0;/t"))
    found = [("meta_refresh", "t"), ("link_next", "2")]
    assert links(*fields, body=b"[]", content_type="application/json") == found
    assert links(*fields, body=b"") == found
    image = read(*fields, body=PNG, content_type="image/png")
    assert isinstance(image, Image)


def test_they_are_within_the_limit_on_links() -> None:
    field = ("link", ", ".join(f"</{n}>; rel=next" for n in range(50)))
    body = b"".join(b"<a href=%d>" % n for n in range(50))
    assert len(links(field, body=body, max_links=20)) == 20


@pytest.mark.parametrize(
    "piece",
    ["<", "<x>", "<x>;", '<x>; rel="', "<x>; rel=next, ", ";", '"', "\\", " ", "<x> ",
     "<x>;a=", '<x>;a="\\'],
)  # fmt: skip
def test_time_is_linear(piece: str) -> None:
    field = piece * (500_000 // len(piece))
    with cpu_within(3):
        sum(1 for _ in link_values(field))
        sum(1 for _ in link_values("<x>" + field))
