"""Raw text in SVG and MathML: an element that is left open hides nothing."""

from __future__ import annotations

import pytest

from crawler.extract.charset import markup
from crawler.extract.html.page import read_page
from crawler.model.documents import Page
from tests.helpers.cpu import cpu_within


def read(text: str) -> Page:
    document = markup(text.encode(), "utf-8", 2**24)
    return read_page(document, "http://h/", "text/html", 1000)


def links(text: str) -> list[str]:
    return [link.url.removeprefix("http://h/") for link in read(text).links]


@pytest.mark.parametrize(
    "text",
    [
        "<svg><style>.a{}</svg><a href=/x>",
        "<SVG><STYLE>.a{}</SVG><a href=/x>",
        "<svg><script>var a</svg><a href=/x>",
        "<svg><script>var a</svg><script>'<a href=/no>'</script><a href=/x>",
        "<svg><style>.a{}</svg><style>a</style><a href=/x>",
        "<svg><style>.a{}<p><a href=/x></p><style>'<a href=/no>'</style>",
        "<svg><title>Icon</svg><a href=/x>",
        "<svg><textarea></svg><a href=/x>",
        "<math><script>x</math><a href=/x>",
        "<svg><style/><a href=/x></svg>",
        "<svg><g><style></g></svg><a href=/x>",
        # where the element is not in foreign content, its text is raw as ever
        "<svg><foreignObject><style></svg><a href=/no></style></svg><a href=/x>",
        "<svg><p><style></svg><a href=/no></style><a href=/x>",
        "<svg/><style></svg><a href=/no></style><a href=/x>",
        "<svg></svg><style></svg><a href=/no></style><a href=/x>",
        "<!-- <svg> --><style></svg><a href=/no></style><a href=/x>",
        "<script>'<svg>'</script><style></svg><a href=/no></style><a href=/x>",
        "<svg><style>a</style><script>'<a href=/no>'</script></svg><a href=/x>",
    ],
)
def test_what_is_left_open_hides_nothing(text: str) -> None:
    assert links(text) == ["x"]


def test_a_style_of_html_that_is_left_open_takes_the_rest() -> None:
    assert links("<style>a <a href=/no>") == []


def test_images_of_a_style_in_svg() -> None:
    page = read(
        "<svg><style>.a{fill:url(/a.png)}</svg>"
        "<svg><style> <![CDATA[.a{fill:url(/b.png)} </svg> ]]></style></svg>"
    )
    assert [image.url for image in page.images] == ["http://h/a.png", "http://h/b.png"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("<svg><title>Icon</svg><title>Real</title>", "Real"),
        ("<svg><title>Icon</title></svg><title>Real</title>", "Real"),
        ("<title></title><svg><title>Icon</title></svg>", None),
        ("<svg><title>Icon</title><title>Again</title></svg>", None),
        ("<svg></svg><title>Real</title>", "Real"),
        ("<title>Real</title><svg><title>Icon</title></svg>", "Real"),
    ],
)
def test_the_title_of_a_drawing_is_not_that_of_the_page(
    text: str, title: str | None
) -> None:
    assert read(text).title == title


@pytest.mark.parametrize(
    "text",
    [
        "<svg>" + "<style>" * 100_000,
        "<svg>" + "<style>" * 100_000 + "</style>",
        "<svg>" + "<script><!--" * 60_000,
        "<svg>" + "<title>" * 100_000 + "</title>",
        "<svg><style>a</svg>" * 40_000,
        "<svg" * 200_000,
        "<svg><foreignObject>" * 40_000 + "<style>",
        "<svg>" + "<!--" * 100_000 + "<style>",
    ],
)
def test_hostile_nesting_costs_linear_time(text: str) -> None:
    with cpu_within(2.0):
        read(text)
