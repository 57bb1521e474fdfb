"""The pipeline: the one way from a lease to an outcome.

    checks -> robots.txt -> traps -> request -> response -> document
                                                            -> record, candidates

`crawl`, `recrawl`, `resume` and `orbweb fetch` run it, so what one of them shows is
what the others write. Everything that a worker knows of a URL is in its lease, and
everything that it learns leaves in one `Outcome`. A failure goes to `policy/retry.py`,
which either sends the URL back to the frontier with a time, or lets the failure become
the URL's record. No worker ever sleeps for a URL.

What switches here: the client's `fetch`, alone. Between two of them a worker is alone,
so counters and the committer's batch need no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from crawler.engine import record_builder
from crawler.engine.candidates import CandidateBuilder
from crawler.engine.host_requests import HostRequests
from crawler.engine.response_handler import Reader
from crawler.engine.revalidation import CachedFields, Revalidation
from crawler.engine.robots_stage import RobotsStage
from crawler.fetch.conditional import conditional_headers
from crawler.frontier.lease import LeaseHandle
from crawler.model.crawl import Lease, Outcome, Skip
from crawler.model.errors import Failure, is_out_of_memory
from crawler.model.http import (
    BodySink,
    Header,
    PartialResponse,
    Request,
    Response,
)
from crawler.model.policy_config import RetryConfig
from crawler.model.records import ImageRecord, RedirectRecord, SkipRecord
from crawler.policy.check import Candidate
from crawler.policy.response_status import failure_of, is_redirect
from crawler.policy.retry import Retry, decide_retry
from crawler.policy.traps import Traps

if TYPE_CHECKING:
    from crawler.engine.open_lease import OpenLease
    from crawler.engine.pending import AnyOutcome, PendingOutcome
    from crawler.model.content_config import ImageFormat

ACCEPT = {
    "page": (
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/*;q=0.8,*/*;q=0.7"
    ),
    "image": "image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.5",
    "style": "text/css,*/*;q=0.1",
    "subresource": "*/*",
    "external": "*/*",
}

_MEDIA_TYPES = {"svg": "image/svg+xml", "ico": "image/x-icon", "cur": "image/x-icon"}
"""The media types that are not called like their format."""


class LargeBodies(Protocol):
    """What becomes of large bodies (`large_bodies.py`)."""

    @property
    def stream(self) -> bool:
        """Whether any of them is streamed."""
        ...

    def wants(
        self,
        lease: Lease,
        content_types: list[str],
        start: bytes,
        size: int | None,
    ) -> bool | None:
        """Whether a large body has to be downloaded whole: it is read, or saved."""
        ...

    def refusal(self, response: Response) -> Skip | None:
        """Why an image was left unread; None: it is none, or was read."""
        ...

    def open_sink(self, lease: Lease, response: Response) -> BodySink | None:
        """Where a large body goes; None: it stays in memory. Raises Failure."""
        ...

    def resume(self, lease: Lease) -> PartialResponse | None:
        """What an earlier attempt has brought of the body; None: nothing of use."""
        ...


class Pipeline:
    """Processes leases.

    `check` is the chain of checks for a URL whose turn has come. `clock`: seconds since
    the epoch; `jitter`: random numbers from 0 to 1. `whole_bodies`: also those that are
    neither read nor saved are downloaded. `formats`: those that images have to have,
    for servers that have several to choose from; empty: any. `only_keep`:
    patterns of the URLs that are recorded; empty: all.
    """

    def __init__(
        self,
        check: Callable[[Candidate], Skip | None],
        robots: RobotsStage,
        traps: Traps,
        requests: HostRequests,
        reader: Reader,
        candidates: CandidateBuilder,
        revalidation: Revalidation,
        retry: RetryConfig,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        large_bodies: LargeBodies,
        whole_bodies: bool,
        formats: Sequence[ImageFormat] = (),
        only_keep: tuple[str, ...] = (),
    ) -> None:
        self._check = check
        self._robots = robots
        self._traps = traps
        self._requests = requests
        self._reader = reader
        self._candidates = candidates
        self._revalidation = revalidation
        self._retry = retry
        self._clock = clock
        self._jitter = jitter
        self._large_bodies = large_bodies
        self._whole_bodies = whole_bodies
        self._keep = _kept_records(only_keep)
        self._accept = ACCEPT
        if formats:
            images = ",".join(
                _MEDIA_TYPES.get(name, f"image/{name}") for name in formats
            )
            self._accept = ACCEPT | {"image": f"{images},*/*;q=0.1"}

    def process(self, handle: LeaseHandle) -> AnyOutcome:
        """The outcome of a lease; if it is pending, `complete` follows.

        None if the handle has its answer already: the URL went back to the frontier.
        """
        started = self._clock()
        try:
            outcome = self._process(handle)
        except Failure as failure:
            if is_out_of_memory(failure):  # that is not the server's doing
                raise
            outcome = self._failed(handle, failure, started)
        if outcome is None or isinstance(outcome, Outcome):
            return self._finished(handle.lease, outcome)
        outcome.elapsed_ms = round((self._clock() - started) * 1000)
        return outcome

    def complete(self, lease: Lease, pending: PendingOutcome) -> Outcome | None:
        """The outcome that `process` left pending; its findings have come."""
        try:
            outcome = pending.complete()
        except Failure as failure:
            if is_out_of_memory(failure):
                raise
            record = record_builder.error_record(lease, failure, pending.elapsed_ms)
            outcome = Outcome(lease, record)
        finally:
            self._traps.release(lease)
        return self._finished(lease, outcome)

    def _finished(self, lease: Lease, outcome: Outcome | None) -> Outcome | None:
        """The outcome as the crawl is to have it."""
        if self._keep is not None and outcome is not None:
            outcome = self._keep(outcome)
        if outcome is None or lease.context is None:  # most often
            return outcome
        return self._with_next_version(outcome)

    def _with_next_version(self, outcome: Outcome) -> Outcome:
        """An image that could not be had has the next of its versions for a link."""
        record = outcome.record
        if isinstance(record, RedirectRecord) or (
            isinstance(record, ImageRecord) and record.damage is None
        ):
            return outcome
        from crawler.engine.images.versions import next_versions
        from crawler.policy.kept_images import is_too_small

        if isinstance(record, SkipRecord) and is_too_small(record.rule):
            return outcome

        further = next_versions(self._candidates, outcome.lease)
        return replace(outcome, found=(*outcome.found, *further))

    def _process(self, handle: LeaseHandle) -> AnyOutcome:
        lease, outcome = handle.lease, None
        if (skip := self._check(Candidate.of_lease(lease))) is not None:
            return self._skipped(lease, skip)
        if not self._robots.is_cached(lease.url):
            self._robots.fetch(handle)
            return None
        if not self._traps.admit(lease):
            handle.defer()
            return None
        try:
            cached = self._revalidation.cached_fields(lease)
            request = self._request(lease, cached)
            response = self._requests.fetch(handle, request)
            outcome = self._read(handle, response, cached)
        finally:
            if outcome is None or isinstance(outcome, Outcome):
                self._traps.release(lease)
        return outcome

    def _read(
        self, handle: LeaseHandle, response: Response, cached: CachedFields | None
    ) -> AnyOutcome:
        if response.status == 304 and cached is not None:
            return self._reader.read_unmodified(handle, response, cached)
        if handle.lease.destination == "external":
            from crawler.engine import external_links  # few crawls have any

            return external_links.read_answer(
                handle,
                response,
                self._clock(),
                self._reader.read_redirect,
                is_redirect(response),
            )
        if response.truncated == "unread":
            skip = self._large_bodies.refusal(response)
            if skip is not None:
                return record_builder.skipped(handle.lease, skip)
        return read_answer(self._reader, handle, response, self._clock())

    def _skipped(self, lease: Lease, skip: Skip) -> Outcome:
        if skip.reason != "trap":
            return record_builder.skipped(lease, skip)
        found = self._candidates.substitute(lease)
        return Outcome(lease, record_builder.skip_record(lease, skip), found)

    def _failed(
        self, handle: LeaseHandle, failure: Failure, started: float
    ) -> AnyOutcome:
        now, lease = self._clock(), handle.lease
        if lease.destination == "external" and lease.attempts == 0:
            from crawler.engine import external_links

            if failure.status is None and external_links.request_again(
                handle, failure, now
            ):
                return None
        if self._retry.tries > 1 and self._requests.excuses(handle, failure):
            handle.release()
            return None
        attempts = lease.attempts + 1
        decision = decide_retry(failure, attempts, self._retry, now, self._jitter)
        if decision.host_until is not None:
            self._requests.back_off(handle, decision.host_until)
        if isinstance(decision, Retry):
            handle.retry(decision.not_before, failure.code, failure.message)
            return None
        if failure.partial is not None:
            try:
                return self._read(handle, failure.partial, None)
            except Failure as unusable:
                if is_out_of_memory(unusable):
                    raise
        elapsed_ms = round((now - started) * 1000)
        record = record_builder.error_record(lease, failure, elapsed_ms)
        return Outcome(lease, record)

    def _request(self, lease: Lease, cached: CachedFields | None) -> Request:
        large = self._large_bodies
        if lease.destination == "external":
            from crawler.engine.external_links import request_of

            return request_of(lease, self._accept["external"])
        return Request(
            lease.url,
            headers=() if cached is None else _conditions(cached),
            accept=self._accept[lease.destination],
            referer=lease.parent_url,
            subresource=lease.destination != "page",
            chain=tuple([hop.url for hop in lease.redirects]),
            wants=None if self._whole_bodies else partial(large.wants, lease),
            open_sink=partial(large.open_sink, lease) if large.stream else None,
            resume=large.resume(lease),
        )


def _kept_records(patterns: tuple[str, ...]) -> Callable[[Outcome], Outcome] | None:
    if not patterns:
        return None
    from crawler.engine.kept_records import KeptRecords  # most crawls keep all

    return KeptRecords(patterns).apply


def _conditions(cached: CachedFields) -> tuple[Header, ...]:
    return tuple(conditional_headers(cached.validators))


def read_answer(
    reader: Reader, handle: OpenLease, response: Response, now: float
) -> AnyOutcome:
    """The outcome of a response: a redirect, or a body as `Reader.read` has it.

    `now`: seconds since the epoch. Raises the Failure that its status is, if it is one.
    """
    if (failure := failure_of(response, now)) is not None:
        raise failure
    if is_redirect(response):
        return reader.read_redirect(handle.lease, response)
    return reader.read(handle, response)
