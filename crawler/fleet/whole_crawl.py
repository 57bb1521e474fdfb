"""How the shards of all machines stand, as one machine sees it at the exchange."""

from __future__ import annotations

from collections.abc import Callable, Collection

from crawler.fleet.allowances import Allowances
from crawler.fleet.end import EndOfCrawl
from crawler.fleet.exchange_server import LeaseServer
from crawler.fleet.messages import decode_progress
from crawler.frontier.mail import Report
from crawler.model.config import Config


class WholeCrawl:
    """Sees the end of a crawl by so many `shards`, by what all have told.

    `allowances`, `max_park_wait` and `clock`: as of `Machine`.
    """

    def __init__(
        self,
        server: LeaseServer,
        shards: int,
        max_park_wait: float,
        clock: Callable[[], float],
        allowances: Allowances | None,
    ) -> None:
        self._server = server
        self._shards = shards
        self._allowances = allowances
        self._last: dict[int, Report] = {}
        """What shards have told last, also before they were taken again."""
        self._end = EndOfCrawl(shards, max_park_wait, self._pages_left, clock, clock())

    @property
    def pages(self) -> int:
        """How many pages there are, by the last look."""
        return sum(one.pages for one in self._end.snapshots.values())

    @property
    def limits_bytes(self) -> bool:
        """Whether the crawl has a limit of bytes, so that each look counts."""
        return self._allowances is not None and self._allowances.limit_bytes

    def take_limits(self, config: Config, here: Collection[int]) -> None:
        """Go on with what these settings of the crawl say of its limits and its end.

        `here`: the shards of this machine.
        """
        self._end.max_park_wait = config.politeness.max_park_wait
        if self._allowances is not None:
            self._allowances.take_limits(config.limits)
            self._share(here)

    def share_bytes(self, here: Collection[int]) -> None:
        """Let the shards `here` have what those of the others have left over.

        Raises ExchangeDown.
        """
        if self.limits_bytes:
            self._look()
            self._share(here)

    def keep_used(self, here: Collection[int]) -> None:
        """Keep what the shards have used that are not `here`. Raises ExchangeDown."""
        if self._allowances is not None:
            self._look()
            self._allowances.keep_used(self._elsewhere(here))

    def _look(self) -> None:
        found = self._server.last_reports()
        self._last = {
            shard: decode_progress(one).report for shard, one in found.items()
        }

    def _share(self, here: Collection[int]) -> None:
        if self._allowances is not None:
            self._allowances.share_bytes(self._elsewhere(here))

    def _elsewhere(self, here: Collection[int]) -> list[Report]:
        return [self._last[shard] for shard in self._last if shard not in here]

    def sees_end(self, revision: int) -> bool:
        """Whether the crawl is at its end under the settings of this revision.

        The others are told. Raises ExchangeDown.
        """
        reports = self._server.reports()
        self._end.died(set(range(self._shards)).difference(reports))
        told = {shard: decode_progress(one) for shard, one in reports.items()}
        for one in told.values():
            self._end.heard(one.report, one.snapshot)
        if self._server.is_over():
            return True
        every = [*self._end.reports.values()]
        has_bytes = self._allowances is None or self._allowances.has_bytes(every)
        self._end.died(shard for shard in told if told[shard].revision < revision)
        if has_bytes and not self._end.is_there():
            return False
        self._server.set_over()
        return True

    def _pages_left(self) -> int:
        """What `limits.max_pages` still allows, by the reports of all shards."""
        if self._allowances is None:
            return 0
        return self._allowances.pages_left(self._end.reports.values())
