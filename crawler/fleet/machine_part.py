"""The part of a crawl that this machine runs, as its parent has it."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from crawler.fleet.exchange_server import SharedCrawl
from crawler.fleet.machine import Machine
from crawler.fleet.machine_snapshots import MachineSnapshots
from crawler.fleet.messages import LeaseSettings
from crawler.model.config import Config


def this_machine(folder: Path) -> str:
    """The name of this machine, and where the folder is on it."""
    return f"{socket.gethostname()}:{os.path.realpath(folder)}"


class MachinePart(Struct, frozen=True):
    """The shards of a crawl that this machine runs, of several."""

    machine: Machine
    address: str
    """The address of the exchange, without a password."""
    shards: Sequence[int]
    take_settings: Callable[[SharedCrawl], Config]
    """Keeps other settings of the crawl in the folder. Raises a Stop if it can't."""
    snapshots: MachineSnapshots | None = None

    def leases(self, shards: Iterable[int]) -> LeaseSettings:
        """What a process needs that runs these shards."""
        tokens = {shard: self.machine.leases[shard].token for shard in shards}
        kept = None
        if self.snapshots is not None:
            known = self.snapshots.schedule.kept
            kept = {shard: known.get(shard, {}) for shard in shards}
        count, until = len(self.machine.leases), self.machine.held_until
        return LeaseSettings(self.address, tokens, count, until, kept)
