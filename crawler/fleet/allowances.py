"""What this machine may use of the limits of a crawl that several machines run.

`limits.max_pages` is exact. A machine claims pages at the exchange, some seconds ahead,
and the shards of its folder share what it has got (`grants.py`). That is on its disk
before it is used, and a machine that is switched off keeps only its own. The server is
not believed: each machine tells it once a second what it has, so that a server which
was restarted, perhaps with older data, knows who has what before it gives anything.
Nor does it give anything while a shard is taken over, until the new owner's claim has
the pages that are in the shard's snapshot; those of the lost machine count no more.
Each change has a number, so that an old claim which comes late changes nothing.

`limits.max_bytes` is approximate, as with one process: each machine may use what the
last reports of the others have left over, also before it starts its processes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from crawler.fleet.exchange_server import Answer, Claim, Lease
from crawler.frontier.mail import Report
from crawler.frontier.sqlite.fleet_file import Allowance, FleetFile
from crawler.model.policy_config import LimitsConfig

AHEAD = 8
"""A machine has pages for so many calls of `settle` as the last ones."""
MIN_PAGES = 4
"""Pages for each shard that has work, at least."""


class ClaimServer(Protocol):
    """The part of the server that knows who may use what."""

    def claim(self, lease: Lease, claim: Claim, shards: int) -> Answer | None: ...


class Allowances:
    """The allowances of the folder `home` of a crawl of so many `shards`.

    `note` shows a line to the user.
    """

    def __init__(
        self,
        file: FleetFile,
        limits: LimitsConfig,
        home: str,
        shards: int,
        note: Callable[[str], None],
    ) -> None:
        self._file = file
        self._home = home
        self._shards = shards
        self._note = note
        self._granted = file.granted("pages")
        self._speed = 0.0
        """Pages that were granted to shards between two calls, of late."""
        self._has_noted = False
        self.take_limits(limits)

    def take_limits(self, limits: LimitsConfig) -> None:
        """Share these limits from now on. What no shard here has is given back."""
        self._limits = limits
        self._file.keep("pages", 0)

    @property
    def limit_bytes(self) -> bool:
        """Whether the crawl has a limit of bytes."""
        return self._limits.max_bytes is not None

    def settle(
        self,
        server: ClaimServer,
        lease: Lease,
        own: Collection[Report],
        unheard: int = 0,
    ) -> bool:
        """Get pages for the shards here, by their reports, or give some back.

        Returns whether it has got some, of which more may be needed soon.

        `lease` is one that this machine holds. `unheard`: shards that have told nothing
        yet. Raises ExchangeDown.
        """
        limit = self._limits.max_pages
        if limit is None:
            return False
        target = self._target(own, unheard)
        unused = self._file.left("pages", limit)
        if unused > 2 * target:
            self._file.keep("pages", target)
            unused = target
        wanted = target - unused if 2 * unused <= target else 0
        number, amount = self._file.allowance("pages") or Allowance()
        amount = max(amount, self._file.granted("pages"))
        claim = Claim(self._home, number, amount, wanted, limit)
        answer = server.claim(lease, claim, self._shards)
        if answer is None:
            return False
        if answer.number > number:  # this folder is a copy of one that went on
            self._file.allow("pages", Allowance(answer.number + 1, amount))
        elif answer.more:
            self._file.allow("pages", Allowance(number + 1, amount + answer.more))
        self._tell_waiting(is_waiting=wanted > 0 and not answer.is_whole)
        return answer.more > 0

    def _target(self, own: Collection[Report], unheard: int) -> int:
        """How many pages this machine should have that no shard has."""
        granted = self._file.granted("pages")
        self._speed = max(0.8 * self._speed, granted - self._granted)
        self._granted = granted
        at_work = unheard + sum(not one.is_idle or one.is_limited for one in own)
        return max(MIN_PAGES * at_work, round(AHEAD * self._speed)) if at_work else 0

    def _tell_waiting(self, *, is_waiting: bool) -> None:
        if is_waiting and not self._has_noted:
            self._note(
                "the exchange gives no more of limits.max_pages until the machines of "
                "all shards have told what they have"
            )
        self._has_noted = is_waiting

    # The whole crawl, by the last reports of all shards

    def pages_left(self, reports: Collection[Report]) -> int:
        """How many pages the limit still allows."""
        limit = self._limits.max_pages
        return 0 if limit is None else limit - sum(one.pages for one in reports)

    def has_bytes(self, reports: Collection[Report]) -> bool:
        """Whether the limit still allows some; without one it does."""
        limit = self._limits.max_bytes
        return limit is None or sum(one.received_bytes for one in reports) < limit

    def share_bytes(self, elsewhere: Collection[Report]) -> None:
        """Let the shards here have what those `elsewhere` have left over in all.

        What the shards here have used is known, also of those that have told nothing.
        """
        limit = self._limits.max_bytes
        if limit is None:
            return
        used = sum(one.received_bytes for one in elsewhere)
        allowance = Allowance(0, max(0, limit - used))
        if allowance != self._file.allowance("bytes"):
            self._file.allow("bytes", allowance)

    def keep_used(self, elsewhere: Collection[Report]) -> None:
        """Keep what the shards `elsewhere` have used, for who asks when this is off."""
        self._file.set_used_elsewhere(
            sum(one.pages for one in elsewhere),
            sum(one.received_bytes for one in elsewhere),
        )
