"""Which images of a page are versions of one picture, and which of them is the best."""

from __future__ import annotations

import pytest

from crawler.extract.charset import markup as markup_of
from crawler.extract.html.page import read_page
from crawler.extract.html.sizes import WINDOW, width_by_sizes
from crawler.model.documents import Page


def read_html(text: str) -> Page:
    return read_page(
        markup_of(text.encode(), "utf-8", 10**6), "http://h/", "text/html", 1000
    )


def pictures(markup: str) -> list[list[str]]:
    page: Page = read_html(markup)
    return [
        [url.removeprefix("http://h/") for url in one.versions] for one in page.pictures
    ]


BEST = [
    ('<img src="a.jpg" srcset="b.jpg 300w, c.jpg 1200w">', "c b a"),
    ('<img src="a.jpg" srcset="b.jpg 2x, c.jpg 1.5x">', "b c a"),
    ('<img src="blank.gif" data-src="a.jpg">', "a blank.gif"),
    ('<img src="a.jpg" data-src-large="b.jpg" data-thumb="t.jpg">', "b a t"),
    ('<img src="m.jpg" data-orig-file="o.jpg" data-medium-file="x.jpg">', "o x m"),
    ('<img src="p.gif" data-src="a.jpg" data-srcset="b.jpg 400w, c.jpg 800w">',
     "c b a p.gif"),
    ('<a href="big.jpg"><img src="t.jpg"></a>', "big t"),
    ('<a href="big.jpg"><img src="t.jpg" srcset="u.jpg 2x"></a>', "big u t"),
    ('<picture><source srcset="a.avif 800w, b.avif 1600w"><source srcset="c.webp 800w">'
     '<img src="d.jpg"></picture>', "b.avif a.avif c.webp d"),
]  # fmt: skip


@pytest.mark.parametrize(("markup", "order"), BEST)
def test_the_best_version_comes_first(markup: str, order: str) -> None:
    expected = [name if "." in name else f"{name}.jpg" for name in order.split()]
    assert pictures(markup) == [expected]
    assert pictures(f"<p><img src=other.jpg>{markup}<img src=last.jpg>") == [expected]


def test_an_image_that_stands_alone_elsewhere_is_a_picture_of_its_own() -> None:
    markup = (
        '<img src="logo.png" data-src="a.jpg"><img src="logo.png"><img src="b.jpg">'
    )
    assert pictures(markup) == [["a.jpg", "logo.png"], ["logo.png"]]


@pytest.mark.parametrize(
    "markup",
    [
        "<img src=a.jpg><img src=b.jpg>",
        '<a href="/page"><img src="t.jpg"></a>',
        '<a href="/wiki/File:big.jpg"><img src="t.jpg"></a>',
        '<a href="big.jpg">text</a><img src="t.jpg">',
        '<video><source src="a.mp4"></video><img src="t.jpg">',
        '<img srcset="a.jpg 1x">',
    ],
)
def test_what_has_no_other_version_is_no_group(markup: str) -> None:
    assert [one for one in pictures(markup) if len(one) > 1] == []


def test_the_images_know_their_group() -> None:
    page = read_html(
        '<img src="x.jpg"><img src="a.jpg" srcset="b.jpg 2x"><img src="c.jpg" '
        'data-src="d.jpg">'
    )
    groups = {image.url.removeprefix("http://h/"): image.group for image in page.images}
    assert groups == {"x.jpg": None, "a.jpg": 0, "b.jpg": 0, "c.jpg": 1, "d.jpg": 1}


SIZES = [
    ("", WINDOW),
    ("100vw", WINDOW),
    ("50vw", WINDOW / 2),
    ("300px", 300),
    ("20em", 320),
    ("(max-width: 600px) 480px, 800px", 800),
    ("(min-width: 1000px) 700px, 100vw", 700),
    ("(min-width: 1000px) and (max-width: 1100px) 700px, 600px", 600),
    ("(min-width: 60em) calc(50vw - 40px), 100vw", 600),
    ("calc(100vw - 80px)", 1200),
    ("calc(100vw / 3)", WINDOW),
    ("(orientation: portrait) 10px, 20px", 20),
    ("not-a-size, 33px", 33),
    ("auto", WINDOW),
    ("-5px", WINDOW),
    ("," * 10_000, WINDOW),
    ("(" * 10_000, WINDOW),
]


@pytest.mark.parametrize(("sizes", "width"), SIZES)
def test_the_width_that_sizes_say(sizes: str, width: float) -> None:
    assert width_by_sizes(sizes) == pytest.approx(width)


@pytest.mark.parametrize(
    ("sizes", "shown"), [("300px", "b"), ("301px", "c"), ("", "d"), ("90px", "b")]
)
def test_the_version_that_a_browser_shows(sizes: str, shown: str) -> None:
    page = read_html(
        f'<img src="a" sizes="{sizes}" srcset="b 300w, c 900w, d 1280w, e 2000w">'
    )
    (picture,) = page.pictures
    assert picture.versions[picture.shown] == f"http://h/{shown}"
