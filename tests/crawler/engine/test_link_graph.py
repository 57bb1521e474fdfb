"""The link graph in the state: every link of every page, as of the last commit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crawler.frontier.sqlite.database import STATE_FOLDER
from crawler.frontier.sqlite.reader import open_state
from crawler.model.content_config import ImagesConfig
from crawler.model.documents import Alternate
from crawler.model.link_graph import DocumentFacts
from crawler.model.policy_config import ScopeConfig
from tests.helpers.crawling import config, crawl, page, png, serve
from tests.site.page import reply
from tests.site.server import Exchange

__all__ = ["serve"]

Edges = set[tuple[str, str, str, str | None, str | None]]


def edges(folder: Path, base: str) -> Edges:
    """(source, target, kind, text, rel) of all links; URLs without `base`."""
    with open_state(folder / STATE_FOLDER) as state:
        return {
            (
                source.url.removeprefix(base),
                (one.url or state.url_at(one.target).url).removeprefix(base),
                one.kind,
                one.text,
                one.rel,
            )
            for source in state.source_links()
            for one in source.links
        }


def of(found: Edges, source: str) -> Edges:
    return {edge for edge in found if edge[0] == source}


def facts(folder: Path) -> dict[str, DocumentFacts]:
    with open_state(folder / STATE_FOLDER) as state:
        return {source.url: source.facts for source in state.source_links()}


def test_it_has_what_is_followed_and_what_is_not(serve: Any, tmp_path: Path) -> None:
    site = serve(
        robots=reply(b"User-agent: *\nDisallow: /private", "text/plain"),
        index=page(
            "<a href=/a#part>The  <b>first</b>\npage</a><a href=/a>again</a>",
            "<a href=/gone rel='nofollow x'>gone</a><a href=/private>private</a>",
            "<a href=http://far.example/>far</a><img src=/i.png alt='an image'>",
            "<link rel=stylesheet href=/s.css><iframe src=/a?utm_source=1></iframe>",
        ),
        a=page("<a href=/>home</a>"),
        **{"i.png": reply(png(), "image/png"), "s.css": reply("", "text/css")},
    )
    crawl(config(site, tmp_path, scope=ScopeConfig(strip_params=("utm_*",))))
    site.stop()
    found = edges(tmp_path, site.url("/").rstrip("/"))
    assert of(found, "/") == {
        ("/", "/a", "a", "The first page", None),
        ("/", "/gone", "a", "gone", "nofollow x"),
        ("/", "/private", "a", "private", None),
        ("/", "http://far.example/", "a", "far", None),
        ("/", "/i.png", "img", "an image", None),
        ("/", "/s.css", "stylesheet", None, None),
        ("/", "/a", "iframe", None, None),
    }
    assert of(found, "/a") == {("/a", "/", "a", "home", None)}


def test_a_redirect_and_a_sitemap_are_sources(serve: Any, tmp_path: Path) -> None:
    def old(exchange: Exchange) -> None:
        if exchange.hit.target == "/~old":
            return page("<a href=/>home</a>")(exchange)
        return reply(status=301, headers=(("location", "/~old"),))(exchange)

    site = serve(
        index=page("<a href=/%7Eold>old</a>"),
        **{"~old": old},
        map=reply(
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
            "<url><loc>/only-here</loc></url></urlset>",
            "application/xml",
        ),
    )
    crawl(config(site, tmp_path, seeds=(site.url("/"), site.url("/map"))))
    site.stop()
    found = edges(tmp_path, site.base)
    assert of(found, "/%7Eold") == {("/%7Eold", "/~old", "redirect", None, None)}
    assert of(found, "/map") == {("/map", "/only-here", "sitemap", None, None)}
    assert facts(tmp_path)[site.url("/%7Eold")].status == 301


def test_images_that_are_not_fetched_are_links_all_the_same(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(index=page("<img src=/i.png alt=one><a href=/a>two</a>"), a=page())
    crawl(config(site, tmp_path, images=ImagesConfig(fetch=False)))
    site.stop()
    assert edges(tmp_path, site.base) == {
        ("/", "/i.png", "img", "one", None),
        ("/", "/a", "a", "two", None),
    }


def test_facts_for_an_audit(serve: Any, tmp_path: Path) -> None:
    head = (
        "<!doctype html><title> Price  list </title><meta name=description content=All>"
        "<link rel=canonical href=/list><link rel=alternate hreflang=de href=/de>"
        "<meta name=robots content=noindex>"
    )
    site = serve(index=reply(head))
    crawl(config(site, tmp_path))
    site.stop()
    (fact,) = [one for url, one in facts(tmp_path).items() if url == site.url("/")]
    assert fact.fetch_ms is not None
    assert fact == DocumentFacts(
        200, fact.fetch_ms, len(head), "Price list", "All", site.url("/list"),
        "noindex", (Alternate("de", site.url("/de")),),
    )  # fmt: skip


def test_a_recrawl_replaces_them_and_a_304_keeps_them(
    serve: Any, tmp_path: Path
) -> None:
    pages = {"": ("1", "/kept /changed /gone"), "kept": ("1", "/a"), "a": ("1", "")}
    pages |= {"changed": ("1", "/a"), "gone": ("1", "/a")}

    def answer(name: str) -> Any:
        def handle(exchange: Exchange) -> None:
            if name not in pages:
                return reply(status=404)(exchange)
            tag, links = pages[name]
            validators = (("etag", f'"{tag}"'),)
            if exchange.hit.headers.get("if-none-match") == f'"{tag}"':
                return reply(status=304, headers=validators)(exchange)
            body = "".join(f"<a href={one}>{tag}</a>" for one in links.split())
            return reply(f"<!doctype html>{body}", headers=validators)(exchange)

        return handle

    site = serve(index=answer(""), **{name: answer(name) for name in pages if name})
    crawl(config(site, tmp_path))
    before = edges(tmp_path, site.base)
    assert ("/changed", "/a", "a", "1", None) in before
    del pages["gone"]
    pages["changed"] = ("2", "/kept")
    crawl(config(site, tmp_path), "newer")
    site.stop()
    now = {("/changed", "/kept", "a", "2", None)}
    assert edges(tmp_path, site.base) == now | {
        edge for edge in before if edge[0] not in ("/changed", "/gone")
    }
