"""The clock of a crawl, and what a changed system clock does to the stored due times.

Waits are durations: a pause of five seconds is over after five seconds, also where the
system's clock is set back by a day meanwhile, or forward. So a crawl reads the system's
clock once, and counts on by the monotonic clock of the hub; records alone have the
system's time (`ts`). The state holds moments, not durations, since it is read by a
later process; it also holds what both clocks showed at the last commit
(`model/metadata.py`). From that a resume knows how much time has passed, and
moves the due times accordingly.
Whatever a state says, no URL is due later than the longest wait that a rule allows.
"""

from __future__ import annotations

from collections.abc import Callable

from crawler.frontier.store import Store
from crawler.model.config import Config
from crawler.model.metadata import KeyValue, clock_shift, save_clocks


class SteadyClock:
    """Seconds since the epoch that are never set.

    `wall`: the system's clock, seconds since the epoch; `monotonic`: seconds since any
    moment.
    """

    def __init__(
        self, wall: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self.wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def __call__(self) -> float:
        return self._monotonic() + self._offset

    def save(self, metadata: KeyValue) -> None:
        """Keep what both clocks show now."""
        save_clocks(metadata, self(), self.wall())


def correct_due_times(store: Store, config: Config, now: float) -> None:
    """Make the due times of a state those of a crawl that goes on `now`.

    `now`: seconds since the epoch, as the system's clock shows them.
    """
    if shift := clock_shift(store, now):
        store.move_due_times(shift)
    politeness = config.politeness
    longest = max(
        politeness.max_retry_after,
        politeness.max_adaptive_wait,
        politeness.host_backoff,
        politeness.park_time,
        politeness.wait,
        politeness.max_wait,
    )
    store.limit_due_times(now + longest, now + config.retry.max_backoff)
