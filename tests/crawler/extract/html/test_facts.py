"""The facts that a page declares: dates, authors, types, feeds, languages."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from crawler.extract.charset import markup
from crawler.extract.html.page import read_page
from crawler.model.documents import NOTHING, Alternate, Declared, Page


def read(text: str, *, with_text: bool = False) -> Page:
    document = markup(text.encode(), "utf-8", 16 * 2**20)
    return read_page(document, "http://h/d/p", "text/html", 1000, with_text=with_text)


def declared(text: str) -> Declared:
    return read(text).declared


def meta(name: str, content: str, attribute: str = "name") -> str:
    return f'<meta {attribute}="{name}" content="{content}">'


def ld(document: Any) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    return f'<script type="application/ld+json">{text}</script>'


ARTICLE = {
    "@context": "https://schema.org",
    "@graph": [
        {"@type": "WebSite", "@id": "#site", "name": "The Daily"},
        {
            "@type": ["NewsArticle", "schema:CreativeWork"],
            "headline": "News",
            "datePublished": "2026-11-30T08:15:00+01:00",
            "dateModified": "2026-11-30",
            "author": [{"@id": "#jane"}, {"@type": "Person", "name": "Joe &amp; Co"}],
            "comment": {"@type": "Comment", "datePublished": "2020-01-01"},
        },
        {"@type": "http://schema.org/Person", "@id": "#jane", "name": "Jane Doe"},
        {
            "@type": "BreadcrumbList",
            "itemListElement": [
                {"position": 2, "item": {"@id": "/a/b", "name": "Politics"}},
                {"position": "1", "name": "Home", "item": "/"},
            ],
        },
    ],
}


def test_a_page_that_declares_nothing() -> None:
    text = meta("viewport", "x") + "<link rel=stylesheet href=s><p property=x>"
    assert declared(text) == NOTHING


def test_open_graph() -> None:
    found = declared(
        meta("OG:Type ", " article ", "property")
        + meta("og:type", "website", "property")
        + meta("og:site_name", "Tom &amp; Co", "property")
    )
    assert (found.og_type, found.og_site_name) == ("article", "Tom & Co")


def test_json_ld() -> None:
    found = declared(ld(ARTICLE))
    assert found.jsonld_types == (
        "WebSite", "NewsArticle", "CreativeWork", "Person", "BreadcrumbList",
    )  # fmt: skip
    assert found.published == "2026-11-30T08:15:00+01:00"
    assert found.modified == "2026-11-30"
    assert found.author == "Jane Doe; Joe & Co"
    assert found.breadcrumbs == ("Home", "Politics")
    assert found.jsonld == (ARTICLE,)


@pytest.mark.parametrize(
    "text",
    [
        '<!-- {"@type": "Product"} -->',
        '//<![CDATA[\n{"@type": "Product"}\n//]]>',
        '/*<![CDATA[*/ {"@type": "Product"} /*]]>*/',
        '[{"@type": "Product",}, ]',
        '{"@type": "Product", /* no } comment */ "url": "http://a//b"} // end',
        '{"@type": "Product", "description": "two\nlines\tand \\ud83d"}',
        '{"@type": "Product"};',
        '{"@type": "Product", "price": NaN}',
        '{"mainEntity": {"@type": "Product"}}',
        '[[{"@type": ["schema:Product"]}]]',
    ],
)
def test_json_ld_that_is_written_loosely(text: str) -> None:
    assert declared(ld(text)).jsonld_types == ("Product",)


@pytest.mark.parametrize(
    "text",
    [
        "{", "[1, null]", '"@type"', '{"@type": 7}', '{"@type": {"a": 1}}',
        '{"@graph": 1}', "{" * 5000, '{"a":' * 100_000, "[" * 10**6,
        '"\\"' * 10**5, "/*" * 10**5, "," + " " * 10**5,
    ],
)  # fmt: skip
def test_json_ld_that_says_nothing_or_is_hostile(text: str) -> None:
    started = time.process_time()
    assert declared(ld(text)).jsonld_types == ()
    assert time.process_time() - started < 2


def test_objects_that_a_database_cannot_hold_are_not_kept_as_they_are() -> None:
    deep = json.loads('{"a":' * 100 + "1" + "}" * 100) | {"@type": "Deep"}
    wide = {"@type": "Wide", "number": 2**70}
    found = declared(ld([deep, wide, {"@type": "Thing"}]))
    assert found.jsonld == ({"@type": "Thing"},)
    assert found.jsonld_types == ("Deep", "Wide", "Thing")
    assert declared(ld({"@type": "Big", "x": "y" * 300_000})).jsonld == ()


def test_pictures_are_found_in_json_ld_as_before() -> None:
    page = read(ld('{"@type": "Product", "image": "/a",}'))
    assert [one.url for one in page.images] == ["http://h/a"]


@pytest.mark.parametrize(
    ("text", "published", "modified"),
    [
        (
            meta("article:published_time", "2026-01-02", "property")
            + meta("article:modified_time", "2026-01-03", "property"),
            "2026-01-02",
            "2026-01-03",
        ),
        (meta("DC.date.issued", "2026-01"), "2026-01", None),
        (meta("dcterms.modified", "2026-01-02"), None, "2026-01-02"),
        (meta("parsely-pub-date", "2026-01-02T03:04:05Z"), "2026-01-02T03:04:05Z",
         None),
        (meta("sailthru.date", "Fri, 02 Jan 2026 03:04:05 +0100"),
         "2026-01-02T03:04:05+01:00", None),
        (meta("og:updated_time", "2026-01-02", "property"), None, "2026-01-02"),
        (meta("datePublished", "2026-01-02", "itemprop"), "2026-01-02", None),
        ("<time pubdate datetime=2026-01-02>today</time>", "2026-01-02", None),
        ("<time itemprop=datePublished datetime=2026-01-02>", "2026-01-02", None),
        ("<time class='entry-date published' datetime=2026-01-02>", "2026-01-02",
         None),
        ("<time class=updated datetime=2026-01-02>", None, "2026-01-02"),
        ("<span property=dateModified content=2026-01-02>", None, "2026-01-02"),
        # the same in two places, and in two forms
        ("<time pubdate datetime=2026-01-02><time pubdate datetime=2026/1/2>",
         "2026-01-02", None),
        # entries of a list, or comments: it is not known which is the page's
        ("<time pubdate datetime=2026-01-02><time pubdate datetime=2026-01-03>", None,
         None),
        ("<time datetime=2026-01-02>", None, None),
        ("<time class='published updated' datetime=2026-01-02>", None, None),
        # one that is no date hides no other
        (meta("article:published_time", "{{date}}", "property")
         + meta("date", "2026-01-02"), "2026-01-02", None),
        (meta("date", "2025-01-01") + ld(ARTICLE)
         + meta("article:published_time", "2026-01-02", "property"),
         "2026-01-02", "2026-11-30"),
        (meta("date", "2025-01-01") + ld(ARTICLE), "2026-11-30T08:15:00+01:00",
         "2026-11-30"),
        (ld({"@type": "Review", "datePublished": "2026-01-02"}), None, None),
    ],
)  # fmt: skip
def test_dates(text: str, published: str | None, modified: str | None) -> None:
    found = declared(text)
    assert (found.published, found.modified) == (published, modified)


@pytest.mark.parametrize(
    ("text", "author"),
    [
        (meta("author", " Jane  Doe "), "Jane Doe"),
        (meta("author", "") + meta("dc.creator", "Jane"), "Jane"),
        (meta("article:author", "https://social.test/jane", "property"), None),
        (meta("article:author", "https://s.test/j", "property")
         + meta("parsely-author", "Jane"), "Jane"),
        (meta("citation_author", "Doe, Jane") + meta("citation_author", "Roe, Joe"),
         "Doe, Jane; Roe, Joe"),
        ("<meta name=author property=article:author content=Jane>", "Jane"),
        ("<meta itemprop=author content=Jane>", "Jane"),
        ("<meta itemprop=author content=A><meta itemprop=author content=B>", None),
        ("<a rel='author nofollow' href=/jane><b>Jane</b> Doe</a>", "Jane Doe"),
        ("<a rel=author href=/a>A</a><a rel=author href=/b>B</a>", None),
        (ld({"@type": "Article", "author": "Joe"}) + meta("author", "cms"), "Joe"),
        (ld({"@type": "Article", "author": {"name": ["A", "B", "A"]}}), "A; B"),
        (ld({"@type": "Article", "author": {"@id": "#none"}}), None),
        (meta("author", "x" * 5000), "x" * 200),
    ],
)  # fmt: skip
def test_author(text: str, author: str | None) -> None:
    assert declared(text).author == author


def crumb(name: str, attribute: str = "itemprop") -> str:
    return (
        f'<li {attribute}="itemListElement"><a {attribute}="item" href="/{name}">'
        f'<span {attribute}="name"><i>{name}</i> &amp; co</span></a></li>'
    )


@pytest.mark.parametrize(
    "text",
    [
        '<ol itemscope itemtype="https://schema.org/BreadcrumbList">'
        + crumb("A")
        + crumb("B")
        + "</ol><ul>"
        + crumb("C")
        + "</ul>",
        '<div vocab="https://schema.org/" typeof="BreadcrumbList"><div>'
        + crumb("A", "property")
        + "</div>"
        + crumb("B", "property")
        + "</div>"
        + crumb("C", "property"),
    ],
)
def test_breadcrumbs_in_the_text(text: str) -> None:
    assert declared(text).breadcrumbs == ("A & co", "B & co")
    assert declared(ld(ARTICLE) + text).breadcrumbs == ("Home", "Politics")


def test_items_of_another_list_are_no_breadcrumbs() -> None:
    text = '<ul itemscope itemtype="https://schema.org/ItemList">' + crumb("A") * 1000
    assert declared(text).breadcrumbs == ()


def test_feeds_and_amp() -> None:
    page = read(
        "<link rel=alternate type=application/rss+xml href=/rss>"
        "<link rel=alternate type='application/feed+json' href=f.json>"
        "<link rel=alternate type=application/rss+xml href=/rss>"
        "<link rel=amphtml href=/amp>"
    )
    assert page.declared.feeds == ("http://h/rss", "http://h/d/f.json")
    assert page.declared.amp_url == "http://h/amp"
    assert "http://h/amp" not in [link.url for link in page.links]


def test_the_language_belongs_to_the_link() -> None:
    text = (
        "<link rel=alternate hreflang=de href=/de>"
        "<link rel=alternate hreflang=x-default href=/>"
        "<link rel=alternate media=print href=/print>"
        "<a href='/fr' hreflang=fr>f</a>"
        '<a href="/it#x" hreflang="it">i</a><a href="/es">e</a>'
    )
    page = read(text, with_text=True)
    assert page.declared.alternates == (
        Alternate("de", "http://h/de"),
        Alternate("x-default", "http://h/"),
    )
    assert {link.url: link.hreflang for link in page.links} == {
        "http://h/de": "de",
        "http://h/": "x-default",
        "http://h/print": None,
        "http://h/fr": "fr",
        "http://h/it": "it",
        "http://h/es": None,
    }
    assert read(text).links[0].hreflang == "de"


def test_all_lists_are_bounded() -> None:
    long = "x" * 1000
    text = "".join(
        f"<link rel=alternate hreflang=l{n} href=/{long}{n}>"
        f"<link rel=alternate type=application/rss+xml href=/f{long}{n}>"
        f"<meta name=citation_author content=author-number-{n}>"
        + ld({"@type": f"T{n}"})
        for n in range(1000)
    )
    found = declared(text)
    assert len(found.alternates) == len(found.feeds) == 8
    assert len(found.jsonld_types) == 100
    assert len(found.author or "") == 1000
