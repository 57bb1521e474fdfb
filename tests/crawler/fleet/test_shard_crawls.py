"""Shards that crawl side by side, in virtual time, on a network with faults."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

import hub
from crawler.model.config import Config
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import (
    LimitsConfig,
    PolitenessConfig,
    RetryConfig,
    ScopeConfig,
)
from hub.testing import simulated_network
from tests.helpers.crawling import TERMINAL, png
from tests.helpers.shard_crawls import ShardCrawls, as_crawl
from tests.helpers.simulated_web import NAME_SERVER, SimulatedWeb

START = 1.8e9
HOSTS, PAGES = 41, 12
SHARDS = 4


def config(seed: str, **changes: Any) -> Config:
    return Config(
        seeds=(seed,),
        dir="crawl",
        http=HttpConfig(
            dns_servers=(NAME_SERVER,),
            address_family="ipv4",
            allow_net=("10.0.0.0/8",),
            proxy="direct",
            timeout=20.0,
            read_timeout=5.0,
        ),
        politeness=PolitenessConfig(
            wait=0.5, park_time=5.0, max_parkings=4, max_park_wait=1000.0
        ),
        retry=RetryConfig(tries=6),
        scope=ScopeConfig(within="any"),
        **changes,
    )


def endings(files: list[Path]) -> Counter[tuple[str, str]]:
    """(type, URL) of each terminal record."""
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    records = [json.loads(line) for line in lines]
    return Counter((r["type"], r["url"]) for r in records if r["type"] in TERMINAL)


def parts() -> list[Path]:
    return sorted(Path("crawl/records").glob("part-*.jsonl"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def crawled(folder: Path, shards: int) -> Counter[tuple[str, str]]:
    """How the URLs of the web with faults end, in so many shards; 0: in none."""
    with simulated_network(7, start=START) as network:
        web = SimulatedWeb(network, HOSTS, PAGES, png())
        given = {"clock": network.loop.now, "random": Random(7), "memory": lambda: 0}
        if not shards:
            assert as_crawl(config(web.seed), folder, **given).finish_reason == "done"
            files = [folder / "records.jsonl"]
        else:
            kills, chance, reasons = 0, Random(5), {"parked"}
            while reasons != {"done"}:
                crawls = ShardCrawls(config(web.seed), shards, **given)
                crawls.run(kill_every=lambda: chance.uniform(1, 9))
                kills += crawls.kills
                reasons = {one.finish_reason for one in crawls.summaries.values()}
                assert reasons <= {"done", "parked"}
                hub.sleep(60)
            assert kills > 5
            files = parts()
        web.stop()
    return endings(files)


def test_shards_that_are_killed_write_what_one_crawl_writes(here):
    """Each URL in one record, whatever fails: name servers, hosts, links, shards."""
    one, many = crawled(here / "one", 0), crawled(here / "crawl", SHARDS)
    assert max(many.values()) == 1
    assert many == one
    assert len(many) > HOSTS * PAGES
    assert len([file for file in parts() if file.stat().st_size > 2000]) == SHARDS


@pytest.mark.parametrize("limit", [1, 7, 60])
def test_the_limit_of_pages_is_exact_over_all_shards(here, limit):
    with simulated_network(3, start=START) as network:
        web = SimulatedWeb(network, 8, PAGES, png())
        limited = config(web.seed, limits=LimitsConfig(max_pages=limit))
        crawls = ShardCrawls(limited, SHARDS, clock=network.loop.now, random=Random(3))
        crawls.run(kill_every=lambda: 2.0)
        web.stop()
    pages = [url for kind, url in endings(parts()) if kind == "page"]
    assert len(pages) == limit
    reasons = {one.finish_reason for one in crawls.summaries.values()}
    assert "limit_pages" in reasons
