"""What a limit leaves out of a document is said, and only where there is more."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.extract import body, json_text
from crawler.extract.css import reader as css
from crawler.extract.extractor import extract
from crawler.extract.html import declarations, images, reader
from crawler.extract.xml import listing
from crawler.model.documents import File, Image, Page
from crawler.model.http import Response, Timings
from crawler.model.policy_config import LimitsConfig

LINKS = 5


def document(text: str, kind: str = "text/html", header: str = "") -> Page | File:
    headers = [("content-type", kind), *([("link", header)] if header else [])]
    response = Response(
        "http://h/", 200, "", "1.1", tuple(headers), text.encode(), 0, Timings(0),
        None, False,
    )  # fmt: skip
    found = extract(response, "page", LimitsConfig(max_links=LINKS))
    assert not isinstance(found, Image)
    assert len(found.links) <= LINKS
    assert len(found.images) <= LINKS
    return found


def left_out(text: str, kind: str = "text/html", header: str = "") -> tuple[str, ...]:
    return document(text, kind, header).left_out


def repeated(text: str, number: int) -> str:
    return "".join(text.replace("@", str(one)) for one in range(number))


ATOM = '<feed xmlns="http://www.w3.org/2005/Atom">%s</feed>'
SITEMAP = "<urlset>%s</urlset>"
RSS = "<rss><channel>%s</channel></rss>"
SCRIPT = "<script type=application/json>@</script>"
FEED = '{"version": "https://jsonfeed.org/version/1.1", "items": [%s]}'


@pytest.mark.parametrize(
    ("kind", "whole", "one"),
    [
        ("text/html", "%s<p>rest<a href=0>again</a>", "<a href=@>x</a>"),
        ("text/html", "%s<p>rest", "<img src=@>"),
        ("text/html", "%s<p>rest", "<iframe src=@></iframe>"),
        ("text/html", "<img srcset='%s'><p>rest", "1@.jpg 1@w,"),
        ("text/html", "<style>%s</style>", "p{background:url(@)}"),
        ("text/html", "<p>%s", "<p style='background:url(@)'>"),
        ("application/xhtml+xml", "<html>%s</html>", "<a href='@'>x</a>"),
        ("text/xml", SITEMAP, "<url><loc>http://h/@</loc></url>"),
        ("text/xml", SITEMAP, "<url><image><loc>http://h/@</loc></image></url>"),
        ("text/xml", ATOM, "<entry><link href='/@'/></entry>"),
        ("text/xml", RSS, "<item><enclosure type='image/png' url='/@'/></item>"),
        ("text/plain", FEED, '{"url": "/@"},'),
        ("application/json", "[%s]", '{"url": "http://h/@"},'),
        ("application/json", "[%s]", '{"image": "http://h/@.png"},'),
        ("text/css", "%s", "p{background:url(@)}"),
    ],
)
def test_links_beyond_the_limit(kind, whole, one):
    def of(number: int) -> tuple[str, ...]:
        return left_out(whole % repeated(one, number).removesuffix(","), kind)

    assert of(LINKS) == ()
    assert of(LINKS + 1) == ("links",)


def test_links_and_images_of_a_page_count_together():
    links = repeated("<a href=@>x</a>", LINKS - 2)
    assert left_out(links + "<img src=a><img src=b><img src=a>") == ()
    assert left_out(links + "<img src=a><img src=b><img src=c>") == ("links",)
    assert left_out(links + "<img src=a><img src=b><a href=c>x</a>") == ("links",)


def test_an_element_that_is_a_link_and_shows_images():
    """There are at most as many images as links and images together."""
    shown = repeated("url(@) ", LINKS + 1)
    page = document(f"<a href=x style='background:{shown}'>x</a>")
    assert (len(page.links), len(page.images)) == (0, LINKS)
    assert page.left_out == ("links",)


def test_links_of_the_header():
    header = repeated("</@>; rel=next,", LINKS)
    assert left_out("<p>", header=header) == ()
    assert left_out("<p>", header=header + "</x>; rel=next") == ("links",)
    assert left_out("<a href=/y>x</a>", header=header) == ("links",)


def test_style_sheets_beyond_the_limit(monkeypatch):
    monkeypatch.setattr(images, "MAX_STYLES", 3)
    sheet = "<link rel=stylesheet href=@>"
    assert left_out(repeated(sheet, 3) + "<link rel=stylesheet href=0>") == ()
    assert left_out(repeated(sheet, 4)) == ("links",)
    monkeypatch.setattr(css, "MAX_IMPORTS", 3)
    imported = "@import 'N@';".replace("@import", "#import")
    for number, expected in ((3, ()), (4, ("links",))):
        text = repeated(imported, number).replace("#", "@")
        assert left_out(text, "text/css") == expected


def test_images_are_found_behind_too_many_style_sheets(monkeypatch):
    monkeypatch.setattr(images, "MAX_STYLES", 1)
    page = document(
        "<link rel=stylesheet href=a><link rel=stylesheet href=b>"
        "<style>p{background:url(c)} i{background:url(d)}</style>"
    )
    assert [one.url for one in page.images] == ["http://h/c", "http://h/d"]
    assert page.left_out == ("links",)


def test_the_kinds_have_an_order(monkeypatch):
    monkeypatch.setattr(reader, "MAX_MARKUP", 100)
    text = repeated("<a href=@>x</a>", LINKS + 1).ljust(101)
    assert left_out(text) == ("links", "markup")
    assert left_out(text, header="</y>; rel=next") == ("links", "markup")


def test_urls_that_are_long_together(monkeypatch):
    base = f"<base href='http://h/{'x' * 80}/'>"
    for module in ("crawler.extract.html.page", "crawler.extract.html.links"):
        monkeypatch.setattr(f"{module}.MAX_URL_CHARACTERS", 300)
    for one in ("<a href=@>x</a>", "<img src=@>"):
        assert left_out(base + repeated(one, 3)) == ()
        assert left_out(base + repeated(one, 4)) == ("links",)
    loc = f"<url><loc>http://h/{'x' * 80}/@</loc></url>"
    assert left_out(SITEMAP % repeated(loc, 3), "text/xml") == ()
    assert left_out(SITEMAP % repeated(loc, 4), "text/xml") == ("links",)


@pytest.mark.parametrize(
    ("module", "name", "kind", "text"),
    [
        (reader, "MAX_MARKUP", "text/html", "<p>"),
        (reader, "MAX_MARKUP", "application/xhtml+xml", "<p>"),
        (css, "MAX_STYLE", "text/css", "p{}"),
        (json_text, "MAX_MARKUP", "application/json", '["a"]'),
        (json_text, "MAX_MARKUP", "text/plain", FEED % ""),
        (declarations, "MAX_SCRIPT", "text/html", SCRIPT),
        (images, "_MAX_CHARACTERS", "text/html", "<style>@</style>"),
    ],
)  # fmt: skip
def test_markup_beyond_the_limit(monkeypatch, module: Any, name, kind, text):
    """A script or a style sheet in a page counts without its tags."""
    inner = '["http://h/a.png"]'
    size = len(inner) if "@" in text else len(text)
    where = module if isinstance(module, str) else module.__name__
    monkeypatch.setattr(f"{where}.{name}", size)
    if module is declarations:
        monkeypatch.setattr("crawler.extract.html.page.MAX_SCRIPT", size)
    text = text.replace("@", inner)
    assert left_out(text, kind) == ()
    monkeypatch.setattr(f"{where}.{name}", size - 1)
    if module is declarations:
        monkeypatch.setattr("crawler.extract.html.page.MAX_SCRIPT", size - 1)
    assert left_out(text, kind) == ("markup",)


def test_elements_of_a_sitemap_beyond_the_limit(monkeypatch):
    monkeypatch.setattr(listing, "_ELEMENTS_PER_LINK", 2)
    nothing = "<url><priority>1</priority></url>"
    assert left_out(SITEMAP % (nothing * 4), "text/xml") == ()
    assert left_out(SITEMAP % (nothing * 5000), "text/xml") == ("markup",)


DEEP = "<sitemap>" * 300 + "</sitemap>" * 300
GROWN = "<url><lastmod>&a;</lastmod></url>"
GROWING = '<!DOCTYPE urlset [<!ENTITY a "%s">]>' % ("x" * 60_000)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        (SITEMAP % DEEP, "text/xml", ("markup",)),
        (SITEMAP % DEEP[: 9 * 200], "text/xml", ()),
        (GROWING + SITEMAP % (GROWN * 40), "text/xml", ("markup",)),
        (GROWING + SITEMAP % (GROWN * 2), "text/xml", ()),
    ],
)  # fmt: skip
def test_what_an_attack_hides(text, kind, expected):
    assert left_out(text, kind) == expected


def test_values_of_json_beyond_the_limit(monkeypatch):
    monkeypatch.setattr("crawler.extract.json_pictures.MAX_VALUES", 4)
    assert left_out('["a", "b", "c"]', "application/json") == ()
    assert left_out('["a", "b", "c", "d"]', "application/json") == ("markup",)


@pytest.mark.parametrize(
    ("kind", "text"), [("application/json", "[%s]"), ("text/plain", FEED)]
)
def test_commas_of_json_beyond_the_limit(monkeypatch, kind, text):
    text %= '"a", "b"'
    monkeypatch.setattr(json_text, "MAX_COMMAS", text.count(","))
    assert left_out(text, kind) == ()
    monkeypatch.setattr(json_text, "MAX_COMMAS", text.count(",") - 1)
    assert left_out(text, kind) == ("markup",)


def test_json_that_is_nested_too_deep():
    assert left_out("[" * 100 + "]" * 100, "application/json") == ()
    deep = "[" * 100_000 + "]" * 100_000
    assert left_out(deep, "application/json") == ("markup",)


def test_the_limits_are_those_of_the_schema():
    assert (body.MAX_MARKUP, css.MAX_STYLE) == (16 * 2**20, 4 * 2**20)
    assert (declarations.MAX_SCRIPT, images._MAX_CHARACTERS) == (2**20, 2 * 2**20)
    assert (images.MAX_STYLES, css.MAX_IMPORTS) == (50, 50)
