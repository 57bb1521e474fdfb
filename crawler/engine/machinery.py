"""The parts that take a URL from the frontier to its record, and their connections.

    frontier -> checks -> pipeline -> committer
       ^                     |
       +---- candidates <----+

`build` gives each part what it needs and nothing else. It opens nothing: the store, the
client and the sinks are given. They are the same for a crawl and for `orbweb fetch`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from msgspec import Struct

from crawler.engine.candidates import CandidateBuilder
from crawler.engine.committer import Archive, Committer
from crawler.engine.events import Events
from crawler.engine.host_requests import CountedRequests, HostRequests, HttpClient
from crawler.engine.pipeline import Pipeline
from crawler.engine.response_handler import (
    Guard,
    Reader,
    Requisites,
    SeedEnded,
)
from crawler.engine.revalidation import Revalidation
from crawler.engine.robots_fetcher import RobotsFetcher
from crawler.engine.robots_stage import RobotsStage
from crawler.engine.steady_clock import SteadyClock
from crawler.frontier.concurrency import Slots
from crawler.frontier.frontier import Frontier
from crawler.frontier.store import Run, Store
from crawler.model.config import Config
from crawler.model.crawl import Lease, Skip
from crawler.model.documents import Link
from crawler.model.fingerprint import extraction_fingerprint
from crawler.model.metadata import SEED_REDIRECTS
from crawler.model.records import TerminalRecord
from crawler.output.images import ImageStore
from crawler.output.sink import RecordSink
from crawler.policy.chain import compose
from crawler.policy.check import Chain, Check
from crawler.policy.quotas import Quotas
from crawler.policy.robots_cache import RobotsCache
from crawler.policy.scope import Scope
from crawler.policy.traps import Traps

if TYPE_CHECKING:
    from crawler.engine.backlog import Backlog
    from crawler.engine.images.kept_thumbnails import KeptThumbnails
    from crawler.engine.images.limits import ImageLimits
    from crawler.engine.images.look_groups import LookGroups
    from crawler.engine.images.look_index import LookIndex
    from crawler.engine.large_bodies import LargeBodies
    from crawler.engine.pending import ReadByPlugins
    from crawler.engine.shard_link import ShardParts
    from crawler.extract.extractor import Extractor
    from crawler.extract.looks.look import Look
    from crawler.model.http import BodySink, PartialResponse, Response
    from crawler.output.bodies import Saves
    from crawler.output.partials import PartialFiles


SEED_BATCH = 1000
"""Seeds that are taken in at once: the memory for a million is that for a batch."""


class Machinery(Struct, frozen=True):
    """The parts that take a URL from the frontier to its record."""

    frontier: Frontier
    checks: Chain
    candidates: CandidateBuilder
    pipeline: Pipeline
    committer: Committer
    quotas: Quotas
    traps: Traps
    large_bodies: LoadedLate
    scope: Scope

    def add_seeds(self, seeds: Iterable[str]) -> None:
        """Put the seeds into the state, together with the run, and commit them."""
        rest = iter(seeds)
        while batch := [*islice(rest, SEED_BATCH)]:
            self.frontier.add(map(self.candidates.seed, batch))
        self.committer.commit()


class Environment(Struct, frozen=True):
    """What the parts work with, and what another environment would replace."""

    run: Run
    store: Store
    client: HttpClient
    extractor: Extractor
    sinks: Mapping[str, RecordSink]
    images: ImageStore
    guard: Guard
    deaths: Callable[[str], int]
    """How often the process has died while it read the body of a URL."""
    events: Events
    checks: Iterable[Check]
    """Those of plug-ins; they come after ours."""
    documents: ReadByPlugins | None
    clock: SteadyClock
    jitter: Callable[[], float]
    """A random number from 0 to 1."""
    backlog: Backlog | None = None
    """The pages that wait for the processes of `documents`."""
    archive: Archive | None = None
    open_partials: Callable[[], PartialFiles] | None = None
    """Opens the files that large bodies are streamed to; None: they stay in memory."""
    look: Look = lambda *_: (None, None)
    """Looks at pictures, in a process of its own, if they are decoded."""
    shard: ShardParts | None = None
    whole_bodies: bool = False
    """Someone looks at each body: those are downloaded, too, that nothing reads."""


class LoadedLate:
    """`LargeBodies`, loaded for the first large body, or where partial files are."""

    def __init__(self, config: Config, given: Environment) -> None:
        self._config = config
        self._given = given
        self.stream = given.open_partials is not None and not given.whole_bodies
        self._bodies: LargeBodies | None = None

    def load(self) -> LargeBodies:
        """What decides about large bodies. Raises OutputError."""
        if self._bodies is None:
            from crawler.engine.large_bodies import LargeBodies

            given, config = self._given, self._config
            opener = given.open_partials if self.stream else None
            self._bodies = LargeBodies(
                _saves(config),
                opener and opener(),
                config.http.max_body,
                _image_limits(config),
            )
        return self._bodies

    def wants(
        self,
        lease: Lease,
        content_types: list[str],
        start: bytes,
        size: int | None,
    ) -> bool | None:
        return self.load().wants(lease, content_types, start, size)

    def refusal(self, response: Response) -> Skip | None:
        return self.load().refusal(response)

    def open_sink(self, lease: Lease, response: Response) -> BodySink | None:
        return self.load().open_sink(lease, response)

    def resume(self, lease: Lease) -> PartialResponse | None:
        return None if self._bodies is None else self._bodies.resume(lease)

    def discard(self, url_ids: Iterable[int]) -> None:
        """These URLs have their records."""
        if self._bodies is not None:
            self._bodies.discard(url_ids)

    def close(self) -> None:
        if self._bodies is not None:
            self._bodies.close()


class Policy(Struct, frozen=True):
    """What decides whether a URL is fetched: the checks, and what they look into."""

    scope: Scope
    quotas: Quotas
    traps: Traps
    robots: RobotsCache
    chain: Chain


def build(config: Config, given: Environment) -> Machinery:
    """Connect the parts. Raises UsageError for an invalid URL filter."""
    store, clock = given.store, given.clock
    slots = Slots(config.concurrency, config.slow_concurrency)
    frontier = Frontier(
        store, config.politeness, clock, jitter=given.jitter, slots=slots
    )
    policy = _policy(config, given, frontier.check_host)

    candidates = CandidateBuilder(
        config,
        policy.chain,
        policy.traps,
        policy.quotas,
        frontier.known,
        store,
    )
    large_bodies = LoadedLate(config, given)
    counted = CountedRequests(given.client, store)
    looks, thumbnails = kept_pictures(config, store, given.images, given.run)
    committer = Committer(
        given.run,
        store,
        given.sinks,
        given.images,
        given.events.record,
        config.records,
        clock.wall,
        config.scope.dedupe_content,
        save_metadata=(partial(clock.save, store), counted.save),
        archive=given.archive,
        on_ended=_index_of_mirror(config, store),
        extraction=extraction_fingerprint(config),
        discard_partials=large_bodies.discard,
        looks=looks,
        thumbnails=thumbnails,
    )
    pipeline = _pipeline(
        config, given, policy, frontier, candidates, committer, large_bodies, counted
    )
    return Machinery(
        frontier, policy.chain, candidates, pipeline, committer, policy.quotas,
        policy.traps, large_bodies, policy.scope,
    )  # fmt: skip


def _policy(
    config: Config, given: Environment, given_up: Callable[[str], Skip | None]
) -> Policy:
    store = given.store
    scope = Scope(config.scope, config.seeds, store.items(SEED_REDIRECTS))
    started, grants = given.clock(), None
    if given.shard is not None:
        started, grants = started - given.shard.elapsed_s, given.shard.grants
    quotas = Quotas(
        config.limits, config.images, store, started, store.counts()["page"],
        store.received_bytes(), grants,
    )  # fmt: skip
    traps = Traps(config.limits, store)
    robots = RobotsCache(config.robots, store, given.clock)
    chain = compose(
        config,
        scope=scope,
        robots=robots,
        quotas=quotas,
        traps=traps,
        given_up=given_up,
        deaths=given.deaths,
        further=given.checks,
    )
    return Policy(scope, quotas, traps, robots, chain)


def _pipeline(
    config: Config,
    given: Environment,
    policy: Policy,
    frontier: Frontier,
    candidates: CandidateBuilder,
    committer: Committer,
    large_bodies: LoadedLate,
    counted: CountedRequests,
) -> Pipeline:
    clock = given.clock

    def take_sitemaps(lease: Lease, urls: Iterable[str]) -> None:
        # Pictures may be elsewhere. So may a redirected seed, until its page has come:
        # its sitemaps are taken then, since their URLs would be out of scope before.
        if policy.scope.holds(lease.url):
            frontier.add(candidates.sitemaps(lease, urls))

    def take_sitemaps_of_robots(lease: Lease) -> None:
        if config.scope.sitemaps:
            take_sitemaps(lease, policy.robots.sitemaps(lease.url))

    requests = HostRequests(counted, policy.quotas, clock)
    stage = RobotsStage(
        policy.robots,
        RobotsFetcher(policy.robots, counted.fetch, clock),
        requests,
        committer.put,
        take_sitemaps if config.scope.sitemaps else None,
        clock,
    )
    revalidation = Revalidation(
        extraction_fingerprint(config), given.images, config.http.max_body,
        given.events.notice,
    )  # fmt: skip
    reader = Reader(
        config, extractor_of(config, given.extractor), given.documents, given.guard,
        candidates,
        policy.quotas, policy.traps, frontier.known, _saves(config),
        _seed_ended(policy.scope, given, take_sitemaps_of_robots), revalidation, clock,
        _requisites(config, candidates, given.guard), given.look,
    )  # fmt: skip
    return Pipeline(
        policy.chain.check_due,
        stage,
        policy.traps,
        requests,
        reader,
        candidates,
        revalidation,
        config.retry,
        clock,
        given.jitter,
        large_bodies,
        given.whole_bodies or config.bodies.hash_files,
        config.images.formats,
        config.records.only_keep,
    )


def extractor_of(config: Config, extractor: Extractor) -> Extractor:
    """What reads the bodies: of an API as JSON, whatever type they have."""
    if not config.api:
        return extractor
    from crawler.engine.api_extractor import ApiExtractor  # few crawls have an API

    return ApiExtractor(extractor, config.api)


def kept_pictures(
    config: Config, store: Store, images: ImageStore, run: Run
) -> tuple[LookIndex | LookGroups | None, KeptThumbnails | None]:
    """The looks and the thumbnails of a crawl's pictures. Raises UsageError."""
    if not config.images.are_decoded:
        return None, None
    from crawler.engine.images.look_groups import (
        opened_looks,  # few crawls decode pictures
    )

    return opened_looks(config, store, images, run.run_id)


def _saves(config: Config) -> Saves | None:
    bodies = config.bodies
    if not (bodies.save or bodies.mirror):
        return None
    from crawler.output.bodies import saves  # most crawls save none

    return saves((*bodies.save, "all") if bodies.mirror else bodies.save)


def _image_limits(config: Config) -> ImageLimits | None:
    if not config.images.refuse_some:
        return None
    from crawler.engine.images.limits import ImageLimits  # most crawls have none

    return ImageLimits(config.images)


def _requisites(
    config: Config, candidates: CandidateBuilder, guard: Guard
) -> Requisites:
    if not config.bodies.mirror:
        return lambda *_: ()
    from crawler.engine.archive.requisites import (
        RequisiteFinder,  # only a mirror needs it
    )

    return RequisiteFinder(candidates, guard, config.limits.max_links).find


def _index_of_mirror(
    config: Config, store: Store
) -> Callable[[TerminalRecord], None] | None:
    if not config.bodies.mirror:
        return None
    from crawler.engine.archive.mirror_entries import add_entry

    return partial(add_entry, store)


def _seed_ended(
    scope: Scope, given: Environment, joined: Callable[[Lease], None]
) -> SeedEnded:
    """`joined` is called for the page by which its site has joined the scope.

    Loads what it calls at the first redirected seed: many crawls have none."""
    ended: SeedEnded | None = None

    def seed_ended(lease: Lease, links: Iterable[Link]) -> None:
        nonlocal ended
        if ended is None:
            from crawler.engine.seed_redirects import SeedRedirects

            ended = SeedRedirects(scope, given.store, given.events.notice).ended
        was_outside = not scope.holds(lease.url)
        ended(lease, links)
        if was_outside and scope.holds(lease.url):
            joined(lease)

    return seed_ended
