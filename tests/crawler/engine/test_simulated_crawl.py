"""Ten thousand pages on a simulated network with faults, in virtual time.

Nothing is replaced but what a crawl takes from outside: clocks, chance, sockets, and
the size of the process. Names are asked of a simulated name server, too. Two runs from
one seed write the same bytes.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from msgspec import Struct
from PIL import Image as Pillow

import hub
from crawler.engine.builder import Summary, open_crawl
from crawler.model.config import Config
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import PolitenessConfig, RetryConfig, ScopeConfig
from hub.testing import simulated_network
from tests.helpers.simulated_web import (
    BROKEN,
    BUSY,
    CYCLE,
    DNS_FAILING,
    FAILING_NAMES,
    HEALED_AT,
    LOSSY,
    NAME_SERVER,
    PARTITIONED,
    PARTITIONED_AT,
    RESETTING,
    SHORT,
    SLOW,
    UNREACHABLE,
    SimulatedWeb,
    name_of,
)  # fmt: skip

TERMINAL = {"page", "file", "image", "redirect", "error", "skip"}
START = 1.8e9
HOSTS, PAGES = 200, 52
PARKED = 120.0
WAIT = 0.5


class Crawled(Struct):
    """A crawl that has come to its end, resumes included."""

    lines: bytes
    summary: Summary
    seconds: float
    """Virtual time that the crawl took (s)."""
    hits: dict[str, list[tuple[float, str]]]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines.splitlines()]


def image() -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", (3, 2), "red").save(out, "PNG")
    return out.getvalue()


def config(seed: str) -> Config:
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
        politeness=PolitenessConfig(wait=WAIT, park_time=PARKED),
        retry=RetryConfig(tries=4),
        scope=ScopeConfig(within="any"),
    )


def crawl(seed: int = 1, hosts: int = HOSTS, pages: int = PAGES) -> Crawled:
    """Crawl in the current folder until no host is parked any more."""
    with simulated_network(seed, start=START) as network:
        web = SimulatedWeb(network, hosts, pages, image())
        chance, mode = Random(seed), "new"
        while True:
            summary = open_crawl(
                config(web.seed),
                mode=mode,  # type: ignore[arg-type]
                clock=network.loop.now,
                random=chance,
                memory=lambda: 0,
            ).run()
            if summary.finish_reason != "parked":
                break
            hub.sleep(PARKED)
            mode = "resume"
        seconds = network.loop.now() - START
        web.stop()
    return Crawled(Path("crawl/records.jsonl").read_bytes(), summary, seconds, web.hits)


def crawl_in(folder: Path, monkeypatch: pytest.MonkeyPatch, *args: int) -> Crawled:
    folder.mkdir()
    monkeypatch.chdir(folder)
    return crawl(*args)


@pytest.fixture(scope="module")
def twice(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Crawled, Crawled]]:
    """The same crawl two times."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("simulated")
        yield crawl_in(folder / "one", patch), crawl_in(folder / "other", patch)


def test_two_runs_from_one_seed_write_the_same_bytes(twice):
    one, other = twice
    assert (
        sha256(one.lines).digest() == sha256(other.lines).digest()
    )  # a diff would be too long
    assert one.hits == other.hits
    assert one.seconds == other.seconds


def test_another_seed_is_another_run(tmp_path, monkeypatch):
    one, other = (
        crawl_in(tmp_path / str(seed), monkeypatch, seed, CYCLE, 5) for seed in (1, 2)
    )
    assert one.lines != other.lines
    assert one.hits != other.hits


def test_every_url_of_ten_thousand_ends_once_and_as_it_must(twice):
    crawled = twice[0]
    broken = len(range(BROKEN, HOSTS, CYCLE)) * len(range(11, PAGES, 12))
    assert crawled.summary.finish_reason == "done"
    assert crawled.summary.counts["page"] == HOSTS * PAGES - broken > 10_000
    ended = [record for record in crawled.records if record["type"] in TERMINAL]
    assert max(Counter(record["url"] for record in ended).values()) == 1
    assert Counter(record["type"] for record in ended) == {
        "page": HOSTS * PAGES - broken,
        "redirect": HOSTS,
        "image": HOSTS,
        "error": HOSTS + broken + len(FAILING_NAMES) + 1,
    }
    assert Counter(r["error_code"] for r in ended if r["type"] == "error") == {
        "status_4xx": HOSTS,
        "status_5xx": broken,
        "dns_nxdomain": 1,
        "dns_servfail": 1,
        "dns_timeout": 1,
        "connect_timeout": 1,
    }
    (unreachable,) = (
        record for record in ended if record["url"] == f"http://{UNREACHABLE[0]}/"
    )
    assert unreachable["error_code"] == "connect_timeout"
    assert all(
        "/private" not in path for hits in crawled.hits.values() for _, path in hits
    )


@pytest.mark.parametrize("fault", [PARTITIONED, SLOW, BUSY, SHORT, DNS_FAILING])
def test_the_faults_have_struck(twice, fault):
    """Pages of a broken host came at a later attempt only; others at the first."""
    attempts: dict[int, int] = dict.fromkeys(range(CYCLE), 0)
    for record in twice[0].records:
        if record["type"] == "page":
            number = int(record["url"].split("/")[2][1:].partition(".")[0])
            attempts[number % CYCLE] = max(attempts[number % CYCLE], record["attempts"])
    assert attempts[fault] > 1
    assert {attempts[kind] for kind in (0, 1, 2, LOSSY)} == {1}


def test_what_a_reset_took_is_asked_for_again(twice):
    """On a kept connection that is no further attempt, but the server sees it."""
    resets = 0
    for number in range(RESETTING, HOSTS, CYCLE):
        asked = Counter(path for _, path in twice[0].hits[name_of(number)])
        resets += sum(asked.values()) - len(asked)
    assert resets > 0


def test_a_host_that_was_cut_off_is_asked_again_when_that_is_over(twice):
    for number in range(PARTITIONED, HOSTS, CYCLE):
        times = [time - START for time, _ in twice[0].hits[name_of(number)]]
        assert not [time for time in times if PARTITIONED_AT + 1 < time < HEALED_AT]
        assert times[-1] > HEALED_AT


def test_no_host_is_asked_more_often_than_politeness_allows(twice):
    """The intervals that near and sound hosts see.

    There, an arrival differs from its sending by latency only.

    All but the first two requests: before the first, the host's name had to be found.
    """
    near = [n for n in range(0, HOSTS, 7) if n % CYCLE in (0, 1, 2, 4, 6, 8)]
    for number in near:
        times = [time for time, _ in twice[0].hits[name_of(number)]][1:]
        assert len(times) > PAGES
        assert min(after - before for before, after in pairwise(times)) > WAIT - 0.05
