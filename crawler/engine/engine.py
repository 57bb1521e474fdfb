"""The crawl on one page: a lease goes in, an outcome comes out.

    frontier.lease -> checks -> client.fetch -> extract -> checks -> writer.put ->
    (frontier)

Workers run this road side by side, each in a greenlet of its own: `concurrency` of
them, and one for each place that is lent to a host that keeps us waiting (`places.py`).
Everything a worker knows of a URL is in its lease; everything it learns goes out in one
`Outcome`. What fails goes to `retry.py`, which either sends the URL back to the
frontier with a time, or lets the failure become the URL's record. No worker ever sleeps
for a URL.

What switches here: `frontier.lease`, `client.fetch`, `robots_fetcher.request` and the `sleep(0)`
after a URL that was not asked for. Between two of them a worker is alone, so counters
and the writer's batch need no lock.
"""

from __future__ import annotations

from collections.abc import Callable

import hub
from crawler.engine import record_builder
from crawler.engine.candidates import CandidateBuilder
from crawler.engine.committer import Committer
from crawler.engine.revalidation import CachedFields, answer_of, unmodified_record
from crawler.engine.robots_fetcher import RobotsFetch, RobotsFetcher
from crawler.extract import Extractor
from crawler.fetch.client import Client
from crawler.fetch.conditional import (
    conditional_headers,
    updated_validators,
    validators_match,
    validators_of,
)
from crawler.frontier.frontier import Frontier
from crawler.frontier.lease import LeaseHandle
from crawler.frontier.throttle import HostFeedback, feedback_of, feedback_of_failure
from crawler.model.config import Config
from crawler.model.crawl import Lease, Outcome
from crawler.model.documents import Document, File, Image, Page
from crawler.model.errors import Failure, TooLarge
from crawler.model.http import Request, Response, Validators
from crawler.model.records import ImageRecord, PageRecord
from crawler.policy.check import Candidate, Chain
from crawler.policy.quotas import Quotas
from crawler.policy.response_status import failure_of, is_redirect
from crawler.policy.retry import Retry, decide_retry
from crawler.policy.robots_cache import RobotsCache
from crawler.policy.robots_meta import HEADER, RobotsMeta, RobotsMetaReader
from crawler.policy.traps import Traps
from crawler.workspace.crash_guard import CrashGuard
from hub.event import Event
from hub.pool import Group

ACCEPT = {
    "page": "text/html,application/xhtml+xml,application/xml;q=0.9,image/*;q=0.8,*/*;q=0.7",
    "image": "image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.5",
}
TICK_S = 0.5
"""How often the clock's limits are looked at, and the longest that a record stays
unwritten."""
REST_S = 1.0
"""A connection is worth keeping for as long."""
LEND_S = 0.25
"""How often it is looked for hosts that keep us waiting."""


class Engine:
    """Runs the workers of one crawl until the frontier is empty, a limit is met, or
    `drain`."""

    def __init__(
        self,
        config: Config,
        frontier: Frontier,
        checks: Chain,
        robots: RobotsCache,
        robots_fetcher: RobotsFetcher,
        client: Client,
        extractor: Extractor,
        discovery: CandidateBuilder,
        limits: Quotas,
        traps: Traps,
        black_box: CrashGuard,
        writer: Committer,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        on_tick: Callable[[], None],
    ) -> None:
        self._config = config
        self._concurrency = config.concurrency
        self._frontier = frontier
        self._check = checks.check_due
        self._robots = robots
        self._robots_fetcher = robots_fetcher
        self._client = client
        self._extractor = extractor
        self._discovery = discovery
        self._limits = limits
        self._traps = traps
        self._black_box = black_box
        self._directives = RobotsMetaReader(config.robots)
        self._writer = writer
        self._clock = clock
        self._jitter = jitter
        self._on_tick = on_tick
        self._include = frozenset(config.records.include)
        self._workers = Group()
        self._unpaused = Event()
        self._unpaused.set()
        self._at_work = 0  # those who have left the group may still be counted there
        self._error: Exception | None = None

    def run(self) -> None:
        """Work until nothing is left to do; raises what stopped the crawl, if anything
        did."""
        self._hire(0)
        tickers = [hub.spawn(self._tick), hub.spawn(self._lend)]
        try:
            self._workers.join()
        finally:
            hub.killall(tickers)
        if self._error is not None:
            raise self._error
        self._writer.commit()

    def pause(self) -> None:
        """Take no further lease until `go_on`; what is in flight goes on."""
        self._unpaused.clear()

    def go_on(self) -> None:
        """End the pause."""
        self._unpaused.set()

    def wait_while_paused(self) -> None:
        """Wait for the end of the pause, if there is one."""
        self._unpaused.wait()

    def drain(self, grace: float) -> None:
        """Hand out no more leases, and after `grace` seconds give up what is still
        under way.

        A killed worker's lease stays open; the store takes it back when it is next
        opened, by the same road as after a crash.
        """
        self._frontier.close()
        self.go_on()
        self._workers.join(timeout=grace)
        self._workers.kill()

    def _hire(self, more: int) -> None:
        """See to it that there is a worker for each place, and `more`."""
        if self._frontier.closed:
            return
        for _ in range(self._surplus(), more):
            self._at_work += 1
            self._workers.spawn(self._work)

    def _surplus(self) -> int:
        return self._at_work - self._concurrency - self._frontier.borrowed

    def _lend(self) -> None:
        try:
            while True:
                hub.sleep(LEND_S)
                self._hire(self._frontier.borrow())
        except Exception as error:
            self._give_up(error)

    def _work(self) -> None:
        try:
            while (handle := self._next()) is not None:
                if self._surplus() < 0:
                    self._hire(0)
                with handle:
                    outcome = self._settle(handle)
                    cancelled = handle.cancel()
                    if outcome is not None:
                        self._writer.finish(handle, outcome)
                if cancelled:
                    hub.sleep(0)  # nobody was waited for: let the others run
                if self._surplus() > 0:
                    return
        except Exception as error:
            self._give_up(error)
        finally:
            self._at_work -= 1

    def _tick(self) -> None:
        try:
            while True:
                hub.sleep(TICK_S)
                self._writer.commit()
                self._obey_limits()
                self._on_tick()
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        """Local I/O failed, or we made a mistake: the crawl stops, and can be
        resumed."""
        self._error = self._error or error
        self._frontier.close()

    def _next(self) -> LeaseHandle | None:
        self._obey_limits()
        if not self._unpaused.is_set():
            self._writer.commit()  # what the pause waits for may lie in the batch
            self._unpaused.wait()
        handle = self._frontier.lease_nowait()
        if handle is None:
            # what this worker would wait for may lie in the batch
            self._writer.commit()
            handle = self._frontier.lease()
        return handle

    def _obey_limits(self) -> None:
        reached = self._limits.reached(self._clock())
        if reached == "limit_pages":
            self._frontier.only_images()
        elif reached is not None:
            self._frontier.close()

    def _settle(self, handle: LeaseHandle) -> Outcome | None:
        """The outcome of one lease; None when the URL went back to the frontier
        instead."""
        started = self._clock()
        try:
            return self._visit(handle)
        except Failure as failure:
            now, lease = self._clock(), handle.lease
            attempts = lease.attempts + 1
            decision = decide_retry(
                failure, attempts, self._config.retry, now, self._jitter
            )
            if decision.host_until is not None:
                self._rest(handle, decision.host_until)
            if isinstance(decision, Retry):
                handle.retry(decision.not_before, failure.code, failure.message)
                return None
            elapsed_ms = round((now - started) * 1000)
            return Outcome(
                lease, record_builder.error_record(lease, failure, elapsed_ms)
            )

    def _visit(self, handle: LeaseHandle) -> Outcome | None:
        lease = handle.lease
        if (skip := self._check(Candidate.of_lease(lease))) is not None:
            record = record_builder.skip_record(lease, skip)
            trapped = skip.reason == "trap"
            found = self._discovery.substitute(lease) if trapped else ()
            return Outcome(lease, record, found)
        if not self._robots.is_cached(lease.url):
            self._fetch_robots(handle)
            return None
        if not self._traps.admit(lease):
            handle.defer()
            return None
        try:
            return self._ask(handle)
        finally:
            self._traps.release(lease)

    def _ask(self, handle: LeaseHandle) -> Outcome | None:
        lease = handle.lease
        answer = self._known(lease)
        response = self._fetch(handle, answer)
        if response.status == 304 and answer is not None:
            return self._unmodified(handle, response, answer)
        if (failure := failure_of(response, self._clock())) is not None:
            raise failure
        if is_redirect(response):
            return self._redirect(lease, response)
        return self._read(handle, response)

    def _known(self, lease: Lease) -> CachedFields | None:
        """What an earlier crawl was told of the URL, if the server can be asked whether
        it is still so. A picture whose file is gone has to come again."""
        answer = answer_of(lease)
        if answer is None or answer.path is None or self._writer.holds(answer.path):
            return answer
        return None

    def _fetch(self, handle: LeaseHandle, known: CachedFields | None) -> Response:
        lease = handle.lease
        request = Request(
            lease.url,
            headers=()
            if known is None
            else tuple(conditional_headers(known.validators)),
            accept=ACCEPT[lease.destination],
            referer=lease.parent_url,
            subresource=lease.destination == "image",
            chain=tuple(hop.url for hop in lease.redirects),
        )
        sent_at = self._clock()
        try:
            response = self._client.fetch(request)
        except Failure as failure:
            self._responded(
                handle,
                feedback_of_failure(failure, sent_at),
                sent_at,
                failure.wire_bytes,
            )
            raise
        # The host may be asked while we read.
        self._responded(
            handle, feedback_of(response, sent_at), sent_at, response.wire_bytes
        )
        return response

    def _responded(
        self,
        handle: LeaseHandle,
        feedback: HostFeedback | None,
        sent_at: float,
        wire_bytes: int,
    ) -> None:
        """A request is over."""
        handle.responded(feedback)
        self._charge(handle, sent_at, wire_bytes)

    def _charge(self, handle: LeaseHandle, since: float, wire_bytes: int) -> None:
        """Put on its host's account what the lease has cost: until the end of the
        host's pause."""
        self._limits.charge(
            handle.lease.host, since, handle.host_busy_until, wire_bytes
        )

    def _fetch_robots(self, handle: LeaseHandle) -> None:
        """Ask for the robots.txt of the lease's origin, instead of for the lease's URL.

        It is a request like others, and the URL has to wait its turn after it. Where
        nobody answers, that was an attempt at the URL: raises the Failure.
        """
        if handle.pause_host():  # else another worker is asking
            sent_at = self._clock()
            fetched = self._robots_fetcher.request(handle.lease.url)
            feedback = None if fetched is None else fetched.feedback(sent_at)
            wire_bytes = 0 if fetched is None else fetched.wire_bytes
            self._responded(handle, feedback, sent_at, wire_bytes)
            handle.resume_host()
            if fetched is not None:
                self._take_in(handle, fetched)
        handle.release()

    def _take_in(self, handle: LeaseHandle, fetched: RobotsFetch) -> None:
        lease = handle.lease
        if self._config.scope.sitemaps:  # before anything commits the robots.txt
            self._frontier.add(self._discovery.sitemaps(lease, fetched.record.sitemaps))
        self._writer.put(fetched.record)
        if fetched.crawl_delay is not None:
            handle.set_crawl_delay(fetched.crawl_delay)
            self._charge(handle, self._clock(), 0)
        if fetched.not_before is not None:
            self._rest(handle, fetched.not_before)
        if fetched.unanswered is not None:
            raise fetched.unanswered

    def _rest(self, handle: LeaseHandle, until: float) -> None:
        """Leave the lease's host alone; for longer than REST_S without a connection to
        it."""
        handle.block_host(until)
        self._charge(handle, self._clock(), 0)
        if until > self._clock() + REST_S:
            self._client.close_idle(handle.lease.url)

    def _unmodified(
        self, handle: LeaseHandle, response: Response, answer: CachedFields
    ) -> Outcome | None:
        """The server says that what we know is still right. What it links to is asked
        by itself."""
        lease = handle.lease
        if not validators_match(
            response, answer.validators
        ):  # of another version: asked plainly then
            handle.retry(self._clock(), "protocol", "304 about another version")
            return None
        record = unmodified_record(lease, response, answer)
        if isinstance(record, PageRecord) and not self._reserve_page(handle):
            return None
        if isinstance(record, ImageRecord):
            skip = self._limits.check_image(record)
            if skip is not None:
                return Outcome(lease, record_builder.skip_record(lease, skip))
        return Outcome(
            lease, record, validators=updated_validators(response, answer.validators)
        )

    def _reserve_page(self, handle: LeaseHandle) -> bool:
        """Whether there is room for one page more; if not, the URL stays queued."""
        if self._limits.reserve_page(handle.lease):
            return True
        handle.release()
        return False

    def _redirect(self, lease: Lease, response: Response) -> Outcome:
        found = self._discovery.redirect(lease, response)
        if found.skip is not None or self._frontier.known(found.url, found.depth):
            self._traps.learn_nothing(lease)
        return Outcome(
            lease, record_builder.redirect_record(lease, response, found.url), (found,)
        )

    def _read(self, handle: LeaseHandle, response: Response) -> Outcome | None:
        """What the body is, whatever it was fetched for, decides on the record."""
        lease = handle.lease
        what = self._extract(lease, response)
        meta = what.robots_meta if isinstance(what, Page) else None
        said = self._directives.read(meta, response.values(HEADER))
        if isinstance(what, Page):
            return self._page(handle, response, what, said)
        if response.truncated:
            raise TooLarge(
                f"larger than http.max_body, {self._config.http.max_body} bytes"
            )
        unwanted = said.noimageai if isinstance(what, Image) else said.noai
        if unwanted is not None:
            return Outcome(lease, record_builder.skip_record(lease, unwanted))
        validators = _validators(response)
        if isinstance(what, File):
            record = record_builder.file_record(lease, response, what, self._include)
            return Outcome(
                lease, record, self._discovery.file(lease, what), validators=validators
            )
        skip = self._limits.check_image(what)
        if skip is not None:
            return Outcome(lease, record_builder.skip_record(lease, skip))
        image = record_builder.image_record(lease, response, what)
        return Outcome(lease, image, (), response.body, validators)

    def _extract(self, lease: Lease, response: Response) -> Document:
        self._black_box.reads(lease.url)
        try:
            return self._extractor.extract(
                response,
                lease.destination,
                self._config.limits,
                with_text="links" in self._include,
            )
        finally:
            self._black_box.has_read()

    def _page(
        self, handle: LeaseHandle, response: Response, page: Page, said: RobotsMeta
    ) -> Outcome | None:
        lease = handle.lease
        if said.noai is not None:
            found = self._discovery.page(lease, page, said)
            return Outcome(lease, record_builder.skip_record(lease, said.noai), found)
        if not self._reserve_page(handle):
            return None
        self._traps.learn(lease, response.body, page)
        record = record_builder.page_record(lease, response, page, self._include)
        found = self._discovery.page(lease, page, said)
        return Outcome(lease, record, found, validators=_validators(response))


def _validators(response: Response) -> Validators | None:
    """What the next crawl may ask with: a 304 stands for a 200 and for nothing else."""
    return validators_of(response) if response.status == 200 else None
