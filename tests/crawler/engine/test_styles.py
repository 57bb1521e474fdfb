"""Style sheets in whole crawls: fetched for their images, with records of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crawler.engine.builder import open_crawl
from crawler.inspect.explain import explain
from crawler.inspect.state import open_state
from crawler.model.config import Config
from crawler.model.content_config import ImagesConfig, OutputConfig
from crawler.model.policy_config import LimitsConfig, ScopeConfig
from crawler.policy.url_chains import MAX_IMPORT_DEPTH
from tests.helpers.crawling import (
    config,
    crawl,
    endings,
    link,
    of,
    page,
    png,
    records,
    serve,
)
from tests.site.page import reply
from tests.site.server import Exchange, Handler

__all__ = ["serve"]

LINK = '<link rel=stylesheet href="/main.css">'


def css(text: str, content_type: str = "text/css") -> Handler:
    return reply(text, content_type)


def pages(**more: Handler) -> dict[str, Handler]:
    picture = reply(png(), "image/png")
    return {
        "index": page(LINK, link("/b")),
        "b": page(LINK),
        "main.css": css("@import 'more.css'; p { background: url(./a.png) }"),
        "more.css": css("p { background: url('b.png') }"),
        "a.png": picture,
        "b.png": picture,
        **more,
    }


def skips(folder: Path) -> dict[str, tuple[str, str]]:
    return {
        one["url"].rpartition("/")[2]: (one["reason"], one["rule"])
        for one in of(folder, "skip")
    }


def recorded(site: Any, folder: Path, **more: Any) -> Config:
    return config(site, folder, records=OutputConfig(record=("skips",)), **more)


def test_style_sheets_lead_to_their_images(serve: Any, tmp_path: Path) -> None:
    site = serve(**pages())
    summary = crawl(config(site, tmp_path))
    assert summary.exit_code == 0
    assert endings(tmp_path, site) == {
        "/": "page",
        "/b": "page",
        "/main.css": "file",
        "/more.css": "file",
        "/a.png": "image",
        "/b.png": "image",
    }
    main, more = sorted(of(tmp_path, "file"), key=lambda one: str(one["url"]))
    assert (main["link_kind"], more["link_kind"]) == ("stylesheet", "css_import")
    assert main["content_type"] == "text/css"
    assert (main["images_count"], main["depth"], more["depth"]) == (1, 1, 2)
    assert main["parent_url"] == site.url("/")
    image = next(one for one in of(tmp_path, "image") if one["url"].endswith("b.png"))
    assert (image["link_kind"], image["page_url"]) == ("css", site.url("/more.css"))
    (hit,) = site.hits("/main.css")
    assert hit.headers["accept"] == "text/css,*/*;q=0.1"
    assert hit.headers["referer"] == site.url("/")


def test_they_can_be_switched_off(serve: Any, tmp_path: Path) -> None:
    for number, images in enumerate((ImagesConfig(styles=False), ImagesConfig(False))):
        site = serve(**pages())
        crawl(config(site, tmp_path / str(number), images=images))
        assert set(endings(tmp_path / str(number), site)) == {"/", "/b"}


def test_robots_and_scope_apply(serve: Any, tmp_path: Path) -> None:
    rules = reply("User-agent: *\nDisallow: /more.css\n", "text/plain")
    site = serve(**pages(), robots=rules)
    crawl(recorded(site, tmp_path / "a"))
    assert skips(tmp_path / "a")["more.css"][0] == "robots"
    far = f"http://elsewhere.test:{site.port}/x.css"
    site = serve(index=page(f'<link rel=stylesheet href="{far}">'))
    scope = ScopeConfig(images_within="host")
    crawl(recorded(site, tmp_path / "b", scope=scope))
    assert skips(tmp_path / "b") == {"x.css": ("scope", "scope.images_within: host")}


def test_the_depth_of_pages_does_not_count(serve: Any, tmp_path: Path) -> None:
    site = serve(**pages())
    crawl(config(site, tmp_path, scope=ScopeConfig(depth=0)))
    assert endings(tmp_path, site)["/b.png"] == "image"


def test_imports_without_end_are_bounded(serve: Any, tmp_path: Path) -> None:
    def endless(exchange: Exchange) -> None:
        number = int(exchange.hit.target.partition("=")[2] or 0)
        exchange.reply(f"@import url(/main.css?n={number + 1});", "text/css")

    site = serve(**pages(**{"main.css": endless}))
    crawl(recorded(site, tmp_path))
    assert len(of(tmp_path, "file")) == 1 + MAX_IMPORT_DEPTH
    assert skips(tmp_path) == {
        f"main.css?n={MAX_IMPORT_DEPTH + 1}": ("depth", "@import: more than 5 deep")
    }


def test_redirects_do_not_begin_the_chain_of_imports_anew(
    serve: Any, tmp_path: Path
) -> None:
    asked: list[str] = []

    def moved(exchange: Exchange) -> None:
        asked.append(exchange.query)
        there = (("Location", f"/there.css?{exchange.query}"),)
        exchange.reply(b"", "text/css", status=302, headers=there)

    def there(exchange: Exchange) -> None:
        number = len(asked)
        following = f"@import url(/main.css?n={number});" if number < 20 else ""
        exchange.reply(following, "text/css")

    site = serve(**pages(**{"main.css": moved, "there.css": there}))
    crawl(config(site, tmp_path))
    assert len(asked) == 1 + MAX_IMPORT_DEPTH


def test_a_host_has_a_quota_of_them(serve: Any, tmp_path: Path) -> None:
    names = [f"{number}.css" for number in range(5)]
    styles = "".join(f'<link rel=stylesheet href="/{name}">' for name in names)
    site = serve(index=page(styles), **dict.fromkeys(names, css("p{}")))
    settings = recorded(
        site, tmp_path, limits=LimitsConfig(max_styles_per_host=3), concurrency=1
    )
    crawl(settings)
    assert len(of(tmp_path, "file")) == 3
    rule = ("limit_host", "limits.max_styles_per_host: 3")
    assert set(skips(tmp_path).values()) == {rule}
    with open_state(tmp_path) as (state, _):
        told = explain(state, settings, site.url("/4.css"), 2e9)
    assert told.known is not None
    assert (told.known.destination, told.known.state) == ("style", "skip")
    assert told.reached_limits == ("limits.max_styles_per_host: 3",)
    assert told.refused is not None
    assert told.refused.rule == "limits.max_styles_per_host: 3"


def test_those_of_the_pages_are_completed_at_the_limit(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(**pages())
    settings = config(site, tmp_path, limits=LimitsConfig(max_pages=1))
    assert crawl(settings).finish_reason == "limit_pages"
    assert endings(tmp_path, site) == {
        "/": "page",
        "/main.css": "file",
        "/more.css": "file",
        "/a.png": "image",
        "/b.png": "image",
    }


def test_a_retry_and_a_resume_remember_what_it_is(serve: Any, tmp_path: Path) -> None:
    asked: list[str] = []

    def late(exchange: Exchange) -> None:
        asked.append(exchange.hit.headers["accept"])
        if len(asked) == 1:
            exchange.reply(status=503)
        else:
            exchange.reply("p { background: url(/a.png) }", "text/css")

    site = serve(**pages(**{"main.css": late}))
    settings = config(site, tmp_path, limits=LimitsConfig(max_pages=1, max_bytes=1))
    assert crawl(settings).finish_reason == "limit_bytes"
    open_crawl(config(site, tmp_path), mode="resume").run()
    assert endings(tmp_path, site)["/main.css"] == "file"
    assert asked == ["text/css,*/*;q=0.1"] * 2


def test_a_recrawl_asks_again_and_finds_what_is_new(serve: Any, tmp_path: Path) -> None:
    site = serve(**pages())
    crawl(config(site, tmp_path))
    site.pages["more.css"] = css("p { background: url('c.png') }")
    site.pages["c.png"] = reply(png(5), "image/png")
    crawl(config(site, tmp_path), "newer")
    changed = {one["url"]: one["changed"] for one in records(tmp_path) if "url" in one}
    assert changed[site.url("/more.css")] == "changed"
    assert changed[site.url("/c.png")] == "new"


def test_the_type_may_be_wrong(serve: Any, tmp_path: Path) -> None:
    text = "p { background: url(/a.png) }"
    for number, kind in enumerate(("text/plain", "application/octet-stream", "")):
        site = serve(**pages(**{"main.css": reply(text, kind)}))
        crawl(config(site, tmp_path / str(number)))
        assert endings(tmp_path / str(number), site)["/a.png"] == "image"


def test_bytes_decide(serve: Any, tmp_path: Path) -> None:
    """HTML is a page, an image is one, and a linked style sheet is still read."""
    html = reply("<title>x</title><a href=/b>x</a>", "text/html")
    site = serve(**pages(**{"main.css": html}))
    crawl(config(site, tmp_path / "a"))
    assert endings(tmp_path / "a", site)["/main.css"] == "page"
    site = serve(**pages(**{"main.css": reply(png(), "text/css")}))
    crawl(config(site, tmp_path / "b"))
    assert endings(tmp_path / "b", site)["/main.css"] == "image"
    site = serve(**pages(index=page(link("/main.css"), LINK)))
    crawl(config(site, tmp_path / "c"))
    assert endings(tmp_path / "c", site)["/b.png"] == "image"


def test_html_out_of_scope_is_no_page(serve: Any, tmp_path: Path) -> None:
    html = reply("<title>x</title><a href=/b>x</a>", "text/html")
    site = serve(**pages(**{"index": page(LINK), "main.css": html}))
    crawl(config(site, tmp_path, scope=ScopeConfig(depth=0)))
    assert endings(tmp_path, site) == {"/": "page", "/main.css": "file"}


def test_the_charset_of_a_style_sheet(serve: Any, tmp_path: Path) -> None:
    text = "p { background: url(/ä.png) }"
    encoded = (
        (text.encode(), "text/css"),
        (b"\xef\xbb\xbf" + text.encode(), "text/css; charset=latin1"),
        (text.encode("latin-1"), "text/css; charset=latin1"),
        (b'@charset "latin1";' + text.encode("latin-1"), "text/css"),
        (b"\xff\xfe" + text.encode("utf-16-le"), "text/css"),
    )
    for number, (body, kind) in enumerate(encoded):
        site = serve(**pages(**{"main.css": reply(body, kind)}))
        crawl(config(site, tmp_path / str(number)))
        assert "/%C3%A4.png" in endings(tmp_path / str(number), site), kind
