"""room: large bodies wait for each other, small ones for nobody, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

import hub
from crawler.errors import ConnectionReset, TotalTimeout
from crawler.http.client import Client
from crawler.http.room import LARGE, Room
from crawler.records import Request
from hub.event import Event
from tests.site import downloads
from tests.site.fixtures import LIMITS
from tests.site.page import reply
from tests.site.server import Exchange, Site


def test_small_bodies_are_not_counted() -> None:
    room = Room(LARGE)
    for number in range(9):
        room.take(number, LARGE - 1)
        assert room.taken == 0
        room.leave(number)


def test_the_oldest_goes_on_and_the_others_wait_for_it() -> None:
    room = Room(3 * LARGE)
    order: list[str] = []

    def grow(name: str, size: int) -> None:
        room.take(name, size)
        order.append(name)

    room.take("old", 2 * LARGE)
    waiting = [hub.spawn(grow, name, 2 * LARGE) for name in ("a", "b")]
    hub.sleep(0)
    assert order == []
    room.take("old", 5 * LARGE)  # beyond the limit, and not kept from its end
    assert room.taken == 9 * LARGE
    room.leave("old")
    hub.sleep(0)
    assert order == ["a"]  # the next in age
    waiting[1].kill()
    room.leave("b")
    room.leave("a")
    hub.joinall(waiting)
    assert room.taken == 0


def test_who_gives_up_leaves_no_trace() -> None:
    room = Room(LARGE)
    room.take("old", LARGE)
    late = hub.spawn(room.take, "late", LARGE)
    hub.sleep(0)
    late.kill()
    room.leave("late")
    assert room.taken == LARGE


# -- the client ------------------------------------------------------------------------------------

MEGABYTES = 6
COUNT = 8


class Faucet:
    """A site of large files, which sends as fast as it may and counts what it could send."""

    def __init__(self) -> None:
        self.sent: dict[str, int] = {}
        self.site = Site({"file": self._send, "small": reply(b"small")})

    def _send(self, exchange: Exchange) -> None:
        size = MEGABYTES * 2**20
        exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 2**16):
            exchange.raw(b"x" * 2**16)
            self.sent[exchange.name] = self.sent.get(exchange.name, 0) + 2**16


@pytest.fixture
def faucet() -> Iterator[Faucet]:
    faucet = Faucet()
    yield faucet
    faucet.site.stop()


def test_many_large_bodies_hold_no_more_than_one_and_the_limit(faucet: Faucet) -> None:
    limit = 8 * 2**20
    config = replace(LIMITS, max_body=10 * 2**20, max_in_flight=limit, timeout=20.0)
    client = Client(config, named_hosts={"127.0.0.1"})
    most = 0
    done = Event()

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, client._room.taken)
            hub.sleep(0.0005)

    watcher = hub.spawn(watch)
    jobs = [hub.spawn(client.fetch, Request(f"{faucet.site.base}/file/{n}")) for n in range(COUNT)]
    small = client.fetch(Request(faucet.site.base + "/small"))  # which waits for none of them
    assert not all(job.ready() for job in jobs)
    hub.joinall(jobs, raise_error=True)
    done.set()
    watcher.join()
    assert small.body == b"small"
    assert all(len(job.get().body) == MEGABYTES * 2**20 for job in jobs)
    assert LARGE < most <= limit + COUNT * LARGE + MEGABYTES * 2**20 < COUNT * MEGABYTES * 2**20
    assert client._room.taken == 0
    client.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/download/crumbs", ConnectionReset), ("/download/silent-twice", TotalTimeout)],
)
def test_what_ends_badly_holds_nothing(site: Site, path: str, kind: type[Exception]) -> None:
    """What had come on an earlier connection counts as well, until it is given up."""
    client = Client(replace(LIMITS, timeout=0.9), named_hosts={"127.0.0.1"})
    with pytest.raises(kind):
        client.fetch(Request(site.base + path))
    assert client._room.taken == 0
    assert len(downloads.WHOLE) < LARGE
    client.close()
