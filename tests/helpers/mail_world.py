"""Shards that crawl a tree, with faults in every step; all by one seed, in one thread.

Each URL of the tree has one inlink, so that a lost message loses what is below it. On a
site whose pages link to each other even a carrier that loses mail loses nothing.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from random import Random

from crawler.frontier.mail import Mark, Message, Report, is_over
from crawler.frontier.sqlite.shard_store import ShardStore
from crawler.model.crawl import Discovered, Lease
from crawler.model.shards import Layout, Owners

START = 1.8e9
HOSTS = 1000
FANOUT = 3


def url_of(number: int) -> str:
    """Page `number` of the tree, which is on one of HOSTS hosts."""
    return f"https://h{number * 7 % HOSTS}.example/{number}"


class Shard:
    """One shard: its store, and what a power cut would leave of it."""

    def __init__(self, folder: Path, number: int, owners: Owners) -> None:
        self.folder = folder
        self.number = number
        self._owners = owners
        self.now = START
        self.on_disk: list[bytes] = []
        """The state as of each commit since the last that is safe on the disk."""
        self.open()

    def open(self) -> None:
        self.now += 1
        self.store = ShardStore(self.folder, self.number, self._owners, self.now)
        self.leases: list[Lease] = []
        self.on_disk = [self.store._db.serialize()]

    def commit(self) -> None:
        self.store.commit()
        self.on_disk.append(self.store._db.serialize())

    def make_safe(self) -> Mapping[int, Mark]:
        safe = self.store.make_safe()
        self.on_disk = self.on_disk[-1:]
        return safe

    def kill(self) -> None:
        self.store.close()
        self.open()

    def sync(self) -> None:
        self.store.sync()
        self.on_disk = self.on_disk[-1:]

    def cut_power(self, chance: Random) -> None:
        self.store.close()
        self.lose_commits(chance)
        self.open()

    def lose_commits(self, chance: Random) -> None:
        """The state is that of a commit before, though not of one that is safe."""
        shutil.rmtree(self.folder)
        self.write_copy(self.folder, chance.choice(self.on_disk))

    def write_copy(self, folder: Path, state: bytes | None = None) -> None:
        """Write a state, by default that of the last commit, into a new folder."""
        folder.mkdir()
        state = self.on_disk[-1] if state is None else state
        (folder / "frontier.sqlite3").write_bytes(state)

    def work(self, size: int) -> bool:
        """Fetch one page, and find what it links to; False if there is none."""
        if not self.leases:
            for host in self.store.claim(9, self.now):
                self.leases += self.store.lease(host.name, "page", 9, self.now)
                self.store.unclaim(host.name, self.now)
        if not self.leases:
            return False
        lease = self.leases.pop(0)
        number = int(lease.url.rpartition("/")[2])
        below = range(FANOUT * number + 1, FANOUT * number + FANOUT + 1)
        links = [
            Discovered(url_of(n), "a", "page", lease.depth + 1, lease.url)
            for n in below
            if n < size
        ]
        self.store.add(links, self.now)
        self.store.finish(lease, "page")
        return True

    def is_idle(self) -> bool:
        counts = self.store.counts()
        return not counts["queued"] and not counts["leased"]

    def report(self) -> Report:
        self.commit()
        sent, taken = dict(self.store.sent()), dict(self.store.taken())
        pages = self.store.counts()["page"]
        return Report(
            self.number, self.store.epoch, self.is_idle(), sent, taken, pages=pages
        )

    def pages(self) -> Counter[str]:
        rows = self.store._db.execute("SELECT url, state FROM url")
        return Counter(url for url, state in rows if state > 1)


class World:
    """`shards` of them, a tree of `size` URLs, and a carrier that `seed` makes bad.

    `trusts`: the control, whose senders delete what the carrier has taken.
    """

    def __init__(
        self, folder: Path, seed: int, shards: int, size: int, *, trusts: bool = False
    ) -> None:
        self.chance = Random(seed)
        self.owners = Owners(Layout(shards))
        self.size = size
        self.trusts = trusts
        self.shards = [Shard(folder / str(n), n, self.owners) for n in range(shards)]
        self.carried: list[tuple[int, Message]] = []
        self.acknowledged: list[tuple[int, int, Mark]] = []
        self.reports: dict[int, Report] = {}
        self.faults: Counter[str] = Counter()
        self.idle_with_mail = 0
        """How often all shards were idle, and the end was not yet there."""
        first = self.shards[self.owners.of_url(url_of(0))]
        first.store.add([Discovered(url_of(0), "seed", "page", 0)], START)
        first.commit()
        first.sync()  # else a power cut would take the seed

    def run(self, faults: int) -> None:
        """Crawl, with so many faults in the first steps, until the end is told."""
        for _ in range(faults * 12):
            if self.step(faulty=self.chance.random() < 1 / 12):
                return
        for _ in range(30_000):
            if self.step(faulty=False):
                return
        if not self.trusts:
            raise AssertionError("the end was never told")

    def step(self, *, faulty: bool) -> bool:
        """One step of one of the parts; whether the end was told."""
        shard = self.chance.choice(self.shards)
        if faulty:
            self._fail(shard)
            return False
        what = self.chance.random()
        if what < 0.5:
            shard.work(self.size)
        elif what < 0.6:
            shard.commit()
        elif what < 0.75:
            self._send(shard)
        elif what < 0.9:
            self._deliver()
        elif what < 0.95:
            self._acknowledge(shard)
        else:
            return self._look(shard)
        return False

    def _fail(self, shard: Shard) -> None:
        faults = {
            "kill": shard.kill,
            "cut_power": lambda: self._cut_power(shard),
            "lose_carrier": self._forget,
        }
        name = self.chance.choice([*faults])
        self.faults[name] += 1
        faults[name]()

    def _cut_power(self, shard: Shard) -> None:
        """What was told of commits that are lost is known to be void: its machine died.

        A machine of several tells that a shard is idle once that is on the disk.
        """
        self.reports.pop(shard.number, None)
        shard.cut_power(self.chance)

    def _send(self, shard: Shard) -> None:
        for to in range(len(self.shards)):
            for message in shard.store.outgoing(to, 0, 10):
                if self.chance.random() < 0.8:  # else it is lost
                    self.carried.append((to, message))
                if self.trusts:
                    shard.store.acknowledged(to, message.mark)

    def _deliver(self) -> None:
        for _ in range(self.chance.randrange(20)):
            if not self.carried:
                return
            place = self.chance.randrange(len(self.carried))
            to, message = self.carried[place]
            if self.chance.random() < 0.8:  # else it comes once more
                del self.carried[place]
            self._take(self.shards[to], message)

    def _take(self, shard: Shard, message: Message) -> None:
        content = shard.store.accept(message)
        if content is not None:
            shard.store.add(content.found, START)

    def _acknowledge(self, shard: Shard) -> None:
        for source, mark in shard.make_safe().items():
            self.acknowledged.append((source, shard.number, mark))
        while self.acknowledged and self.chance.random() < 0.7:
            place = self.chance.randrange(len(self.acknowledged))
            source, by, mark = self.acknowledged.pop(place)
            self.shards[source].store.acknowledged(by, mark)

    def _forget(self) -> None:
        """The carrier dies, and has no memory."""
        self.carried.clear()
        self.acknowledged.clear()

    def _look(self, shard: Shard) -> bool:
        """Look at one shard; all are looked at one after the other, never at once."""
        self.reports[shard.number] = shard.report()
        over = is_over(self.reports, len(self.shards))
        if not over and all(one.is_idle() for one in self.shards):
            self.idle_with_mail += 1
        return over

    def pages(self) -> Counter[str]:
        """How often each URL has ended, over all shards."""
        return sum((one.pages() for one in self.shards), Counter())

    def close(self) -> None:
        for shard in self.shards:
            shard.store.close()
