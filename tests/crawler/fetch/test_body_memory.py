"""body_memory: large bodies wait for each other, small ones never, none for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

import hub
from crawler.fetch.body_memory import LARGE, BodyMemoryLimit
from crawler.fetch.client import Client
from crawler.model.errors import ConnectionReset, TotalTimeout
from crawler.model.http import Request
from tests.site import downloads
from tests.site.fixtures import LIMITS
from tests.site.server import Exchange, Site


def test_small_bodies_do_not_count() -> None:
    memory = BodyMemoryLimit(LARGE)
    for number in range(9):
        memory.acquire(number, LARGE - 1)
        assert memory.used == 0
        memory.release(number)


def test_the_oldest_continues_and_the_others_wait_for_it() -> None:
    memory = BodyMemoryLimit(3 * LARGE)
    order: list[str] = []

    def grow(name: str, size: int) -> None:
        memory.acquire(name, size)
        order.append(name)

    memory.acquire("old", 2 * LARGE)
    waiting = [hub.spawn(grow, name, 2 * LARGE) for name in ("a", "b")]
    hub.sleep(0)
    assert order == []
    memory.acquire("old", 5 * LARGE)  # it may exceed the limit
    assert memory.used == 9 * LARGE
    memory.release("old")
    hub.sleep(0)
    assert order == ["a"]  # the one that became large next
    waiting[1].kill()
    memory.release("b")
    memory.release("a")
    hub.joinall(waiting)
    assert memory.used == 0


def test_a_cancelled_body_releases_its_memory() -> None:
    memory = BodyMemoryLimit(LARGE)
    memory.acquire("old", LARGE)
    late = hub.spawn(memory.acquire, "late", LARGE)
    hub.sleep(0)
    late.kill()
    memory.release("late")
    assert memory.used == LARGE


# -- the client

MEGABYTES = 6
COUNT = 8


class Faucet:
    """A site of large files, sent as fast as the client reads them.

    Their ends are only sent after a request for something small was answered.
    """

    def __init__(self) -> None:
        self.site = Site({"file": self._send, "small": self._answer})
        self._answered = threading.Event()

    def _answer(self, exchange: Exchange) -> None:
        exchange.reply(b"small")
        self._answered.set()

    def _send(self, exchange: Exchange) -> None:
        size = MEGABYTES * 2**20
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 2**16 - 1):
            exchange.raw(b"x" * 2**16)
        self._answered.wait(60)
        exchange.raw(b"x" * 2**16)


@pytest.fixture
def faucet() -> Iterator[Faucet]:
    faucet = Faucet()
    yield faucet
    faucet.site.stop()


class Watched(BodyMemoryLimit):
    """Records the maximum of the memory used."""

    most = now = 0

    @property
    def _used(self) -> int:
        return self.now

    @_used.setter
    def _used(self, used: int) -> None:
        self.now = used
        self.most = max(self.most, used)


def test_many_large_bodies_hold_no_more_than_one_and_the_limit(faucet: Faucet) -> None:
    limit = 8 * 2**20
    config = replace(
        LIMITS, max_body=10 * 2**20, max_in_flight=limit, timeout=60, read_timeout=60
    )
    memory = Watched(limit)
    client = Client(config, named_hosts={"127.0.0.1"}, body_memory=memory)
    jobs = [
        hub.spawn(client.fetch, Request(f"{faucet.site.base}/file/{n}"))
        for n in range(COUNT)
    ]
    # A small body waits for none of them.
    small = client.fetch(Request(faucet.site.base + "/small"))
    hub.joinall(jobs, raise_error=True)
    assert small.body == b"small"
    assert all(len(job.get().body) == MEGABYTES * 2**20 for job in jobs)
    assert LARGE < memory.most <= limit + COUNT * LARGE + MEGABYTES * 2**20
    assert memory.most < COUNT * MEGABYTES * 2**20
    assert memory.used == 0
    client.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/download/crumbs", ConnectionReset), ("/download/silent-twice", TotalTimeout)],
)
def test_a_failed_fetch_releases_its_memory(
    site: Site, path: str, kind: type[Exception]
) -> None:
    """A body from an earlier connection counts too, until the fetch ends."""
    memory = BodyMemoryLimit(LIMITS.max_in_flight)
    config = replace(LIMITS, timeout=0.9)
    client = Client(config, named_hosts={"127.0.0.1"}, body_memory=memory)
    with pytest.raises(kind):
        client.fetch(Request(site.base + path))
    assert memory.used == 0
    assert len(downloads.WHOLE) < LARGE
    client.close()
