"""A crawl that goes on with more seeds than it was begun with."""

from __future__ import annotations

import json
from pathlib import Path

from msgspec.structs import replace

from crawler.engine.builder import open_crawl
from crawler.model.config import Config
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import LimitsConfig, PolitenessConfig
from tests.helpers.many_hosts import ManyHosts


def test_they_are_crawled_and_their_hosts_are_in_scope_from_then_on(tmp_path: Path):
    """Also a URL that was refused before, since it was on another host."""
    site = ManyHosts(hosts=3, pages=9)
    config = Config(
        seeds=(site.url(0),),
        dir=str(tmp_path),
        http=HttpConfig(allow_net=("127.0.0.0/8",)),
        politeness=PolitenessConfig(wait=0.0),
        limits=LimitsConfig(traps=False),
    )
    try:
        open_crawl(config, mode="new").run()
        before = pages(tmp_path)
        assert site.url(1) not in before
        more = replace(config, seeds=(*config.seeds, site.url(1)))
        open_crawl(more, mode="resume").run()
    finally:
        site.stop()
    assert site.url(1) in set(pages(tmp_path)).difference(before)


def pages(folder: Path) -> list[str]:
    lines = (folder / "records.jsonl").read_bytes().splitlines()
    records = [json.loads(line) for line in lines]
    found = [record["url"] for record in records if record["type"] == "page"]
    assert len(found) == len(set(found))
    return found
