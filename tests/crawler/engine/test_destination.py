"""The destination of a URL is a hint: its bytes decide what it is, and all finds count.

A page that an attribute for pictures names as well is a page, in whichever order the
two are found.
"""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.model.content_config import ImagesConfig, OutputConfig
from crawler.model.policy_config import LimitsConfig, RobotsConfig, ScopeConfig
from crawler.workspace.open import stored_config
from tests.helpers.crawling import (
    config,
    crawl,
    endings,
    link,
    of,
    page,
    picture,
    png,
)
from tests.site.page import reply
from tests.site.server import Exchange, Handler

SITEMAP = (
    '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'
    ' xmlns:i="http://www.google.com/schemas/sitemap-image/1.1">{}</urlset>'
)

BOTH: dict[str, str] = {
    "an image behind the link": link("/a") + picture("/a"),
    "an image before the link": picture("/a") + link("/a"),
    "data-url": '<img src="/i" data-url="/a">' + link("/a"),
    "og:image": '<meta property="og:image" content="/a">' + link("/a"),
    "icon": '<link rel="icon" href="/a">' + link("/a"),
    "poster": '<video poster="/a"></video>' + link("/a"),
    "style": '<p style="background: url(/a)">' + link("/a"),
    "iframe": '<iframe src="/a"></iframe>' + picture("/a"),
    "canonical": '<link rel="canonical" href="/a">' + picture("/a"),
    "redirect to it": link("/moved") + picture("/a"),
    "image redirected to it": link("/a") + picture("/moved"),
    "from two pages, the image first": picture("/a") + link("/second"),
    "from two pages, the link first": link("/a", "/third"),
}


def site_of(index: Handler, **more: Handler) -> dict[str, Handler]:
    pages: dict[str, Handler] = {
        "index": index,
        "a": page(link("/behind")),
        "behind": page(),
        "second": page(link("/a")),
        "third": page(picture("/a")),
        "moved": reply(status=302, headers=(("Location", "/a"),)),
        "i": reply(png(), "image/png"),
    }
    return pages | more


@pytest.mark.parametrize("images", [True, False], ids=["images", "no images"])
@pytest.mark.parametrize("body", BOTH.values(), ids=BOTH)
def test_a_page_that_is_also_named_as_a_picture(
    serve: Any, tmp_path: Any, body: str, images: bool
) -> None:
    site = serve(**site_of(page(body)))
    setting = ImagesConfig(fetch=images)
    assert crawl(config(site, tmp_path, images=setting)).exit_code == 0
    found = endings(tmp_path, site)
    assert (found["/a"], found["/behind"]) == ("page", "page")


LISTS = {
    "sitemap": (
        "<url><loc>{0}/a</loc><i:image><i:loc>{0}/a</i:loc></i:image></url>",
        "application/xml",
    ),
    "sitemap, the image first": (
        "<url><i:image><i:loc>{0}/a</i:loc></i:image><loc>{0}/a</loc></url>",
        "application/xml",
    ),
    "feed": (
        '<rss><channel><item><link>{0}/a</link><enclosure type="image/png"'
        ' url="{0}/a"/></item></channel></rss>',
        "application/rss+xml",
    ),
}


@pytest.mark.parametrize("images", [True, False], ids=["images", "no images"])
@pytest.mark.parametrize(("text", "content_type"), LISTS.values(), ids=LISTS)
def test_a_list_that_names_a_page_as_a_picture(
    serve: Any, tmp_path: Any, text: str, content_type: str, images: bool
) -> None:
    def listing(exchange: Exchange) -> None:
        body = text.format(site.base)
        if "xml" in content_type and "rss" not in content_type:
            body = SITEMAP.format(body)
        exchange.reply(body, content_type)

    def robots(exchange: Exchange) -> None:
        exchange.reply(f"Sitemap: {site.url('/list')}\n", "text/plain")

    site = serve(robots=robots, list=listing, **site_of(page()))
    scope = ScopeConfig(sitemaps=True, depth=1)
    setting = ImagesConfig(fetch=images)
    start = "/" if text.startswith("<url") else "/list"
    crawl(config(site, tmp_path, start, scope=scope, images=setting))
    assert endings(tmp_path, site)["/a"] == "page"


def test_a_file_that_is_also_named_as_a_picture(serve: Any, tmp_path: Any) -> None:
    site = serve(
        index=page(link("/paper") + picture("/paper")),
        paper=reply(b"%PDF-1.4", "application/pdf"),
    )
    crawl(config(site, tmp_path))
    assert endings(tmp_path, site)["/paper"] == "file"


def test_a_picture_that_is_also_linked_stays_a_picture(
    serve: Any, tmp_path: Any
) -> None:
    site = serve(index=page(link("/i") + picture("/i")), i=reply(png(), "image/png"))
    crawl(config(site, tmp_path, limits=LimitsConfig(max_pages=1)))
    (image,) = of(tmp_path, "image")
    assert (image["link_kind"], image["alt"]) == ("img", "a picture")
    assert image["page_url"] == site.url("/")
    assert len(site.hits("/i")) == 1


def test_a_page_that_is_only_named_as_a_picture(serve: Any, tmp_path: Any) -> None:
    site = serve(**site_of(page(picture("/a"))))
    crawl(config(site, tmp_path, records=OutputConfig(include=("links",))))
    pages = of(tmp_path, "page")
    found = {record["url"].removeprefix(site.base): record for record in pages}
    assert set(found) == {"/", "/a", "/behind"}
    assert (found["/a"]["link_kind"], found["/a"]["depth"]) == ("img", 1)
    assert found["/a"]["attempts"] == 2  # asked for as an image, then as a page
    assert found["/a"]["links_count"] == 1


def test_what_no_check_lets_in_as_a_page_is_a_broken_picture(
    serve: Any, tmp_path: Any
) -> None:
    other = serve(a=page(link("/behind")), behind=page())
    site = serve(**site_of(page(picture(other.url("/a"), "/a"), link("/x"))))
    crawl(config(site, tmp_path, scope=ScopeConfig(depth=0)))
    codes = {record["url"]: record["error_code"] for record in of(tmp_path, "error")}
    assert codes == {other.url("/a"): "image_decode", site.url("/a"): "image_decode"}
    assert len(site.hits("/a")) == 1


@pytest.mark.parametrize(
    "broken",
    [
        reply(b"", "image/png"),
        reply(b"", "text/html"),
        reply(status=204),
        reply(b"<!doctype html><p>none", "image/jpeg"),
        reply(png()[:40], "image/png"),
    ],
)
def test_a_broken_picture_is_asked_for_once(
    serve: Any, tmp_path: Any, broken: Handler
) -> None:
    site = serve(index=page(picture("/i")), i=broken)
    crawl(config(site, tmp_path))
    (error,) = of(tmp_path, "error")
    assert error["error_code"] == "image_decode"
    assert len(site.hits("/i")) == 1


def test_a_refused_picture_is_not_fetched_by_its_link(
    serve: Any, tmp_path: Any
) -> None:
    site = serve(
        index=page(
            '<meta name="robots" content="noimageai">', link("/i"), picture("/i")
        ),
        i=reply(png(), "image/png"),
    )
    crawl(config(site, tmp_path, robots=RobotsConfig(noai=True)))
    assert site.hits("/i") == []


def test_no_page_is_fetched_beyond_the_limit_and_a_resume_has_it(
    serve: Any, tmp_path: Any
) -> None:
    site = serve(**site_of(page(picture("/a", "/i"))))
    limited = config(site, tmp_path, limits=LimitsConfig(max_pages=1))
    summary = crawl(limited)
    assert (summary.finish_reason, summary.counts["page"]) == ("limit_pages", 1)
    assert summary.counts["image"] == 1
    crawl(replace(stored_config(tmp_path), limits=LimitsConfig()), "resume")
    found = endings(tmp_path, site)
    assert (found["/a"], found["/behind"]) == ("page", "page")


def test_it_is_a_page_for_a_recrawl_too(serve: Any, tmp_path: Any) -> None:
    site = serve(**site_of(page(picture("/a"))))
    crawl(config(site, tmp_path))
    before = len(site.hits("/a"))
    summary = open_crawl(stored_config(tmp_path), mode="newer").run()
    assert summary.counts["error"] == 0
    assert len(site.hits("/a")) == before + 1
    assert summary.counts["page"] == 3


MAZES = {
    "img": '<img src="{0}"><img src="{1}">',
    "lazy": '<img data-src="{0}"><p data-lazy-image="{1}">',
    "style": '<p style="background: url({0})"><p style="background: url({1})">',
    "og": '<meta property="og:image" content="{0}"><img src="{1}">',
    "json": '<script type="application/ld+json">{{"image": ["{0}", "{1}"]}}</script>',
}


@pytest.mark.parametrize("markup", MAZES.values(), ids=MAZES)
def test_a_maze_of_pictures_that_are_pages_is_a_trap(
    serve: Any, tmp_path: Any, markup: str
) -> None:
    def maze(exchange: Exchange) -> None:
        n = int(exchange.arg("0"))
        exchange.reply(
            f"<p>nothing new{markup.format(f'/maze/{n + 1}', f'/maze/{n + 2}')}"
        )

    site = serve(index=page(picture("/maze/0")), maze=maze)
    summary = crawl(config(site, tmp_path, limits=LimitsConfig(max_pages=150)))
    assert summary.finish_reason == "done"
    assert summary.counts["page"] > 2


def test_a_gallery_whose_pages_are_named_as_pictures_is_no_trap(
    serve: Any, tmp_path: Any
) -> None:
    """All that is new on each page is its picture."""

    def photo(exchange: Exchange) -> None:
        n = int(exchange.arg("0"))
        onward = f'<a href="/photo/{n + 1}"><img src="/photo/{n + 1}"></a>'
        body = f'<img src="/i/{n}.png">{onward if n < 60 else ""}'
        exchange.reply(f"<title>Photo</title>{body}")

    site = serve(
        index=page(picture("/photo/0")),
        photo=photo,
        i=lambda exchange: exchange.reply(png(), "image/png"),
    )
    summary = crawl(config(site, tmp_path))
    assert summary.counts["page"] == 62
