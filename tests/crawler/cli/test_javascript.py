"""What a user is told about pages that need JavaScript."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.helpers.crawling import page
from tests.helpers.program import Orbweb
from tests.site.server import Site

SHELL = '<div id="root"></div><script src="/main.js"></script>'


@pytest.fixture
def site() -> Iterator[Site]:
    running = Site({"": page(SHELL), "b": page("<p>" + "Ordinary words. " * 40)})
    yield running
    running.stop()


def test_the_end_says_what_can_be_done(site: Site, orbweb: Orbweb) -> None:
    done = orbweb("crawl", site.url("/"), "-d", "out", "--wait", "0")
    assert done.returncode == 0
    *_, warning, last = done.stderr.splitlines()
    assert warning.startswith("orbweb: warning: out: The seed needs JavaScript")
    for way_out in ("[[api]]", "sitemap", "browsertrix-crawler"):
        assert way_out in warning
    assert "1 page, 0 images, 0 errors, 1 page in need of JavaScript in" in last


def test_several_seeds_can_all_be_such(site: Site, orbweb: Orbweb) -> None:
    seeds = (site.url("/"), site.url("/?x=1"))
    done = orbweb("crawl", *seeds, "-d", "out", "--wait", "0")
    assert "out: All seeds need JavaScript" in done.stderr


def test_there_is_no_warning_where_a_seed_is_ordinary(
    site: Site, orbweb: Orbweb
) -> None:
    done = orbweb("crawl", site.url("/"), site.url("/b"), "-d", "out", "--wait", "0")
    assert "warning" not in done.stderr
    assert "1 page in need of JavaScript" in done.stderr


def test_status_counts_them(site: Site, orbweb: Orbweb) -> None:
    orbweb("crawl", site.url("/"), "-d", "out", "--wait", "0")
    assert json.loads(orbweb("status", "out", "--json").stdout)["needs_javascript"] == 1
    assert "  shells   1 page in need of JavaScript" in orbweb("status", "out").stdout


def test_fetch_shows_it(site: Site, orbweb: Orbweb) -> None:
    shown = orbweb("fetch", site.url("/")).stdout
    assert "without it, the page is an empty shell" in shown
    assert "empty shell" not in orbweb("fetch", site.url("/b")).stdout
