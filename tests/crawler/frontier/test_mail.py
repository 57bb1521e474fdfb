"""The mail of shards: every URL ends once, and the end is never told early."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from crawler.frontier.mail import Content, Mark, Message, Report, encode, is_over
from crawler.frontier.sqlite.shard_store import ShardStore
from crawler.frontier.sqlite.store import SqliteStore
from crawler.model.crawl import Discovered, Skip
from crawler.model.metadata import IMPORT_DEPTH, SEED_REDIRECTS, SITEMAP_INDEXES
from crawler.model.shards import Layout, Owners
from tests.helpers.frontier import FAR, found, lease_all
from tests.helpers.mail_world import World, url_of

OWNERS = Owners(Layout(2))
NOW = 1.8e9
SIZE = 250


def host_of(shard: int) -> str:
    return next(f"h{n}" for n in range(99) if OWNERS.of_host(f"h{n}.example") == shard)


MINE, OTHER = host_of(0), host_of(1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ShardStore]:
    with opened(tmp_path / "0") as store:
        yield store


@pytest.fixture
def folder() -> Iterator[Path]:
    """In memory where that is possible: each opening waits for the disk."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@contextmanager
def opened(folder: Path) -> Iterator[ShardStore]:
    with closing(ShardStore(folder, 0, OWNERS, NOW)) as store:
        yield store


def message(number: int, *urls: Discovered, epoch: int = 1) -> Message:
    return Message(1, Mark(epoch, number), encode(Content(urls)))


@pytest.mark.parametrize("seed", range(6))
def test_every_url_of_a_tree_ends_once_whatever_fails(folder, seed):
    world = World(folder, seed, shards=4, size=SIZE)
    world.run(faults=40)
    assert world.pages() == Counter(url_of(number) for number in range(SIZE))
    world.close()


def test_the_control_that_trusts_its_carrier_loses_urls(folder):
    """The faults are such that they strike, and the tree is one that shows it."""
    world = World(folder, 1, shards=4, size=SIZE, trusts=True)
    world.run(faults=40)
    assert len(world.pages()) < SIZE
    world.close()


def test_all_are_idle_while_mail_is_under_way(folder):
    """Without the counters the end would have been told then."""
    world = World(folder, 3, shards=4, size=SIZE)
    world.run(faults=10)
    assert world.idle_with_mail > 0
    world.close()


def test_a_url_of_another_shard_is_not_queued_but_sent(store):
    links = [found("1", host=MINE), found("2", host=OTHER)]
    assert store.add(links, NOW) == 1
    assert store.outgoing(1, 0, 9) == []
    store.commit()
    (sent,) = store.outgoing(1, 0, 9)
    assert sent.mark == (store.epoch, 1)
    assert [lease.host for lease in lease_all(store, NOW)] == [f"{MINE}.example"]


def test_what_is_sent_arrives_whole(store):
    other = found(
        "x", "image", 3, host=OTHER, parent_url="https://p.example/", alt="a picture",
        skip=Skip("depth", "scope.depth: 2"),
    )  # fmt: skip
    store.add([other], NOW)
    store.commit()
    (sent,) = store.outgoing(1, 0, 9)
    with_content = store.accept(Message(1, Mark(1, 1), sent.body))
    assert with_content == Content((other,))


FINDS = ((3, None), (3, None), (4, None), (2, None), (1, FAR), (1, None))


def test_a_link_is_sent_again_only_where_it_may_change_something(store):
    for depth, skip in (
        (3, None),
        (3, None),
        (4, None),
        (2, None),
        (1, FAR),
        (1, None),
    ):
        store.add([found("1", depth=depth, host=OTHER, skip=skip)], NOW)
        store.commit()
    assert store.sent() == {1: (store.epoch, 3)}
    assert store.known(found("1", host=OTHER).url, 1)


def test_a_commit_without_mail_writes_none(store):
    store.add([found("1", host=MINE)], NOW)
    store.commit()
    assert store.sent() == {}


def test_messages_are_taken_in_their_order_and_once(store):
    one, two = (message(n, found(str(n), host=MINE)) for n in (1, 2))
    assert store.accept(two) is None
    assert store.accept(one) is not None
    assert store.accept(one) is None
    assert store.taken() == {}
    store.commit()
    assert store.taken() == {1: (1, 1)}
    assert store.accept(two) is not None


def test_what_was_taken_and_not_committed_is_taken_again(tmp_path):
    for _ in range(2):
        with opened(tmp_path) as store:
            assert store.accept(message(1)) is not None


def test_a_higher_epoch_begins_at_one_and_ends_the_lower_one(store):
    assert store.accept(message(1, epoch=5)) is not None
    assert store.accept(message(2, epoch=6)) is None
    assert store.accept(message(1, epoch=6)) is not None
    assert store.accept(message(2, epoch=5)) is None


def test_each_opening_numbers_anew_what_was_not_acknowledged(tmp_path):
    with opened(tmp_path) as store:
        for number in range(3):
            store.add([found(str(number), host=OTHER)], NOW)
            store.commit()
        store.acknowledged(1, Mark(store.epoch, 1))
        store.commit()
        bodies = [message.body for message in store.outgoing(1, 1, 9)]
    assert len(bodies) == 2
    with opened(tmp_path) as again:
        assert again.epoch > store.epoch
        assert [one.mark.number for one in again.outgoing(1, 0, 9)] == [1, 2]
        assert [one.body for one in again.outgoing(1, 0, 9)] == bodies
        again.acknowledged(1, Mark(store.epoch, 2))
        assert len(again.outgoing(1, 0, 9)) == 2, "that was told to another epoch"


def test_only_what_is_committed_becomes_safe(store):
    store.accept(message(1))
    assert store.make_safe() == {}
    store.commit()
    store.accept(message(2))
    assert store.make_safe() == {1: (1, 1)}


def test_what_widens_the_scope_goes_to_all_and_no_further(store, tmp_path):
    url = f"https://{OTHER}.example/"
    store.set(SEED_REDIRECTS, url, b"https://seed.example/")
    store.set(IMPORT_DEPTH, url, b"2")
    store.set(IMPORT_DEPTH, f"https://{MINE}.example/", b"2")
    store.commit()
    (sent,) = store.outgoing(1, 0, 9)
    other = ShardStore(tmp_path / "1", 1, OWNERS, NOW)
    content = other.accept(sent)
    assert content is not None
    for value in content.values:
        other.set_taken(value)
    other.commit()
    assert other.get(SEED_REDIRECTS, url) == b"https://seed.example/"
    assert other.get(IMPORT_DEPTH, url) == b"2"
    assert len(content.values) == 2
    assert other.sent() == {}
    other.close()


def test_the_level_of_a_sitemap_index_goes_with_what_it_names(store):
    index = f"https://{MINE}.example/index.xml"
    store.set(SITEMAP_INDEXES, index, b"1")
    named = Discovered(
        f"https://{OTHER}.example/map.xml", "sitemap_index", "page", 1, index
    )
    store.add([named], NOW)
    store.commit()
    (sent,) = store.outgoing(1, 0, 9)
    content = store.accept(Message(1, Mark(1, 1), sent.body))
    assert content is not None
    assert content.values == ((SITEMAP_INDEXES, index, b"1"),)


def test_a_crawl_of_one_process_has_no_mail_in_its_state(tmp_path):
    store = SqliteStore(tmp_path)
    tables = store._db.execute("SELECT name FROM sqlite_master").fetchall()
    store.close()
    assert {"outbox", "inbox", "sent", "shard"}.isdisjoint(name for (name,) in tables)


IDLE = {n: Report(n, 5, is_idle=True) for n in range(2)}


@pytest.mark.parametrize(
    ("reports", "over"),
    [
        (IDLE, True),
        ({0: IDLE[0]}, False),
        (IDLE | {1: Report(1, 5, is_idle=False)}, False),
        (IDLE | {0: Report(0, 5, True, sent={1: Mark(5, 2)})}, False),
        (
            {
                0: Report(0, 5, True, sent={1: Mark(5, 2)}),
                1: Report(1, 5, True, taken={0: Mark(5, 2)}),
            },
            True,
        ),
        (
            {
                0: Report(0, 6, True, sent={1: Mark(6, 2)}),
                1: Report(1, 5, True, taken={0: Mark(5, 2)}),
            },
            False,
        ),
        (
            {
                0: Report(0, 6, True, sent={1: Mark(6, 0)}),
                1: Report(1, 5, True, taken={0: Mark(5, 7)}),
            },
            True,
        ),
    ],
)
def test_the_end(reports, over):
    assert is_over(reports, 2) is over
