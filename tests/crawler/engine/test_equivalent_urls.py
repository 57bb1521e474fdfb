"""A URL that is written in several ways is one: requests, robots, explain, recrawl."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from crawler.cli import run
from crawler.frontier.sqlite.database import FILE_NAME
from crawler.inspect.explain import explain
from crawler.inspect.state import open_state
from crawler.inspect.state_checks import StateChecks
from crawler.model.config import Config
from crawler.model.metadata import BOOT
from crawler.workspace.paths import state_folder
from tests.helpers.crawling import config, crawl, endings, link, of, page
from tests.site.page import reply
from tests.site.server import Exchange, Site

EQUIVALENT = ("/%7ex", "/~x", "/%7Ex")


def tilde(exchange: Exchange) -> None:
    """Sends `/%7eme` on to `/~me`, as Apache and others do."""
    if exchange.hit.target.startswith("/~"):
        exchange.reply("<title>me</title>")
    else:
        exchange.reply(status=301, headers=(("Location", "/~me"),))


def targets(site: Site) -> list[str]:
    return [hit.target for hit in site.log if hit.target != "/robots.txt"]


def site_of(serve: Any) -> Site:
    site: Site = serve(
        robots=reply("User-agent: *\nDisallow: /%7Esecret\n", "text/plain"),
        index=page(link(*EQUIVALENT, "/two", "/~secret", "/%7esecret")),
        two=page(link(*reversed(EQUIVALENT), "/%c3%a9?a=%7e", "/%C3%A9?a=~")),
        **{"~x": page("x"), "é": page("e"), "~secret": page("no")},
    )
    return site


def test_each_is_requested_once_as_the_first_link_wrote_it(serve, tmp_path):
    site = site_of(serve)
    assert crawl(config(site, tmp_path)).exit_code == 0
    assert sorted(targets(site)) == ["/", "/%7ex", "/%c3%a9?a=%7e", "/two"]
    assert endings(tmp_path, site) == {
        "/": "page", "/%7ex": "page", "/two": "page", "/%c3%a9?a=%7e": "page",
    }  # fmt: skip


def test_explain_urls_and_robots_agree(serve, tmp_path, capsys):
    site = site_of(serve)
    crawl(config(site, tmp_path))
    (record,) = [one for one in of(tmp_path, "page") if one["url"].endswith("/%7ex")]
    with open_state(tmp_path) as (state, stored):
        for path in EQUIVALENT:
            found = explain(state, stored, site.base + path, 1e9)
            assert found.answer == "fetched: page"
            assert (found.url, found.url_id) == (record["url"], record["url_id"])
        checks = StateChecks(state, stored, 1e9)
        for path in ("/~secret", "/%7esecret", "/%7Esecret"):
            assert not checks.robots(site.base + path).allowed
            found = explain(state, stored, site.base + path, 1e9)
            assert found.known is not None
            assert found.known.code == "robots"
    assert run(["urls", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("7ex") == 1
    assert "/~x" not in shown


def test_a_recrawl_asks_each_once(serve, tmp_path):
    site = site_of(serve)
    crawl(config(site, tmp_path))
    site.forget()
    crawl(config(site, tmp_path), "newer")
    assert sorted(targets(site)) == ["/", "/%7ex", "/%c3%a9?a=%7e", "/two"]


def test_a_redirect_to_the_preferred_form_is_followed(serve, tmp_path):
    site = serve(index=page(link("/%7eme", "/~me")), **{"~me": tilde})
    for mode in ("new", "newer"):
        site.forget()
        crawl(config(site, tmp_path), mode)
        assert sorted(targets(site)) == ["/", "/%7eme", "/~me"]
    by_path = {
        one["url"].removeprefix(site.base): one
        for one in (*of(tmp_path, "redirect"), *of(tmp_path, "page"))
    }
    assert by_path["/%7eme"]["type"] == "redirect"
    assert by_path["/~me"]["title"] == "me"
    assert by_path["/~me"]["url_id"] != by_path["/%7eme"]["url_id"]
    with open_state(tmp_path) as (state, stored):
        for path, answer in (("/~me", "page"), ("/%7eme", "redirect")):
            found = explain(state, stored, site.base + path, 1e9)
            assert found.answer.startswith(f"fetched: {answer}")
            assert found.url_id == by_path[path]["url_id"]


def _after_a_reboot(settings: Config) -> None:
    folder = state_folder(Path(settings.dir))
    with closing(sqlite3.connect(folder / FILE_NAME)) as db, db:
        db.execute("UPDATE metadata SET value = x'00' WHERE kind = ?", (BOOT,))


def test_after_a_power_cut_none_is_there_twice(serve, tmp_path):
    site = serve(
        index=page(link("/%7eme", "/%7ex", "/%7egone")),
        **{"~me": tilde, "~x": page("x"), "~gone": reply(status=404)},
    )
    settings = config(site, tmp_path)
    crawl(settings)
    _after_a_reboot(settings)
    site.forget()
    crawl(settings, "resume")
    assert targets(site) == []
    assert endings(tmp_path, site)["/~me"] == "page"
