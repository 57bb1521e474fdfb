"""One URL through the pipeline of a crawl: `orbweb fetch`, and the robots.txt of URLs.

The state is in memory and no sink is opened, but all between is a crawl's: the same
requests, extraction, checks of what is found, records and candidates. Four things
differ. A URL is requested even if a check refuses it, since the user named this one
URL; `skip` says what a crawl would do. Nothing is retried, and no pauses are made.
Redirects are followed to their end. An image gets the path that a crawl would give it,
and is not stored.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from crawler.engine.builder import open_client, opened_look, steady_clock
from crawler.engine.events import Events, WarningListener
from crawler.engine.host_requests import HttpClient
from crawler.engine.machinery import Environment, build
from crawler.engine.pending import Finish, PendingOutcome, ReadByPlugins
from crawler.engine.plugin_adapters import Plugins
from crawler.engine.robots_fetcher import RobotsFetcher
from crawler.extract.extractor import Extractor, InlineExtractor
from crawler.fetch.transport import ExchangeListener
from crawler.frontier.lease import LeaseHandle
from crawler.frontier.store import Run, Store
from crawler.model.config import Config
from crawler.model.crawl import Decision, Destination, Outcome, Skip
from crawler.model.documents import Document, Enriched, Page
from crawler.model.errors import ExtractFailure, Failure
from crawler.model.http import Exchange, Response
from crawler.model.policy_config import LimitsConfig
from crawler.model.records import RobotsRecord, TerminalRecord
from crawler.model.url import origin
from crawler.output.images import UnsavedImages
from crawler.policy.check import Candidate, Chain
from crawler.policy.robots_cache import RobotsCache

if TYPE_CHECKING:
    from crawler.extract.looks.look import Look

UNAVAILABLE = Decision(False, "robots.txt unavailable: nothing may be requested")
HEAVY = ("links", "images", "headers", "jsonld")


class FetchedUrl(Struct, frozen=True):
    """What came of one URL.

    Example:
        >>> from crawler import fetch
        >>> page = fetch("https://example.com/old")
        >>> [hop.status for hop in page.record.redirects], page.record.url
        ([301], 'https://example.com/about')
    """

    record: TerminalRecord
    """What a crawl writes about the last URL of the chain of redirects."""
    robots: RobotsRecord | None
    """The robots.txt of that URL's origin; None if it is not to be obeyed."""
    skip: Skip | None
    """Why a crawl would not request that URL, if so."""
    response: Response | None
    """The last response; None if there was none."""
    exchange: Exchange | None
    """The last exchange; None if there was none."""
    document: Document | None
    """What was extracted, if a body was."""


def fetch_url(
    config: Config,
    url: str,
    *,
    on_exchange: ExchangeListener | None = None,
    extractor: Extractor | None = None,
    plugins: Sequence[object] = (),
    on_warning: WarningListener | None = None,
    clock: Callable[[], float] = time.time,
) -> FetchedUrl:
    """Fetch the canonical `url`, and follow its redirects.

    `on_exchange` is told each exchange, those for robots.txt included. `plugins` are
    objects, beside the plug-ins that `config.plugin` names; sinks among them get
    nothing, and a check's refusal is reported in `skip`. `on_warning` is told which of
    their listeners fail. `clock`: seconds since the epoch. Raises UsageError if a
    plug-in, or a file that `config.http` names, is of no use.
    """
    loaded = Plugins(config, plugins)
    free = _unhindered(config, url)
    with (
        client_without_crawl(config, (url,), clock) as (client, store),
        loaded.documents() as documents,
        opened_look(config) as look,
    ):
        events = Events(client)
        if on_exchange is not None:
            events.on_exchange(on_exchange)
        if on_warning is not None:
            events.on_warning(on_warning)
        close_listeners = loaded.listen(events)
        robots = _RobotsOf(config, client, store, clock)
        checks = Chain(loaded.checks())
        one = _Fetch(
            free,
            client,
            store,
            robots,
            extractor,
            documents,
            events,
            checks,
            clock,
            look,
        )
        fetched = one.fetch(url)
        close_listeners()
        return fetched


class _Fetch:
    """Takes one URL and what it redirects to through the pipeline."""

    def __init__(
        self,
        config: Config,
        client: HttpClient,
        store: Store,
        robots: _RobotsOf,
        extractor: Extractor | None,
        documents: ReadByPlugins | None,
        events: Events,
        further_checks: Chain,
        clock: Callable[[], float],
        look: Look,
    ) -> None:
        self._robots = robots
        self._further_checks = further_checks
        self._records: list[TerminalRecord] = []
        self._exchanges: list[Exchange] = []
        self._extractor = _Remembering(extractor or InlineExtractor(), documents)
        events.on_record(self._records.append)
        client.on_exchange(self._exchanges.append)
        self._machinery = build(
            config,
            Environment(
                run=Run("", ""),
                store=store,
                client=client,
                extractor=self._extractor,
                sinks={},
                images=UnsavedImages(config.images.name),
                guard=lambda _url: nullcontext(),
                deaths=lambda _url: 0,
                events=events,
                checks=(),
                documents=None if documents is None else self._extractor,
                clock=steady_clock(clock),
                jitter=lambda: 0.0,
                look=look,
                whole_bodies=True,
            ),
        )

    def fetch(self, url: str) -> FetchedUrl:
        seed = self._machinery.candidates.seed(url)
        self._machinery.frontier.add([replace(seed, skip=None)])
        while True:
            handle = self._machinery.frontier.lease()
            assert handle is not None  # each redirect has queued its target
            candidate = Candidate.of_lease(handle.lease)
            skip = self._machinery.checks.check(candidate)
            robots, refusal = self._robots.check(candidate)
            skip = skip or refusal or self._refused_by_plugin(candidate)
            with handle:
                outcome = self._outcome(handle)
                self._machinery.committer.finish(handle, outcome)
            self._machinery.committer.commit()
            if outcome.record.type != "redirect":
                return self._fetched(robots, skip)
            # A redirect is followed even if a crawl would leave its target out.
            targets = [replace(found, skip=None) for found in outcome.found]
            self._machinery.frontier.add(targets)

    def _outcome(self, handle: LeaseHandle) -> Outcome:
        pipeline = self._machinery.pipeline
        outcome = pipeline.process(handle)
        if isinstance(outcome, PendingOutcome):
            outcome.wait()
            outcome = pipeline.complete(handle.lease, outcome)
        assert outcome is not None  # no retry, no robots.txt, no quota
        return outcome

    def _refused_by_plugin(self, candidate: Candidate) -> Skip | None:
        try:
            return self._further_checks.check(candidate)
        except Failure as failure:
            return Skip("plugin", failure.message)

    def _fetched(self, robots: RobotsRecord | None, skip: Skip | None) -> FetchedUrl:
        exchange = self._exchanges[-1] if self._exchanges else None
        response = None if exchange is None else exchange.response
        return FetchedUrl(
            self._records[-1],
            robots,
            skip,
            self._extractor.response or response,
            exchange,
            self._extractor.document,
        )


class _Remembering:
    """An Extractor that remembers the last document, and the response it was in.

    Also the plug-ins that then work on that document.
    """

    document: Document | None = None
    response: Response | None = None

    def __init__(self, extractor: Extractor, plugins: ReadByPlugins | None) -> None:
        self._extractor = extractor
        self._plugins = plugins
        self.only_read = False

    def submit(
        self, response: Response, page: Page | None, asked: str, finish: Finish
    ) -> PendingOutcome:
        assert self._plugins is not None

        def remember(found: Enriched, failure: ExtractFailure | None) -> Outcome | None:
            if failure is None or found.listing is not None:
                self.document = found.page
            return finish(found, failure)

        return self._plugins.submit(response, page, asked, remember)

    def extract(
        self,
        response: Response,
        destination: Destination,
        limits: LimitsConfig,
        *,
        with_text: bool = False,
        named_sitemap: bool = False,
    ) -> Document:
        self.response = response
        self.document = self._extractor.extract(
            response,
            destination,
            limits,
            with_text=with_text,
            named_sitemap=named_sitemap,
        )
        return self.document

    def is_page(self, response: Response, *, named_sitemap: bool = False) -> bool:
        """False, for the document that is remembered has to be read here."""
        return False


def _unhindered(config: Config, url: str) -> Config:
    """`config` for one URL: all optional fields, no retry, no pause and no quota."""
    limits, politeness = config.limits, config.politeness
    return replace(
        config,
        seeds=config.seeds if url in config.seeds else (*config.seeds, url),
        robots=replace(config.robots, obey=False),
        retry=replace(config.retry, tries=1),
        politeness=replace(politeness, wait=0.0, max_wait=0.0, adaptive=False),
        limits=replace(
            limits,
            max_pages=None,
            max_pages_per_host=None,
            max_bytes_per_host=None,
            max_time_per_host=None,
            max_pages_per_template=None,
            max_styles_per_host=None,
        ),
        records=replace(config.records, include=HEAVY),
    )


class _RobotsOf:
    """The robots.txt of origins, each fetched once, redirects and all."""

    def __init__(
        self,
        config: Config,
        client: HttpClient,
        store: Store,
        clock: Callable[[], float],
    ) -> None:
        self._cache = RobotsCache(config.robots, store, clock)
        self._fetcher = RobotsFetcher(self._cache, client.fetch, clock)
        self._records: dict[str, RobotsRecord] = {}

    def check(self, candidate: Candidate) -> tuple[RobotsRecord | None, Skip | None]:
        """The robots.txt of the URL's origin, and its refusal, if it refuses."""
        site = origin(candidate.url)
        if not self._cache.is_cached(candidate.url):
            fetched = self._fetcher.fetch(candidate.url)
            self._records[site] = fetched.record
            if fetched.deferred or fetched.unanswered is not None:
                again = Skip("robots_unavailable", "robots.txt would be fetched again")
                return fetched.record, again
        record = self._records.get(site)
        if record is None:
            return None, None
        try:
            return record, self._cache.check(candidate)
        except Failure as failure:
            return record, Skip("robots_unavailable", failure.message)

    def decide(self, url: str) -> tuple[RobotsRecord, Decision]:
        """The robots.txt of the URL's origin, and its decision, obeyed or not."""
        site = origin(url)
        if site not in self._records:
            self._records[site] = self._fetcher.fetch(url).record
        return self._records[site], self._cache.decision(url) or UNAVAILABLE


class RobotsAnswer(Struct, frozen=True):
    """The robots.txt of a URL's origin, and its decision about the URL."""

    url: str
    record: RobotsRecord
    decision: Decision


def ask_robots(
    config: Config, urls: Sequence[str], clock: Callable[[], float] = time.time
) -> list[RobotsAnswer]:
    """Fetch the robots.txt of the origin of each canonical URL, and check the URL."""
    with client_without_crawl(config, urls, clock) as (client, store):
        robots = _RobotsOf(config, client, store, clock)
        return [RobotsAnswer(url, *robots.decide(url)) for url in urls]


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
        opened.log_in()
        yield opened.client, store
        opened.save_cookies()
    finally:
        opened.client.close()
