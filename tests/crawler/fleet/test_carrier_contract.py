"""What each carrier of mail between shards does; a new one is a line of CARRIERS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from crawler.fleet.address import parse_address
from crawler.fleet.carrier import Carrier, LocalCarrier
from crawler.fleet.exchange_server import ExchangeServer, Lease, Owner, SharedCrawl
from crawler.fleet.server_carrier import ServerCarrier
from crawler.fleet.valkey_server import ValkeyServer
from crawler.frontier.mail import Mark
from crawler.frontier.sqlite.database import shard_folder
from crawler.frontier.sqlite.shard_store import ShardStore
from crawler.model.errors import StateError
from crawler.model.shards import Layout, Owners
from tests.helpers.frontier import found
from tests.helpers.memory_server import MemoryServer

SHARDS = 3
LAYOUT = Layout(SHARDS)
OWNERS = Owners(LAYOUT)
NOW = 1.8e9

LEASES = {shard: Lease(shard, f"token{shard}") for shard in range(SHARDS)}


def over_server(server: ExchangeServer) -> Carrier:
    """A carrier for a process that has leases of all shards."""
    server.begin(SharedCrawl("0" * 26, "{}", LAYOUT, "1"))
    for lease in LEASES.values():
        assert server.take(lease, Owner("home", "machine"), 60) is None
    return ServerCarrier(server, LEASES, lambda: NOW, poll_s=0)


CARRIERS: dict[str, Callable[[Path], Carrier]] = {
    "local": lambda folder: LocalCarrier(folder, SHARDS),
    "memory": lambda _folder: over_server(MemoryServer(lambda: NOW)),
}


def host_of(shard: int) -> str:
    return next(f"h{n}" for n in range(99) if OWNERS.of_host(f"h{n}.example") == shard)


class Shards:
    """The stores of three shards, and a carrier between them."""

    def __init__(self, folder: Path, make: Callable[[Path], Carrier]) -> None:
        self.folder = folder
        self.held = ExitStack()
        self.carrier = self.held.enter_context(closing(make(folder)))
        self.stores = [self.open(shard) for shard in range(SHARDS)]

    def open(self, shard: int) -> ShardStore:
        state = shard_folder(self.folder, shard) / "state"
        return ShardStore(state, shard, OWNERS, NOW)

    def send(self, source: int, to: int, *paths: str) -> None:
        """Each path in a commit, and so in a message, of its own."""
        store = self.stores[source]
        for path in paths:
            store.add([found(path, host=host_of(to))], NOW)
            store.commit()
            self.carrier.send(store)

    def receive(self, to: int) -> list[str]:
        """The paths that come, in their order."""
        store = self.stores[to]
        taken = [store.accept(one) for one in self.carrier.receive(store)]
        store.commit()
        urls = [one.url for content in taken if content for one in content.found]
        return [url.rpartition("/")[2] for url in urls]

    def acknowledge(self, to: int, source: int) -> None:
        """Bring what was taken to the disk, and tell the sender."""
        receiver, sender = self.stores[to], self.stores[source]
        self.carrier.tell_safe(receiver, receiver.make_safe())
        receiver.commit()
        for shard, mark in self.carrier.acknowledgements(sender):
            sender.acknowledged(shard, mark)
        sender.commit()

    def close(self) -> None:
        for store in self.stores:
            store.close()
        self.held.close()


@pytest.fixture(params=[*CARRIERS, "valkey"])
def shards(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shards]:
    make = CARRIERS.get(request.param)
    with ExitStack() as held:
        if make is None:
            process = request.getfixturevalue("valkey_process")
            process.command("FLUSHALL")
            address = parse_address(process.address("crawl"), {})
            server = held.enter_context(closing(ValkeyServer(address)))
            make = lambda _folder: over_server(server)  # noqa: E731
        yield held.enter_context(closing(Shards(tmp_path, make)))


def test_mail_comes_in_the_order_of_its_numbers(shards):
    shards.send(0, 1, "a", "b", "c")
    assert shards.receive(1) == ["a", "b", "c"]
    assert shards.receive(1) == []
    shards.send(0, 1, "d")
    assert shards.receive(1) == ["d"]


def test_mail_is_for_one_shard(shards):
    shards.send(0, 1, "a")
    shards.send(2, 1, "b")
    shards.send(1, 2, "c")
    assert sorted(shards.receive(1)) == ["a", "b"]
    assert shards.receive(2) == ["c"]
    assert shards.receive(0) == []


def test_more_mail_than_is_read_at_once(shards):
    paths = [str(number) for number in range(150)]
    shards.send(0, 1, *paths)
    received: list[str] = []
    while len(received) < len(paths):
        more = shards.receive(1)
        assert more
        received += more
    assert received == paths


def test_what_was_not_taken_comes_again(shards):
    shards.send(0, 1, "a")
    store = shards.stores[1]
    assert [store.accept(one) for one in shards.carrier.receive(store)] != [None]
    store.close()  # killed before its commit
    shards.stores[1] = shards.open(1)
    shards.send(0, 1, "b")
    assert shards.receive(1) == ["a", "b"]


def test_what_is_safe_is_deleted_by_its_sender(shards):
    shards.send(0, 1, "a", "b")
    shards.acknowledge(1, 0)
    assert len(shards.stores[0].outgoing(1, 0, 9)) == 2, "it was not taken"
    shards.receive(1)
    shards.acknowledge(1, 0)
    assert shards.stores[0].outgoing(1, 0, 9) == []
    shards.send(0, 1, "c")
    assert shards.receive(1) == ["c"]


def test_a_sender_that_is_opened_again_goes_on(shards):
    shards.send(0, 1, "a", "b")
    assert shards.receive(1) == ["a", "b"]
    shards.stores[0].close()
    shards.stores[0] = shards.open(0)
    shards.send(0, 1, "c")
    assert shards.receive(1)[-1] == "c"
    assert shards.stores[1].taken()[0] == Mark(shards.stores[0].epoch, 3)


def test_mail_that_a_receiver_has_lost_is_said(shards, tmp_path):
    """Its state is an old copy, and the sender has deleted what it had on its disk."""
    state = shard_folder(tmp_path, 1) / "state"
    old = shards.stores[1]._db.serialize()
    shards.send(0, 1, "a")
    shards.receive(1)
    shards.acknowledge(1, 0)
    shards.stores[1].close()
    for file in state.iterdir():
        file.unlink()
    (state / "frontier.sqlite3").write_bytes(old)
    shards.stores[1] = shards.open(1)
    shards.send(0, 1, "b")
    with pytest.raises(StateError, match="shard 1 of the crawl has lost what shard 0"):
        shards.receive(1)
