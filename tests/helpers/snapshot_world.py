"""The machines of `machine_world.py`, with snapshots, where machines are lost for good.

Schedule, takeover, carriers and leases are those of the program; the storage is a dict.
A machine that is lost is replaced by a new one with an empty folder. Its own folder
comes back later, or never.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import hub
from crawler.fleet.exchange_server import ExchangeDown
from crawler.fleet.machine import LEASE_S
from crawler.fleet.server_carrier import ServerCarrier
from crawler.fleet.snapshot_schedule import SnapshotSchedule
from crawler.fleet.snapshot_taker import Taken
from crawler.fleet.takeover import Takeovers
from crawler.frontier.mail import Mark
from crawler.frontier.sqlite.shard_copy import tell_all_senders
from crawler.model.errors import StateError
from crawler.output.objects.bucket import StorageError
from hub.testing import simulated_network
from tests.helpers.machine_world import (
    FAULTS,
    SHARDS,
    Box,
    Process,
    World,
)
from tests.helpers.mail_world import Shard, url_of

EVERY_S = 40.0
AFTER_S = 90.0
PATIENCE_S = 6_000.0


class DatedShard(Shard):
    """A shard whose epochs go by the time of the world, also on another machine."""

    def __init__(self, folder: Path, number: int, world: SnapshotWorld) -> None:
        self._clock = world.now
        super().__init__(folder, number, world.owners)

    def open(self) -> None:
        self.now = self._clock()
        super().open()


class SnapshotProcess(Process):
    """A process whose senders keep what is in no snapshot."""

    def _opened(self, box: Box, number: int) -> Shard:
        assert isinstance(box, SnapshotBox)
        return DatedShard(box.folder / str(number), number, box.world)

    def _carrier_of(self, box: Box) -> ServerCarrier:
        assert isinstance(box, SnapshotBox)
        kept = box.schedule.kept if box.world.keeps else None
        return ServerCarrier(box.wire, self.leases.by_shard, box.world.now, kept=kept)


class SnapshotBox(Box):
    """A machine that takes snapshots, and takes shards over."""

    world: SnapshotWorld
    schedule: SnapshotSchedule

    def _take(self, most: int) -> list[int]:
        machine, world = self.machine, self.world
        self.schedule = SnapshotSchedule(
            machine, self.wire, self._snapshot, EVERY_S, _ignore, world.now
        )
        if not world.keeps:
            machine.is_kept = lambda _shard: True
        self.takeovers = Takeovers(
            machine,
            self.wire,
            SHARDS,
            SHARDS,
            AFTER_S,
            lambda shard: shard in world.snapshots,
            world.now,
        )
        while True:
            try:
                taken = machine.take(self.own_shards(), most)
                break
            except ExchangeDown:
                hub.sleep(5)
        self._greenlets.append(hub.spawn(self._adopt))
        self._greenlets.append(hub.spawn(self._publish))
        return taken

    def _publish(self) -> None:
        try:
            self.schedule.run()
        except StateError as error:
            self._refuse(error)

    def _refuse(self, error: StateError) -> None:
        """The machine stops, and its user puts a new one in its place."""
        if not self.refused:
            self.refused = str(error)
            hub.spawn(self.world.replace, self)

    def _adopt(self) -> None:
        while True:
            hub.sleep(5)
            self._wake()
            try:
                shard = self.takeovers.look()
            except ExchangeDown:
                continue
            if shard is not None:
                self.world.taken_over += 1
                self._greenlets.append(hub.spawn(self._keep, [shard]))

    def _process_of(self, shards: list[int]) -> Process:
        for shard in shards:
            self._restore(shard)
        return SnapshotProcess(self, shards)

    def _restore(self, shard: int) -> None:
        place = self.folder / str(shard)
        state = self.world.snapshots.setdefault(shard, b"")
        if (file := place / "frontier.sqlite3").exists():
            with closing(sqlite3.connect(file)) as db:
                (epoch,) = db.execute("SELECT epoch FROM shard").fetchone()
            if state and _opened(state)[0] > epoch:
                raise StateError("another machine has run the shard from a snapshot")
            return
        if not state:
            return
        place.mkdir(exist_ok=True)
        (place / "frontier.sqlite3").write_bytes(state)
        tell_all_senders(place / "frontier.sqlite3", shard, SHARDS)

    def _snapshot(self, shard: int, may_publish: Callable[[], None]) -> Taken | None:
        found = [
            one for process in self.processes for one in process.shards
            if one.number == shard
        ]  # fmt: skip
        if not found:
            return None
        found[0].sync()
        state, began = found[0].on_disk[-1], self.world.now()
        hub.sleep(self.world.chance.uniform(0, 5))
        self._wake()
        if self.world.chance.random() < 0.1:
            raise StorageError("the storage is away", False)
        may_publish()
        epoch, marks = _opened(state)
        newest = self.world.snapshots.get(shard)
        if not newest or _opened(newest)[0] <= epoch:
            self.world.snapshots[shard] = state
        return Taken(began, marks)

    def kill(self) -> None:
        super().kill()
        self.is_asleep = False


class SnapshotWorld(World):
    """`keeps`: false for the control, in which what is on one disk counts as safe."""

    def __init__(
        self, folder: Path, seed: int, size: int, *, keeps: bool = True
    ) -> None:
        super().__init__(folder, seed, size)
        self.keeps = keeps
        self.snapshots: dict[int, bytes] = {}
        """The state in the newest snapshot, by shard; empty if it has only begun."""
        self.taken_over = 0
        self.refused: list[str] = []
        self._gone: list[SnapshotBox] = []
        self._count = 0
        self.boxes = [self._new_box() for _ in self.boxes]

    def run(self, faults: int, patience_s: float = PATIENCE_S) -> bool:
        """As `World.run`; at least one machine is lost."""
        losing = hub.spawn(self._lose_one)
        try:
            return super().run(faults, patience_s)
        finally:
            losing.kill()

    def _lose_one(self) -> None:
        hub.sleep(100)
        self.faults["move"] += 1
        self.replace(self.chance.choice(self.boxes))

    def _new_box(self) -> SnapshotBox:
        self._count += 1
        place = self._folder / f"box{self._count}"
        place.mkdir()
        return SnapshotBox(self, place, f"place{self._count}", f"b{self._count}")

    def replace(self, box: Box) -> SnapshotBox:
        """A new machine, with an empty folder, comes in the place of this one."""
        box.kill()
        if box.refused:
            self.refused.append(box.refused)
        other = self._new_box()
        if box in self.boxes:
            self.boxes[self.boxes.index(box)] = other
            other.start(SHARDS // len(self.boxes))
        return other

    def _move(self, box: Box) -> None:
        """The machine is lost for good; or its folder comes back, when that is late."""
        self.replace(box)
        if self.chance.random() < 0.5:
            shutil.rmtree(box.folder)
            return
        hub.sleep(AFTER_S + 2 * LEASE_S)
        self._return(box)

    def _leave(self, box: Box) -> None:
        self.replace(box)
        hub.sleep(AFTER_S + 2 * LEASE_S)

    def _return(self, box: Box) -> None:
        box.refused = ""
        self.boxes.append(box)
        box.start(0)

    def pages(self) -> Counter[str]:
        """How often each URL has ended, in the folders that are homes of shards.

        A shard whose home is lost, and that no machine has taken before the end, is in
        its snapshot.
        """
        found: Counter[str] = Counter()
        boxes = {box.owner.home: box for box in self.boxes}
        for number in range(SHARDS):
            home = self.server.data.homes.get(number, "")
            place = self._folder / f"read{number}"
            if home in boxes and number in boxes[home].own_shards():
                place = boxes[home].folder / str(number)
            elif self.snapshots.get(number):
                place.mkdir()
                (place / "frontier.sqlite3").write_bytes(self.snapshots[number])
            shard = Shard(place, number, self.owners)
            found += shard.pages()
            shard.store.close()
        return found


class Outcome(NamedTuple):
    """What came of a crawl with faults."""

    is_told: bool
    """Whether a machine saw the end."""
    lost: int
    """URLs that have not ended."""
    twice: int
    """Ends of URLs beyond the first, and of URLs that are none."""
    taken_over: int
    """How often a shard went on from a snapshot."""
    refused: list[str]
    """Why machines stopped."""
    faults: Counter[str]


def crawled(
    seed: int,
    size: int,
    faults: int,
    *,
    keeps: bool = True,
    kinds: Sequence[str] = FAULTS,
) -> Outcome:
    """A crawl of a tree of `size` URLs, with faults by this seed."""
    with (
        TemporaryDirectory(dir="/dev/shm") as folder,
        simulated_network(seed, start=1.8e9),
    ):
        world = SnapshotWorld(Path(folder), seed, size, keeps=keeps)
        world.kinds = kinds
        is_told = world.run(faults, PATIENCE_S if keeps else 600.0)
        found = world.pages()
        all_of_them = Counter(url_of(number) for number in range(size))
        return Outcome(
            is_told,
            (all_of_them - found).total(),
            (found - all_of_them).total(),
            world.taken_over,
            world.refused,
            world.faults,
        )


def _opened(state: bytes) -> tuple[int, dict[int, Mark]]:
    """The epoch of a state, and what it has taken, by sender."""
    with closing(sqlite3.connect(":memory:")) as db:
        # Without a log (https://www.sqlite.org/fileformat.html#file_format_version_numbers)
        db.deserialize(state[:18] + b"\1\1" + state[20:])
        rows = db.execute("SELECT shard, epoch, number FROM inbox").fetchall()
        (epoch,) = db.execute("SELECT epoch FROM shard").fetchone()
        return epoch, {shard: Mark(*mark) for shard, *mark in rows}


def _ignore(_text: str) -> None:
    """Nobody reads it."""
