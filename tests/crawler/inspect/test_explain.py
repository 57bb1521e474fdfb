"""`orbweb explain` and related commands: waiting URLs, reasons and output."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from crawler.cli import run
from crawler.engine.builder import open_crawl
from crawler.frontier.sqlite.store import SqliteStore
from crawler.inspect.explain import Explanation, explain
from crawler.inspect.state import open_state
from crawler.inspect.state_checks import Refusal
from crawler.inspect.status import read_status
from crawler.inspect.why_waiting import why_waiting
from crawler.model.config import Config, PluginConfig
from crawler.model.content_config import ImagesConfig
from crawler.model.crawl import Discovered
from crawler.model.metadata import TRAPS_OUT_OF_MEMORY
from crawler.model.policy_config import (
    LimitsConfig,
    PolitenessConfig,
    RetryConfig,
    RobotsConfig,
    ScopeConfig,
)
from crawler.policy.traps.scores import Scores
from tests.helpers.crawling import link, page, picture, png
from tests.site.page import reply
from tests.site.server import Site

NOW = 1e9
NOAI = (("X-Robots-Tag", "noai"),)


def look_up(folder: Path, url: str, now: float = NOW) -> Explanation:
    with open_state(folder) as (state, config):
        return explain(state, config, url, now)


# ------------------------------------------------------------------ what is over


@pytest.fixture(scope="module")
def skips(tmp_path_factory: Any) -> Iterator[tuple[Path, Site]]:
    site = Site(
        {
            "": page(link("/a", "/b/1", "/secret/1", "/moved"),
                     link("http://elsewhere.example/"),
                     '<a rel="nofollow" href="/unsure">x</a>',
                     picture("/small.png", "/kept.png")),
            "kept.png": reply(png(200), "image/png", headers=NOAI),
            "a": page(link("/deep")),
            "deep": page(link("/deeper")),
            "b": page(),
            "moved": reply(status=302, headers=(("Location", "ftp://127.0.0.1/x"),)),
            "small.png": reply(png(), "image/png"),
            "robots.txt": reply("User-agent: *\n\nDisallow: /secret/\n", "text/plain"),
        }
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("skips")
    config = Config(
        seeds=(site.url("/"),),
        dir=str(folder),
        politeness=PolitenessConfig(per_host=1, wait=0.0),
        scope=ScopeConfig(depth=2, rules=("-/b/",)),
        limits=LimitsConfig(max_pages_per_host=2),
        images=ImagesConfig(min_width=100),
        robots=RobotsConfig(nofollow="link", noai=True),
    )
    open_crawl(config, mode="new").run()
    yield folder, site
    site.stop()


def test_what_was_never_met(skips: tuple[Path, Site]) -> None:
    folder, site = skips
    assert look_up(folder, site.url("/unheard-of")).answer == (
        "not discovered: no crawled page links to it"
    )
    found = look_up(folder, site.url("/secret/2"))
    assert (found.robots.allowed, found.robots.rule) == (
        False,
        "robots.txt:3 Disallow: /secret/",
    )
    away = look_up(folder, "http://unheard.example/")
    assert away.answer == "not discovered; it would be skipped by scope.within: host"
    assert (away.robots.allowed, away.host) == (None, None)


def test_a_check_that_refuses_today_is_named(
    skips: tuple[Path, Site], capsys: pytest.CaptureFixture[str]
) -> None:
    """The page was fetched, and a filter was added later."""
    folder, site = skips
    with open_state(folder) as (state, config):
        config = replace(config, limits=LimitsConfig())
        assert explain(state, config, site.url("/"), NOW).refused is None
        stricter = replace(config, scope=replace(config.scope, rules=("-/$",)))
        found = explain(state, stricter, site.url("/"), NOW)
    assert found.answer == "fetched: page"
    assert found.refused == Refusal("url_filters", "scope", "scope.rules[0]: -/$")
    text = output(capsys, "explain", site.url("/unsure"), str(folder))
    assert "  check     nofollow refused: rel: nofollow\n" in text


def test_a_host_that_is_parked_says_until_when(tmp_path: Path) -> None:
    broken = Site({"robots.txt": reply(status=503)})
    site = Site({"": page(link(broken.url("/x")))})
    config = Config(
        seeds=(site.url("/"),),
        dir=str(tmp_path),
        politeness=PolitenessConfig(
            wait=0.0, park_after=1, host_backoff=0.01, max_park_wait=0.0
        ),
        scope=ScopeConfig(within="any"),
    )
    open_crawl(config, mode="new").run()
    answer = look_up(tmp_path, broken.url("/x"), 0.0).answer
    parked = f"queued: 127.0.0.1:{broken.port} is parked (robots.txt answered 503), "
    assert answer.startswith(f"{parked}next request in ")
    site.stop()
    broken.stop()


def test_retry_gives_a_trap_its_credit_again(tmp_path: Path) -> None:
    def month(exchange: Any) -> None:
        exchange.reply(
            f"Month {exchange.arg('0')}" + link(f"/month/{int(exchange.arg('0')) + 1}")
        )

    site = Site({"month": month, "robots.txt": reply(status=404)})
    config = Config(
        seeds=(site.url("/month/0"),),
        dir=str(tmp_path),
        politeness=PolitenessConfig(wait=0.0),
    )
    open_crawl(config, mode="new").run()
    host = f"127.0.0.1:{site.port}"
    with closing(SqliteStore(tmp_path / "state")) as store:
        store.set(TRAPS_OUT_OF_MEMORY, host, Scores().saved())
        store.commit()
    with open_state(tmp_path) as (state, _):
        (row,) = state.urls(("skip",), (), ("trap",))
    assert look_up(tmp_path, row.url).answer.startswith("skipped: trap, by ")
    asked = len(site.hits("/month"))
    assert run(["retry", str(tmp_path), "--code", "trap", "-q"]) == 0
    assert run(["retry", str(tmp_path), "--code", "scope"]) == 2
    assert len(site.hits("/month")) > asked + 10  # it has its credit again
    with open_state(tmp_path) as (state, _):
        assert state.get(TRAPS_OUT_OF_MEMORY, host) is None
    site.stop()


# ------------------------------------------------------------------ what waits


def waiting(tmp_path: Path, now: float, **changes: Any) -> SqliteStore:
    """A crawl at rest: one page done, one retry, two URLs queued.

    Its host is paused for a minute.
    """
    config = Config(seeds=("http://a.example/",), dir=str(tmp_path), **changes)
    crawl = open_crawl(config, mode="new")
    crawl.held.close()
    store = SqliteStore(tmp_path / "state")
    found = [
        Discovered(f"http://a.example/{n}", "a", "page", 1, "http://a.example/")
        for n in range(3)
    ]
    store.add(found, now)
    store.claim(1, now)
    seed, first = store.lease("a.example", "page", 2, now)
    store.finish(seed, "page")
    store.retry(first, now + 30, "connect_refused", "nothing listens")
    store.unclaim("a.example", now + 60)
    store.commit()
    return store


def test_what_waits_says_for_what(tmp_path: Path) -> None:
    now = time.time()
    waiting(tmp_path, now).close()
    found = look_up(tmp_path, "http://a.example/0", now)
    assert found.answer == "waits 30 s for attempt 2: connect_refused, nothing listens"
    assert found.known is not None
    assert found.known.attempts == 1
    queued = look_up(tmp_path, "http://a.example/2", now)
    assert queued.answer == (
        "queued: next request to a.example in 1:00; 1 of its host come before it"
    )
    assert (queued.next_allowed_at, queued.ahead) == (pytest.approx(now + 60), 1)
    assert look_up(tmp_path, "http://a.example/2", now + 61).answer == (
        "queued; 1 of its host come before it"
    )


def test_a_url_is_known_by_its_canonical_form(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting(tmp_path, time.time()).close()
    for spelt in (
        "HTTP://A.Example:80/x/../2#top",
        "http://a.example/./2?utm_source=feed",
    ):
        text = output(capsys, "explain", spelt, str(tmp_path))
        assert text.startswith(
            "http://a.example/2\n  queued: next request to a.example in "
        )


def test_a_limit_that_is_reached_is_the_reason(tmp_path: Path) -> None:
    now = time.time()
    waiting(tmp_path, now, limits=LimitsConfig(max_pages=1)).close()
    found = look_up(tmp_path, "http://a.example/1", now)
    assert found.answer == "queued, but limits.max_pages: 1 is reached"


def test_status_why_names_the_reasons_while_it_runs_and_after_its_death(
    tmp_path: Path,
) -> None:
    now = time.time()
    store = waiting(tmp_path, now)
    running = reasons(tmp_path, now)
    store.close()
    assert running == [("backing off", 2), ("retry connect_refused", 1)]
    assert reasons(tmp_path, now) == [("stopped", 3), *running]
    later = [("stopped", 3), ("politeness", 2), ("retry connect_refused", 1)]
    assert reasons(tmp_path, now + 61) == later


def reasons(folder: Path, now: float) -> list[tuple[str, int]]:
    """Those that hold back the most URLs come first."""
    status = read_status(folder / "state")
    assert status is not None
    with open_state(folder) as (state, config):
        found = why_waiting(state, status, config, now)
        return [(one.reason, one.urls) for one in found]


# ------------------------------------------------------------------ as commands


def output(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 0
    return capsys.readouterr().out


def test_the_commands_that_ask(
    skips: tuple[Path, Site], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, site = str(skips[0]), skips[1]
    text = output(capsys, "explain", site.url("/secret/1"), folder)
    assert "skipped: robots, by robots.txt:3 Disallow: /secret/" in text
    parsed = json.loads(
        output(capsys, "explain", site.url("/secret/1"), folder, "--json")
    )
    assert (parsed["known"]["code"], parsed["robots"]["allowed"]) == ("robots", False)
    lines = output(
        capsys, "urls", folder, "--state", "skip", "--code", "scope,robots"
    ).splitlines()
    assert [line.split()[-1] for line in lines] == [
        site.url("/b/1"), site.url("/secret/1"), "http://elsewhere.example/"
    ]  # fmt: skip
    rows = output(capsys, "urls", folder, "--json", "-n", "2").splitlines()
    found = [json.loads(row) for row in rows]
    assert [(one["state"], one["attempts"]) for one in found] == [
        ("page", 1),
        ("skip", 1),
    ]
    (own, *_) = output(capsys, "hosts", folder, "--json").splitlines()
    assert json.loads(own)["ended"]["page"] == 2
    assert "skip limit_host" in output(capsys, "status", folder, "--why")


def test_robots_shows_the_line_that_decides(
    skips: tuple[Path, Site], capsys: pytest.CaptureFixture[str]
) -> None:
    site = skips[1]
    assert run(["robots", site.base, "--test", "/secret/x", "--test", "/open"]) == 9
    text = capsys.readouterr().out
    assert (
        f"disallows {site.url('/secret/x')}  (robots.txt:3 Disallow: /secret/)" in text
    )
    assert f"allows    {site.url('/open')}  (robots.txt: no rule matches)" in text
    assert run(["robots", site.base, "--test", "/open", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["record"]["rules_count"] == 1


def test_retry_takes_only_the_hosts_that_are_named(tmp_path: Path) -> None:
    sites = [
        Site({"down": reply(status=500), "robots.txt": reply(status=404)})
        for _ in range(2)
    ]
    seeds = tuple(site.url("/down") for site in sites)
    config = Config(seeds=seeds, dir=str(tmp_path), retry=RetryConfig(tries=1),
                    politeness=PolitenessConfig(wait=0.0))  # fmt: skip
    open_crawl(config, mode="new").run()
    host = f"127.0.0.1:{sites[1].port}"
    run(["retry", str(tmp_path), "--host", host, "-q"])
    assert [len(site.hits("/down")) for site in sites] == [1, 2]
    for site in sites:
        site.stop()


def test_retry_puts_failed_urls_back(tmp_path: Path) -> None:
    site = Site(
        {
            "": page(link("/gone", "/down")),
            "gone": reply(status=404),
            "down": reply(status=500),
            "robots.txt": reply(status=404),
        }
    )
    config = Config(
        seeds=(site.url("/"),),
        dir=str(tmp_path),
        retry=RetryConfig(tries=1),
        politeness=PolitenessConfig(wait=0.0),
    )
    open_crawl(config, mode="new").run()
    site.pages["down"] = page()  # type: ignore[index]
    assert run(["retry", str(tmp_path), "--code", "status_5xx", "-q", "--dry-run"]) == 0
    assert len(site.hits("/down")) == 1
    assert run(["retry", str(tmp_path), "--code", "status_5xx", "-q"]) == 0
    assert (len(site.hits("/down")), len(site.hits("/gone"))) == (2, 1)
    assert look_up(tmp_path, site.url("/down")).answer == "fetched: page"
    status = read_status(tmp_path / "state")
    assert status is not None
    assert status.reasons["error"] == {"status_4xx": 1}
    site.stop()


def test_plugins_that_are_elsewhere_are_told_in_one_line(
    skips: tuple[Path, Site], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, site = skips
    with open_state(folder) as (state, config):
        named = tuple(PluginConfig(f"not_here:{name}") for name in ("A", "B"))
        found = explain(state, replace(config, plugin=named), site.url("/"), NOW)
    assert found.unavailable == (
        "what not_here:A, not_here:B would say: not found from this folder; run the "
        "command where the crawl was started",
    )
