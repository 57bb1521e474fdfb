"""Crawls through the faults, one after the other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from crawler.engine.builder import open_crawl
from crawler.model.config import Config
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import PolitenessConfig, RetryConfig, ScopeConfig
from hub.testing import ResourceCounts, count_resources
from tests.helpers.paths import ROOT

TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}


class CrawlResult(NamedTuple):
    """The record types of a finished crawl, and what the process holds after it."""

    types: Counter[str]
    resources: ResourceCounts
    resident_kb: int


@contextmanager
def faults(seed: int) -> Iterator[str]:
    """The URL of the first page, behind the proxy that injects faults."""
    command = [sys.executable, "-m", "tests.soak.faults", str(seed)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/page/0"
        finally:
            process.kill()


def crawl(url: str, folder: Path) -> CrawlResult:
    """Crawl from `url`, check that every URL is terminal, and delete the folder."""
    config = Config(
        seeds=(url,),
        dir=str(folder),
        concurrency=16,
        # With four tries a page survives a stall of the other process of up to four
        # seconds.
        http=HttpConfig(
            timeout=4.0, connect_timeout=2.0, read_timeout=1.0, max_body=2**20
        ),
        politeness=PolitenessConfig(
            per_host=16, wait=0.0, host_backoff=0.001, park_after=1000
        ),
        retry=RetryConfig(tries=4, backoff=0.01),
        scope=ScopeConfig(depth=30),
    )
    summary = open_crawl(config, mode="new").run()
    assert summary.finish_reason == "done"
    assert summary.counts["queued"] == summary.counts["leased"] == 0
    records = [
        json.loads(line)
        for line in (folder / "records.jsonl").read_bytes().splitlines()
    ]
    types = Counter(record["url"] for record in records if record["type"] in TERMINAL)
    assert set(types.values()) == {1}
    shutil.rmtree(folder)
    kinds = Counter(record["type"] for record in records)
    return CrawlResult(kinds, count_resources(), resident_kb())


def resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4
