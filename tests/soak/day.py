"""`python -m tests.soak.day [HOURS]`: a crawl of a day of virtual time.

It runs on the simulated network, on twenty hosts with the faults of
`tests.helpers.simulated_web`, with a request a minute to each. Every hour of virtual
time the resources are counted; at the end every URL must be terminal, and nothing that
the crawl made may be left.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import hub
from crawler.engine.builder import open_crawl
from crawler.model.config import Config
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import PolitenessConfig, RetryConfig, ScopeConfig
from hub.testing import ResourceCounts, count_resources, simulated_network
from tests.helpers.simulated_web import NAME_SERVER, SimulatedWeb
from tests.soak.crawls import TERMINAL, resident_kb

HOSTS = 20
WAIT = 60.0
HOUR = 3600.0


def config(seed: str) -> Config:
    return Config(
        seeds=(seed,),
        dir="crawl",
        concurrency=16,
        http=HttpConfig(
            dns_servers=(NAME_SERVER,),
            address_family="ipv4",
            allow_net=("10.0.0.0/8",),
            proxy="direct",
            timeout=20.0,
            read_timeout=5.0,
        ),
        politeness=PolitenessConfig(wait=WAIT, park_after=1000),
        retry=RetryConfig(tries=4),
        scope=ScopeConfig(within="any"),
    )


def watch(counts: list[tuple[ResourceCounts, int]]) -> None:
    while True:
        hub.sleep(HOUR)
        counts.append((count_resources(), resident_kb()))
        print(f"hour {len(counts):>2}  {counts[-1][0]}  {counts[-1][1]} kB", flush=True)


def main(hours: float) -> int:
    counts: list[tuple[ResourceCounts, int]] = []
    with simulated_network(1, start=1.8e9) as network:
        before = count_resources()
        web = SimulatedWeb(network, HOSTS, pages=round(hours * HOUR / WAIT))
        watcher = hub.spawn(watch, counts)
        crawl = open_crawl(
            config(web.seed),
            mode="new",
            clock=network.loop.now,
            random=Random(1),
            memory=lambda: 0,
        )
        summary = crawl.run()
        seconds = network.loop.now() - 1.8e9
        watcher.kill()
        web.stop()
        hub.sleep(60)  # greenlets that were killed end
        after = count_resources()
    records = [
        json.loads(line)
        for line in Path("crawl/records.jsonl").read_bytes().splitlines()
    ]
    terminal = Counter(
        record["url"] for record in records if record["type"] in TERMINAL
    )
    print(f"{seconds / HOUR:.1f} hours of virtual time: {dict(summary.counts)}")
    print(f"before {before}\nafter  {after}")
    whole = summary.counts["queued"] == summary.counts["leased"] == 0
    return int(not (whole and set(terminal.values()) == {1} and after == before))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 24.0))
