"""Taking over the shards of machines that are gone, from their snapshots.

Each machine looks by itself which shards have no lease. One that has had none for long
enough is taken by one step at the exchange, which gives it to one machine only, and
makes that machine's folder its home: so the old one is refused when it is back.
"""

from __future__ import annotations

from collections.abc import Callable

from crawler.fleet.exchange_server import ExchangeDown, LeaseServer
from crawler.fleet.machine import Machine


class Takeovers:
    """Takes shards for `machine`, one a look, up to `most` that it has in all.

    `after_s`: how long a shard has no lease before that (seconds by `clock`).
    `may_take` tells whether nothing is lost if a shard goes on here; it may wait.
    """

    def __init__(
        self,
        machine: Machine,
        server: LeaseServer,
        shards: int,
        most: int,
        after_s: float,
        may_take: Callable[[int], bool],
        clock: Callable[[], float],
    ) -> None:
        self._machine = machine
        self._server = server
        self._shards = shards
        self._most = most
        self._after_s = after_s
        self._may_take = may_take
        self._clock = clock
        self._away: dict[tuple[int, str | None], float] = {}
        """Since when a shard has had no lease, by shard and home.

        An exchange that has lost its data does not know the home of a machine that was
        gone by then.
        """

    def look(self) -> int | None:
        """The shard that was taken now, if any.

        Raises ExchangeDown, and what `may_take` raises.
        """
        for shard, home in self._due():
            if len(self._machine.leases) >= self._most:
                break
            if self._may_take(shard) and self._machine.take_over(shard, home):
                return shard
        return None

    def _due(self) -> list[tuple[int, str | None]]:
        now, own = self._clock(), self._machine.owner.home
        try:
            owners, homes = self._server.owners(self._shards), self._server.homes()
        except ExchangeDown:
            self._away.clear()  # no machine can take its shards meanwhile
            raise
        away = [
            (shard, homes.get(shard))
            for shard in set(range(self._shards)).difference(self._machine.leases)
            if shard not in owners and homes.get(shard) != own
        ]
        self._away = {one: self._away.get(one, now) for one in away}
        return [
            one for one, since in self._away.items() if now >= since + self._after_s
        ]
