"""What a page says of itself: title, description, canonical URL, and their sources."""

from __future__ import annotations

import pytest

from crawler.extract.charset import markup
from crawler.extract.html.page import read_page
from crawler.model.documents import Page


def read(text: str) -> Page:
    document = markup(text.encode(), "utf-8", 2**20)
    return read_page(document, "http://h/d/p?q", "text/html", 1000)


def og(name: str, content: str, attribute: str = "property") -> str:
    return f'<meta {attribute}="{name}" content="{content}">'


EMPTY = "<meta name=description content=' \n'>"
REAL = "<meta name=Description content=' The  real one '>"


@pytest.mark.parametrize(
    ("text", "description", "source"),
    [
        (EMPTY + REAL, "The real one", "meta"),
        (REAL + "<meta name=description content=second>", "The real one", "meta"),
        (og("og:description", "Social") + EMPTY + REAL, "The real one", "meta"),
        (og("og:description", "Social"), "Social", "og"),
        (EMPTY + og("og:description", "Social"), "Social", "og"),
        (og("og:description", "") + og("OG:Description", "B"), "B", "og"),
        (og("twitter:description", "T", "name"), "T", "twitter"),
        (
            og("twitter:description", "T", "name") + og("og:description", "Social"),
            "Social",
            "og",
        ),
        ("<meta name='description ' content=x>", "x", "meta"),
        ("<meta name=description property=og:description content=x>", "x", "meta"),
        ("<meta name=author property=og:description content=x>", "x", "og"),
        (EMPTY, None, None),
        ("<meta name=description>", None, None),
    ],
)
def test_description(text: str, description: str | None, source: str | None) -> None:
    page = read(text)
    assert (page.description, page.description_source) == (description, source)


@pytest.mark.parametrize(
    ("text", "title", "source"),
    [
        ("<title> A\nb </title><title>second</title>", "A b", "title"),
        ("<title></title><title>&amp;</title>", "&", "title"),
        (og("og:title", "Social") + "<title>x</title>", "x", "title"),
        ("<title> </title>" + og("og:title", "Social"), "Social", "og"),
        (og("twitter:title", "T", "name"), "T", "twitter"),
        ("<title></title>", None, None),
    ],
)
def test_title(text: str, title: str | None, source: str | None) -> None:
    page = read(text)
    assert (page.title, page.title_source) == (title, source)


@pytest.mark.parametrize(
    ("text", "url", "source"),
    [
        ("<link rel=canonical href=c>", "http://h/d/c", "link"),
        ("<link rel=canonical href=''><link rel=canonical href=c>", "http://h/d/c",
         "link"),
        ("<link rel=canonical href='{{url}}'><link rel=canonical href=/c>",
         "http://h/c", "link"),
        ("<link rel=canonical href='http://['>" + og("og:url", "/o"), "http://h/o",
         "og"),
        (og("og:url", "/o") + "<link rel=canonical href=c>", "http://h/d/c", "link"),
        (og("og:url", " http://h/o#x "), "http://h/o", "og"),
        ("<base href=http://i/>" + og("og:url", "o"), "http://i/o", "og"),
        (og("og:url", "{{ url }}") + og("og:url", "/second"), "http://h/second", "og"),
        (og("og:url", "mailto:a@b"), None, None),
        (og("og:url", ""), None, None),
    ],
)  # fmt: skip
def test_canonical_url(text: str, url: str | None, source: str | None) -> None:
    page = read(text)
    assert (page.canonical_url, page.canonical_source) == (url, source)
    kinds = {link.kind for link in page.links}
    assert kinds <= {"link_canonical"}  # og:url is no link to follow


def test_no_template_becomes_a_link_or_an_image() -> None:
    page = read(
        "<a href='{{url}}'>x</a><a href=\"/a/<%= id %>\">x</a><a href=/real>x</a>"
        "<img src='${src}' srcset='{{one}} 1x, /b.png 2x' data-src='/i/[[name]].png'>"
        "<img src=%7B%7Bimage%7D%7D><div style='background: url({{bg}})'></div>"
        "<meta property=og:image content='{{ image }}'><base href='{{base}}'>"
        "<meta http-equiv=refresh content='0; url={{next}}'>"
    )
    assert [link.url for link in page.links] == ["http://h/real"]
    assert [image.url for image in page.images] == ["http://h/b.png"]
