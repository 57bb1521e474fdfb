"""The robots.txt of a lease's origin, fetched in place of the lease's URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crawler.engine.host_requests import HostRequests
from crawler.engine.robots_fetcher import RobotsFetch, RobotsFetcher
from crawler.frontier.lease import LeaseHandle
from crawler.model.crawl import Lease
from crawler.model.record_base import Record
from crawler.policy.robots_cache import RobotsCache

TakeSitemaps = Callable[[Lease, Iterable[str]], None]


class RobotsStage:
    """Fetches robots.txt for leases.

    `put` takes the record; `take_sitemaps` takes the sitemaps that are named, None
    where they are not wanted. `clock`: seconds since the epoch.
    """

    def __init__(
        self,
        cache: RobotsCache,
        fetcher: RobotsFetcher,
        requests: HostRequests,
        put: Callable[[Record], None],
        take_sitemaps: TakeSitemaps | None,
        clock: Callable[[], float],
    ) -> None:
        self.is_cached = cache.is_cached
        """Whether the chain of checks knows the rules for a URL."""
        self._fetcher = fetcher
        self._requests = requests
        self._put = put
        self._take_sitemaps = take_sitemaps
        self._clock = clock

    def fetch(self, handle: LeaseHandle) -> None:
        """Make one request for the robots.txt of the lease's origin.

        It is a request like others, and the URL has its turn after it: the lease is
        released. Where there is no answer, that was an attempt at the URL: raises the
        Failure.
        """
        if handle.pause_host():  # else another worker is fetching it
            sent_at = self._clock()
            fetched = self._fetcher.request(handle.lease.url)
            feedback = None if fetched is None else fetched.feedback(sent_at)
            wire_bytes = 0 if fetched is None else fetched.wire_bytes
            self._requests.responded(handle, feedback, sent_at, wire_bytes)
            handle.resume_host()
            if fetched is not None:
                self._apply(handle, fetched)
        handle.release()

    def _apply(self, handle: LeaseHandle, fetched: RobotsFetch) -> None:
        if self._take_sitemaps is not None:  # before anything commits the robots.txt
            self._take_sitemaps(handle.lease, fetched.record.sitemaps)
        self._put(fetched.record)
        if fetched.crawl_delay is not None:
            handle.set_crawl_delay(fetched.crawl_delay)
            self._requests.charge(handle, self._clock(), 0)
        if fetched.not_before is not None:
            self._requests.back_off(handle, fetched.not_before)
        if fetched.unanswered is not None:
            raise fetched.unanswered
