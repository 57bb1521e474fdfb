"""Requests to hosts, and what each does to its host: feedback, usage, back-off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from crawler.engine.events import ExchangeSource
from crawler.frontier.lease import LeaseHandle
from crawler.frontier.throttle import (
    REFUSALS,
    HostFeedback,
    feedback_of,
    feedback_of_failure,
    is_unreachable,
)
from crawler.model.errors import Failure
from crawler.model.http import Request, Response
from crawler.model.metadata import REQUESTS_BY_CODE, KeyValue, increase
from crawler.policy.quotas import Quotas
from crawler.policy.retry import retry_after_of
from crawler.policy.scope import NAMED_SITEMAPS

MAX_IDLE_S = 1.0
"""The longest back-off (seconds) over which a connection is kept."""


class HttpClient(ExchangeSource, Protocol):
    """What a crawl needs of its client."""

    def fetch(self, request: Request) -> Response:
        """The final response to `request`. May switch. Raises Failure."""
        ...

    def close_idle(self, url: str) -> None:
        """Close the idle connections to the origin of `url`."""
        ...

    def close(self) -> None:
        """Close all idle connections."""
        ...


class CountedRequests:
    """Makes requests by `client`, and counts each by its status or its `error_code`.

    The sums of all runs are in `metadata`, as of the last `save`.
    """

    def __init__(self, client: HttpClient, metadata: KeyValue) -> None:
        self._fetch = client.fetch
        self.close_idle = client.close_idle
        """Close the idle connections to the origin of a URL."""
        self._metadata = metadata
        self._new: Counter[int | str] = Counter()

    def fetch(self, request: Request) -> Response:
        """The final response to `request`. May switch. Raises Failure."""
        try:
            response = self._fetch(request)
        except Failure as failure:
            self._new[failure.code] += 1
            raise
        self._new[response.status] += 1
        return response

    def save(self) -> None:
        """Put the counts into the open transaction."""
        new, self._new = self._new, Counter()
        for code, requests in new.items():
            increase(self._metadata, REQUESTS_BY_CODE, str(code), requests)


class HostRequests:
    """Makes the requests of leases. `clock`: seconds since the epoch."""

    def __init__(
        self, client: CountedRequests, quotas: Quotas, clock: Callable[[], float]
    ) -> None:
        self._fetch = client.fetch
        self._close_idle = client.close_idle
        self._quotas = quotas
        self._clock = clock

    def fetch(self, handle: LeaseHandle, request: Request) -> Response:
        """The response to `request`. Raises Failure.

        The host may be requested again from then on, while the response is read.
        """
        sent_at = self._clock()
        if handle.lease.kind in NAMED_SITEMAPS:
            self._quotas.sitemaps.count(handle.lease)
        try:
            response = self._fetch(request)
        except Failure as failure:
            feedback = feedback_of_failure(failure, sent_at)
            self.responded(handle, feedback, sent_at, failure.wire_bytes)
            raise
        retry_after_s = 0.0
        if response.status in REFUSALS:
            retry_after_s = retry_after_of(response, self._clock()) or 0.0
        feedback = feedback_of(response, sent_at, retry_after_s)
        self.responded(handle, feedback, sent_at, response.wire_bytes)
        return response

    def responded(
        self,
        handle: LeaseHandle,
        feedback: HostFeedback | None,
        sent_at: float,
        wire_bytes: int,
    ) -> None:
        """A request of the lease, sent at `sent_at`, is over."""
        handle.responded(feedback)
        self.charge(handle, sent_at, wire_bytes)

    def charge(self, handle: LeaseHandle, since: float, wire_bytes: int) -> None:
        """Charge the host for its time since then, to the end of its pause."""
        host = handle.lease.host
        self._quotas.charge(host, since, handle.host_busy_until, wire_bytes)

    def excuses(self, handle: LeaseHandle, failure: Failure) -> bool:
        """Whether a failure is the host's alone, and no attempt at the URL.

        That is so where a host can't be reached that has answered in this crawl, as one
        that restarts. Back-off and parkings of the host bound that. Each URL of a host
        that never answered has its `retry.tries`, so that a link to a dead host does
        not wait for hours.
        """
        return is_unreachable(failure) and self._quotas.has_answered(handle.lease.host)

    def back_off(self, handle: LeaseHandle, until: float) -> None:
        """Send the host no request before `until` (seconds since the epoch)."""
        handle.block_host(until)
        self.charge(handle, self._clock(), 0)
        if until > self._clock() + MAX_IDLE_S:
            self._close_idle(handle.lease.url)
