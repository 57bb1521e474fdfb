"""One URL through the stack of a crawl, without a crawl: nothing is remembered, nothing
retried.

The same client, robots verdict, extraction and records as in `engine.py`. A page that
robots.txt closes to crawls is fetched all the same: a person asked for this one
address, as with a browser, and is told what a crawl would do.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from crawler.engine import record_builder
from crawler.engine.engine import ACCEPT
from crawler.engine.robots_fetcher import RobotsFetcher
from crawler.extract import Extractor
from crawler.model.config import Config
from crawler.model.crawl import Lease, Skip
from crawler.model.documents import File, Page
from crawler.model.errors import (
    Failure,
    ProtocolFailure,
    RedirectLoop,
    TooManyRedirects,
)
from crawler.model.http import Hop, Request, Response
from crawler.model.records import RobotsRecord, TerminalRecord
from crawler.model.url import host_key, join_header, origin, url_id
from crawler.policy.check import Candidate
from crawler.policy.response_status import failure_of, is_redirect
from crawler.policy.robots_cache import RobotsCache

HEAVY = frozenset({"links", "images", "headers"})


class Visit(Struct, frozen=True):
    """All that came of one URL."""

    record: TerminalRecord
    """What a crawl would write of the last URL of the chain; an image is described, not
    kept."""
    robots: RobotsRecord | None
    """The robots.txt of that URL's origin; None if it is not to be obeyed."""
    verdict: Skip | None
    """Why a crawl would leave it out, if it would."""
    response: Response | None
    """The last answer; None if there was none."""


class Visitor:
    """Makes visits. `fetch` makes one exchange and may switch; `clock` is wall clock,
    seconds."""

    def __init__(
        self,
        config: Config,
        fetch: Callable[[Request], Response],
        extractor: Extractor,
        cache: RobotsCache,
        fetcher: RobotsFetcher,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._fetch = fetch
        self._extractor = extractor
        self._robots = cache
        self._fetcher = fetcher
        self._clock = clock
        self._records: dict[str, RobotsRecord] = {}

    def visit(self, url: str) -> Visit:
        """Ask for the canonical `url`, and follow its redirects."""
        hops: list[Hop] = []
        response: Response | None = None
        while True:
            lease = _lease(url, tuple(hops))
            started = self._clock()
            robots, verdict = self._check_robots(lease)
            try:
                chain = tuple(hop.url for hop in hops)
                response = self._fetch(Request(url, accept=ACCEPT["page"], chain=chain))
                target = self._target(response, hops)
                if target is None:
                    return Visit(self._read(lease, response), robots, verdict, response)
            except Failure as failure:
                elapsed_ms = round((self._clock() - started) * 1000)
                record = record_builder.error_record(lease, failure, elapsed_ms)
                return Visit(record, robots, verdict, response)
            hops.append(Hop(url, response.status))
            url = target

    def _check_robots(self, lease: Lease) -> tuple[RobotsRecord | None, Skip | None]:
        site = origin(lease.url)
        if not self._robots.is_cached(lease.url):
            fetched = self._fetcher.fetch(lease.url)
            self._records[site] = fetched.record
            if fetched.deferred or fetched.unanswered is not None:
                again = Skip("robots_deferred", "robots.txt would be asked for again")
                return fetched.record, again
        record = self._records.get(site)
        try:
            return record, self._robots.check(Candidate.of_lease(lease))
        except Failure as failure:
            return record, Skip("robots_deferred", failure.message)

    def _target(self, response: Response, hops: list[Hop]) -> str | None:
        """Where a redirect leads; None if the response is none. Raises the Failure that
        it is."""
        if (failure := failure_of(response, self._clock())) is not None:
            raise failure
        if not is_redirect(response):
            return None
        location = response.header("location") or ""
        target = join_header(response.url, location)
        if target is None:
            raise ProtocolFailure(f"redirected to what is no URL: {location[:200]!r}")
        if target == response.url or any(hop.url == target for hop in hops):
            raise RedirectLoop(f"redirected back to {target}")
        if len(hops) >= self._config.limits.max_redirects:
            raise TooManyRedirects(
                f"more than {self._config.limits.max_redirects} redirects"
            )
        return target

    def _read(self, lease: Lease, response: Response) -> TerminalRecord:
        what = self._extractor.extract(
            response,
            lease.destination,
            self._config.limits,
            with_text="links" in HEAVY,
        )
        if isinstance(what, Page):
            return record_builder.page_record(lease, response, what, HEAVY)
        if isinstance(what, File):
            return record_builder.file_record(lease, response, what, HEAVY)
        return record_builder.image_record(lease, response, what)


def _lease(url: str, hops: tuple[Hop, ...]) -> Lease:
    return Lease(
        url, url_id(url), host_key(url), "seed", "page", 0, 0, 0, redirects=hops
    )
