"""Pages that need JavaScript: in records, in the summary, over runs and recrawls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crawler.model.policy_config import LimitsConfig, ScopeConfig
from tests.helpers.crawling import config, crawl, link, of, page, serve
from tests.site.page import reply
from tests.site.server import Exchange

__all__ = ["serve"]

SHELL = '<div id="root"></div><script src="/main.js"></script>'
WORDS = "<p>" + "Words of an ordinary page. " * 30


def needing(folder: Path) -> dict[str, bool]:
    return {
        one["url"].rpartition("/")[2]: one["needs_javascript"]
        for one in of(folder, "page")
    }


def test_a_crawl_of_a_shell(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page(SHELL))
    summary = crawl(config(site, tmp_path))
    assert needing(tmp_path) == {"": True}
    assert (summary.needs_javascript, summary.seeds_need_javascript) == (1, True)


def test_a_shell_among_ordinary_pages(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page(WORDS, link("/app", "/b")), app=page(SHELL), b=page(WORDS))
    summary = crawl(config(site, tmp_path))
    assert needing(tmp_path) == {"": False, "app": True, "b": False}
    assert (summary.needs_javascript, summary.seeds_need_javascript) == (1, False)


def test_one_seed_of_two_is_a_shell(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page(SHELL), b=page(WORDS))
    summary = crawl(config(site, tmp_path, seeds=(site.url("/"), site.url("/b"))))
    assert (summary.needs_javascript, summary.seeds_need_javascript) == (1, False)


def test_two_seeds_that_redirect_to_one_shell(serve: Any, tmp_path: Path) -> None:
    moved = reply(status=301, headers=(("Location", "/"),))
    site = serve(index=page(SHELL), a=moved, b=moved)
    summary = crawl(config(site, tmp_path, seeds=(site.url("/a"), site.url("/b"))))
    assert summary.seeds_need_javascript


def test_the_count_is_that_of_all_runs(serve: Any, tmp_path: Path) -> None:
    site = serve(index=page(SHELL, link("/a", "/b")), a=page(SHELL), b=page(SHELL))
    crawl(config(site, tmp_path, limits=LimitsConfig(max_pages=1)))
    summary = crawl(config(site, tmp_path), mode="resume")
    assert len(of(tmp_path, "page")) == summary.needs_javascript == 3


def test_a_recrawl_counts_anew_and_a_304_keeps_the_field(
    serve: Any, tmp_path: Path
) -> None:
    def shell(exchange: Exchange) -> None:
        if exchange.hit.headers.get("if-none-match"):
            exchange.reply(status=304, headers=(("ETag", '"1"'),))
        else:
            exchange.reply(SHELL, "text/html", headers=(("ETag", '"1"'),))

    site = serve(index=shell)
    crawl(config(site, tmp_path))
    summary = crawl(config(site, tmp_path), mode="newer")
    assert [one["from_cache"] for one in of(tmp_path, "page")][-1] == "not_modified"
    assert needing(tmp_path) == {"": True}
    assert (summary.needs_javascript, summary.seeds_need_javascript) == (1, True)


def test_duplicates_that_are_left_out_are_not_counted(
    serve: Any, tmp_path: Path
) -> None:
    site = serve(index=page(SHELL, link("/a")), a=page(SHELL, link("/a")))
    scope = ScopeConfig(dedupe_content=True)
    summary = crawl(config(site, tmp_path, scope=scope))
    assert summary.counts["page"] == summary.needs_javascript == 1


def test_a_refresh_in_the_header_is_followed(serve: Any, tmp_path: Path) -> None:
    site = serve(index=reply(SHELL, headers=(("Refresh", "0; url=/b"),)), b=page(WORDS))
    summary = crawl(config(site, tmp_path))
    assert needing(tmp_path) == {"": False, "b": False}
    assert not summary.seeds_need_javascript
