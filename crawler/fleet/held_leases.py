"""The leases of the shards of one process: whether anything of them may be kept now.

The parent renews them at the exchange, and tells until when they last. A process that
was stopped, or whose machine slept, finds out by the clock, before its next commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from crawler.fleet.exchange_server import Lease, LeaseLost
from crawler.fleet.messages import LeaseSettings, Renewed
from crawler.model.shards import LastLease


def awake_clock() -> float:
    """Seconds that go on while the machine sleeps, the same in all its processes."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class HeldLeases:
    """The leases that a process was started with. `clock` is as `awake_clock`."""

    def __init__(
        self, settings: LeaseSettings, clock: Callable[[], float] = awake_clock
    ) -> None:
        self.by_shard = {
            shard: Lease(shard, token) for shard, token in settings.tokens.items()
        }
        self._held_until = settings.held_until
        self._clock = clock
        self._lost: set[int] = set()

    def renewed(self, message: Renewed) -> None:
        """The parent has renewed leases; one that had ended before is lost for good."""
        if self._clock() >= self._held_until:
            self._lost.update(self.by_shard)
        self._lost.update(message.lost)
        self._held_until = message.held_until

    def check(self, shard: int) -> None:
        """Raise LeaseLost if another machine may have the shard by now."""
        if shard in self._lost or self._clock() >= self._held_until:
            self._lost.add(shard)
            raise LeaseLost(shard)


class LeaseHistory(Protocol):
    """The tokens of all leases that a folder's shards have had, in that folder.

    A server may go back to any of them, also to one of a time before this program was
    started. A copy of the folder has those up to the moment when it was made, so that
    the two can be told apart.
    """

    def tokens(self, shard: int) -> Sequence[str]: ...

    def add_tokens(self, tokens: Mapping[int, str]) -> None:
        """Keep a token for each of some shards; it is on the disk when this returns."""
        ...

    def last_leases(self) -> dict[int, LastLease]:
        """The last lease of each shard of the crawl, as far as it was heard here."""
        ...

    def set_last_leases(self, leases: Mapping[int, LastLease]) -> None:
        """Keep what was heard; it is on the disk when this returns."""
        ...

    def held_until(self, machine: str) -> Mapping[int, float]:
        """Until when leases last that this folder has had on a machine, by shard."""
        ...

    def set_held(self, machine: str, shards: Iterable[int], until: float) -> None:
        """Keep that those of these shards last until then, and no others."""
        ...
