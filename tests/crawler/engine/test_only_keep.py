"""records.only_keep: all pages are followed, and those that match are recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crawler.cli.terminal.result_line import result_line, warnings
from crawler.model.config import Config
from crawler.model.content_config import BodiesConfig, ImagesConfig, OutputConfig
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import ScopeConfig
from crawler.workspace.retrying import requeue_failed
from tests.helpers.crawling import (
    config,
    crawl,
    endings,
    link,
    of,
    page,
    picture,
    png,
    records,
)
from tests.site.page import reply
from tests.site.server import Site


@pytest.fixture
def shop(serve: Any) -> Site:
    """The way to the products leads over lists; both kinds of page have pictures."""
    site: Site = serve(
        index=page(link("/list", "/gone"), picture("/logo.png", "/both.png")),
        list=page(link("/product/1", "/doc.pdf"), picture("/banner.png")),
        product=page(link("/product/2", "/list"), picture("/shoe.png", "/both.png")),
        **{
            "doc.pdf": reply(b"%PDF-1.4", "application/pdf"),
            **{
                f"{name}.png": reply(png(4, at + 1), "image/png")
                for at, name in enumerate(("logo", "both", "banner", "shoe"))
            },
        },
    )
    return site


def kept(*patterns: str) -> OutputConfig:
    return OutputConfig(only_keep=patterns, record=("skips",))


def paths(folder: Path, site: Site, *kinds: str) -> set[str]:
    return {path for path, kind in endings(folder, site).items() if kind in kinds}


def test_what_matches_is_recorded_with_its_pictures(tmp_path: Path, shop: Site) -> None:
    bodies = BodiesConfig(save=("html",))
    made = config(shop, tmp_path, records=kept("/product/"), bodies=bodies)
    summary = crawl(made)
    assert (summary.exit_code, list(warnings(summary, made))) == (0, [])
    assert paths(tmp_path, shop, "page") == {"/product/1", "/product/2"}
    assert paths(tmp_path, shop, "image") == {"/shoe.png", "/both.png"}
    assert paths(tmp_path, shop, "error") == set()  # no product has failed
    assert summary.counts["error"] == 1
    skips = {s["url"]: (s["reason"], s["rule"]) for s in of(tmp_path, "skip")}
    rule = ("not_kept", "records.only_keep: /product/")
    assert skips == {shop.url(p): rule for p in ("/", "/list", "/doc.pdf")}
    assert shop.hits("/logo.png") == shop.hits("/banner.png") == []
    (saved,) = (tmp_path / "bodies").rglob("*.html")  # both products are the same bytes
    places = {tmp_path / record["body_path"] for record in of(tmp_path, "page")}
    assert places == {saved}


def test_errors_and_redirects_are_recorded_of_what_matches(
    tmp_path: Path, serve: Any
) -> None:
    """The state has the others: they are counted, and can be tried again."""
    to_it = reply(status=302, headers=(("Location", "/p1"),))
    site = serve(
        index=page(link("/gone", "/moved", "/p-gone", "/p-moved")),
        moved=to_it,
        **{"p-moved": to_it, "p1": page(picture("/p-lost.png", "/lost.png"))},
    )
    summary = crawl(config(site, tmp_path, records=kept("/p")))
    assert endings(tmp_path, site) == {
        "/": "skip",
        "/p1": "page",
        "/p-moved": "redirect",
        "/p-gone": "error",
        "/p-lost.png": "error",
        "/lost.png": "error",
    }
    assert (summary.counts["error"], summary.counts["redirect"]) == (4, 2)
    assert requeue_failed(tmp_path, (), (), now=0, dry_run=True) == 4


def test_files_and_pictures_by_their_own_urls(tmp_path: Path, shop: Site) -> None:
    """A crawl for files alone is a success without a page."""
    summary = crawl(config(shop, tmp_path, records=kept(r"\.pdf$", "glob:*/logo.*")))
    assert summary.exit_code == 0
    assert paths(tmp_path, shop, "page", "file", "image") == {"/doc.pdf", "/logo.png"}


def test_nothing_matches(tmp_path: Path, shop: Site) -> None:
    made = config(shop, tmp_path, records=kept("/nothing/"))
    summary = crawl(made)
    assert summary.exit_code == 9
    assert result_line(summary, made).startswith("Failed, nothing was kept: 0 pages")
    assert list(warnings(summary, made)) == ["no URL has matched --only-keep /nothing/"]


def test_a_resume_with_another_pattern_fetches_again(
    tmp_path: Path, shop: Site
) -> None:
    crawl(config(shop, tmp_path, records=kept("/product/")))
    crawl(config(shop, tmp_path, records=kept("/product/", "/list")), "resume")
    pages = [record["url"] for record in of(tmp_path, "page")]
    assert sorted(pages) == [shop.url(p) for p in ("/list", "/product/1", "/product/2")]
    assert shop.hits("/banner.png")


def test_a_recrawl_keeps_the_same(tmp_path: Path, shop: Site) -> None:
    made = config(shop, tmp_path, records=kept("/product/"))
    crawl(made)
    before = len(records(tmp_path))
    crawl(made, "newer")
    again = records(tmp_path)[before:]
    assert {(r["url"], r["changed"]) for r in again if r["type"] == "page"} == {
        (shop.url(f"/product/{n}"), "unchanged") for n in (1, 2)
    }


def test_an_include_that_cuts_off_the_way_says_so(tmp_path: Path, shop: Site) -> None:
    def warned(*rules: str) -> list[str]:
        scope = ScopeConfig(rules=rules)
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        made = config(shop, folder, scope=scope, images=ImagesConfig(fetch=False))
        return list(warnings(crawl(made), made))

    (warning,) = warned("+/product/")
    assert warning.startswith("--include let pass none of the 2 links that were found")
    assert warning.endswith("with --only-keep")
    assert warned("+/product/", "+/list") == []
    assert warned("-/product/") == []


@pytest.mark.parametrize(
    ("path", "changes"),
    [("/logout", {"http": HttpConfig(cookie_pairs={"sid": "1"}, timeout=5.0)}),
     ("/icon.png", {"images": ImagesConfig(icons=False)})],
)  # fmt: skip
def test_a_recrawl_does_not_fetch_what_was_refused_where_it_was_found(
    tmp_path: Path, serve: Any, path: str, changes: dict[str, Any]
) -> None:
    icon = '<link rel="icon" href="/icon.png">'
    site: Site = serve(index=page(link("/logout"), icon), **{"icon.png": reply(png())})
    made: Config = config(site, tmp_path, **changes)
    crawl(made)
    crawl(made, "newer")
    assert site.hits(path) == []
