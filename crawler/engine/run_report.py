"""How a run stands and how it ended: run records, the finish reason, the summary."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from crawler import __version__
from crawler.engine.exit_status import DONE, URLS_WAIT, SeedFailures, exit_code
from crawler.engine.stats import Snapshot, Stats
from crawler.frontier.store import Parked, Run, Store
from crawler.model.config import Config, to_json
from crawler.model.metadata import EXTERNAL, NEEDS_JAVASCRIPT
from crawler.model.reasons import FinishReason
from crawler.model.records import RunRecord, SettingChange
from crawler.policy.quotas import Quotas

if TYPE_CHECKING:
    from crawler.frontier.state_reader import UrlRow

_LIMITS: tuple[FinishReason, ...] = ("limit_pages", "limit_time", "limit_bytes")

RunEvent = Literal["started", "finished"]


class Summary(Struct, frozen=True):
    """How a run ended. `counts` are URLs by state, those of earlier runs included.

    Example:
        >>> from crawler import crawl
        >>> records = crawl("https://example.com/", dir="out", images=False)
        >>> pages = [record for record in records if record.type == "page"]
        >>> print(records.summary.finish_reason, records.summary.counts["page"])
        done 2
    """

    exit_code: int
    finish_reason: FinishReason
    counts: Mapping[str, int]
    elapsed_s: float
    dir: str
    next_command: str | None
    parked: tuple[Parked, ...] = ()
    """The hosts whose URLs wait because they did not answer."""
    changes: Mapping[str, int] = {}
    """How many URLs of a recrawl were new, changed and unchanged."""
    needs_javascript: int = 0
    """Pages that are empty shells without JavaScript."""
    seeds_need_javascript: bool = False
    """All seeds are such pages, so nothing could be found there."""
    mirror: str | None = None
    """URL of the first page of the mirror (`file:`), with `bodies.mirror`."""
    pruned: int = 0
    """Links that the `+` rules of `scope.rules` refused, if no link matched one."""
    external: int = 0
    """URLs out of scope that were requested (`scope.check_external`)."""
    broken_external: int = 0
    """How many of these ended as an error."""
    external_not_checked: int = 0
    """Others that were not requested, since their address is not a public one."""
    seed_error: str = ""
    """The message of the last error of a seed: of this run, or of one before it.

    Of those before only if the crawl has no page.
    """


def resident_bytes() -> int:
    """The resident memory of this process (bytes; proc_pid_statm(5)).

    It is 0 where the system has no such file.
    """
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


class RunReport:
    """Reports on one run. `memory`: bytes of the process; `clock`: epoch seconds.

    `pruned`: as in the Summary.
    """

    def __init__(
        self,
        config: Config,
        run: Run,
        store: Store,
        stats: Stats,
        quotas: Quotas,
        memory: Callable[[], int],
        clock: Callable[[], float],
        changed: tuple[SettingChange, ...] = (),
        pruned: Callable[[], int] = lambda: 0,
    ) -> None:
        self._config = config
        self._run = run
        self._store = store
        self._stats = stats
        self._quotas = quotas
        self._memory = memory
        self._clock = clock
        self._changed = changed
        self._pruned = pruned
        self._started = clock()
        self._pages_before = store.counts()["page"]

    def pages_left(self) -> float:
        """How many pages the limit still allows; infinity without one."""
        limit = self._config.limits.max_pages
        return inf if limit is None else max(0, limit - self._store.counts()["page"])

    def finish_reason(self, *, interrupted: bool) -> FinishReason:
        """Why the run ends now."""
        counts = self._store.counts()
        if counts["queued"] + counts["leased"] == 0:
            return "done"
        if interrupted:
            return "signal"
        return self._quotas.reached(self._clock()) or "parked"

    def exit_code(self, reason: FinishReason) -> int:
        """The exit code of a run that ended for `reason`, and was not interrupted."""
        if reason == "parked":
            return URLS_WAIT
        counts, failures = self._counts(), self._seed_failures()
        if reason in _LIMITS and not counts["page"] and not failures:
            return DONE  # the first page is still to come
        return exit_code(
            failures,
            counts,
            self._config.fail_on,
            len(set(self._config.seeds)),
            only_files=bool(self._config.api or self._config.records.only_keep),
        )

    def _seed_failures(self) -> SeedFailures:
        """Those of this run, or those of runs before that still decide."""
        counts, failures = self._store.counts(), self._stats.seed_failures
        matters = not counts["page"] or self._config.fail_on == "seed"
        if failures or not (counts["error"] and matters):
            return failures
        from crawler.inspect.links import status_of_error  # for few resumes

        return {(row.code or "", status_of_error(row)) for row in self._failed_seeds()}

    def _failed_seeds(self) -> list[UrlRow]:
        from crawler.inspect.state import open_states
        from crawler.workspace.paths import state_folder

        with open_states(state_folder(self._config.dir)) as state:
            return [
                row
                for row in state.urls(("error",), (), ())
                if row.depth == 0 and row.destination == "page"
            ]

    def _seed_error(self) -> str:
        """That of this run, or of runs before."""
        counts = self._store.counts()
        if counts["page"] or not counts["error"] or self._stats.seed_error:
            return self._stats.seed_error
        failed = self._failed_seeds()
        return failed[-1].detail or "" if failed else ""

    def summary(self, reason: FinishReason, code: int) -> Summary:
        return Summary(
            code,
            reason,
            self._counts(),
            self._clock() - self._started,
            self._config.dir,
            None if reason == "done" else self._next_command(reason),
            self._parked(),
            self._store.changes(),
            *self._shells(),
            pruned=self._pruned(),
            external=int(self._store.get(EXTERNAL, "urls") or 0),
            broken_external=int(self._store.get(EXTERNAL, "broken") or 0),
            external_not_checked=int(self._store.get(EXTERNAL, "not checked") or 0),
            seed_error=self._seed_error(),
        )

    def _shells(self) -> tuple[int, bool]:
        """How many pages need JavaScript, and whether all seeds do."""
        if self._store.get(NEEDS_JAVASCRIPT, "pages") is None:
            return 0, False
        from crawler.engine.shell_pages import seeds_are_shells, shell_count

        seeds, pages = len(set(self._config.seeds)), self._store.counts()["page"]
        return shell_count(self._store), seeds_are_shells(self._store, seeds, pages)

    def _next_command(self, reason: FinishReason) -> str:
        from crawler.model.resume_command import resume_command  # often not needed

        limits, pages = self._config.limits, self._store.counts()["page"]
        received = self._store.received_bytes()
        is_over = reason == "limit_time"
        folder = self._config.dir
        return resume_command(folder, limits, pages, received, time_is_over=is_over)

    def record(
        self,
        event: RunEvent,
        now: Snapshot,
        reason: FinishReason | None = None,
        code: int | None = None,
    ) -> RunRecord:
        """The run record of this moment, of which `now` is the snapshot."""
        counts = self._counts()
        pages = counts["page"] - self._pages_before
        return RunRecord(
            event=event,
            finish_reason=reason,
            exit_code=code,
            pages=counts["page"],
            images_count=counts["image"],
            errors=counts["error"],
            skipped=counts["skip"],
            queued=counts["queued"],
            in_flight=counts["leased"],
            hosts=now.hosts,
            bytes=now.bytes,
            pages_per_s=round(pages / max(now.elapsed_s, 0.001), 3),
            rss_bytes=self._memory(),
            config_sha256=hashlib.sha256(to_json(self._config)).hexdigest(),
            version=__version__,
            obey_robots=self._config.robots.obey,
            verify_tls=self._config.http.verify_tls,
            changed_settings=self._changed if event == "started" else (),
            recrawl_of=self._run.previous_run_id,
        )

    def _counts(self) -> dict[str, int]:
        """URLs by state."""
        return dict(self._store.counts().items())

    def _parked(self) -> tuple[Parked, ...]:
        return tuple(self._store.parked())
