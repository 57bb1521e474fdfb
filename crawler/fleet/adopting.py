"""The shards of a machine with snapshots: they are kept, and others are taken over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hub
from crawler.fleet.exchange_server import ExchangeDown
from crawler.fleet.machine import LOOK_AT_ALL_EVERY_S
from crawler.fleet.machine_snapshots import MachineSnapshots
from crawler.fleet.shard_groups import ShardGroups
from crawler.output.objects.bucket import StorageError

POLL_S = 1.0
"""How often a machine without a shard looks whether the crawl is over (seconds)."""

Greenlet = hub.Greenlet[..., Any]


class Adopting:
    """Runs shards until they have ended, with those that are taken over meanwhile.

    `spawn` begins a greenlet whose failure stops all. `warn` tells the user. `signals`
    is how often the user has asked to stop.
    """

    def __init__(
        self,
        snapshots: MachineSnapshots,
        groups: ShardGroups,
        spawn: Callable[[Callable[[], None]], Greenlet],
        warn: Callable[[str], None],
        is_over: Callable[[], bool],
        signals: Callable[[], int],
    ) -> None:
        self._snapshots = snapshots
        self._groups = groups
        self._spawn = spawn
        self._warn = warn
        self._is_over = is_over
        self._signals = signals
        self._has_looked = False
        """Whether there was no shard to take over when that was looked for last."""

    def run(self) -> None:
        """Returns when all have ended, and what they had is in snapshots."""
        schedule = self._snapshots.schedule
        while self._groups.has_begun or self._waits():
            helping = [self._spawn(schedule.run), self._spawn(self._adopt)]
            try:
                while (has_joined := self._groups.join()) or self._waits():
                    hub.sleep(0 if has_joined else POLL_S)
            finally:
                hub.killall(helping)
            schedule.take_rest(lambda: self._signals() > 1)

    def _waits(self) -> bool:
        """Whether this machine has no shard, and may get that of another one."""
        is_over = self._is_over() and self._has_looked
        return not (self._snapshots.has_shards or is_over or self._signals())

    def _adopt(self) -> None:
        """Take the shards of machines that are gone, each in a process of its own."""
        while not self._signals():
            try:
                shard = self._snapshots.takeovers.look()
            except (ExchangeDown, StorageError):
                shard = None  # they are tried again, and others tell the user
            self._has_looked = shard is None
            if shard is not None:
                self._warn(f"shard {shard} is taken over from a machine that is gone")
                self._groups.begin([shard])
            if shard is None or self._snapshots.settings.takeover_s:
                hub.sleep(LOOK_AT_ALL_EVERY_S)
