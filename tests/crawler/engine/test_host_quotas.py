"""Quotas of a host and of a template in whole crawls, also across resumes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.cli import run as command
from crawler.engine.builder import open_crawl
from crawler.inspect.explain import explain
from crawler.inspect.state import open_state
from crawler.model.config import Config
from crawler.model.content_config import ImagesConfig
from crawler.model.policy_config import (
    LimitsConfig,
    PolitenessConfig,
    RetryConfig,
    RobotsConfig,
    ScopeConfig,
)
from crawler.workspace.open import stored_config
from tests.helpers.crawling import link, page, picture, png
from tests.helpers.simulated_hosts import START, Host, World, crawl_into
from tests.site.page import reply
from tests.site.server import Exchange, Site

FAST = PolitenessConfig(per_host=32, wait=0.0, adaptive=False)


def ended(folder: Path) -> Counter[tuple[str, str, str | None]]:
    """(host, state, rule) of all URLs of the state, with their numbers."""
    with open_state(folder) as (state, _):
        return Counter(
            (row.host, row.state, row.detail if row.state == "skip" else None)
            for row in state.urls((), (), ())
        )


def requests(host: Host) -> int:
    return len(host.asked())


def size_of(host: Host, *numbers: int) -> int:
    """Body bytes of these pages of the host, and of its robots.txt."""
    paths = ("/robots.txt", *(f"/{n}" for n in numbers))
    return sum(len(host.answer(path, START)[1]) for path in paths)


# ------------------------------------------------------------------ each limit, by
# itself


@pytest.mark.parametrize("workers", [1, 2, 32])
def test_pages_of_a_host_are_exact_with_many_workers(clock, tmp_path, workers):
    hosts = [Host(f"h{n}.example", pages=60, latency=0.3) for n in range(3)]
    limits = LimitsConfig(max_pages_per_host=17)
    politeness = replace(FAST, per_host=workers)
    summary = crawl_into(
        World(clock, hosts), tmp_path, "new", limits=limits, politeness=politeness
    )
    assert (summary.finish_reason, summary.exit_code) == ("done", 0)
    rule = "limits.max_pages_per_host: 17"
    assert ended(tmp_path) == {
        **{(host.name, "page", None): 17 for host in hosts},
        **{(host.name, "skip", rule): 43 for host in hosts},
    }
    assert all(requests(host) <= 17 + workers - 1 for host in hosts)


@pytest.mark.parametrize("workers", [1, 2, 32])
def test_pages_of_a_template_are_exact_with_many_workers(clock, tmp_path, workers):
    hosts = [Host(f"h{n}.example", pages=60, latency=0.3) for n in range(2)]
    limits = LimitsConfig(max_pages_per_template=9)
    politeness = replace(FAST, per_host=workers)
    summary = crawl_into(
        World(clock, hosts), tmp_path, "new", limits=limits, politeness=politeness
    )
    assert (summary.finish_reason, summary.exit_code) == ("done", 0)
    rule = "limits.max_pages_per_template: 9 of /#"
    assert ended(tmp_path) == {
        **{(host.name, "page", None): 9 for host in hosts},
        **{(host.name, "skip", rule): 51 for host in hosts},
    }


def test_no_request_begins_once_a_host_has_had_its_bytes(clock, tmp_path):
    host, other = Host("a.example", pages=40), Host("b.example", pages=40)
    limits = LimitsConfig(max_bytes_per_host=size_of(host, 0, 1, 2, 3))
    summary = crawl_into(World(clock, [host, other]), tmp_path, "new", limits=limits)
    assert (summary.finish_reason, summary.exit_code) == ("done", 0)
    assert requests(host) == requests(other) == 4
    assert summary.counts["page"] == 8
    assert summary.counts["skip"] == 72


def test_what_is_under_way_when_the_bytes_are_spent_is_kept(clock, tmp_path):
    host = Host("a.example", pages=90, latency=0.3)
    limits = LimitsConfig(max_bytes_per_host=size_of(host, 0, 1))
    politeness = replace(FAST, per_host=8)
    summary = crawl_into(
        World(clock, [host]), tmp_path, "new", limits=limits, politeness=politeness
    )
    assert summary.counts["page"] == requests(host) == 1 + 8
    assert summary.counts["skip"] == 81


def test_time_of_a_host_is_that_of_its_requests_and_pauses(clock, tmp_path):
    """The requests that fit in a minute depend on the host.

    A Crawl-delay of ten seconds allows six, answers that take 20 s allow three, and a
    fast host at one a second has nearly all its pages read.
    """
    patient, slow, quick = (
        Host(name, pages=50) for name in ("p.example", "s.example", "q.example")
    )
    patient.crawl_delay, slow.latency = 10.0, 20.0
    limits = LimitsConfig(max_time_per_host=60.0)
    world = World(clock, [patient, slow, quick])
    summary = crawl_into(world, tmp_path, "new", limits=limits)
    assert (summary.finish_reason, summary.exit_code) == ("done", 0)
    assert [len(host.log) for host in (patient, slow, quick)] == [6, 3, 51]
    rule = "limits.max_time_per_host: 60"
    found = ended(tmp_path)
    assert found["p.example", "skip", rule] == 50 - 5
    assert found["s.example", "skip", rule] == 50 - 2
    assert clock() - START < 75.0


def test_a_retry_after_is_on_the_account_of_its_host(clock, tmp_path):
    host = Host("a.example", pages=20)
    host.refusals[2] = (429, "100")
    crawl_into(
        World(clock, [host]),
        tmp_path,
        "new",
        limits=LimitsConfig(max_time_per_host=90.0),
    )
    assert len(host.log) == 3


def test_a_host_that_is_parked_spends_no_time(clock, tmp_path):
    host = Host("a.example", pages=9)
    world = World(clock, [host])
    crawl_into(world, tmp_path, "new", limits=LimitsConfig(max_pages=3))
    host.dead, host.recovers_at = "refused", clock() + 3600.0
    limits = LimitsConfig(max_time_per_host=120.0)
    assert (
        crawl_into(world, tmp_path, "resume", limits=limits).finish_reason == "parked"
    )
    clock.time += 7200.0
    assert crawl_into(world, tmp_path, "resume", limits=limits).counts["page"] == 9


def test_hosts_that_wait_for_their_turn_spend_no_time(clock, tmp_path):
    """With one slot for twenty hosts, each gets a request every 20 s, of one second."""
    hosts = [Host(f"h{n}.example", pages=12, latency=1.0) for n in range(20)]
    limits = LimitsConfig(max_time_per_host=30.0)
    world = World(clock, hosts)
    summary = crawl_into(
        world, tmp_path, "new", limits=limits, concurrency=1, slow_concurrency=0,
        politeness=PolitenessConfig(per_host=1, wait=1.0, adaptive=False),
    )  # fmt: skip
    assert clock() - START > 200.0
    assert (summary.counts["page"], summary.counts["skip"]) == (240, 0)


def test_of_a_host_that_has_had_all_not_even_robots_txt_is_asked_for(clock, tmp_path):
    host = Host("a.example", pages=9)
    world = World(clock, [host])
    crawl_into(world, tmp_path, "new", limits=LimitsConfig(max_pages=3))
    asked = len(host.log)
    clock.time += 100_000.0  # what it said is out of date
    summary = crawl_into(
        world, tmp_path, "resume", limits=LimitsConfig(max_pages_per_host=3)
    )
    assert (summary.counts["page"], summary.counts["skip"]) == (3, 6)
    assert len(host.log) == asked


def test_pictures_count_against_bytes_and_not_against_pages(tmp_path):
    site = Site(
        {
            "": page(link("/a", "/b"), picture("/1.png", "/2.png", "/3.png")),
            "a": page(), "b": page(),
            **{f"{n}.png": reply(png(n) + bytes(4000), "image/png") for n in (1, 2, 3)},
            "robots.txt": reply(status=404),
        }
    )  # fmt: skip
    one = replace(FAST, per_host=1)
    for name, limits, left in (
        ("pages", LimitsConfig(max_pages_per_host=1), {"/a", "/b"}),
        ("bytes", LimitsConfig(max_bytes_per_host=5000), {"/3.png", "/a", "/b"}),
    ):
        folder = tmp_path / name
        config = Config(
            seeds=(site.url("/"),), dir=str(folder), politeness=one, limits=limits
        )
        open_crawl(config, mode="new").run()
        with open_state(folder) as (state, _):
            skips = {row.url for row in state.urls(("skip",), (), ("limit_host",))}
        assert skips == {site.url(path) for path in left}
    site.stop()


def test_bytes_that_were_not_kept_count_as_well(tmp_path):
    """Too large, broken off, not found, moved, too small: all of it was received."""

    def broken(exchange: Exchange) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
        exchange.raw(head, b"Content-Length: 9000\r\n\r\n", bytes(300))
        exchange.close()

    site = Site(
        {
            "large": reply(bytes(70_000), "application/octet-stream"),
            "broken": broken,
            "gone": reply(bytes(500), status=404),
            "moved": reply(bytes(600), status=302, headers=(("Location", "/x"),)),
            "small": page(picture("/small.png")),
            "small.png": reply(png(3), "image/png"),
            "robots.txt": reply(b"#" * 800, "text/plain"),
        }
    )  # fmt: skip
    for path, least in (("/large", 65_536), ("/broken", 300), ("/gone", 500),
                        ("/moved", 600), ("/small", len(png(3)))):  # fmt: skip
        folder = tmp_path / path[1:]
        config = Config(
            seeds=(site.url(path),), dir=str(folder), politeness=FAST,
            retry=RetryConfig(tries=1), images=ImagesConfig(min_width=10),
            scope=ScopeConfig(within="page"),
            http=replace(Config().http, max_body=65_536),
        )  # fmt: skip
        open_crawl(config, mode="new").run()
        with open_state(folder) as (state, _):
            (host, *_) = state.hosts()
            assert state.received_bytes() == host.usage.wire_bytes
        assert least + 800 <= host.usage.wire_bytes < least + 800 + 5_000, path
    site.stop()


# ------------------------------------------------------------------ across runs

LIMITS = {
    "pages": LimitsConfig(max_pages_per_host=8),
    "template": LimitsConfig(max_pages_per_template=8),
    "time": LimitsConfig(max_time_per_host=9.0),  # robots.txt, and a page a second
}


@pytest.mark.parametrize("name", [*LIMITS, "bytes"])
def test_what_a_host_has_had_is_known_to_the_next_run(clock, tmp_path, name):
    host = Host("a.example", pages=30)
    limits = LIMITS.get(name) or LimitsConfig(
        max_bytes_per_host=size_of(host, *range(8))
    )
    world = World(clock, [host])
    for run_number in range(1, 8):
        mode = "new" if run_number == 1 else "resume"
        crawl_into(world, tmp_path, mode, limits=replace(limits, max_pages=run_number))
        clock.time += 600.0
    summary = crawl_into(world, tmp_path, "resume", limits=limits)
    assert (summary.finish_reason, summary.counts["page"]) == ("done", 8)
    assert requests(host) <= 8 + 7  # one each that came over the limit of its run


def test_a_limit_that_is_set_later_knows_what_was_spent_before(clock, tmp_path):
    host = Host("a.example", pages=30)
    world = World(clock, [host])
    crawl_into(world, tmp_path, "new", limits=LimitsConfig(max_pages=8))
    for limits in (
        LimitsConfig(max_pages_per_host=8),
        LimitsConfig(max_bytes_per_host=size_of(host, *range(8))),
        LimitsConfig(max_time_per_host=9.0),
    ):
        with open_state(tmp_path) as (state, config):
            changed = replace(config, limits=limits)
            (queued, *_) = state.urls(("queued",), (), ())
            found = explain(state, changed, queued.url, clock())
        assert len(found.reached_limits) == 1
        assert found.answer.startswith("queued, but limits.max_")


def test_a_higher_limit_on_a_resume_lets_a_host_have_more(clock, tmp_path):
    host = Host("a.example", pages=30)
    world = World(clock, [host])
    crawl_into(
        world, tmp_path, "new", limits=LimitsConfig(max_pages=5, max_pages_per_host=8)
    )
    summary = crawl_into(
        world, tmp_path, "resume", limits=LimitsConfig(max_pages_per_host=12)
    )
    assert (summary.counts["page"], summary.counts["skip"]) == (12, 18)


def test_the_bytes_of_a_crawl_are_counted_over_all_its_runs(clock, tmp_path):
    host = Host("a.example", pages=30)
    limits = LimitsConfig(max_bytes=size_of(host, *range(8)))
    world = World(clock, [host])
    crawl_into(world, tmp_path, "new", limits=replace(limits, max_pages=5))
    for _ in range(2):
        summary = crawl_into(world, tmp_path, "resume", limits=limits)
        assert (summary.finish_reason, summary.exit_code) == ("limit_bytes", 0)
    assert requests(host) <= 9
    assert summary.counts["queued"] == 30 - summary.counts["page"]


def test_a_further_crawl_into_the_same_state_counts_anew(clock, tmp_path):
    host = Host("a.example", pages=30)
    limits = LimitsConfig(max_pages_per_host=8)
    world = World(clock, [host])
    crawl_into(world, tmp_path, "new", limits=limits)
    asked = requests(host)
    assert crawl_into(world, tmp_path, "newer", limits=limits).counts["page"] == 8
    assert requests(host) == asked + 8


KILLED = """
import os, signal, sys
from crawler.engine.builder import open_crawl
from crawler.model.config import Config
from crawler.model.policy_config import LimitsConfig, PolitenessConfig, RobotsConfig
from crawler.frontier.sqlite.store import SqliteStore
commits = 0
def commit(self, plain=SqliteStore.commit):
    global commits
    commits += 1
    if commits == int(sys.argv[3]) and sys.argv[4] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    plain(self)
    if commits == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
SqliteStore.commit = commit
import crawler.engine.committer
crawler.engine.committer.BATCH = 4
config = Config(
    seeds=(sys.argv[1],), dir=sys.argv[2], robots=RobotsConfig(obey=False),
    politeness=PolitenessConfig(per_host=4, wait=0.0, adaptive=False),
    limits=LimitsConfig(max_pages_per_host=40, max_pages_per_template=30, traps=False),
)
open_crawl(config, mode="resume" if sys.argv[5] == "again" else "new").run()
"""


def test_kill_9_at_a_commit_loses_no_count_and_counts_nothing_twice(
    tmp_path: Path,
) -> None:
    """Twelve kills, before and after a commit: records and usage agree at the end."""

    def numbered(exchange: Exchange) -> None:
        n = int(exchange.arg("0"))
        others = (f"/{part}/{m}" for part in ("n", "m") for m in range(n + 1, n + 4))
        exchange.reply(f"<title>{n}</title>" + link(*others))

    site = Site({"n": numbered, "m": numbered})
    for turn in range(12):
        when = "before" if turn % 2 else "after"
        arguments = (site.url("/n/0"), str(tmp_path), str(2 + turn % 3), when)
        again = "again" if turn else "new"
        done = subprocess.run(
            [sys.executable, "-c", KILLED, *arguments, again], check=False
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        with open_state(tmp_path) as (state, _):
            (host,) = state.hosts()
            assert host.usage.pages == host.ended.get("page", 0)
    open_crawl(stored_config(tmp_path), mode="resume").run()
    site.stop()
    text = (tmp_path / "records.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    pages = [line["url"] for line in lines if line["type"] == "page"]
    assert len(pages) == len(set(pages)) == 40
    parts = Counter(url.split("/")[3] for url in pages)
    assert max(parts.values()) <= 30
    with open_state(tmp_path) as (state, _):
        (host,) = state.hosts()
        assert host.usage.pages == 40


# ------------------------------------------------------------------ what is told


def test_hosts_explain_and_status_tell_what_was_spent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(
        {
            "": page(link("/a", "/b", "/c")),
            "a": page(bytes(2000).decode()),
            "b": page(),
            "c": page(),
            "robots.txt": reply(status=404),
        }
    )
    folder = str(tmp_path)
    config = Config(
        seeds=(site.url("/"),), dir=folder, robots=RobotsConfig(obey=False),
        politeness=replace(FAST, per_host=1),
        limits=LimitsConfig(max_bytes_per_host=2000),
    )  # fmt: skip
    open_crawl(config, mode="new").run()
    site.stop()
    for arguments, expected in (
        (["hosts", folder], "2.13 kB"),
        (
            ["explain", site.url("/b"), folder],
            "limit_host, by limits.max_bytes_per_host: 2000",
        ),
        (
            ["explain", site.url("/b"), folder],
            "limit     limits.max_bytes_per_host: 2000, reached",
        ),
        (["explain", site.url("/b"), folder], "usage     2 pages, 2.13 kB, "),
        (["status", folder], "received 2.13 kB"),
        (["status", folder, "--why"], "skip limit_host"),
        (["urls", folder, "--code", "limit_host"], site.url("/c")),
    ):
        assert command(arguments) == 0
        assert expected in capsys.readouterr().out
    assert command(["hosts", folder, "--json"]) == 0
    (line, *_) = capsys.readouterr().out.splitlines()
    usage = json.loads(line)["usage"]
    assert usage["pages"] == 2
    assert usage["wire_bytes"] > 2000
    assert usage["seconds"] > 0


def test_a_limit_of_bytes_is_why_a_stopped_crawl_does_not_go_on(
    clock, tmp_path, capsys: pytest.CaptureFixture[str]
) -> None:
    host = Host("a.example", pages=30)
    limits = LimitsConfig(max_bytes=1000)
    crawl_into(World(clock, [host]), tmp_path, "new", limits=limits)
    url = host.urls[-1]
    assert command(["status", str(tmp_path), "--why"]) == 0
    assert "limits.max_bytes: 1000 is reached" in capsys.readouterr().out
    assert command(["explain", url, str(tmp_path)]) == 0
    assert "queued, but limits.max_bytes: 1000 is reached" in capsys.readouterr().out


def test_the_flags_of_the_command_line(tmp_path: Path) -> None:
    site = Site(
        {"": page(link("/1", "/2", "/3")), **{f"{n}": page(str(n)) for n in range(4)}}
    )
    for flag, count in (
        ("--max-pages-per-host=2", 2),
        ("--max-pages-per-template=2", 3),
        ("--max-bytes-per-host=1", 1),
        ("--max-time-per-host=1ms", 1),
    ):
        folder = tmp_path / flag
        words = [
            "crawl",
            site.url("/"),
            "-d",
            str(folder),
            "-q",
            "-w",
            "0",
            "--no-robots",
            flag,
        ]
        command([*words, "--per-host", "1"])
        with open_state(folder) as (state, _):
            assert state.count("page") == count, flag
    site.stop()
