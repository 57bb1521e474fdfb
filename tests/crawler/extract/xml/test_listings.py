"""Sitemaps and feeds: the URLs that they name, whatever is wrong beside them."""

from __future__ import annotations

import pytest

from crawler.extract.xml.listing import read_listing
from crawler.extract.xml.parser import parts_of
from crawler.model.documents import File

HEAD = """<?xml version="1.0"?>
<{root} xmlns="{namespace}" xmlns:xhtml="http://www.w3.org/1999/xhtml"
 xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"
 xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom">"""
SITEMAP = HEAD.format(
    root="urlset", namespace="http://www.sitemaps.org/schemas/sitemap/0.9"
)
INDEX = SITEMAP.replace("<urlset", "<sitemapindex")
ATOM = HEAD.format(root="feed", namespace="http://www.w3.org/2005/Atom")
RSS = HEAD.format(root="rss", namespace="").replace(' xmlns=""', "")


def urls_in(document: str, charset: str | None = None) -> list[str]:
    """The links and then the images of a document at http://h/d/."""
    parts = parts_of(document.encode())
    found = read_listing(parts, "http://h/d/", "text/xml", charset, 1000)
    assert isinstance(found, File)
    return [one.url.removeprefix("http://h") for one in (*found.links, *found.images)]


PLACES = [
    (SITEMAP, "<url><loc>{}</loc></url>"),
    (SITEMAP, "<url><xhtml:link rel='alternate' href='{}'/></url>"),
    (SITEMAP, "<url><image:image><image:loc>{}</image:loc></image:image></url>"),
    (INDEX, "<sitemap><loc>{}</loc></sitemap>"),
    (ATOM, "<entry><link href='{}'/></entry>"),
    (ATOM, "<entry><link rel='enclosure' type='image/png' href='{}'/></entry>"),
    (ATOM, "<logo>{}</logo>"),
    (RSS, "<item><link>{}</link></item>"),
    (RSS, "<item><guid>http://h{}</guid></item>"),
    (RSS, "<item><atom:link href='{}'/></item>"),
    (RSS, "<item><enclosure type='image/png' url='{}'/></item>"),
    (RSS, "<image><url>{}</url></image>"),
    (RSS, "<item><media:content medium='image' url='{}'/></item>"),
    (RSS, "<item><media:content type='image/jpeg' url='{}'/></item>"),
    (RSS, "<item><media:group><media:thumbnail url='{}'/></media:group></item>"),
]


@pytest.mark.parametrize(("head", "entry"), PLACES)
def test_ampersands_in_every_place_that_names_a_url(head: str, entry: str) -> None:
    written = {
        "/p?x=1&amp;y=2": "/p?x=1&y=2",
        "/q?x=1&y=2&copy=3": "/q?x=1&y=2&copy=3",
        "/r?x=1&#38;y=2": "/r?x=1&y=2",
        "/s?x&amp;y&z;w": "/s?x&y&z;w",
        "/t?x=1&amp;y=2": "/t?x=1&y=2",
    }
    entries = "".join(map(entry.format, written))
    assert urls_in(head + entries) == list(written.values())


@pytest.mark.parametrize(("head", "entry"), PLACES)
@pytest.mark.parametrize("mistake", ["1 < 2 & 3", "<br>", "<b", "</x>", "\0", "&bad;"])
def test_one_mistake_costs_no_entry(head: str, entry: str, mistake: str) -> None:
    wrong = f"<title>{mistake}</title>"
    urls = [f"/{number}?a&b" for number in range(20)]
    entries = [entry.format(url.replace("&", "&amp;")) for url in urls]
    assert urls_in(head + wrong.join(["", *entries, ""])) == urls


def test_image_without_a_declared_prefix() -> None:
    entry = "<url><image:image><image:loc>/i</image:loc></image:image></url>"
    assert urls_in(f"<urlset>{entry}<url><loc>/p</loc></url></urlset>") == ["/p", "/i"]
