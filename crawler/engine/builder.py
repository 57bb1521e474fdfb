"""Builds a crawl from its configuration. The only file that knows the concrete classes.

    Config -> store, sinks -> frontier, client, checks, pipeline, committer -> Crawl

A crawl is new, or it is resumed; both open the same store, and opening is what repairs
it. What a crawl takes from outside (clock, randomness, client, store, sinks, extractor)
is a parameter of `open_crawl`, so a test or a program can give another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from random import Random

from msgspec import Struct

import hub
from crawler.engine.candidates import CandidateBuilder
from crawler.engine.committer import Committer
from crawler.engine.crawl import Crawl
from crawler.engine.engine import Engine
from crawler.engine.events import Events
from crawler.engine.host_requests import HostRequests, HttpClient
from crawler.engine.pipeline import Pipeline
from crawler.engine.plugin_adapters import (
    PluginListeners,
    load_plugins,
    open_documents,
    plugin_sinks,
)
from crawler.engine.response_handler import Guard, ReadByPlugins, Reader
from crawler.engine.robots_fetcher import RobotsFetcher
from crawler.engine.robots_stage import RobotsStage
from crawler.engine.run_report import RunReport, Summary, resident_bytes
from crawler.engine.stats import Stats
from crawler.extract import Extractor, InlineExtractor
from crawler.fetch.client import Client
from crawler.fetch.connect.proxy import Proxies
from crawler.frontier.concurrency import Slots
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Run, Store
from crawler.model.config import Config, to_json
from crawler.model.crawl import Lease
from crawler.model.metadata import ADDED_SEEDS, KeyValue
from crawler.model.url import host_key, hostname
from crawler.output.images import ImageStore
from crawler.output.sink import RecordSink
from crawler.plugins.checking import plugin_checks
from crawler.policy.chain import compose
from crawler.policy.check import Chain, Check
from crawler.policy.quotas import Quotas
from crawler.policy.robots_cache import RobotsCache
from crawler.policy.scope import Scope
from crawler.policy.traps import Traps
from crawler.settings.secrets import revealed, secret_headers
from crawler.workspace.credential_files import open_session_auth, write_jar
from crawler.workspace.open import (
    Mode,
    open_crash_guard,
    open_images,
    open_state,
    rollback_on_error,
    ulid,
)
from crawler.workspace.outputs import (
    OpenSink,
    open_sinks,
    sink_openers,
    with_absolute_outputs,
)
from crawler.workspace.paths import state_folder

__all__ = ["Crawl", "Machinery", "Summary", "build", "open_crawl"]


def open_crawl(
    config: Config,
    *,
    mode: Mode,
    clock: Callable[[], float] = time.time,
    random: Random | None = None,
    memory: Callable[[], int] = resident_bytes,
    client: HttpClient | None = None,
    store: Store | None = None,
    sinks: Mapping[str, OpenSink] | None = None,
    further_sinks: Mapping[str, OpenSink] | None = None,
    extractor: Extractor | None = None,
    plugins: Sequence[object] = (),
) -> Crawl:
    """A crawl ready to run; its seeds are in its state.

    "new" refuses a folder that holds a crawl; "fresh" deletes that crawl's state and
    records and keeps its images; "resume" goes on with it, under `config`; "newer"
    fetches again all that it has found, and is as "new" where there is none. Raises
    UsageError, OutputError or StateError.

    What a run's records depend on beside `config` and the servers' answers: `clock`,
    seconds since the epoch; `random`, which draws run_id and jitter; `memory`, bytes
    that the process has now; and the hub's own clock, by which the client measures.
    With all of them simulated, two runs write the same bytes.

    `client` makes the requests instead of the one that `config.http` describes. `store`
    keeps the state instead of the crawl's folder, which then holds no state. `sinks`
    opens other sinks than `config.output` names, by the name under which the store
    keeps their position; `further_sinks` are opened after them. `extractor` reads
    bodies; None: inline, with all readers of the registry. `plugins` are objects,
    beside those that `config.plugin` names.
    """
    random = random or Random()
    config = with_absolute_outputs(config)
    loaded = load_plugins(config, plugins)
    if mode == "fresh":  # nothing is deleted for a crawl that cannot begin
        from crawler.frontier.memory import MemoryStore

        open_client(config, config.seeds, MemoryStore(), clock).client.close()
    with rollback_on_error(config), ExitStack() as held:
        images = open_images(config)
        held.callback(images.close)
        store, run, lost = _open_store(config, mode, store, clock(), random)
        held.callback(store.close)
        openers = {
            **(sinks or sink_openers(config)),
            **plugin_sinks(loaded),
            **(further_sinks or {}),
        }
        opened_sinks = open_sinks(openers, store, held)
        guard = open_crash_guard(config, store)
        held.callback(guard.close)
        opened = (
            open_client(config, config.seeds, store, clock)
            if client is None
            else OpenedClient(client)
        )
        held.callback(opened.client.close)
        stats = Stats(clock, dict(store.counts().items()))
        events = Events(opened.client)
        events.on_record(stats.count)
        documents = open_documents(loaded, config)
        if documents is not None:
            held.callback(documents.close)
        machinery = build(
            config,
            run=run,
            store=store,
            client=opened.client,
            extractor=extractor or InlineExtractor(),
            sinks=opened_sinks,
            images=images,
            guard=guard,
            deaths=guard.deaths,
            events=events,
            checks=plugin_checks(loaded),
            documents=documents,
            clock=clock,
            jitter=random.random,
        )
        if mode != "resume":
            machinery.add_seeds(config.seeds)
        report = RunReport(config, run, store, stats, machinery.quotas, memory, clock)
        crawl = Crawl(
            events=events,
            engine=_engine(config, machinery, clock, lambda: events.progress(look)),
            frontier=machinery.frontier,
            store=store,
            committer=machinery.committer,
            stats=stats,
            report=report,
            traps=machinery.traps,
            add_seeds=machinery.add_seeds,
            save_cookies=opened.save_cookies,
            close_listeners=PluginListeners(loaded, events).close,
            flush_skips="skips" in config.records.record,
            grace=config.grace,
            held=held.pop_all(),
            lost=lost,
        )
        look = crawl.snapshot
    return crawl


def _open_store(
    config: Config, mode: Mode, store: Store | None, now: float, random: Random
) -> tuple[Store, Run, int]:
    """The store, its run, and how many URLs a power cut has made it fetch again."""
    if store is None:
        return open_state(config, mode, now, random)
    state_folder(config.dir).mkdir(parents=True, exist_ok=True)
    run = store.run() or Run(ulid(now, random), to_json(config).decode())
    return store, run, 0


def _engine(
    config: Config,
    machinery: Machinery,
    clock: Callable[[], float],
    on_tick: Callable[[], None],
) -> Engine:
    return Engine(
        config.concurrency,
        machinery.frontier,
        machinery.pipeline,
        machinery.committer,
        machinery.quotas,
        clock,
        on_tick,
    )


class Machinery(Struct, frozen=True):
    """The parts that take a URL from the frontier to its record."""

    frontier: Frontier
    checks: Chain
    candidates: CandidateBuilder
    pipeline: Pipeline
    committer: Committer
    quotas: Quotas
    traps: Traps

    def add_seeds(self, seeds: Iterable[str]) -> None:
        """Put the seeds into the state, together with the run, and commit them."""
        self.frontier.add(map(self.candidates.seed, seeds))
        self.committer.commit()


def build(
    config: Config,
    *,
    run: Run,
    store: Store,
    client: HttpClient,
    extractor: Extractor,
    sinks: Mapping[str, RecordSink],
    images: ImageStore,
    guard: Guard,
    deaths: Callable[[str], int],
    events: Events,
    checks: Iterable[Check],
    documents: ReadByPlugins | None,
    clock: Callable[[], float],
    jitter: Callable[[], float],
) -> Machinery:
    """Connect the parts. They are the same for a crawl and for `orbweb fetch`."""
    redirected_seeds = [url for url, _ in store.items(ADDED_SEEDS)]
    scope = Scope(config.scope, (*config.seeds, *redirected_seeds))
    slots = Slots(config.concurrency, config.slow_concurrency)
    frontier = Frontier(store, config.politeness, clock, jitter=jitter, slots=slots)
    quotas = Quotas(
        config.limits,
        config.images,
        store,
        clock(),
        store.counts()["page"],
        store.received_bytes(),
    )
    traps = Traps(config.limits, store)
    robots = RobotsCache(config.robots, store, clock)
    chain = compose(
        config,
        scope=scope,
        robots=robots,
        quotas=quotas,
        traps=traps,
        given_up=frontier.check_host,
        deaths=deaths,
        further=checks,
    )

    def add_scope_seed(url: str) -> None:
        scope.add_seed(url)
        store.set(ADDED_SEEDS, url, b"")

    candidates = CandidateBuilder(config, chain, traps, frontier.known, add_scope_seed)
    committer = Committer(
        run,
        store,
        sinks,
        images,
        events.record,
        config.records,
        clock,
        config.scope.dedupe_content,
    )

    def take_sitemaps(lease: Lease, urls: Iterable[str]) -> None:
        frontier.add(candidates.sitemaps(lease, urls))

    requests = HostRequests(client, quotas, clock)
    stage = RobotsStage(
        robots,
        RobotsFetcher(robots, client.fetch, clock),
        requests,
        committer.put,
        take_sitemaps if config.scope.sitemaps else None,
        clock,
    )
    reader = Reader(
        config, extractor, documents, guard, candidates, quotas, traps,
        frontier.known, clock,
    )  # fmt: skip
    pipeline = Pipeline(
        chain.check_due,
        stage,
        traps,
        requests,
        reader,
        candidates,
        images.holds,
        config.retry,
        clock,
        jitter,
    )
    return Machinery(frontier, chain, candidates, pipeline, committer, quotas, traps)


class OpenedClient(Struct, frozen=True):
    """A client, and what is done with its cookies when the work is done."""

    client: HttpClient
    save_cookies: Callable[[], None] = lambda: None
    """Writes `http.cookie_jar`, if there is one. Raises OutputError."""


def open_client(
    config: Config,
    named: Sequence[str],
    metadata: KeyValue,
    clock: Callable[[], float],
) -> OpenedClient:
    """The client for URLs that the user has named; its cookies are in `metadata`.

    `clock`: seconds since the epoch. Raises UsageError if a file that `config.http`
    names is of no use.
    """
    http = revealed(config.http, os.environ)
    auth = open_session_auth(http, named, metadata, clock)
    client = Client(
        http,
        named_hosts={hostname(host_key(url)) for url in named},
        auth=auth,
        proxies=Proxies(http.proxy, http.no_proxy, os.environ),
        secret_headers=secret_headers(config.http),
        clock=hub.get_hub().loop.now,
    )
    return OpenedClient(client, lambda: write_jar(config.http.cookie_jar, auth.jar))


@contextmanager
def client_without_crawl(
    config: Config, urls: Sequence[str], clock: Callable[[], float]
) -> Iterator[tuple[HttpClient, Store]]:
    """A client for `urls`, and a store in memory, which is forgotten.

    Raises UsageError if a file that `config.http` names is of no use, OutputError if
    the cookies cannot be saved.
    """
    from crawler.frontier.memory import MemoryStore

    store = MemoryStore()
    opened = open_client(config, urls, store, clock)
    try:
        yield opened.client, store
        opened.save_cookies()
    finally:
        opened.client.close()
