"""Builds a crawl from its configuration. The only file that knows the concrete classes.

    Config -> store, sink -> frontier, client, gate, writer -> engine -> Summary

A crawl is new, or it is resumed; both open the same store, and opening is what heals
it.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

import hub
from crawler import __version__
from crawler.engine.candidates import CandidateBuilder
from crawler.engine.committer import Committer
from crawler.engine.engine import Engine
from crawler.engine.events import Events
from crawler.engine.exit_status import exit_code
from crawler.engine.plugins import PluginListeners, load_plugins, plugin_sinks
from crawler.engine.robots_fetcher import RobotsFetcher
from crawler.engine.single import Visit, Visitor
from crawler.engine.stats import Snapshot, Stats
from crawler.extract import Extractor, InlineExtractor
from crawler.fetch.auth.session_auth import SessionAuth
from crawler.fetch.client import Client
from crawler.fetch.connect.proxy import Proxies
from crawler.frontier.frontier import Frontier
from crawler.frontier.memory import MemoryStore
from crawler.frontier.slots import Slots
from crawler.frontier.store import Parked, Run, Store
from crawler.frontier.throttle import ROBOTS
from crawler.model.config import Config, to_json
from crawler.model.crawl import Verdict
from crawler.model.http import Exchange
from crawler.model.metadata import ADDED_SEEDS, BOOT, KeyValue
from crawler.model.records import RobotsRecord, RunRecord
from crawler.model.url import host_key, hostname, origin
from crawler.output.images import ImageFiles
from crawler.output.sink import RecordSink
from crawler.plugins.checking import plugin_checks
from crawler.policy.chain import compose
from crawler.policy.quotas import Quotas
from crawler.policy.robots_cache import RobotsCache
from crawler.policy.scope import Scope
from crawler.policy.traps import Traps
from crawler.settings.secrets import revealed, secret_headers
from crawler.workspace.crash_guard import CrashGuard
from crawler.workspace.credential_files import open_session_auth, write_jar
from crawler.workspace.folder import (
    Mode,
    open_black_box,
    open_images,
    open_state,
    traceless,
)
from crawler.workspace.outputs import (
    OpenSink,
    open_sinks,
    sink_openers,
    with_absolute_outputs,
)

if TYPE_CHECKING:
    from crawler.plugins.loading import LoadedPlugin

RunEvent = Literal["started", "checkpoint", "finished"]
FinishReason = Literal[
    "done", "parked", "limit_pages", "limit_time", "limit_bytes", "signal", "error"
]

UNAVAILABLE = Verdict(False, "robots.txt can't be had: nothing may be asked for")
STOPPED = 75
STOPPED_AT_ONCE = 128
"""Plus the signal's number, as shells have it."""


class Summary(Struct, frozen=True):
    """How a run ended. `counts` are URLs by state, those of earlier runs included."""

    exit_code: int
    finish_reason: FinishReason
    counts: Mapping[str, int]
    elapsed_s: float
    dir: str
    next_command: str | None
    parked: tuple[Parked, ...] = ()
    """The hosts whose URLs wait, since they did not answer."""
    changes: Mapping[str, int] = {}
    """Of a crawl that compares itself with one before: what was new, changed and
    unchanged."""


def resident_bytes() -> int:
    """Memory of this process now (proc_pid_statm(5)); 0 where the system does not
    tell."""
    with suppress(OSError):
        pages = Path("/proc/self/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    return 0


def open_crawl(
    config: Config,
    *,
    mode: Mode,
    clock: Callable[[], float] = time.time,
    random: Random | None = None,
    memory: Callable[[], int] = resident_bytes,
    sinks: Mapping[str, OpenSink] | None = None,
    further_sinks: Mapping[str, OpenSink] | None = None,
    plugins: Sequence[object] = (),
    extractor: Extractor | None = None,
) -> Crawl:
    """A crawl ready to run; its seeds are in its state.

    "new" refuses a folder that holds a crawl; "fresh" throws that crawl's state and
    records away and keeps its images; "resume" goes on with it, under `config`; "newer"
    asks again for all that it has met, and is as "new" where there is none. Raises
    UsageError, OutputError or StateError.

    What a run's records depend on beside `config` and the servers' answers: `clock`,
    seconds since the epoch; `random`, which draws run_id and jitter; `memory`, bytes
    that the process has now; and the hub's own clock, by which the client measures.
    With all of them simulated, two runs write the same bytes.

    `sinks` opens other sinks than those that `config.output` names, by the name under
    which the store keeps their position; `further_sinks` are opened after them.
    `plugins` are objects, beside the plug-ins that `config.plugin` names. `extractor`
    reads bodies; None: inline, with all readers of the registry.
    """
    random = random or Random()
    config = with_absolute_outputs(config)
    loaded = load_plugins(config, plugins)
    if mode == "fresh":  # nothing is thrown away for a crawl that can't begin
        _open_client(config, config.seeds, MemoryStore(), clock)[0].close()
    with traceless(config), ExitStack() as held:
        images = open_images(config)
        held.callback(images.close)
        store, run, lost = open_state(config, mode, clock(), random)
        held.callback(store.close)
        openers = {
            **(sinks or sink_openers(config)),
            **plugin_sinks(loaded),
            **(further_sinks or {}),
        }
        opened = open_sinks(openers, store, held)
        black_box = open_black_box(config, store)
        held.callback(black_box.close)
        crawl = Crawl(
            config, store, run, opened, images, black_box, clock, random, memory,
            extractor or InlineExtractor(), loaded,
        )  # fmt: skip
        held.callback(crawl.close_client)
        crawl.lost = lost
        if mode != "resume":
            crawl.sow()
        crawl.held = held.pop_all()
    return crawl


class Crawl:
    """One crawl, from open to closed; `run` may be called once."""

    events: Events
    """Its listeners."""
    held: ExitStack
    """What has to be closed in the end."""
    lost: int
    """URLs that are asked for again, since a power cut took their records or
    pictures."""

    def __init__(
        self,
        config: Config,
        store: Store,
        run: Run,
        sinks: Mapping[str, RecordSink],
        images: ImageFiles,
        black_box: CrashGuard,
        clock: Callable[[], float],
        random: Random,
        memory: Callable[[], int],
        extractor: Extractor,
        plugins: Sequence[LoadedPlugin],
    ) -> None:
        widened = [url for url, _ in store.items(ADDED_SEEDS)]
        self._scope = Scope(config.scope, (*config.seeds, *widened))
        self._config = config
        self._run = run
        self._store = store
        self._clock = clock
        self._memory = memory
        slots = Slots(config.concurrency, config.slow_concurrency)
        self._frontier = Frontier(
            store, config.politeness, clock, jitter=random.random, slots=slots
        )
        self._stats = Stats(clock, self._counts())
        self._pages_before = self._counts()["page"]
        self._limits = Quotas(
            config.limits,
            config.images,
            store,
            clock(),
            self._pages_before,
            store.received_bytes(),
        )
        self._client, self._auth = _open_client(config, config.seeds, store, clock)
        self.events = Events(self._client)
        self.events.on_record(self._stats.count)
        self._listeners = PluginListeners(plugins, self.events)
        self._writer = Committer(
            run,
            store,
            sinks,
            images,
            self.events.record,
            config.records,
            clock,
            config.scope.dedupe_content,
        )
        self._traps = traps = Traps(config.limits, store)
        robots = RobotsCache(config.robots, store, clock)
        checks = compose(
            config,
            scope=self._scope,
            robots=robots,
            quotas=self._limits,
            traps=traps,
            given_up=self._frontier.check_host,
            deaths=black_box.deaths,
            further=plugin_checks(plugins),
        )
        self._candidates = CandidateBuilder(
            config, checks, traps, self._frontier.known, self._add_scope_seed
        )
        self._engine = Engine(
            config,
            self._frontier,
            checks,
            robots,
            RobotsFetcher(robots, self._client.fetch, clock),
            self._client,
            extractor,
            self._candidates,
            self._limits,
            traps,
            black_box,
            self._writer,
            clock,
            random.random,
            lambda: self.events.progress(self.snapshot),
        )
        self._interrupted: int | None = None  # the exit code that follows

    def sow(self) -> None:
        """Put the seeds into the state, together with the run."""
        self._frontier.add(map(self._candidates.seed, self._config.seeds))
        self._writer.commit()

    def run(self) -> Summary:
        """Crawl until done, limited or stopped. Raises Stop if the crawl can't go
        on."""
        started = self._clock()
        with self.held:
            self._writer.put(self._run_record("started"))
            self._engine.run()
            reason = self._finish_reason()
            if reason != "done":
                self._traps.save()
            elif "skips" in self._config.records.record:
                while self._writer.write_skips():
                    self._engine.wait_while_paused()
            code = self._exit_code(reason)
            self._writer.put(self._run_record("finished", reason, code))
            self._store.set(BOOT, "", None)
            self._writer.commit()
            self._listeners.close()
            write_jar(self._config.http.cookie_jar, self._auth.jar)
            return Summary(
                code,
                reason,
                self._counts(),
                self._clock() - started,
                self._config.dir,
                None if reason == "done" else f"orbweb resume {self._config.dir}",
                self._parked(),
                self._store.changes(),
            )

    def pause(self) -> None:
        """Take no further URL until `go_on`; what is in flight goes on.

        An interrupt ends the pause.
        """
        if self._interrupted is None:
            self._engine.pause()

    def go_on(self) -> None:
        """End the pause."""
        self._engine.go_on()

    def interrupt(self, signum: int) -> None:
        """Stop: the first time no new requests are made, the second time none is waited
        for."""
        again = self._interrupted is not None
        self._interrupted = STOPPED_AT_ONCE + signum if again else STOPPED
        hub.spawn(self._engine.drain, 0.0 if again else self._config.grace)

    def snapshot(self) -> Snapshot:
        """The crawl at this moment; cheap."""
        frontier = self._frontier.statistics()
        return self._stats.snapshot(
            frontier,
            frontier.by_host,
            skipped=self._store.counts()["skip"],
            draining=self._interrupted is not None,
        )

    def close_client(self) -> None:
        self._client.close()

    def _counts(self) -> dict[str, int]:
        """URLs by state."""
        return dict(self._store.counts().items())

    def _add_scope_seed(self, url: str) -> None:
        self._scope.add_seed(url)
        self._store.set(ADDED_SEEDS, url, b"")

    def _finish_reason(self) -> FinishReason:
        counts = self._counts()
        if counts["queued"] + counts["leased"] == 0:
            return "done"
        if self._interrupted:
            return "signal"
        return self._limits.reached(self._clock()) or (
            "parked" if self._parked() else "error"
        )

    def _exit_code(self, reason: FinishReason) -> int:
        if self._interrupted is not None and reason == "signal":
            return self._interrupted
        parked = self._parked()
        deferred = bool(parked) and all(
            hosts.failure_code == ROBOTS for hosts in parked
        )
        seeds = len(set(self._config.seeds))
        failures, fail_on = self._stats.seed_failures, self._config.fail_on
        return exit_code(failures, self._counts(), fail_on, deferred, seeds)

    def _parked(self) -> tuple[Parked, ...]:
        return tuple(self._store.parked())

    def _run_record(
        self,
        event: RunEvent,
        reason: FinishReason | None = None,
        code: int | None = None,
    ) -> RunRecord:
        counts = self._counts()
        now = self.snapshot()
        return RunRecord(
            event=event,
            finish_reason=reason,
            exit_code=code,
            pages=counts["page"],
            images_count=counts["image"],
            errors=counts["error"],
            skipped=counts["skip"],
            queued=counts["queued"],
            leased=counts["leased"],
            hosts=now.hosts,
            bytes=now.bytes,
            pages_per_s=round(
                (counts["page"] - self._pages_before) / max(now.elapsed_s, 0.001), 3
            ),
            rss_bytes=self._memory(),
            config_sha256=hashlib.sha256(to_json(self._config)).hexdigest(),
            version=__version__,
            obey_robots=self._config.robots.obey,
            verify_tls=self._config.http.verify_tls,
            recrawl_of=self._run.previous_run_id,
        )


def _open_client(
    config: Config, named: Sequence[str], notes: KeyValue, clock: Callable[[], float]
) -> tuple[Client, SessionAuth]:
    """A client for whom the user has named these URLs; `notes` hold its cookies.

    Raises UsageError if a file of `config.http` can't be used.
    """
    http = revealed(config.http, os.environ)
    auth = open_session_auth(http, named, notes, clock)
    client = Client(
        http,
        named_hosts={hostname(host_key(url)) for url in named},
        auth=auth,
        proxies=Proxies(http.proxy, http.no_proxy, os.environ),
        secret_headers=secret_headers(config.http),
        clock=hub.get_hub().loop.now,
    )
    return client, auth


def visit(
    config: Config, url: str, trace: Callable[[Exchange], None] | None = None
) -> Visit:
    """One URL through the client, the robots verdict and extraction, without a crawl
    around it.

    `trace` is told of each exchange with a server.
    """
    with _lone_client(config, (url,), trace) as (client, store):
        robots = RobotsCache(config.robots, store, time.time)
        fetcher = RobotsFetcher(robots, client.fetch, time.time)
        visitor = Visitor(
            config, client.fetch, InlineExtractor(), robots, fetcher, time.time
        )
        return visitor.visit(url)


class RobotsAnswer(Struct, frozen=True):
    """The robots.txt of a URL's origin, and what it says of the URL."""

    url: str
    record: RobotsRecord
    verdict: Verdict


def ask_robots(config: Config, urls: Sequence[str]) -> list[RobotsAnswer]:
    """Fetch the robots.txt of the origin of each canonical URL, and ask it."""
    answers: list[RobotsAnswer] = []
    records: dict[str, RobotsRecord] = {}
    with _lone_client(config, urls) as (client, store):
        robots = RobotsCache(config.robots, store, time.time)
        fetcher = RobotsFetcher(robots, client.fetch, time.time)
        for url in urls:
            site = origin(url)
            if site not in records:
                records[site] = fetcher.fetch(url).record
            verdict = robots.decision(url) or UNAVAILABLE
            answers.append(RobotsAnswer(url, records[site], verdict))
    return answers


@contextmanager
def _lone_client(
    config: Config, urls: Sequence[str], trace: Callable[[Exchange], None] | None = None
) -> Iterator[tuple[Client, MemoryStore]]:
    """A client outside of a crawl, for `urls`, and a store that will be forgotten."""
    store = MemoryStore()
    client, auth = _open_client(config, urls, store, time.time)
    if trace is not None:
        client.on_exchange(trace)
    with closing(client):
        yield client, store
        write_jar(config.http.cookie_jar, auth.jar)
