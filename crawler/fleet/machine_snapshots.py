"""Snapshots on one machine: of its own shards, and of those that it takes over."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

import hub
from crawler.fleet.exchange_server import ExchangeDown, ExchangeServer, SharedCrawl
from crawler.fleet.machine import Machine
from crawler.fleet.restoring import restore
from crawler.fleet.snapshot_schedule import RETRY_S, SnapshotSchedule
from crawler.fleet.snapshot_taker import SnapshotTaker
from crawler.fleet.snapshots import OPTION, SnapshotStore
from crawler.fleet.takeover import Takeovers
from crawler.model.config import Config
from crawler.model.errors import StateError, UsageError
from crawler.model.units import show_seconds
from crawler.output.objects.bucket import StorageError
from crawler.workspace.paths import has_state
from hub.threadpool import ThreadPool

BEGUN = 0.0
"""What the exchange has as the time of the snapshot of a shard that has none yet.

It was begun under snapshots, so that its senders still have all their mail.
"""


class SnapshotSettings(Struct, frozen=True):
    """What the user has said of snapshots."""

    root: str
    """As `objects/address.py` has it (`parse_root`)."""
    every_s: float
    takeover_s: float
    """How long a shard has no lease before another machine takes it (seconds)."""
    most: int
    """The shards that this machine has at most then."""


def check_storage(settings: SnapshotSettings, crawl: SharedCrawl) -> None:
    """Try to read, before anything is written.

    Raises UsageError where that can't succeed, and StateError for another snapshot. A
    storage that is away may be back later.
    """
    store = SnapshotStore(settings.root, crawl.run_id, crawl.layout.shards)
    try:
        store.newest(0)
    except StorageError as error:
        if error.final:
            raise UsageError(f"{OPTION}: {error}") from error


class MachineSnapshots:
    """Keeps snapshots of the shards of `machine`, and restores those that it lacks.

    `warn` and `note` show a line to the user. Raises UsageError if the storage can't be
    used.
    """

    def __init__(
        self,
        settings: SnapshotSettings,
        machine: Machine,
        server: ExchangeServer,
        crawl: SharedCrawl,
        config: Config,
        note: Callable[[str], None],
    ) -> None:
        shards, clock = crawl.layout.shards, hub.get_hub().loop.now
        self.settings = settings
        self._machine = machine
        self._server = server
        self._folder = Path(config.dir)
        self._note = note
        self._store = SnapshotStore(settings.root, crawl.run_id, shards)
        self._taking, self._looking = ThreadPool(1, "snapshot"), ThreadPool(1, "look")
        taker = self._taker = SnapshotTaker(
            self._store, config, crawl.run_id, shards, crawl.program
        )
        self.schedule = SnapshotSchedule(
            machine,
            server,
            lambda shard, may: self._taking.submit(taker.take, shard, may).get(),
            settings.every_s,
            note,
            clock,
        )
        self.takeovers = Takeovers(
            machine,
            server,
            shards,
            settings.most,
            settings.takeover_s,
            self._may_take,
            clock,
        )

    def restore(self, shards: Iterable[int], is_stopped: Callable[[], bool]) -> None:
        """Put the snapshots of shards into the folder, of those that it lacks.

        Tries until the storage can be reached. Raises OutputError, and StateError if
        another machine has run one of the others since.
        """
        shards = sorted(shards)
        missing = [one for one in shards if not has_state(self._folder, one)]
        for shard in set(shards).difference(missing):
            with suppress(StorageError):  # then the next snapshot tells
                self._looking.submit(self._taker.refuse_older, shard).get()
        told = ""
        while missing and not is_stopped():
            try:
                self._restore(missing[0])
                del missing[0]
            except (StorageError, ExchangeDown) as error:
                if told != (told := str(error)):
                    self._note(f"{error}; it is tried again")
                hub.sleep(RETRY_S)

    @property
    def has_shards(self) -> bool:
        """Whether this machine has any shard."""
        return bool(self._machine.leases)

    def _restore(self, shard: int) -> None:
        known = self._server.snapshots()
        found = self._looking.submit(restore, self._store, self._folder, shard).get()
        if found is not None:
            age = show_seconds(max(0.0, time.time() - found.taken_at))
            self._note(f"shard {shard} goes on from its snapshot of {age} ago")
        elif known.get(shard, BEGUN) > BEGUN:
            raise StateError(only_in_snapshot(shard, self._store.where))
        elif shard in self._machine.leases:
            self._server.set_snapshot(self._machine.leases[shard], BEGUN)

    def _may_take(self, shard: int) -> bool:
        """Whether nothing is lost if a shard goes on here."""
        has_begun = self._server.snapshots().get(shard) == BEGUN
        return has_begun or self._has_snapshot(shard)

    def _has_snapshot(self, shard: int) -> bool:
        return self._looking.submit(self._store.newest, shard).get() is not None


def only_in_snapshot(shard: int, where: str = "") -> str:
    """What is said where a snapshot is needed, and is not at `where`."""
    not_there = f", which is not in {where}" if where else ""
    return (
        f"shard {shard} of the crawl has its state in a snapshot only{not_there}: name "
        f"with {OPTION} where its machine has written it"
    )
