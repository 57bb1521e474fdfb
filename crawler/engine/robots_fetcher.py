"""The conversation that fetches the robots.txt of an origin (RFC 9309 section 2.3.1).

The worker that comes to an origin first fetches its rules; meanwhile the frontier
pauses the host. What each answer means:

    2xx            The rules in the file. At most five redirects are followed to find
                   it, each at the origin's next turn (another host that one leads to is
                   not waited for).
    4xx but 429    Nothing is forbidden.
    5xx, 429       Everything is forbidden for now: the host is paused, and robots.txt
                   is fetched again. A host that goes on so is parked, like one that
                   does not answer.
    no answer      A failed attempt at the URL whose turn it was; the next URL tries
                   again. Where no later attempt could change it, as with a name that
                   does not exist, all URLs of the origin fail.

Rules and decisions are kept by `policy/robots_cache.py`.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from crawler.engine import record_builder
from crawler.frontier.throttle import HostFeedback, feedback_of_failure, robots_failure
from crawler.model.errors import Failure, StatusFailure, is_out_of_memory
from crawler.model.http import Request, Response
from crawler.model.records import RobotsRecord
from crawler.model.url import join_header, origin
from crawler.policy.response_status import failure_of, is_redirect
from crawler.policy.robots_cache import RobotsCache
from crawler.policy.robots_txt import MAX_BYTES, whole_lines

MAX_REDIRECTS = 5
MAX_REDIRECTED = 1024
"""Origins whose robots.txt is being redirected; the oldest begins anew if asked for."""
_BEFORE_REQUEST = frozenset({"dns", "connect", "tls", "proxy"})
"""Stages of a failure before robots.txt was asked for: it is the host's."""


class RobotsFetch(Struct, frozen=True):
    """What a request for robots.txt led to."""

    record: RobotsRecord
    crawl_delay: float | None = None
    """Seconds between two requests, as the site demands."""
    deferred: bool = False
    """The answer was 5xx or 429: the origin's URLs wait until it is fetched again."""
    not_before: float | None = None
    """When to fetch it again, if the answer says so; seconds since the epoch."""
    unanswered: Failure | None = None
    """There was no answer, but there may be one the next time."""
    wire_bytes: int = 0

    def feedback(self, sent_at: float) -> HostFeedback | None:
        """What that says about the host."""
        if self.deferred:
            code = robots_failure(self.record.status)
            return HostFeedback(sent_at, "failed", failure_code=code)
        if self.unanswered is not None:
            return feedback_of_failure(self.unanswered, sent_at)
        if self.record.status is None:
            return None
        return HostFeedback(sent_at, "served", (self.record.fetch_ms or 0) / 1000)


class RobotsFetcher:
    """Fetches robots.txt into `cache`.

    `exchange` makes one exchange and may switch; `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        cache: RobotsCache,
        exchange: Callable[[Request], Response],
        clock: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._exchange = exchange
        self._clock = clock
        self._redirected: dict[str, tuple[str, int]] = {}
        """Redirects of robots.txt by origin: the target, and how many led to it."""

    def fetch(self, url: str) -> RobotsFetch:
        """Fetch the robots.txt of the origin of `url`, redirects and all, at once."""
        while (fetched := self.request(url)) is None:
            pass
        return fetched

    def request(self, url: str) -> RobotsFetch | None:
        """Make one request for the robots.txt of the origin of `url`.

        None if that redirected: the next call goes on there, and the host has its pause
        in between.
        """
        site = origin(url)
        robots_url = site + "/robots.txt"
        target, hops = self._redirected.pop(site, (robots_url, 0))
        try:
            response = self._exchange(Request(target, max_body=MAX_BYTES))
            location = response.header("location")
            if location is not None and is_redirect(response) and hops < MAX_REDIRECTS:
                onward = join_header(target, location) or robots_url
                if len(self._redirected) >= MAX_REDIRECTED:
                    del self._redirected[next(iter(self._redirected))]
                self._redirected[site] = onward, hops + 1
                return None
            _raise_for_status(response, self._clock())
        except Failure as failure:
            if is_out_of_memory(failure):  # that is not the server's doing
                raise
            return self._failed(site, robots_url, failure)
        return self._answered(site, robots_url, response)

    def _answered(self, site: str, robots_url: str, response: Response) -> RobotsFetch:
        body = response.body if 200 <= response.status < 300 else None
        if body is not None and response.truncated is not None:
            body = whole_lines(body)
        robots, expires_at = self._cache.add(site, body)
        record = record_builder.robots_record(robots_url, response, robots, expires_at)
        return RobotsFetch(record, robots.crawl_delay, wire_bytes=response.wire_bytes)

    def _failed(self, site: str, robots_url: str, failure: Failure) -> RobotsFetch:
        record = record_builder.failed_robots_record(robots_url, failure)
        if isinstance(failure, StatusFailure):
            after = failure.retry_after_s
            not_before = None if after is None else self._clock() + after
            return RobotsFetch(record, deferred=True, not_before=not_before)
        kind, message = type(failure), failure.message
        if failure.at_stage not in _BEFORE_REQUEST:
            message = f"robots.txt: {message}"
        if failure.retry:
            unanswered = kind(message, stage=failure.at_stage, retry=True)
            return RobotsFetch(record, unanswered=unanswered)
        self._cache.add_failure(site, (kind, message, failure.at_stage))
        return RobotsFetch(record)


def _raise_for_status(response: Response, now: float) -> None:
    """Raise the Failure that 5xx and 429 are."""
    failure = failure_of(response, now)
    if failure is not None and (response.status >= 500 or response.status == 429):
        raise failure
