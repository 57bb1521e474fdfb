"""Opens a crawl: what its configuration names, and the parts that work with it.

    Config -> store, sinks, images, client, plug-ins -> Environment
    Environment -> frontier, checks, pipeline, committer (`machinery.py`) -> Crawl

Here, in `machinery.py` and nowhere else the concrete classes are known.

A crawl is new, or it is resumed; both open the same store, and opening is what repairs
it. What a crawl takes from outside (clock, randomness, client, store, sinks, extractor)
is a parameter of `open_crawl`, so a test or a program can give another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from msgspec import Struct

import hub
from crawler.engine.crawl import Crawl
from crawler.engine.engine import Engine
from crawler.engine.events import Events
from crawler.engine.host_requests import HttpClient
from crawler.engine.machinery import Environment, build
from crawler.engine.plugin_adapters import Plugins
from crawler.engine.run_report import RunReport, Summary, resident_bytes
from crawler.engine.stats import Stats
from crawler.engine.steady_clock import SteadyClock, correct_due_times
from crawler.extract.extractor import Extractor, InlineExtractor
from crawler.fetch.client import Client
from crawler.fetch.connect.proxy import Proxies
from crawler.frontier.sqlite.damage import explain_damage
from crawler.frontier.store import Run, Store
from crawler.model.config import Config, to_json
from crawler.model.metadata import KeyValue, note_start
from crawler.model.seed import parse_seed
from crawler.model.url import host_key, hostname
from crawler.settings.secrets import revealed, secret_headers
from crawler.workspace.credential_files import open_session_auth, write_jar
from crawler.workspace.open import (
    Mode,
    OpenedState,
    open_crash_guard,
    open_images,
    open_partials,
    open_state,
    rollback_on_error,
    ulid,
)
from crawler.workspace.outputs import (
    OpenSink,
    object_outputs,
    open_sinks,
    sink_openers,
    with_absolute_outputs,
)
from crawler.workspace.paths import partial_bodies, state_folder

if TYPE_CHECKING:
    from crawler.engine.further_parts import FurtherParts
    from crawler.engine.shard_link import ShardParts
    from crawler.extract.looks.look import Look
    from crawler.model.config_changes import Change
    from crawler.model.records import SettingChange

__all__ = ["Crawl", "Summary", "open_client", "open_crawl"]


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
    shard: ShardParts | None = None,
) -> Crawl:
    """A crawl ready to run; its seeds are in its state.

    "new" refuses a folder that holds a crawl; "fresh" deletes that crawl's state and
    records and keeps its images; "resume" goes on with it, under `config`; "newer"
    fetches again all that it has found, and is as "new" where there is none. Raises
    UsageError, OutputError or StateError.

    What a run's records depend on beside `config` and the servers' answers: `clock`,
    seconds since the epoch, read once for all waits (`steady_clock.py`) and for each
    timestamp; `random`, which draws run_id and jitter; `memory`, bytes
    that the process has now; and the hub's own clock, by which the client measures.
    With all of them simulated, two runs write the same bytes.

    `client` makes the requests instead of the one that `config.http` describes, and
    logs in nowhere. `store`
    keeps the state instead of the crawl's folder, which then holds no state. `sinks`
    opens other sinks than `config.output` names, by the name under which the store
    keeps their position; `further_sinks` are opened after them. `extractor` reads
    bodies; None: inline, with all readers of the registry. `plugins` are objects,
    beside those that `config.plugin` names. `shard`: the crawl is one shard of another,
    in its folder; it has `config.seeds` in its scope, and crawls those that it owns.
    """
    given = _Given(
        clock,
        random or Random(),
        memory,
        client,
        store,
        sinks,
        further_sinks,
        extractor,
        shard,
    )
    config = with_absolute_outputs(config)
    loaded = Plugins(config, plugins)
    if mode == "fresh":
        check_config(config, clock)
    with rollback_on_error(config), ExitStack() as held:
        crawl = _open(config, mode, given, loaded, held)
        changed = {change.setting for change in crawl.changed_settings}
        if mode != "resume" or "seeds" in changed:
            crawl.add_seeds(config.seeds if shard is None else shard.own(config.seeds))
        crawl.held = held.pop_all()
    return crawl


class _Given(Struct, frozen=True):
    """What a crawl takes from outside, as `open_crawl` has it."""

    clock: Callable[[], float]
    random: Random
    memory: Callable[[], int]
    client: HttpClient | None
    store: Store | None
    sinks: Mapping[str, OpenSink] | None
    further_sinks: Mapping[str, OpenSink] | None
    extractor: Extractor | None
    shard: ShardParts | None


def _open(
    config: Config, mode: Mode, given: _Given, loaded: Plugins, held: ExitStack
) -> Crawl:
    """Open the store, and all else after it; `held` closes what is open."""
    clock = given.clock
    held.enter_context(explain_damage(state_folder(config.dir)))
    images = held.enter_context(closing(open_images(config)))
    state = _open_store(config, mode, given, clock())
    store = held.enter_context(closing(state.store))
    steady = _begin_time(config, mode, store, clock)
    if given.shard is not None:
        given.shard.take_session(store)
    further = _further_parts(config, mode, store, writes=given.sinks is None)
    configured = further.openers() if further else sink_openers(config)
    openers = {**(given.sinks or configured), **loaded.sinks()}
    opened_sinks = open_sinks(openers | dict(given.further_sinks or {}), store, held)
    guard = held.enter_context(closing(open_crash_guard(config, store)))
    opened = (
        open_client(config, config.seeds, store, clock)
        if given.client is None
        else OpenedClient(given.client)
    )
    held.enter_context(closing(opened.client))
    logged_in = "" if given.shard else opened.log_in()
    events = Events(opened.client)
    documents = held.enter_context(loaded.documents(reading=not given.shard))
    environment = Environment(
        run=state.run,
        store=store,
        client=opened.client,
        extractor=given.extractor or InlineExtractor(),
        sinks=opened_sinks,
        images=images,
        guard=guard,
        deaths=guard.deaths,
        events=events,
        checks=loaded.checks(),
        documents=documents,
        backlog=None if documents is None else documents.backlog,
        clock=steady,
        jitter=given.random.random,
        archive=further.archive(state.run, events, clock, held) if further else None,
        open_partials=partial(open_partials, config, store),
        look=held.enter_context(opened_look(config)),
        shard=given.shard,
        whole_bodies=loaded.see_exchanges(),
    )
    return _assemble(
        config, environment, given.memory, loaded, opened, held, state, further,
        logged_in,
    )  # fmt: skip


def check_config(
    config: Config,
    clock: Callable[[], float] = time.time,
    metadata: KeyValue | None = None,
) -> str:
    """Raise UsageError for a file that `config` names and that is of no use.

    A crawl that cannot begin must not delete the one before it. So a login is tried
    before, and once more for the cookies; those of the first are in `metadata`.
    Returns what came of it.
    """
    from crawler.frontier.memory import MemoryStore

    if object_outputs(config):
        from crawler.engine.uploading import Uploading

        Uploading(config).check()
    opened = open_client(config, config.seeds, metadata or MemoryStore(), clock)
    with closing(opened.client):
        return opened.log_in()


def _begin_time(
    config: Config, mode: Mode, store: Store, wall: Callable[[], float]
) -> SteadyClock:
    """The clock of this run; what is due in the store, is due by this clock."""
    clock = steady_clock(wall)
    correct_due_times(store, config, clock())
    note_start(store, wall())
    clock.save(store)
    if mode == "resume":  # the user wants to know whether parked hosts are back
        store.release_parked(clock())
    return clock


def _assemble(
    config: Config,
    environment: Environment,
    memory: Callable[[], int],
    loaded: Plugins,
    opened: OpenedClient,
    held: ExitStack,
    state: OpenedState,
    further: FurtherParts | None,
    logged_in: str,
) -> Crawl:
    changed = _shown(state.changes) if state.changes else ()
    store, clock, events = environment.store, environment.clock, environment.events
    shard = environment.shard
    stats = Stats(clock, dict(store.counts().items()), config.login.url)
    events.on_record(stats.count)
    machinery = build(config, environment)
    held.callback(machinery.large_bodies.close)
    if os.path.lexists(partial_bodies(config.dir)):
        machinery.large_bodies.load()
    quotas = machinery.quotas
    crawl = Crawl(
        events=events,
        engine=Engine(
            config.concurrency,
            machinery.frontier,
            machinery.pipeline,
            machinery.committer,
            quotas,
            clock,
            lambda: events.progress(crawl.snapshot),
            environment.backlog,
        ),
        frontier=machinery.frontier,
        store=store,
        committer=machinery.committer,
        stats=stats,
        report=RunReport(
            config,
            environment.run,
            store,
            stats,
            quotas,
            memory,
            clock,
            changed,
            machinery.checks.pruned,
        ),
        traps=machinery.traps,
        add_seeds=machinery.add_seeds,
        save_cookies=opened.save_cookies,
        close_listeners=loaded.listen(events),
        after_run=further.after_run(environment) if further else None,
        flush_skips="skips" in config.records.record,
        grace=config.grace,
        sinks=environment.sinks,
        held=held,
        make_mirror=further.mirror(machinery.traps, events)
        if further and not shard  # that is made of all shards
        else None,
        lost=state.lost,
        changed_settings=changed,
        logged_in=logged_in,
        shard_link=shard.link(store, machinery) if shard else None,
    )
    return crawl


def _further_parts(
    config: Config, mode: Mode, store: Store, *, writes: bool
) -> FurtherParts | None:
    """What only some crawls have; most have none of it."""
    if not (config.warc.write or config.bodies.mirror or object_outputs(config)):
        return None
    from crawler.engine.further_parts import FurtherParts

    return FurtherParts(config, mode, store, writes=writes)


def _shown(changes: tuple[Change, ...]) -> tuple[SettingChange, ...]:
    from crawler.engine.changed_settings import shown  # only such a resume needs it

    return shown(changes)


def _open_store(config: Config, mode: Mode, given: _Given, now: float) -> OpenedState:
    """The state in the folder of the crawl, or the one that is given."""
    store = given.store
    if store is None:
        shard = None if given.shard is None else given.shard.shard
        return open_state(config, mode, now, given.random, shard)
    state_folder(config.dir).mkdir(parents=True, exist_ok=True)
    run = store.run() or Run(ulid(now, given.random), to_json(config).decode())
    return OpenedState(store, run)


def steady_clock(wall: Callable[[], float]) -> SteadyClock:
    """A clock that begins with `wall`, and goes on with the one of the hub."""
    return SteadyClock(wall, hub.get_hub().loop.now)


class OpenedClient(Struct, frozen=True):
    """A client, and what is done with its cookies when the work is done."""

    client: HttpClient
    save_cookies: Callable[[], None] = lambda: None
    """Writes `http.cookie_jar`, if there is one. Raises OutputError."""
    log_in: Callable[[], str] = lambda: ""
    """Logs in, if `login.url` says where; returns what came of it. Raises LoginError.

    It has to come before the first listener for exchanges.
    """


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
        named_hosts={hostname(host_key(url)) for url in (*named, *_login_urls(config))},
        auth=auth,
        proxies=Proxies(http.proxy, http.no_proxy, os.environ),
        secret_headers=secret_headers(config.http),
        clock=hub.get_hub().loop.now,
    )

    def log_in() -> str:
        if not config.login.url:
            return ""
        from crawler.engine.login.flow import log_in  # few crawls log in

        return log_in(config.login, named, os.environ, client.fetch, auth.jar)

    return OpenedClient(
        client, lambda: write_jar(config.http.cookie_jar, auth.jar), log_in
    )


def _login_urls(config: Config) -> list[str]:
    return [parse_seed(config.login.url).url] if config.login.url else []


@contextmanager
def opened_look(config: Config) -> Iterator[Look]:
    """What looks at pictures, if they are decoded. Raises UsageError."""
    if not config.images.are_decoded:
        yield lambda *_: (None, None)
        return
    from crawler.engine.images.looking import Looking

    with closing(Looking(config.images, config.extract_processes)) as looking:
        yield looking.look
