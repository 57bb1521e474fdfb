"""When snapshots of the shards of this machine are taken: one greenlet of the parent.

Each shard has one at an interval, and one as soon as it is idle. The crawl may end
before the next interval, and what a machine that is lost then had would be missing: so
the exchange is told that a shard is idle once that is in a snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

import hub
from crawler.engine.stats import Snapshot as Counts
from crawler.fleet.exchange_server import ExchangeDown, LeaseLost, LeaseServer
from crawler.fleet.machine import Machine
from crawler.fleet.snapshot_taker import Taken
from crawler.frontier.mail import Mark, Report
from crawler.model.errors import OutputError

LOOK_EVERY_S = 1.0
IDLE_S = 3.0
"""How long after one snapshot of a shard that is idle the next may follow (seconds)."""
IDLE_SHARE = 10
"""So many times as long as a snapshot took nothing is taken of a shard that is idle."""
RETRY_S = 15.0

Take = Callable[[int, Callable[[], None]], Taken | None]
"""Takes a snapshot of a shard; the function that it is given says whether it counts."""


class _Shard:
    """What is known of one shard."""

    def __init__(self) -> None:
        self.due_at = -inf
        self.idle_from = -inf
        """When a snapshot may be taken because the shard is idle."""
        self.covered: tuple[Report, Counts] | None = None
        """How the shard stood when its last snapshot began."""


class SnapshotSchedule:
    """Has snapshots taken every `every_s` seconds, by `take`, which may wait.

    `told` gets what a new snapshot has: by sender, the last message that was taken.
    `warn` shows a line to the user. `clock` is the hub's.
    """

    def __init__(
        self,
        machine: Machine,
        server: LeaseServer,
        take: Take,
        every_s: float,
        warn: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.kept: dict[int, dict[int, Mark]] = {}
        """By shard and sender: the last message that is in the last snapshot."""
        self.told: Callable[[int, Mapping[int, Mark]], None] = lambda _shard, _kept: (
            None
        )
        self._machine = machine
        self._server = server
        self._take = take
        self._every_s = every_s
        self._warn = warn
        self._clock = clock
        self._shards: dict[int, _Shard] = {}
        self._failure = ""
        machine.is_kept = self.covers

    def run(self) -> None:
        """Have snapshots taken, until this is killed.

        Raises StateError if another machine has run a shard meanwhile.
        """
        while True:
            for shard in sorted(self._machine.leases):
                if self._is_due(shard):
                    self.take(shard)
            hub.sleep(LOOK_EVERY_S)

    def take_rest(self, is_stopped: Callable[[], bool]) -> None:
        """Take a last snapshot of each shard whose process has ended at work.

        Ends at the first that fails.
        """
        for shard in sorted(self._machine.leases):
            stands = self._stands(shard)
            if stands and stands[0].is_idle and self.covers(shard):
                continue
            if is_stopped() or not self.take(shard):
                return

    def covers(self, shard: int) -> bool:
        """Whether how the shard stands is in its last snapshot."""
        stands = self._stands(shard)
        return stands is not None and stands == self._of(shard).covered

    def take(self, shard: int) -> bool:
        """Take a snapshot of a shard; whether that has not failed.

        What goes wrong is shown, and tried again.
        """
        one, stands, began = self._of(shard), self._stands(shard), self._clock()
        try:
            taken = self._take(shard, lambda: self._machine.check(shard))
        except LeaseLost:
            return False
        except OutputError as error:
            one.due_at = self._clock() + min(RETRY_S, self._every_s)
            self._fail(str(error))
            return False
        now = self._clock()
        one.due_at = began + self._every_s
        one.idle_from = now + max(IDLE_S, IDLE_SHARE * (now - began))
        if taken is None:
            one.due_at = now + IDLE_S
            return True
        self._failure = ""
        one.covered = stands
        self.kept[shard] = dict(taken.marks)
        self.told(shard, taken.marks)
        self._tell(shard, taken.taken_at)
        return True

    def _tell(self, shard: int, taken_at: float) -> None:
        lease = self._machine.leases.get(shard)
        try:
            if lease is not None:
                self._server.set_snapshot(lease, taken_at)
        except ExchangeDown:
            return  # only `orbweb status` lacks it until the next one

    def _fail(self, failure: str) -> None:
        if failure != self._failure:
            self._failure = failure
            self._warn(f"no snapshot: {failure}; the crawl goes on, and tries again")

    def _is_due(self, shard: int) -> bool:
        stands, one, now = self._stands(shard), self._of(shard), self._clock()
        if stands is None or (stands == one.covered and stands[0].is_idle):
            return False
        return now >= (one.idle_from if stands[0].is_idle else one.due_at)

    def _of(self, shard: int) -> _Shard:
        return self._shards.setdefault(shard, _Shard())

    def _stands(self, shard: int) -> tuple[Report, Counts] | None:
        own = self._machine.own
        report, counts = own.reports.get(shard), own.snapshots.get(shard)
        if report is None or counts is None:
            return None
        return report, Counts(0.0, **{name: getattr(counts, name) for name in _COUNTS})


_COUNTS = (
    "pages", "files", "images", "redirects", "errors", "skipped", "queued", "in_flight",
)  # fmt: skip
"""What tells that a shard has changed; the rest of a snapshot grows with the time."""
