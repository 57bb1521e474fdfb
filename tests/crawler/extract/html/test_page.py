"""crawler/extract/html/page.py and images.py: what is found in a page, and what not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.extract.body import MAX_URL_CHARACTERS
from crawler.extract.charset import markup
from crawler.extract.html.page import read_page
from crawler.extract.html.srcset import MAX_CANDIDATES
from crawler.model.documents import Page
from tests.helpers.cpu import cpu_within

URL = "http://h/d/p?q"


def read(text: str, **options: Any) -> Page:
    settings: dict[str, Any] = {"max_links": 1000, **options}
    charset = settings.pop("charset", "utf-8")
    document = markup(text.encode(charset, "replace"), charset, 2**24)
    return read_page(document, URL, "text/html", **settings)


def links(text: str, **options: Any) -> list[tuple[str, str]]:
    return [
        (link.kind, link.url.removeprefix("http://h/"))
        for link in read(text, **options).links
    ]


def images(text: str) -> list[tuple[str, str]]:
    return [
        (image.kind, image.url.removeprefix("http://h/")) for image in read(text).images
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<a href=x><a href=' x '><a href=x#y><a href='./x'>", [("a", "d/x")]),
        ("<a href='#top'><a href=''><a name=x><a href=mailto:a@b>"
         "<a href='javascript:x'>",
         []),
        ("<map><area href=/x></map>", [("a", "x")]),
        ("<svg><a xlink:href=x></a></svg>", [("a", "d/x")]),
        ("<a href='?a=1&amp;b=2&copy=3'>", [("a", "d/p?a=1&b=2&copy=3")]),
        ("<iframe src=x></iframe><frameset><frame src=y></frameset>",
         [("iframe", "d/x"), ("iframe", "d/y")]),
        ("<iframe src='about:blank'></iframe><iframe srcdoc='<a href=x>'></iframe>",
         []),
        ("<link rel=next href=2><link rel='PREV foo' href=1>",
         [("link_next", "d/2"), ("link_next", "d/1")]),
        ("<link rel=canonical href=/c>", [("link_canonical", "c")]),
        ("<link rel=alternate hreflang=de href=de>", [("link_alternate", "d/de")]),
        ("<link rel=alternate type=application/rss+xml href=f>", [("feed", "d/f")]),
        ("<link rel=alternate type='application/atom+xml; x' href=f>",
         [("feed", "d/f")]),
        ("<link rel='alternate stylesheet' href=s><link rel=stylesheet href=s>", []),
        ("<link rel=alternate type=application/pdf href=f>"
         "<link rel=preconnect href=//x>",
         []),
        ("<link rel=next>", []),
        ("<meta http-equiv=Refresh content='0; URL=x'>", [("meta_refresh", "d/x")]),
        ("<meta http-equiv=refresh content='5;url=\"x y\" z'>",
         [("meta_refresh", "d/x%20y")]),
        ("<meta http-equiv=refresh content='.5, x'>", [("meta_refresh", "d/x")]),
        ("<meta http-equiv=refresh content='1 x'>", [("meta_refresh", "d/x")]),
        ("<meta http-equiv=refresh content='60'><meta http-equiv=refresh content='0x'>",
         []),
        ("<a href=x>", [("a", "d/x")]),
        ("<a href=x><base href='/b/'><base href='/c/'><a href=y>",
         [("a", "b/x"), ("a", "b/y")]),
        ("<base target=x><base href='http://[/'><a href=x>", [("a", "d/x")]),
        ("<template><a href=x></template><noscript><a href=y></noscript>",
         [("a", "d/x"), ("a", "d/y")]),
        ("<a href=x><img src=x>", [("a", "d/x")]),
    ],
)  # fmt: skip
def test_links(text: str, found: list[tuple[str, str]]) -> None:
    assert links(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<img src=a><img src=a><img src='./a'>", [("img", "d/a")]),
        ("<img src='data:image/gif;base64,AA'><img src=''><img>", []),
        ("<img src=a srcset='b 1x, c 2x'>",
         [("img", "d/a"), ("srcset", "d/b"), ("srcset", "d/c")]),
        ("<picture><source srcset='a 1w, b 2w'><img src=c></picture>",
         [("source", "d/a"), ("source", "d/b"), ("img", "d/c")]),
        ("<video poster=a src=film><source src=film2><source data-src=film3></video>",
         [("img", "d/a")]),
        ("<input type=image src=a><input src=b>", [("img", "d/a")]),
        ("<image src=a><svg><image href=b /><image xlink:href=c /></svg>",
         [("img", "d/a"), ("img", "d/b"), ("img", "d/c")]),
        ("<img src=data:, data-src=a data-srcset='b 2x'>",
         [("img", "d/a"), ("srcset", "d/b")]),
        ("<img data-original=a><img data-lazy-src=b>",
         [("img", "d/a"), ("img", "d/b")]),
        ("<meta property=og:image content=/a><meta name=twitter:image content=/b>",
         [("og", "a"), ("og", "b")]),
        ("<meta property=og:image:width content=100>", []),
        ("<link rel='shortcut icon' href=a><link rel=apple-touch-icon href=b>",
         [("icon", "d/a"), ("icon", "d/b")]),
        ("<link rel=preload as=image href=a imagesrcset='b 2x'>",
         [("img", "d/a"), ("srcset", "d/b")]),
        ("<link rel=preload as=font href=a>", []),
        ("<style>p { background: url( 'a.png' ), url(b) } "
         "@font-face { src: url(c.woff2) }</style>",
         [("css", "d/a.png"), ("css", "d/b")]),
        ("<div style='background:url(a.png)'>", [("css", "d/a.png")]),
        ("<div style=\"background:url(&quot;a&quot;)\">", [("css", "d/a")]),
        ("<div class=x data-bg='a.jpg?1'><p data-src=b.webp><p data-src=c>",
         [("css", "d/a.jpg?1"), ("css", "d/b.webp")]),
        ("<script>'<p style=\"background:url(a.png)\">'</script>"
         "<!-- <p data-bg=b.png> -->",
         []),
        ("<p>url(a.png) data-bg=b.png", []),
        ("<img src=data-x.png alt='url(x.png)'>", [("img", "d/data-x.png")]),
    ],
)  # fmt: skip
def test_images(text: str, found: list[tuple[str, str]]) -> None:
    assert images(text) == found


def test_image_details() -> None:
    (image,) = read("<img src=a alt=' A  picture\n' width=640 height=' 480px'>").images
    assert (image.alt, image.width, image.height) == ("A picture", 640, 480)
    (image,) = read("<img src=a width=100% height=x>").images
    assert (image.alt, image.width, image.height) == (None, None, None)
    (image,) = read("<img srcset='a 320w' alt=x>").images
    assert (image.alt, image.width, image.height) == ("x", 320, None)


def test_head() -> None:
    page = read(
        "<!doctype html><html lang=en-GB><title> A &amp;\n B </title><title>C</title>"
        "<meta name=Description content=' About\tit '><meta name=description content=x>"
        "<meta name=robots content=noindex><meta name=ROBOTS content='nofollow'>"
        "<link rel=canonical href='/c#x'><svg><title>D</title></svg>"
    )
    assert page.title == "A & B"
    assert page.description == "About it"
    assert page.lang == "en-GB"
    assert page.robots_meta == "noindex, nofollow"
    assert page.canonical_url == "http://h/c"
    assert (page.charset, page.content_type) == ("utf-8", "text/html")


def test_an_empty_head_declares_nothing() -> None:
    page = read("<html lang=''><title> </title><meta name=description content=''>")
    declared = (
        page.title,
        page.description,
        page.lang,
        page.robots_meta,
        page.canonical_url,
    )
    assert declared == (None,) * 5


def test_nofollow() -> None:
    first, second, third = read(
        "<a href=1 rel='UGC NoFollow'><a href=2 rel=me><a href=3>"
    ).links
    assert (first.nofollow, first.rel) == (True, "UGC NoFollow")
    assert (second.nofollow, second.rel) == (False, "me")
    assert (third.nofollow, third.rel, third.text) == (False, None, None)


def test_texts_of_links_are_read_when_asked_for() -> None:
    text = (
        "<a href=1> One\n<b>and</b> &lt;more </a><a href=2><img src=x></a>"
        "<a href=3>3<a href=4>4"
    )
    found = [link.text for link in read(text, with_text=True).links]
    assert found == ["One and <more", None, "3", "4"]


@pytest.mark.parametrize(
    "text",
    [
        '<a href="x"> <img src=i></a><a href="x">The text</a><a href="x">No</a>',
        "<link rel=next href=x><a class=c href='x'>The text</a>",
        '<a href="x"><img></a><a href="./x#f"><b></b></a><a href="../d/x">The text</a>',
        "<a rel=y href=x><i></i></a>"
        + "<a href=x><i></i></a>" * 3
        + "<a href=x>The text",
    ],
)
def test_the_first_link_with_a_text_gives_it(text: str) -> None:
    (link,) = read(text, with_text=True).links
    assert (link.url, link.text) == ("http://h/d/x", "The text")


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("a\n  b &lt;c&#10;", "a b <c"),
        ("\u00e9t\u00e9&nbsp;1", "\u00e9t\u00e9 1"),
        ("a\0b \0 c", "a\0b \0 c"),
        ("<!-- --><b>a</b>b", "a b"),
        ("a < b", "a < b"),
        ("w" * 1000, "w" * 1000),
        ("w" * 1001, "w" * 1000),
        ("w " * 3000, ("w " * 500).strip()),
        (" \n", None),
    ],
)
def test_texts_do_not_depend_on_their_neighbours(
    written: str, text: str | None
) -> None:
    """The texts of a page are cleaned together, and told apart again."""
    middle = f'<a href="2">{written}</a>'
    page = read(
        f'<a href="1"> one &amp</a>{middle}<a href="3"></a>'
        f'<a href="4">{written}</A><a class="c" href="5">five</a>',
        with_text=True,
    )
    texts = [link.text for link in page.links]
    assert texts == ["one &", text, None, text, "five"]
    assert [link.text for link in read(middle, with_text=True).links] == [text]


def test_queries_are_written_in_the_charset_of_the_page() -> None:
    (link,) = read("<a href='?é'>", charset="windows-1252").links
    assert link.url == "http://h/d/p?%E9"


def test_no_more_links_than_asked_for() -> None:
    text = "".join(f"<a href={n}><img src=i{n}>" for n in range(100))
    page = read(text, max_links=10)
    assert len(page.links) + len(page.images) == 10


def test_long_texts_are_cut() -> None:
    page = read(
        f"<title>{'t ' * 100_000}</title>"
        f"<meta name=description content='{'d' * 10_000}'>"
    )
    assert page.title is not None
    assert page.description is not None
    assert len(page.title) <= 1000
    assert len(page.description) <= 1000


_WORDS = """<a href=|<img src=|srcset=|'|"|>|<base href=|x|/|http://|[|&#|<style>url(
)|?é|:|//|<div style='url(|data-bg=a.png |<meta http-equiv=refresh content='|0;url=
<link rel=next href=|<title>"""
PIECES = st.sampled_from(["\ud7ff", "\x00", " ", *_WORDS.replace("\n", "|").split("|")])


@settings(max_examples=300)
@given(
    st.lists(PIECES, max_size=20).map("".join),
    st.sampled_from(["utf-8", "big5", "iso-2022-jp"]),
)
def test_any_text_is_a_page(text: str, charset: str) -> None:
    page = read(text, charset=charset, with_text=True)
    linked = [link.url for link in page.links]
    shown = [image.url for image in page.images]
    assert len(linked) == len(set(linked))
    assert len(shown) == len(set(shown))
    for url in linked + shown:
        assert url.isascii()
        assert "#" not in url


@pytest.mark.parametrize(
    "piece",
    ["<x url(", "url(", "<p style='url(", "<a href=x rel=y>", "<img srcset='",
     "<a href=x><p style='url(a)'>", "<style>url(", "<style></style>url(", "data-src=",
     "<data-src "],
)  # fmt: skip
def test_time_is_linear(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    with cpu_within(3):
        read(text, with_text=True)


# -- bounds

MANY = 300_000
LONG_BASE = f"<base href='http://h/{'d/' * 4000}'>"


def test_a_long_base_and_many_links_stay_within_the_bound() -> None:
    """700 kB of links would become 400 MB of URLs."""
    page = read(
        LONG_BASE + "".join(f"<a href={n}>" for n in range(50_000)), max_links=50_000
    )
    assert 1000 < len(page.links) <= MAX_URL_CHARACTERS // 8000
    page = read(LONG_BASE + "".join(f"<img src={n}><a href=a{n}>" for n in range(9999)),
                max_links=50_000)  # fmt: skip
    assert (
        sum(len(one.url) for one in (*page.links, *page.images)) <= MAX_URL_CHARACTERS
    )


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("<style>" + "".join(f"url({n})" for n in range(MANY)) + "</style>", 1000),
        (
            "<img srcset='" + ", ".join(f"{n} 1w" for n in range(MANY)) + "'>",
            MAX_CANDIDATES,
        ),
        ("<img src=x " + " ".join(f"a{n}=1" for n in range(MANY)) + ">", 1),
        ("<img src=x>" * MANY, 1),
    ],
)
def test_images_without_end(text: str, most: int) -> None:
    with cpu_within(3):
        assert len(read(text).images) == most


def test_the_first_attributes_of_a_tag_are_read_however_long_it_is() -> None:
    data = "x" * 2**20
    assert links(f"<a href=y data-x='{data}'>") == [("a", "d/y")]
    assert read(f"<link rel=next href=y title='{data}'>").links[0].url == "http://h/d/y"
