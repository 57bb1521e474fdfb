"""When a crawl by shards is at its end, from what they tell. No I/O.

The end is there when no shard has work or mail on its way (`frontier/mail.py`), and
nothing is to come that a crawl of one process would wait for: pages that the limit
still allows, since another shard has left some over, and parked hosts that are due soon
after the last answer of any host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf

from crawler.engine.stats import Snapshot
from crawler.frontier.mail import Report, is_over


class EndOfCrawl:
    """Hears how the `shards` of a crawl stand.

    `pages_left` tells how many pages the limit of the crawl allows that are granted to
    no shard; `max_park_wait` and `clock` are in seconds.
    """

    def __init__(
        self,
        shards: int,
        max_park_wait: float,
        pages_left: Callable[[], int],
        clock: Callable[[], float],
        answered_at: float = -inf,
    ) -> None:
        """`answered_at`: when a host has answered last, as far as that is known."""
        self._shards = shards
        self.max_park_wait = max_park_wait
        self._pages_left = pages_left
        self._clock = clock
        self._reports: dict[int, Report] = {}
        self._ended: set[int] = set()
        self._answered_at = answered_at  # by any host, in this run
        self.snapshots: dict[int, Snapshot] = {}
        """The last one of each shard."""

    def heard(self, report: Report, snapshot: Snapshot) -> None:
        """A shard has told how it stands."""
        before = self.snapshots.get(report.shard)
        if before is not None and _served(snapshot) > _served(before):
            self._answered_at = self._clock()
        self._reports[report.shard] = report
        self.snapshots[report.shard] = snapshot

    def ended(self, shard: int) -> None:
        """The run of a shard has ended."""
        self._ended.add(shard)

    def begun(self, shards: Iterable[int]) -> None:
        """The runs of these shards go on, also of those that have ended."""
        self._ended.difference_update(shards)
        self.died(shards)

    def died(self, shards: Iterable[int]) -> None:
        """The process of these shards has died: what they told may be undone."""
        for shard in shards:
            self._reports.pop(shard, None)

    @property
    def reports(self) -> Mapping[int, Report]:
        """The last one of each shard, of those whose process has not died since."""
        return self._reports

    @property
    def done(self) -> int:
        """How many URLs have ended, as far as was told."""
        return sum(map(_done, self.snapshots.values()))

    def is_there(self) -> bool:
        """Whether the crawl is at its end.

        A shard that has ended by itself has reached a limit of the crawl. The others
        are not begun anew then, so that their mail waits for a resume.
        """
        if self._ended:
            left = set(range(self._shards)) - self._ended
            return all(
                shard in self._reports and self._reports[shard].is_idle
                for shard in left
            )
        return (
            is_over(self._reports, self._shards)
            and not self._has_pages_left()
            and not self._waits_for_parked()
        )

    def _has_pages_left(self) -> bool:
        is_limited = any(one.is_limited for one in self._reports.values())
        return is_limited and self._pages_left() > 0

    def _waits_for_parked(self) -> bool:
        """Whether one is due soon. A shard knows of answers of its own hosts only."""
        now = self._clock()
        end = self._answered_at + self.max_park_wait
        return any(
            group.state == "parked" and now + group.due_s <= end
            for snapshot in self.snapshots.values()
            for group in snapshot.waits.groups
        )


class EndElsewhere(EndOfCrawl):
    """Hears how the shards of this machine stand; the end is told by the exchange."""

    is_told = False

    def is_there(self) -> bool:
        return self.is_told


def _served(snapshot: Snapshot) -> int:
    """How many URLs a server has given."""
    return snapshot.pages + snapshot.files + snapshot.images + snapshot.redirects


def _done(snapshot: Snapshot) -> int:
    return _served(snapshot) + snapshot.errors + snapshot.skipped
