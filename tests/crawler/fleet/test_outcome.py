"""The summary of a crawl by shards says all that the one of a crawl without says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.cli.terminal.result_line import warnings
from crawler.engine.builder import open_crawl
from crawler.engine.run_report import Summary
from crawler.fleet.messages import Ended
from crawler.fleet.outcome import summarise
from crawler.model.config import Config
from crawler.model.content_config import ImagesConfig
from crawler.model.http_config import HttpConfig, LoginConfig
from crawler.model.policy_config import LimitsConfig, PolitenessConfig
from tests.helpers.members import Members, members_site
from tests.helpers.shard_crawls import ShardCrawls, as_crawl
from tests.site.server import Site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    running = members_site(Members())
    yield running
    running.stop()


def made(site: Site, folder: Path, *paths: str) -> Config:
    return Config(
        seeds=tuple(site.url(path) for path in paths),
        dir=str(folder),
        http=HttpConfig(allow_net=("127.0.0.0/8",)),
        politeness=PolitenessConfig(wait=0.0),
        images=ImagesConfig(fetch=False),
    )


def of_shards(config: Config) -> list[Ended]:
    crawls = ShardCrawls(config, 2)
    crawls.run()
    failures = [("status_4xx", 404)] if "missing" in config.seeds[0] else []
    return [
        Ended(shard, found, failures if found.seed_error else [])
        for shard, found in crawls.summaries.items()
    ]


def as_one(many: Summary, one: Summary) -> Summary:
    counts = {state: n for state, n in many.counts.items() if state in one.counts}
    return replace(many, dir=one.dir, counts=counts, elapsed_s=one.elapsed_s)


@pytest.mark.parametrize("path", ["/account", "/missing", "/robots.txt"])
def test_it_is_that_of_one_process(site: Site, tmp_path: Path, path: str) -> None:
    """A seed that redirects to the login, one that is not there, one without links."""
    config = made(site, tmp_path / "many", path)
    ended = of_shards(config)
    one = as_crawl(config, tmp_path / "one")
    many = summarise(config, ended, [], 1.0)
    assert as_one(many, one) == one
    assert bool(one.login_page) is (path == "/account")
    assert list(warnings(many, config)) == list(warnings(one, config))

    # A resume without work: what came before still decides.
    again = replace(config, dir=str(tmp_path / "one"))
    one = open_crawl(again, mode="resume").run()
    ended = [
        Ended(one.shard, replace(one.summary, seed_error="", last_error=""), [])
        for one in ended
    ]
    many = summarise(config, ended, [], 1.0)
    assert (many.exit_code, many.seed_error) == (one.exit_code, one.seed_error)


def test_a_session_that_ends_meanwhile(site: Site, tmp_path: Path) -> None:
    login = LoginConfig(site.url("/login"), {"user": "x"})
    config = replace(made(site, tmp_path, "/account", "/a"), login=login)
    summary = summarise(config, of_shards(config), [], 1.0)
    (warning,) = warnings(summary, config)
    assert warning.startswith("2 URLs redirected to the login page")


def test_after_the_limit_of_time_the_command_raises_it(
    site: Site, tmp_path: Path
) -> None:
    limits = LimitsConfig(max_time=60.0)
    config = replace(made(site, tmp_path, "/account"), limits=limits)
    first, *rest = of_shards(config)
    over = replace(first, summary=replace(first.summary, finish_reason="limit_time"))
    summary = summarise(config, [over, *rest], [], 1.0)
    assert summary.next_command == f"orbweb resume {tmp_path} --max-time 2m"
