"""robots.txt in whole crawls: obedience, expiry, and the parts that are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.frontier.sqlite.store import SqliteStore
from crawler.model.config import Config
from crawler.model.content_config import OutputConfig
from crawler.model.http_config import HttpConfig
from crawler.model.metadata import ROBOTS_TXT
from crawler.model.policy_config import PolitenessConfig, RetryConfig
from crawler.workspace.open import stored_config
from hub.testing import virtual_time
from tests.helpers.crawling import (
    config,
    crawl,
    endings,
    link,
    page,
    picture,
    png,
    serve,
)
from tests.helpers.simulated_hosts import START, Host, World
from tests.site.page import reply

__all__ = ["serve"]

HOUR = 3600.0
DAY = 24 * HOUR
KIB_500 = 500 * 1024


def text(rules: str) -> Any:
    return reply(rules, "text/plain")


# ------------------------------------------------------------------ who obeys


def test_pictures_and_files_obey_too(serve: Any, tmp_path: Path) -> None:
    site = serve(
        robots=text("User-agent: *\nDisallow: /closed/\n"),
        index=page(
            link("/closed/paper.pdf", "/open.pdf"),
            picture("/closed/a.png", "/open.png"),
        ),
        closed=page(),
        **{
            "open.pdf": reply(b"%PDF-1.4", "application/pdf"),
            "open.png": reply(png(), "image/png"),
        },
    )
    crawl(config(site, tmp_path, records=OutputConfig(record=("skips",))))
    assert endings(tmp_path, site) == {
        "/": "page",
        "/closed/paper.pdf": "skip",
        "/closed/a.png": "skip",
        "/open.pdf": "file",
        "/open.png": "image",
    }
    assert site.hits("/closed") == []


def test_where_a_redirect_leads_obeys_too(serve: Any, tmp_path: Path) -> None:
    site = serve(
        robots=text("User-agent: *\nDisallow: /closed\n"),
        index=page(link("/moved")),
        moved=reply(status=302, headers=(("Location", "/closed"),)),
        closed=page(),
    )
    crawl(config(site, tmp_path, records=OutputConfig(record=("skips",))))
    assert endings(tmp_path, site) == {
        "/": "page",
        "/moved": "redirect",
        "/closed": "skip",
    }


# ------------------------------------------------------------------ what is read


def test_a_byte_order_mark_hides_no_group(serve: Any, tmp_path: Path) -> None:
    robots = reply(b"\xef\xbb\xbfUser-agent: orbweb\r\nDisallow: /a\r\n", "text/plain")
    site = serve(robots=robots, index=page(link("/a", "/b")), a=page(), b=page())
    crawl(config(site, tmp_path))
    assert endings(tmp_path, site) == {"/": "page", "/b": "page"}


@pytest.mark.parametrize("max_body", [1000, 50 * 2**20])
def test_500_kib_are_read_and_kept_whatever_a_page_may_have(
    serve: Any, tmp_path: Path, max_body: int
) -> None:
    before, after = b"Disallow: /a\n", b"Disallow: /b\n"
    head = b"User-agent: *\n"
    # What is left of the rule behind is "Disallow: /", which would forbid everything.
    comment = (
        b"#" * (KIB_500 - len(head) - len(before) - len(b"Disallow: /") - 1) + b"\n"
    )
    robots = reply(head + comment + before + after + b"#" * 10_000_000, "text/plain")
    site = serve(robots=robots, index=page(link("/a", "/b")), a=page(), b=page())
    crawl(config(site, tmp_path, http=HttpConfig(max_body=max_body)))
    assert endings(tmp_path, site) == {"/": "page", "/b": "page"}
    store = SqliteStore(tmp_path / "state")
    stored = store.get(ROBOTS_TXT, site.base)
    assert stored is not None
    assert KIB_500 - 100 <= len(stored) < KIB_500 + 100
    store.close()


# ------------------------------------------------------------------ how long it is
# believed


def robots_asked(host: Host) -> list[float]:
    return [seen.at - START for seen in host.log if seen.path.startswith("/robots")]


def settings(folder: Path, host: Host, **politeness: Any) -> Config:
    politeness_config = PolitenessConfig(**({"per_host": 1, "wait": 1.0} | politeness))
    return Config(seeds=(host.urls[0],), dir=str(folder), politeness=politeness_config)


def test_it_is_asked_for_again_after_a_day(tmp_path: Path) -> None:
    host = Host("a.example", pages=30)
    with virtual_time(START) as clock:
        world = World(clock, [host])
        summary = open_crawl(
            settings(tmp_path, host, wait=HOUR), mode="new", clock=clock, client=world
        ).run()
    assert summary.counts["page"] == 30
    assert robots_asked(host) == [
        0.0,
        DAY + HOUR,
    ]  # a day after it had come, and not before


def test_a_resume_believes_it_as_long_as_the_run_did(tmp_path: Path) -> None:
    host = Host("a.example", pages=9)
    start = settings(tmp_path, host)
    with virtual_time(START) as clock:
        world = World(clock, [host])
        limited = replace(start, limits=replace(start.limits, max_pages=3))
        open_crawl(limited, mode="new", clock=clock, client=world).run()
        clock.time = START + DAY - 60
        limited = replace(start, limits=replace(start.limits, max_pages=6))
        open_crawl(limited, mode="resume", clock=clock, client=world).run()
        assert robots_asked(host) == [0.0]
        clock.time = START + DAY + 60
        open_crawl(start, mode="resume", clock=clock, client=world).run()
    assert robots_asked(host) == [0.0, DAY + 60]


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("recovers_after", [2.0, 2 * HOUR])
def test_urls_are_deferred_and_none_is_dropped(
    tmp_path: Path, status: int, recovers_after: float
) -> None:
    host = Host("a.example", pages=5)
    host.robots_status = status
    host.recovers_at = START + recovers_after
    start = settings(tmp_path, host)
    with virtual_time(START) as clock:
        world = World(clock, [host])
        summary = open_crawl(start, mode="new", clock=clock, client=world).run()
        while summary.finish_reason == "parked":
            assert (summary.counts["queued"], summary.exit_code) == (1, 75)
            clock.time += HOUR
            summary = open_crawl(
                stored_config(tmp_path), mode="resume", clock=clock, client=world
            ).run()
    assert (summary.counts["page"], summary.counts["error"]) == (5, 0)
    assert min(host.asked()) > recovers_after


def test_no_answer_defers_too(tmp_path: Path) -> None:
    host = Host("a.example", pages=5)
    host.dead = "silent"
    host.recovers_at = START + 15.0
    with virtual_time(START) as clock:
        world = World(clock, [host])
        summary = open_crawl(
            settings(tmp_path, host), mode="new", clock=clock, client=world
        ).run()
    assert (summary.counts["page"], summary.counts["error"]) == (5, 0)
    assert [seen.path for seen in host.log[:4]] == ["/robots.txt"] * 3 + ["/0"]


@pytest.mark.parametrize(("redirects", "policy"), [(5, "parsed"), (6, "allow_all")])
def test_five_redirects_are_followed_each_at_its_turn(
    tmp_path: Path, redirects: int, policy: str
) -> None:
    host = Host("a.example", pages=2)
    host.robots_redirects = redirects
    host.links = ["http://a.example/private"]
    with virtual_time(START) as clock:
        world = World(clock, [host])
        summary = open_crawl(
            settings(tmp_path, host), mode="new", clock=clock, client=world
        ).run()
    assert robots_asked(host) == [float(n) for n in range(6)]
    assert summary.counts["skip"] == (policy == "parsed")


def test_each_origin_has_its_own(serve: Any, tmp_path: Path) -> None:
    site = serve(robots=text("User-agent: *\nDisallow: /a\n"), index=page(), a=page())
    other = serve(a=page())
    site.pages[""] = page(link("/a", other.url("/a")))
    scope = replace(Config().scope, within="any")
    crawl(config(site, tmp_path, scope=scope, retry=RetryConfig(tries=1)))
    assert endings(tmp_path, site) == {"/": "page", other.url("/a"): "page"}
