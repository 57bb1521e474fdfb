"""The leases that a machine has taken, and which lease of each shard was the last one.

The exchange says who has a shard. It may have gone back in time, or have lost its data,
so that each machine keeps in its folder what it has heard, and tells it: a lease has a
higher number than the one before of its shard, and the highest that a machine knows
counts.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence

from crawler.fleet.exchange_server import (
    Lease,
    LeaseServer,
    Owner,
    token_number,
)
from crawler.fleet.held_leases import LeaseHistory
from crawler.model.shards import LastLease


class TakenLeases:
    """Those of `owner`, each of which lasts `lease_s`; they are kept in `history`.

    `wall` is in seconds since the epoch, and goes on while no machine is at work.
    """

    def __init__(
        self,
        server: LeaseServer,
        history: LeaseHistory,
        owner: Owner,
        wall: Callable[[], float],
        lease_s: float,
    ) -> None:
        self.by_shard: dict[int, Lease] = {}
        self.taken_over: set[int] = set()
        """Those of them whose states were in other folders."""
        self._server = server
        self._history = history
        self._owner = owner
        self._wall = wall
        self._lease_s = lease_s
        self._last = history.last_leases()
        self._drawn: dict[int, str] = {}
        """Tokens of leases that were asked for, whose answer is not yet known."""
        self._new: set[int] = set()
        """Shards of which this folder had no lease before it asked for one."""

    def tell(self) -> None:
        """Tell the server the last lease of each shard, and hear what it knows."""
        known = self._server.tell_last(self._last).items()
        self._keep({shard: one for shard, one in known if self._is_new(shard, one)})

    def draw(self, shards: Iterable[int]) -> None:
        """Draw tokens for leases of shards, and keep them before any is asked for.

        The answer that tells which was taken may be lost. One that was not taken, as
        far as is known, is used again: no process has it.
        """
        numbers = {shard: self._number(shard) + 1 for shard in shards}
        new = {
            shard: f"{number}-{secrets.token_hex(8)}"
            for shard, number in numbers.items()
            if token_number(self._drawn.get(shard, "")) < number
        }
        self._new.update(shard for shard in new if not self._history.tokens(shard))
        if new:
            self._history.add_tokens(new)
            self._drawn.update(new)

    def take(
        self,
        shard: int,
        *,
        has_state: bool = False,
        is_held: bool = False,
        tokens: Collection[str] = (),
    ) -> Owner | None:
        """Take a shard as `LeaseServer.take` does."""
        lease = self._next(shard)
        other = self._server.take(
            lease,
            self._owner,
            self._lease_s,
            has_state=has_state,
            is_held=is_held,
            tokens=tokens,
        )
        if other is None:
            self._add(lease)
        return other

    def take_over(self, shard: int, home: str | None) -> bool:
        """Take a shard whose state was in the folder `home`; whether it was taken.

        None: the exchange does not know where it was.
        """
        if home is None:
            is_mine = self.take(shard) is None
        else:
            self.tell()
            lease = self._next(shard)
            is_mine = self._server.take_over(lease, self._owner, self._lease_s, home)
            if is_mine:
                self._add(lease)
        if is_mine:
            self.taken_over.add(shard)
        return is_mine

    def release(self) -> None:
        """Give all leases back. Raises ExchangeDown."""
        self.set_held((), 0.0)
        self._server.release(self.by_shard.values())

    def _next(self, shard: int) -> Lease:
        self.draw([shard])
        return Lease(shard, self._drawn[shard])

    def _add(self, lease: Lease) -> None:
        """The lease was taken. The folder knows the one before, too, from now on."""
        self.by_shard[lease.shard] = lease
        self._new.discard(lease.shard)
        before = self._last.get(lease.shard)
        if before is not None and before.token not in self.had(lease.shard):
            self._history.add_tokens({lease.shard: before.token})
        self._keep({lease.shard: LastLease(lease.token, self._owner.home)})
        self._drawn.pop(lease.shard, None)

    def had(self, shard: int) -> Sequence[str]:
        """The tokens of all leases of a shard that this folder may have had."""
        return () if shard in self._new else self._history.tokens(shard)

    def is_held(self, shard: int) -> bool:
        """Whether a lease that this folder had on this machine has not ended yet."""
        until = self._history.held_until(self._owner.machine).get(shard, 0.0)
        return self._wall() < until

    def set_held(self, shards: Iterable[int], seconds: float) -> None:
        """Keep that the leases of these shards, and of no others, last so long."""
        self._history.set_held(self._owner.machine, shards, self._wall() + seconds)

    def _keep(self, last: dict[int, LastLease]) -> None:
        if last:
            self._last.update(last)
            self._history.set_last_leases(last)

    def _is_new(self, shard: int, lease: LastLease) -> bool:
        return shard not in self._last or (
            token_number(lease.token) > self._number(shard)
        )

    def _number(self, shard: int) -> int:
        last = self._last.get(shard)
        return 0 if last is None else token_number(last.token)
