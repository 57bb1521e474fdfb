"""Mail over a server that loses what it had, that is away, or that is slow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from crawler.fleet.exchange_server import Lease, LeaseLost, Owner, SharedCrawl
from crawler.fleet.server_carrier import (
    PAUSE_S,
    RESEND_S,
    WINDOW,
    ServerCarrier,
)
from crawler.frontier.mail import Mark
from crawler.frontier.sqlite.database import FILE_NAME
from crawler.frontier.sqlite.shard_store import ShardStore
from crawler.model.shards import Layout, Owners
from tests.helpers.frontier import found
from tests.helpers.memory_server import MemoryServer

LAYOUT = Layout(2)
OWNERS = Owners(LAYOUT)
HOST = next(f"h{n}" for n in range(99) if OWNERS.of_host(f"h{n}.example") == 1)
ME = Owner("home", "machine")


class Pair:
    """Shard 0, which sends, and shard 1, each with a carrier of its own."""

    def __init__(self, folder: Path, held: ExitStack) -> None:
        self.now = 1000.0
        self.count = 0
        self.server = MemoryServer(lambda: self.now)
        self.server.begin(SharedCrawl("0" * 26, "{}", LAYOUT, "1"))
        self.sender = held.enter_context(
            closing(ShardStore(folder / "0", 0, OWNERS, 1.8e9))
        )
        self.receiver = held.enter_context(
            closing(ShardStore(folder / "1", 1, OWNERS, 1.8e9))
        )
        self.out, self.into = self._carrier(0), self._carrier(1)

    def _carrier(self, shard: int) -> ServerCarrier:
        lease = Lease(shard, "token")
        assert self.server.take(lease, ME, 1e9) is None
        return ServerCarrier(self.server, {shard: lease}, lambda: self.now, 0)

    def commit(self, count: int) -> None:
        for _ in range(count):
            self.count += 1
            self.sender.add([found(f"{self.count}", host=HOST)], 1.8e9)
            self.sender.commit()

    def carry(self) -> int:
        """Send and receive; how many messages were taken."""
        self.out.send(self.sender)
        taken = [self.receiver.accept(m) for m in self.into.receive(self.receiver)]
        self.receiver.commit()
        return len([one for one in taken if one])

    def acknowledge(self) -> None:
        self.into.tell_safe(self.receiver, self.receiver.make_safe())
        for by, mark in self.out.acknowledgements(self.sender):
            self.sender.acknowledged(by, mark)
        self.sender.commit()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as held:
        yield Pair(tmp_path, held)


def test_mail_is_posted_once_while_all_is_well(pair):
    pair.commit(3)
    assert pair.carry() == 3
    pair.now += RESEND_S - 1
    assert pair.carry() == 0
    pair.acknowledge()
    pair.now += RESEND_S
    pair.out.send(pair.sender)
    assert pair.into.receive(pair.receiver) == []
    assert pair.server.read({1: ""}) == {}, "what is safe is not kept"


def test_what_a_server_has_lost_is_posted_again(pair):
    """It was emptied, and its clients did not notice."""
    pair.commit(2)
    pair.out.send(pair.sender)
    pair.server.forget()
    pair.server.renew([Lease(0, "token"), Lease(1, "token")], ME, 1e9)
    assert pair.carry() == 0
    pair.now += RESEND_S
    assert pair.carry() == 2


def test_an_acknowledgement_that_was_lost_is_told_again(pair):
    pair.commit(2)
    pair.carry()
    pair.into.tell_safe(pair.receiver, pair.receiver.make_safe())
    pair.server.forget()
    pair.server.renew([Lease(0, "token"), Lease(1, "token")], ME, 1e9)
    pair.acknowledge()
    assert len(pair.sender.outgoing(1, 0, 9)) == 2
    pair.now += RESEND_S
    pair.carry()
    pair.acknowledge()
    assert pair.sender.outgoing(1, 0, 9) == []


def test_a_server_that_was_away_gets_all_again_when_it_is_back(pair):
    pair.commit(2)
    pair.out.send(pair.sender)
    pair.server.is_down = True
    pair.commit(1)
    assert pair.carry() == 0
    pair.acknowledge()
    pair.server.is_down = False
    pair.server.forget()
    pair.server.renew([Lease(0, "token"), Lease(1, "token")], ME, 1e9)
    assert pair.carry() == 0, "it is asked nothing for a moment"
    pair.now += PAUSE_S
    assert pair.carry() == 3


def test_no_more_than_a_window_is_under_way(pair):
    pair.commit(WINDOW + 10)
    for _ in range(9):
        pair.out.send(pair.sender)
    assert len(pair.server.data.mail[1]) == WINDOW
    while pair.carry():
        pass
    pair.acknowledge()
    assert pair.carry() == 10


def test_a_receiver_that_is_switched_off_gets_less_and_less_again(pair):
    pair.commit(1)
    for _ in range(3600):
        pair.out.send(pair.sender)
        pair.now += 1
    assert len(pair.server.data.mail[1]) < 13


def test_an_owner_without_its_lease_sends_nothing(pair):
    pair.commit(1)
    assert pair.server.take(Lease(0, "newer"), ME, 1e9) is None
    with pytest.raises(LeaseLost, match="does not hold shard 0"):
        pair.out.send(pair.sender)
    assert pair.server.read({1: ""}) == {}


def test_what_is_in_no_snapshot_stays_with_its_sender(pair, tmp_path):
    """The receiver is lost, and opened from a snapshot elsewhere: it gets the rest."""
    kept: dict[int, dict[int, Mark]] = {}
    lease = Lease(1, "token")
    pair.into = ServerCarrier(
        pair.server, {1: lease}, lambda: pair.now, 0, {1: kept.setdefault(1, {})}
    )
    pair.commit(WINDOW)
    while pair.carry():
        pair.acknowledge()
    snapshot = pair.receiver._db.serialize()
    kept[1][0] = pair.receiver.taken()[0]
    pair.acknowledge()
    assert pair.sender.outgoing(1, 0, 9) == [], "it is in the snapshot"
    pair.commit(3)
    assert pair.carry() == 3
    pair.acknowledge()
    assert len(pair.sender.outgoing(1, 0, 9)) == 3
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored" / FILE_NAME).write_bytes(snapshot)
    with closing(ShardStore(tmp_path / "restored", 1, OWNERS, 1.9e9)) as restored:
        pair.receiver = restored
        pair.into = pair._carrier(1)
        pair.acknowledge()
        assert pair.carry() == 3, "at once, and not after a time"
        pair.acknowledge()
        assert pair.sender.outgoing(1, 0, 9) == []
