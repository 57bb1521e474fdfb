"""crawler/extract/html/bounds.py: what no page of the reader says, none may say."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from crawler.extract.body import MAX_URL_CHARACTERS
from crawler.extract.html.bounds import check_page
from crawler.model.documents import (
    Alternate,
    Declared,
    ImageLink,
    Link,
    LinkKind,
    Page,
    Picture,
)

MAX_LINKS = 3
URL = "https://a.test/x"
PAGE = Page("text/html", "utf-8", links=(Link(URL, "a"),))
OF_PAGES = {
    "a", "iframe", "meta_refresh", "link_canonical", "link_next", "link_alternate",
    "feed",
}  # fmt: skip
LONG = "x" * 1001
MESSAGES = "there may be|type|kind|below|canonical|deep"


def deep(levels: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(levels):
        found = {"a": found}
    return found


def image(**values: Any) -> dict[str, Any]:
    return {"images": (ImageLink(URL, "img", **values),)}


def link(**values: Any) -> dict[str, Any]:
    return {"links": (replace(Link(URL, "a"), **values),)}


def declared(**values: Any) -> dict[str, Any]:
    return {"declared": Declared(**values)}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        link(text="x" * 1000, rel="next", hreflang="de"),
        image(alt="x", width=0, height=10**9 - 1),
        {"pictures": (Picture((URL, f"{URL}2"), 1),), **image(group=0)},
        declared(jsonld=(deep(60),), feeds=(URL,), alternates=(Alternate("de", URL),)),
        {"canonical_url": URL, "content_type": "application/xhtml+xml"},
    ],
)
def test_what_a_page_may_say(changes: dict[str, Any]) -> None:
    check_page(replace(PAGE, **changes), MAX_LINKS)


@pytest.mark.parametrize(
    "changes",
    [
        {"content_type": "application/json"},
        {"charset": "no-charset"},
        {"links": tuple(Link(f"{URL}{n}", "a") for n in range(MAX_LINKS + 1))},
        {"images": tuple(ImageLink(URL, "img") for n in range(2 * MAX_LINKS + 1))},
        {"styles": tuple(Link(URL, "stylesheet") for _ in range(51))},
        {"styles": (Link(URL, "a"),)},
        {"styles": (Link("x.css", "stylesheet"),)},
        image(width=-1),
        image(height=2**63),
        image(group=0),
        {"images": (ImageLink(URL, "stylesheet"),)},
        *[image(**{name: LONG}) for name in ("alt", "title", "caption", "link_text")],
        *[link(**{name: LONG}) for name in ("text", "rel", "hreflang")],
        {"pictures": (Picture((URL,), 1),)},
        {"pictures": (Picture(("/x",)),)},
        {"title": LONG},
        {"description": LONG},
        {"lang": LONG},
        {"robots_meta": "x" * 20_000},
        {"canonical_url": "/x"},
        declared(author=LONG),
        declared(jsonld=(deep(100),)),
        declared(jsonld=({"a": 2**63},)),
        declared(feeds=("/x",)),
        declared(amp_url="x"),
        declared(alternates=(Alternate("de", "/x"),)),
        declared(alternates=(Alternate(LONG, URL),)),
        declared(breadcrumbs=(LONG,)),
    ],
)
def test_what_no_page_says(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=MESSAGES):
        check_page(replace(PAGE, **changes), MAX_LINKS)


@pytest.mark.parametrize("kind", get_args(LinkKind))
def test_a_link_has_a_kind_that_passes_no_check_by_itself(kind: LinkKind) -> None:
    """A named sitemap may be on any host, and a redirect widens the scope."""
    page = replace(PAGE, links=(Link(URL, kind),))
    if kind in OF_PAGES:
        check_page(page, MAX_LINKS)
    else:
        with pytest.raises(ValueError, match="kind"):
            check_page(page, MAX_LINKS)


@pytest.mark.parametrize(
    "url",
    [
        "", "x", "javascript:x", "file:///etc/passwd", "HTTPS://a.test/", "http://[::1",
        "https://a.test/docs/../admin", "https://u:p@a.test/", "https://a.test/#x",
        "https://a.test/ x", "https://a.test:443/", "http://2130706433/",
        "https://a.test/" + "x" * 9000,
    ],
)  # fmt: skip
def test_a_url_that_is_not_canonical_would_mean_another_to_the_checks(url: str) -> None:
    for changes in (
        link(url=url),
        {"images": (ImageLink(url, "img"),)},
        {"pictures": (Picture((URL, url)),)},
    ):
        with pytest.raises(ValueError, match="canonical"):
            check_page(replace(PAGE, **changes), MAX_LINKS)


def test_all_urls_together_have_a_bound() -> None:
    count = MAX_URL_CHARACTERS // 8000 + 1
    links = tuple(Link(f"{URL}{n:04}{'x' * 8000}", "a") for n in range(count))
    with pytest.raises(ValueError, match="longer"):
        check_page(replace(PAGE, links=links), count)
