"""How a run stands and how it ended: run records, the finish reason, the summary."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from crawler import __version__
from crawler.engine.exit_status import DONE, URLS_WAIT, SeedFailures, exit_code
from crawler.engine.stats import Snapshot, Stats
from crawler.frontier.store import Parked, Run, Store
from crawler.model.config import Config, to_json
from crawler.model.metadata import (
    EXTERNAL,
    ITEMS,
    NEEDS_JAVASCRIPT,
    Readable,
    read_number,
)
from crawler.model.reasons import FinishReason, retry_command
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
    items: int = 0
    """`item` records: what pages and answers of an API had more than one of."""
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
    last_error: str = ""
    """The message of the page that failed last in this run."""
    login_page: str = ""
    """Where a seed redirects to, if that looks like a login and there was none."""
    to_login: int = 0
    """Redirects to the page of `login.url`, since the session has ended."""
    may_pass: int = 0
    """URLs that ended in a way that may pass, such as 429 or a refused connection."""
    retry_command: str = ""
    """What tries these again; "" where there are none."""


class Standing(Struct, frozen=True):
    """How the URLs of a crawl stand after a run: those of all its runs, and shards."""

    counts: Mapping[str, int]
    received_bytes: int
    changes: Mapping[str, int]
    codes: Mapping[str, int]
    """URLs by `error_code`, and by `reason` of a skip."""
    parked: tuple[Parked, ...]
    metadata: Readable


class Met(Struct, frozen=True):
    """What one run has met."""

    seed_failures: SeedFailures
    seed_error: str
    last_error: str
    login_page: str
    to_login: int
    pruned: int


def summarise(
    config: Config,
    reason: FinishReason,
    code: int,
    elapsed_s: float,
    standing: Standing,
    met: Met,
) -> Summary:
    """The summary of a run, of one process or of several."""
    number = partial(read_number, standing.metadata)
    return Summary(
        code,
        reason,
        standing.counts,
        elapsed_s,
        config.dir,
        None if reason == "done" else _next_command(config, reason, standing),
        standing.parked,
        standing.changes,
        *_shells(config, standing),
        items=number(ITEMS, "items"),
        pruned=met.pruned,
        external=number(EXTERNAL, "urls"),
        broken_external=number(EXTERNAL, "broken"),
        external_not_checked=number(EXTERNAL, "not checked"),
        seed_error=seed_error(config, standing.counts, met.seed_error),
        last_error=met.last_error,
        login_page=met.login_page,
        to_login=met.to_login,
        **_retry(config.dir, standing.codes),
    )


def _retry(folder: str, codes: Mapping[str, int]) -> dict[str, Any]:
    urls, command = retry_command(folder, codes)
    return {"may_pass": urls, "retry_command": command}


def exit_code_of(
    config: Config,
    reason: FinishReason,
    counts: Mapping[str, int],
    failures: SeedFailures,
) -> int:
    """The exit code of a run that ended for `reason`, and was not interrupted.

    `failures` are those of this run.
    """
    if reason == "parked":
        return URLS_WAIT
    failures = _seed_failures(config, counts, failures)
    if reason in _LIMITS and not counts["page"] and not failures:
        return DONE  # the first page is still to come
    return exit_code(
        failures,
        counts,
        config.fail_on,
        len(set(config.seeds)),
        only_files=bool(config.api or config.records.only_keep),
    )


def _seed_failures(
    config: Config, counts: Mapping[str, int], failures: SeedFailures
) -> SeedFailures:
    """Those of this run, or those of runs before that still decide."""
    matters = not counts["page"] or config.fail_on == "seed"
    if failures or not (counts["error"] and matters):
        return failures
    from crawler.inspect.links import status_of_error  # for few resumes

    return {(row.code or "", status_of_error(row)) for row in _failed_seeds(config)}


def seed_error(config: Config, counts: Mapping[str, int], message: str) -> str:
    """The message of the seed that failed last: `message` of this run, or of others."""
    if counts["page"] or not counts["error"] or message:
        return message
    failed = _failed_seeds(config)
    return failed[-1].detail or "" if failed else ""


def _failed_seeds(config: Config) -> list[UrlRow]:
    from crawler.inspect.state import open_states
    from crawler.workspace.paths import state_folder

    with open_states(state_folder(config.dir)) as state:
        return [
            row
            for row in state.urls(("error",), (), ())
            if row.depth == 0 and row.destination == "page"
        ]


def _shells(config: Config, standing: Standing) -> tuple[int, bool]:
    """How many pages need JavaScript, and whether all seeds do."""
    if not read_number(standing.metadata, NEEDS_JAVASCRIPT, "pages"):
        return 0, False
    from crawler.engine.shell_pages import seeds_are_shells, shell_count

    seeds, metadata = len(set(config.seeds)), standing.metadata
    pages = standing.counts["page"]
    return shell_count(metadata), seeds_are_shells(metadata, seeds, pages)


def _next_command(config: Config, reason: FinishReason, standing: Standing) -> str:
    from crawler.model.resume_command import resume_command  # often not needed

    return resume_command(
        config.dir,
        config.limits,
        standing.counts["page"],
        standing.received_bytes,
        time_is_over=reason == "limit_time",
    )


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
        self._received_before = quotas.received_bytes

    def pages_left(self) -> float:
        """How many pages the limit still allows; infinity without one."""
        limit = self._config.limits.max_pages
        return inf if limit is None else max(0, limit - self._store.counts()["page"])

    def received_bytes(self) -> int:
        """Bytes of bodies in this run, as `HostUsage.wire_bytes` has it."""
        return self._quotas.received_bytes - self._received_before

    def time_left(self) -> float | None:
        """How long the run may go on (seconds); None without a limit."""
        return self._quotas.time_left(self._clock())

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
        failures = self._stats.seed_failures
        return exit_code_of(self._config, reason, self._counts(), failures)

    def summary(self, reason: FinishReason, code: int) -> Summary:
        store, stats = self._store, self._stats
        return summarise(
            self._config,
            reason,
            code,
            self._clock() - self._started,
            Standing(
                self._counts(),
                store.received_bytes(),
                store.changes(),
                store.codes(),
                tuple(store.parked()),
                store,
            ),
            Met(
                stats.seed_failures,
                stats.seed_error,
                stats.last_error,
                stats.login_page,
                stats.to_login,
                self._pruned(),
            ),
        )

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
