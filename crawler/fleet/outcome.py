"""How a crawl by shards has ended: one summary of all, from their states.

Summary and exit code are made as those of a crawl of one process, of the sums.
"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.engine.crawl import STOPPED_AT_ONCE
from crawler.engine.exit_status import DONE, URLS_WAIT
from crawler.engine.run_report import Met, Standing, Summary, exit_code_of
from crawler.engine.run_report import summarise as summarise_run
from crawler.fleet.messages import Ended
from crawler.frontier.store import Parked
from crawler.inspect.state import open_states
from crawler.model.config import Config
from crawler.model.reasons import FinishReason
from crawler.workspace.paths import state_folder

_ORDER: tuple[FinishReason, ...] = (
    "signal", "limit_time", "limit_bytes", "limit_pages", "parked",
)  # fmt: skip
"""The first of those for which a shard has ended is the reason of the crawl."""


def summarise(
    config: Config,
    ended: Sequence[Ended],
    signals: Sequence[int],
    elapsed_s: float,
    pages_of_all: int = 0,
    *,
    is_cut: bool = False,
) -> Summary:
    """The summary of the crawl, or of the part of it that is here.

    `ended` are the shards that have told how they ended; one whose process has died
    while the crawl was stopped by `signals` has not. `pages_of_all`: pages of the
    crawl, if other machines have some. `is_cut`: the time of this machine was up before
    the end of the crawl.
    """
    with open_states(state_folder(config.dir)) as state:
        totals = state.totals()
        assert totals is not None
        counts: dict[str, int] = dict(totals.counts.items())
        reason = _reason(ended, interrupted=bool(signals and counts["queued"]))
        codes = {**totals.reasons["error"], **totals.reasons["skip"]}
        standing = Standing(
            counts, totals.received_bytes, totals.changes, codes, _parked(ended), state
        )
        met = _met(config, ended, counts["page"])
        if signals and reason == "signal":
            code = URLS_WAIT if len(signals) == 1 else STOPPED_AT_ONCE + signals[-1]
        elif pages_of_all and not counts["page"] and reason != "parked":
            code = DONE  # this machine's hosts have none
        else:
            code = exit_code_of(config, reason, counts, met.seed_failures)
        return summarise_run(config, reason, code, elapsed_s, standing, met)


def _reason(ended: Sequence[Ended], *, interrupted: bool) -> FinishReason:
    if interrupted:
        return "signal"
    reasons = {one.summary.finish_reason for one in ended}
    return next((one for one in _ORDER if one in reasons), "done")


def _met(config: Config, ended: Sequence[Ended], pages: int) -> Met:
    """What the shards have met, of which each counts, or any."""
    every = [one.summary for one in ended]
    return Met(
        [failure for one in ended for failure in one.seed_failures],
        next((one.seed_error for one in every if one.seed_error), ""),
        next((one.last_error for one in every if one.last_error), ""),
        next((one.login_page for one in every if one.login_page), ""),
        sum(one.to_login for one in every),
        _pruned(config, ended, pages),
    )


def _pruned(config: Config, ended: Sequence[Ended], pages: int) -> int:
    """Links that `--include` refused, if it let none pass in any shard."""
    if pages > len(set(config.seeds)):
        return 0
    return sum(one.summary.pruned for one in ended)


def _parked(ended: Sequence[Ended]) -> tuple[Parked, ...]:
    by_code: dict[str, Parked] = {}
    for one in (parked for shard in ended for parked in shard.summary.parked):
        other = by_code.get(one.failure_code, Parked(one.failure_code, 0, 0, one.until))
        by_code[one.failure_code] = Parked(
            one.failure_code,
            one.hosts + other.hosts,
            one.urls + other.urls,
            min(one.until, other.until),
        )
    return tuple(by_code.values())
