"""Sitemaps, feeds and directives in whole crawls: what is fetched and what skipped."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from crawler.model.content_config import ImagesConfig, OutputConfig
from crawler.model.policy_config import LimitsConfig, RobotsConfig, ScopeConfig
from tests.helpers.crawling import (
    config,
    crawl,
    endings,
    link,
    of,
    page,
    picture,
    png,
    serve,
)
from tests.site.page import Handler, reply
from tests.site.server import Exchange, Site

__all__ = ["serve"]

XML = "application/xml"
NAMESPACES = (
    'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" '
    'xmlns:image="http://www.google.com/schemas/sitemap-image/1.1"'
)


def urlset(*entries: str) -> str:
    return f"<?xml version='1.0'?><urlset {NAMESPACES}>{''.join(entries)}</urlset>"


def entry(url: str, *images: str) -> str:
    pictures = "".join(
        f"<image:image><image:loc>{i}</image:loc></image:image>" for i in images
    )
    return f"<url><loc>{url}</loc>{pictures}</url>"


def index(*urls: str) -> Handler:
    sitemaps = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return reply(f"<sitemapindex {NAMESPACES}>{sitemaps}</sitemapindex>", XML)


def sitemapped(serve: Any) -> Any:
    """A site whose robots.txt names a sitemap index on another host.

    The index names a sitemap and a compressed sitemap.
    """
    site = serve(index=page(link("/linked")), linked=page(), a=page(link("/b")),
                 b=page(), packed=page(),
                 picture=reply(png(), "image/png"))  # fmt: skip
    other = serve()
    site.pages["robots.txt"] = reply(
        f"Sitemap: {other.url('/index.xml')}\n", "text/plain"
    )
    other.pages["index.xml"] = index(other.url("/list.xml"), site.url("/list.xml.gz"))
    listed = urlset(
        entry(site.url("/a"), site.url("/picture")), entry("http://far.example/")
    )
    other.pages["list.xml"] = reply(listed, XML)
    packed = gzip.compress(urlset(entry(site.url("/packed"))).encode())
    site.pages["list.xml.gz"] = reply(packed, "application/gzip")
    return site


def test_sitemaps_are_a_source_on_request(serve: Any, tmp_path: Path) -> None:
    site = sitemapped(serve)
    start = config(site, tmp_path, scope=ScopeConfig(sitemaps=True, depth=1),
                   records=OutputConfig(record=("skips",)))  # fmt: skip
    crawl(start)
    found = {
        url: kind
        for url, kind in endings(tmp_path, site).items()
        if url.startswith("/")
    }
    assert found == {
        "/": "page", "/linked": "page", "/a": "page", "/packed": "page", "/b": "skip",
        "/picture": "image", "/list.xml.gz": "file",
    }  # fmt: skip
    depths = {record["link_kind"]: record["depth"] for record in of(tmp_path, "file")}
    assert depths == {"robots_sitemap": 1, "sitemap_index": 1}
    (far,) = [r for r in of(tmp_path, "skip") if r["host"] == "far.example"]
    assert (far["rule"], far["link_kind"]) == ("scope.within: host", "sitemap")


def test_sitemaps_are_left_alone_by_default(serve: Any, tmp_path: Path) -> None:
    site = sitemapped(serve)
    crawl(config(site, tmp_path))
    assert endings(tmp_path, site) == {"/": "page", "/linked": "page"}


def test_fifty_thousand_urls_with_their_pictures(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page())
    entries = (entry(site.url(f"/n/{n}"), site.url(f"/p/{n}")) for n in range(50_000))
    site.pages["map.xml"] = reply(urlset(*entries), XML)
    start = config(site, tmp_path, "/map.xml", scope=ScopeConfig(depth=0),
                   images=ImagesConfig(fetch=False))  # fmt: skip
    summary = crawl(start)
    assert (summary.counts["file"], summary.counts["skip"]) == (1, 50_000)
    (record,) = of(tmp_path, "file")
    assert record["links_count"] == 50_000


def test_a_feed_names_pages(serve: Any, tmp_path: Path) -> None:
    feed = (
        "<rss version='2.0'><channel><item><link>/story</link></item></channel></rss>"
    )
    alternate = '<link rel="alternate" type="application/rss+xml" href="/feed">'
    site = serve(
        index=page(alternate), feed=reply(feed, "application/rss+xml"), story=page()
    )
    crawl(config(site, tmp_path))
    assert endings(tmp_path, site) == {"/": "page", "/feed": "file", "/story": "page"}


# ------------------------------------------------------------------ directives


def skipped(serve: Any, folder: Path, **robots: Any) -> dict[str, str]:
    """The rule of each skip, on a site that uses every directive."""
    site = serve(
        index=page(
            link("/meta", "/header", "/ai", "/noimage"),
            '<a rel="nofollow ugc" href="/rel">x</a>',
        ),
        meta=page(
            '<meta name="robots" content="noindex, nofollow">', link("/from-meta")
        ),
        header=reply(link("/from-header"), headers=(("X-Robots-Tag", "nofollow"),)),
        ai=page('<meta name="robots" content="noai">', link("/from-ai")),
        noimage=page('<meta name="robots" content="noimageai">', picture("/shown")),
        shown=reply(png(), "image/png"), rel=page(),
        **{"from-ai": page(picture("/tagged"))},
        tagged=reply(png(), "image/png", headers=(("X-Robots-Tag", "noimageai"),)),
        **{"from-meta": page(), "from-header": page()},
    )  # fmt: skip
    crawl(config(site, folder, robots=RobotsConfig(**robots),
                 records=OutputConfig(record=("skips",))))  # fmt: skip
    endings(folder, site)
    return {
        r["url"].removeprefix(site.base): f"{r['reason']} {r['rule']}"
        for r in of(folder, "skip")
    }


def test_a_page_speaks_for_its_links_by_default(serve: Any, tmp_path: Path) -> None:
    assert skipped(serve, tmp_path) == {
        "/from-meta": "nofollow meta robots: nofollow",
        "/from-header": "nofollow X-Robots-Tag: nofollow",
    }


def test_links_speak_for_themselves_and_ai_is_kept_out_on_request(
    serve: Any, tmp_path: Path
) -> None:
    assert skipped(serve, tmp_path, nofollow="link", noai=True) == {
        "/from-meta": "nofollow meta robots: nofollow",
        "/from-header": "nofollow X-Robots-Tag: nofollow",
        "/rel": "nofollow rel: nofollow ugc",
        "/ai": "noai meta robots: noai",
        "/shown": "noai meta robots: noimageai",
        "/tagged": "noai X-Robots-Tag: noimageai",
    }


def test_nobody_is_listened_to_if_the_user_says_so(serve: Any, tmp_path: Path) -> None:
    assert skipped(serve, tmp_path, nofollow="ignore") == {}


# ----------------------------------------------------------- how they are named


def test_a_text_sitemap_relative_in_robots_txt_behind_a_redirect_to_another_host(
    serve: Any, tmp_path: Path
) -> None:
    robots = reply("\ufeffSitemap: list\nsitemap: /map.php?x", "text/plain")
    site = serve(robots, index=page(), a=page(), b=page())
    other = serve()
    moved = (("Location", other.url("/list.txt.gz")),)
    site.pages["list"] = reply(status=301, headers=moved)
    text = gzip.compress(site.url("/a\r\n").encode())
    other.pages["list.txt.gz"] = reply(text, "binary/octet-stream")
    site.pages["map.php"] = reply(urlset(entry(site.url("/b"))), "text/html")
    crawl(config(site, tmp_path, scope=ScopeConfig(sitemaps=True, depth=1)))
    assert endings(tmp_path, site) == {
        "/": "page", "/list": "redirect", "/map.php?x": "file", "/a": "page",
        other.url("/list.txt.gz"): "file", "/b": "page",
    }  # fmt: skip
    kinds = {record["link_kind"] for record in of(tmp_path, "file")}
    assert kinds == {"robots_sitemap"}


def test_a_text_sitemap_as_a_seed(serve: Any, tmp_path: Path) -> None:
    site = serve(a=page(), notes=reply("see http://h/x", "text/plain"))
    listed = f"{site.url('/a')}\n{site.url('/notes')}\n"
    site.pages["list"] = reply(listed, "text/plain; charset=utf-8")
    crawl(config(site, tmp_path, "/list"))
    assert endings(tmp_path, site) == {"/list": "file", "/a": "page", "/notes": "file"}


def numbered(exchange: Exchange) -> tuple[int, Site]:
    return int(exchange.query or 0), exchange.site


def test_indexes_go_two_levels_deep(serve: Any, tmp_path: Path) -> None:
    """The index at /?0 names /?1, that names /?2, which names /?3 and so on."""

    def endless(exchange: Exchange) -> None:
        number, site = numbered(exchange)
        index(site.url(f"/map?{number + 1}"), site.url(f"/list{number}"))(exchange)

    names = [f"list{number}" for number in range(4)]
    site = serve(map=endless, index=page(), **{name: page() for name in names})
    for name in names:
        site.pages[name] = reply(urlset(entry(site.url(f"/{name}/page"))), XML)
    start = config(site, tmp_path, "/map?0", records=OutputConfig(record=("skips",)))
    crawl(start)
    skipped = {r["url"]: r["rule"] for r in of(tmp_path, "skip")}
    rule = "sitemap index: more than 2 levels"
    assert skipped == {site.url("/map?3"): rule, site.url("/list2"): rule}
    sitemaps = [record["url"] for record in of(tmp_path, "file")]
    assert site.url("/list0") in sitemaps
    assert site.url("/list1") in sitemaps


def test_an_endless_index_behind_redirects_stops(serve: Any, tmp_path: Path) -> None:
    def endless(exchange: Exchange) -> None:
        number, site = numbered(exchange)
        if number % 2:
            to = (("Location", site.url(f"/map?{number + 1}")),)
            reply(status=302, headers=to)(exchange)
        else:
            index(site.url(f"/map?{number + 1}"))(exchange)

    site = serve(map=endless, robots=reply("Sitemap: /map?1", "text/plain"))
    crawl(config(site, tmp_path, scope=ScopeConfig(sitemaps=True)))
    assert sorted(hit.target for hit in site.hits("/map")) == [
        f"/map?{number}" for number in range(1, 7)
    ]


def test_sitemaps_of_a_host_are_counted(serve: Any, tmp_path: Path) -> None:
    """Each of the sitemaps that an index names is an index of others."""

    def wide(exchange: Exchange) -> None:
        number, site = numbered(exchange)
        urls = [site.url(f"/map?{number * 20 + n}") for n in range(1, 21)]
        index(*urls)(exchange)

    site = serve(map=wide, index=page(),
                 robots=reply("Sitemap: /map?1", "text/plain"))  # fmt: skip
    start = config(
        site, tmp_path, scope=ScopeConfig(sitemaps=True),
        limits=LimitsConfig(max_sitemaps_per_host=30),
        records=OutputConfig(record=("skips",)),
    )  # fmt: skip
    crawl(start)
    assert len(site.hits("/map")) == 30
    rules = {record["rule"] for record in of(tmp_path, "skip")}
    assert "limits.max_sitemaps_per_host: 30" in rules
    site.forget()
    crawl(start, "newer")  # all that waited for the limit is queued again
    assert len(site.hits("/map")) == 30
