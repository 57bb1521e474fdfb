"""How a crawl by shards has ended: one summary of all, from their states.

The exit code is that of a crawl of one process with the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.engine.crawl import STOPPED_AT_ONCE
from crawler.engine.exit_status import DONE, URLS_WAIT, exit_code
from crawler.engine.run_report import Summary
from crawler.engine.shell_pages import seeds_are_shells
from crawler.fleet.messages import Ended
from crawler.frontier.store import Parked
from crawler.inspect.state import open_states
from crawler.model.config import Config
from crawler.model.metadata import EXTERNAL, NEEDS_JAVASCRIPT
from crawler.model.reasons import FinishReason
from crawler.model.resume_command import resume_command
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
    reasons = {one.summary.finish_reason for one in ended}
    with open_states(state_folder(config.dir)) as state:
        totals = state.totals()
        assert totals is not None
        left = totals.counts["queued"]
        reason: FinishReason = "limit_time" if is_cut else "done"
        reason = next((one for one in _ORDER if one in reasons), reason)
        if signals and left:
            reason = "signal"
        counts: dict[str, int] = dict(totals.counts.items())
        shells = int(state.get(NEEDS_JAVASCRIPT, "pages") or 0)
        external, broken, not_checked = (
            int(state.get(EXTERNAL, key) or 0)
            for key in ("urls", "broken", "not checked")
        )
        pages = counts["page"]
        seeds_are = shells > 0 and seeds_are_shells(
            state, len(set(config.seeds)), pages
        )
    command = None
    if reason != "done":
        command = resume_command(
            config.dir, config.limits, pages, totals.received_bytes
        )
    return Summary(
        _exit_code(config, ended, reason, counts, signals, pages_of_all),
        reason,
        counts,
        elapsed_s,
        config.dir,
        command,
        _parked(ended),
        totals.changes,
        shells,
        seeds_are,
        pruned=_pruned(config, ended, pages),
        external=external,
        broken_external=broken,
        external_not_checked=not_checked,
        seed_error=next(
            (one.summary.seed_error for one in ended if one.summary.seed_error), ""
        ),
    )


def _exit_code(
    config: Config,
    ended: Sequence[Ended],
    reason: FinishReason,
    counts: dict[str, int],
    signals: Sequence[int],
    pages_of_all: int,
) -> int:
    if len(signals) > 1:
        return STOPPED_AT_ONCE + signals[-1]
    if signals or reason == "parked":
        return URLS_WAIT
    if pages_of_all and not counts["page"]:
        return DONE  # this machine's hosts have none
    failures = [failure for one in ended for failure in one.seed_failures]
    if reason.startswith("limit") and not counts["page"] and not failures:
        return DONE  # the first page is still to come
    return exit_code(
        failures,
        counts,
        config.fail_on,
        len(set(config.seeds)),
        only_files=bool(config.api or config.records.only_keep),
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
