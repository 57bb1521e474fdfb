"""The durable store equals the one of dicts, crashes included.

A crash is a close without commit. The model then goes back to its copy of the last
commit, and its leases and claims are void.
"""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite.seen_set import SeenCache
from crawler.frontier.sqlite.store import SqliteStore
from crawler.frontier.store import Content
from crawler.frontier.throttle import HostThrottle
from crawler.model.crawl import Discovered, Lease
from tests.helpers.frontier import FAR, found

HOSTS = ("a", "b", "c")

finds = st.builds(
    lambda path, host, destination, depth, skipped: found(
        path, destination, depth, host, skip=FAR if skipped else None
    ),
    path=st.sampled_from([*"12345", "%7e", "%7E", "~"]),
    host=st.sampled_from(HOSTS),
    destination=st.sampled_from(["page", "image"]),
    depth=st.integers(0, 3),
    skipped=st.booleans(),
)


class StoreMachine(RuleBasedStateMachine):
    """Does the same to both stores, and compares every answer."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = 0.0

    @initialize(
        generation=st.sampled_from([1, 3, 1 << 16]),
        unmerged=st.sampled_from([0, 4, 1 << 19]),
    )
    def begin(self, generation: int, unmerged: int) -> None:
        self.generation = generation
        self.unmerged = unmerged
        self.model = MemoryStore()
        self.saved = copy.deepcopy(self.model)
        self.open()

    def open(self) -> None:
        self.store = SqliteStore(Path(self.folder.name), max_unmerged=self.unmerged)
        self.store._recent = SeenCache(self.generation)
        self.leases: list[Lease] = []
        self.claimed: set[str] = set()

    @rule(batch=st.lists(finds, max_size=6))
    def add(self, batch: list[Discovered]) -> None:
        assert self.store.add(batch, self.now) == self.model.add(batch, self.now)

    @rule(seconds=st.sampled_from([0.5, 3.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(limit=st.integers(1, 3), images_only=st.booleans())
    def claim(self, limit: int, images_only: bool) -> None:
        hosts = self.store.claim(limit, self.now, images_only)
        assert hosts == self.model.claim(limit, self.now, images_only)
        self.claimed.update(host.name for host in hosts)

    @precondition(lambda self: self.claimed)
    @rule(
        data=st.data(),
        destination=st.sampled_from(["page", "image"]),
        limit=st.integers(1, 4),
    )
    def lease(self, data: st.DataObject, destination: str, limit: int) -> None:
        host = data.draw(st.sampled_from(sorted(self.claimed)))
        leases = self.store.lease(host, destination, limit, self.now)
        assert leases == self.model.lease(host, destination, limit, self.now)
        self.leases += leases

    @precondition(lambda self: self.leases)
    @rule(data=st.data(), then=st.lists(finds, max_size=3))
    def done(self, data: st.DataObject, then: list[Discovered]) -> None:
        lease = self.take(data)
        for store in (self.store, self.model):
            store.finish(lease, "page")
        self.add(then)

    @precondition(lambda self: self.leases)
    @rule(
        data=st.data(),
        seconds=st.sampled_from([-1.0, 0.0, 2.0]),
        destination=st.sampled_from([None, "page"]),
    )
    def retry(self, data: st.DataObject, seconds: float, destination: Any) -> None:
        lease = self.take(data)
        for store in (self.store, self.model):
            store.retry(lease, self.now + seconds, destination=destination)

    @precondition(lambda self: self.leases)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        lease = self.take(data)
        for store in (self.store, self.model):
            store.release(lease)

    def take(self, data: st.DataObject) -> Lease:
        return self.leases.pop(data.draw(st.integers(0, len(self.leases) - 1)))

    @rule(host=st.sampled_from(HOSTS), seconds=st.sampled_from([0.0, 2.0]))
    def unclaim(self, host: str, seconds: float) -> None:
        name = f"{host}.example"
        if name in self.claimed and not any(
            lease.host == name for lease in self.leases
        ):
            self.claimed.remove(name)
            for store in (self.store, self.model):
                store.unclaim(name, self.now + seconds)

    @rule(host=st.sampled_from(HOSTS), seconds=st.sampled_from([-1.0, 1.0, 4.0]))
    def block(self, host: str, seconds: float) -> None:
        for store in (self.store, self.model):
            store.block(f"{host}.example", self.now + seconds)
            store.set_throttle(f"{host}.example", HostThrottle(crawl_delay=seconds))

    @rule(host=st.sampled_from(HOSTS), seconds=st.sampled_from([-1.0, 1.0, 4.0]))
    def park(self, host: str, seconds: float) -> None:
        for store in (self.store, self.model):
            store.set_throttle(
                f"{host}.example", HostThrottle(failures=3, failure_code=host)
            )
            store.park(f"{host}.example", self.now + seconds)

    @rule()
    def refilled(self) -> None:
        assert self.store.refilled() == self.model.refilled()

    @rule(count=st.integers(0, 3))
    def flush_skips(self, count: int) -> None:
        for store in (self.store, self.model):
            store.skips_written(count)

    @rule(key=st.sampled_from("xy"), value=st.sampled_from([None, b"1", b"2"]))
    def keep(self, key: str, value: bytes | None) -> None:
        for store in (self.store, self.model):
            store.set("robots", key, value)
            store.set_position("records", len(value or b""))
            store.set_content(key, Content("images/1", f"https://a.example/{value!r}"))

    @rule()
    def commit(self) -> None:
        self.store.commit()
        self.saved = copy.deepcopy(self.model)

    @rule()
    def crash(self) -> None:
        self.store.close()
        self.model = copy.deepcopy(self.saved)
        for url in self.model._urls.values():
            if url.state == "leased":
                self.model.release(url.lease(0.0))
        for host in self.model._hosts.values():
            host.claimed = False
        self.model.refilled()
        self.open()

    @invariant()
    def agree(self) -> None:
        store, model = self.store, self.model
        assert store.counts() == model.counts()
        assert store.hosts() == model.hosts()
        assert store.pending_skips(99) == model.pending_skips(99)
        for images_only in (False, True):
            assert store.next_due(images_only) == model.next_due(images_only)
        assert store.parked() == model.parked()
        early, due = store.next_parked(), model.next_parked()
        assert early == due or (early is not None and due is not None and early < due)
        assert list(store.items("robots")) == list(model.items("robots"))
        assert store.position("records") == model.position("records")
        assert store.content("x") == model.content("x")

    @invariant()
    def known_is_sure(self) -> None:
        for path in "123456":
            for depth in range(4):
                url = found(path).url
                assert not self.store.known(url, depth) or self.model.known(url, depth)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
        self.folder.cleanup()


StoreMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True
)
TestStoreEqualsModel = StoreMachine.TestCase
