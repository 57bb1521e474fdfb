"""What is kept of each host in memory has a bound, so that a million cost no more.

One test for each table by host, origin, address or name; those of robots.txt's rules,
statistics and traps are in `test_memory_bounds.py` and with the traps. A whole crawl
shows that no table was forgotten; `python -m tests.benchmarks.internet` has 100,000.
"""

from __future__ import annotations

from collections.abc import Callable, Sized
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from crawler.engine.robots_fetcher import MAX_REDIRECTED, RobotsFetcher
from crawler.fetch.connect import guard, tls
from crawler.fetch.connect.guard import AddressGuard
from crawler.fetch.connect.tls import Tls
from crawler.fetch.dns.cache import MAX_NAMES, NameCache
from crawler.frontier.frontier import Frontier
from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite import host_rows
from crawler.frontier.sqlite.store import SqliteStore
from crawler.model import shards
from crawler.model.http import Request, Response, Timings
from crawler.model.http_config import HttpConfig
from crawler.model.policy_config import PolitenessConfig, RobotsConfig, ScopeConfig
from crawler.model.shards import Layout, Owners
from crawler.policy import scope
from crawler.policy.check import Candidate
from crawler.policy.robots_cache import MAX_ORIGINS, RobotsCache
from crawler.policy.scope import Scope
from tests.helpers.frontier import found
from tests.helpers.simulated_internet import crawl_internet


def largest(tell: Callable[[int], object], table: Callable[[], Sized], n: int) -> int:
    """The largest size of the table while `n` hosts are told."""
    size = 0
    for number in range(n):
        tell(number)
        size = max(size, len(table()))
    return size


def url(number: int) -> str:
    return f"https://h{number}.example/"


def test_numbers_of_hosts_in_the_store(tmp_path: Path) -> None:
    bound = host_rows._MAX_IDS
    with closing(SqliteStore(tmp_path)) as store:
        store.add([found("1")], 0.0)  # begins a transaction
        rows = store._hosts
        size = largest(
            lambda n: rows.id_of(f"h{n}.example", 0.0), lambda: rows._ids, bound + 100
        )
        assert size == bound
        assert rows.id_of("h0.example", 0.0) == 2


def test_hosts_that_the_scheduler_has_claimed(tmp_path: Path) -> None:
    """It takes some, and gives them back when they have no work left."""
    with closing(SqliteStore(tmp_path)) as store:
        frontier = Frontier(store, PolitenessConfig(wait=0.0), lambda: 1e9)
        frontier.add([found("1", host=f"h{n}") for n in range(700)])

        def lease_one(_number: int) -> None:
            handle = frontier.lease()
            assert handle is not None
            with handle:
                handle.finish("page")

        size = largest(lease_one, lambda: frontier._politeness._hosts, 700)
        assert frontier.finished
    assert 400 <= size <= 500


def test_tls_sessions() -> None:
    subject = Tls(HttpConfig(), ())
    wire: Any = SimpleNamespace(session=SimpleNamespace(has_ticket=True))
    size = largest(
        lambda n: subject.store_session(wire, url(n)),
        lambda: subject._sessions,
        tls.MAX_SESSIONS + 100,
    )
    assert size == tls.MAX_SESSIONS


def test_addresses_of_names() -> None:
    cache = NameCache()
    size = largest(
        lambda n: cache.put(f"h{n}.example", ("192.0.2.1",), 60.0, 0.0),
        lambda: cache,
        MAX_NAMES + 100,
    )
    assert size == MAX_NAMES


def test_addresses_that_were_checked() -> None:
    subject = AddressGuard((), ())
    size = largest(
        lambda n: subject.deny_reason("h.example", f"8.8.{n >> 8}.{n & 255}"),
        lambda: subject._cache,
        guard._MAX_CACHED + 100,
    )
    assert size == guard._MAX_CACHED


def test_origins_of_the_scope() -> None:
    subject = Scope(ScopeConfig(within="host"), (url(0),))
    pages: Any = subject._pages
    size = largest(
        lambda n: subject.check(Candidate(url(n), "a", "page", 1)),
        lambda: pages._known,
        scope._MAX_ORIGINS + 100,
    )
    assert size == scope._MAX_ORIGINS


def test_owners_of_hosts() -> None:
    subject = Owners(Layout(4))
    size = largest(
        lambda n: subject.of_host(f"{n}.example"),
        lambda: subject._known,
        shards._MAX_HOSTS + 100,
    )
    assert size == shards._MAX_HOSTS


def test_a_crawl_of_a_thousand_hosts(tmp_path: Path) -> None:
    """Four sockets that are kept for each host, though closed, are 25 blocks more."""
    outcome = crawl_internet(1000, tmp_path / "crawl")
    assert outcome.finish_reason == "done"
    assert (outcome.once, outcome.others) == (1000, 0)
    assert outcome.blocks_per_host < 15


def robots(status: int, headers: tuple[tuple[str, str], ...]) -> RobotsFetcher:
    def exchange(request: Request) -> Response:
        return Response(
            request.url, status, "", "1.1", headers, b"", 0, Timings(0), None, False
        )

    cache = RobotsCache(RobotsConfig(), MemoryStore(), lambda: 0.0)
    return RobotsFetcher(cache, exchange, lambda: 0.0)


def test_origins_without_robots_txt() -> None:
    subject = robots(404, ())
    size = largest(
        lambda n: subject.fetch(url(n)),
        lambda: subject._cache._origins,
        MAX_ORIGINS + 100,
    )
    assert size == MAX_ORIGINS


def test_redirects_of_robots_txt_that_nobody_follows() -> None:
    """The URL that had asked for it may be given up meanwhile."""
    subject = robots(301, (("location", "/robots-1"),))
    size = largest(
        lambda n: subject.request(url(n)),
        lambda: subject._redirected,
        MAX_REDIRECTED + 100,
    )
    assert size == MAX_REDIRECTED
