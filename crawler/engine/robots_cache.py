"""May this URL be asked for? The robots.txt of its origin decides (RFC 9309).

Rules are learnt once for each origin (scheme, host and port: section 2.3), by the
worker that comes there first; meanwhile the frontier holds the host back. What was
fetched is kept as a note in the store, so that a resume need not ask again; parsed
rules are kept in a bounded cache.

    2xx            the rules in the file; at most five redirects are followed to find it, each at
                   the origin's next turn (only another host that it leads to is not waited for)
    4xx but 429    nothing is forbidden
    5xx, 429       everything is: the host is left alone for a while, and robots.txt is asked for
                   again; a host that goes on so is parked like one that does not answer (pace.py)
    no answer      everything is: that was a failed attempt at the URL that asked, and the next URL
                   asks again; what no later attempt could change fails all the origin's URLs
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import msgspec
from msgspec import Struct

from crawler.engine import record_builder
from crawler.frontier.throttle import ROBOTS, HostFeedback, feedback_of_failure
from crawler.model.config import RobotsConfig
from crawler.model.crawl import Skip
from crawler.model.errors import Failure, StatusFailure
from crawler.model.http import Request, Response
from crawler.model.metadata import ROBOTS_TXT, KeyValue
from crawler.model.records import RobotsRecord
from crawler.model.url import join_header, origin
from crawler.policy.retry import redirects, refusal
from crawler.policy.robots_cache import Fetched
from crawler.policy.robots_txt import MAX_BYTES, Robots, parse, whole_lines

MAX_REDIRECTS = 5
MAX_RULINGS = 4096
"""Origins whose parsed rules are kept; the rest are parsed again from their notes."""
MAX_RULES = 200_000
"""Of all of them together: one file may have 45,000, some 15 MB once they are
parsed."""


class Ruling(Struct, frozen=True):
    """What is known of an origin: its rules, or why there are none."""

    expires_at: float
    robots: Robots | None = None
    failed: tuple[type[Failure], str, str] | None = None
    """Class, message and stage: one exception instance is never raised twice."""

    @property
    def weight(self) -> int:
        """How many rules it holds."""
        return 0 if self.robots is None else self.robots.rules_count


class RobotsFetch(Struct, frozen=True):
    """What came of asking for robots.txt."""

    record: RobotsRecord
    crawl_delay: float | None = None
    deferred: bool = False
    """It answered 5xx or 429: the origin's URLs wait, and it has to be asked again."""
    not_before: float | None = None
    """When, if the answer said so; seconds since the epoch."""
    unanswered: Failure | None = None
    """Nobody answered, but somebody may the next time."""
    wire_bytes: int = 0

    def reply(self, sent_at: float) -> HostFeedback | None:
        """What that says about the host."""
        if self.deferred:
            return HostFeedback(sent_at, "failed", trouble=ROBOTS)
        if self.unanswered is not None:
            return feedback_of_failure(self.unanswered, sent_at)
        if self.record.status is None:
            return None
        return HostFeedback(sent_at, "served", self.record.fetch_ms / 1000)


class RobotsCache:
    """Judges URLs by their origin's robots.txt. `fetch` makes one exchange and may
    switch."""

    def __init__(
        self,
        config: RobotsConfig,
        fetch: Callable[[Request], Response],
        notes: KeyValue,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._fetch = fetch
        self._notes = notes
        self._clock = clock
        self._on_the_way: dict[
            str, tuple[str, int]
        ] = {}  # where a redirect led, and which it was
        self._rulings: OrderedDict[str, Ruling] = OrderedDict()
        self._rules = 0

    def knows(self, url: str) -> bool:
        """Whether `check` can tell; if not, `learn` first."""
        if not self._config.obey:
            return True
        site = origin(url)
        ruling = self._rulings.get(site) or self._recall(site)
        return ruling is not None and ruling.expires_at > self._clock()

    def check(self, url: str) -> Skip | None:
        """Why `url` must not be fetched, if so. Raises the Failure that robots.txt
        ended in."""
        if not self._config.obey:
            return None
        ruling = self._rulings[origin(url)]
        if ruling.failed is not None:
            kind, message, stage = ruling.failed
            raise kind(message, stage=stage)
        assert ruling.robots is not None
        allowed, rule = ruling.robots.allowed(url)
        return None if allowed else Skip("robots", rule)

    def learn(self, url: str) -> RobotsFetch:
        """Ask for the robots.txt of the origin of `url`, redirects and all, at once."""
        while (learnt := self.step(url)) is None:
            pass
        return learnt

    def step(self, url: str) -> RobotsFetch | None:
        """Make one request towards the robots.txt of the origin of `url`.

        None if that redirected: the next step goes on there, and the host has its rest
        in between.
        """
        site = origin(url)
        robots_url = site + "/robots.txt"
        target, hops = self._on_the_way.pop(site, (robots_url, 0))
        try:
            response = self._fetch(Request(target, max_body=MAX_BYTES))
            location = response.header("location")
            if location is not None and redirects(response) and hops < MAX_REDIRECTS:
                self._on_the_way[site] = (
                    join_header(target, location) or robots_url,
                    hops + 1,
                )
                return None
            _refuse(response, self._clock())
        except Failure as failure:
            return self._failed(site, robots_url, failure)
        body = response.body if 200 <= response.status < 300 else None
        if body is not None and response.truncated is not None:
            body = whole_lines(body)
        fetched = Fetched(self._clock() + self._config.max_age, body)
        self._notes.set_note(ROBOTS_TXT, site, msgspec.msgpack.encode(fetched))
        robots = self._keep(site, fetched)
        record = record_builder.robots_record(
            robots_url, response, robots, fetched.expires_at
        )
        return RobotsFetch(record, robots.crawl_delay, wire_bytes=response.wire_bytes)

    def _failed(self, site: str, robots_url: str, failure: Failure) -> RobotsFetch:
        now = self._clock()
        record = record_builder.failed_robots_record(robots_url, failure)
        if isinstance(failure, StatusFailure):
            after = failure.retry_after_s
            return RobotsFetch(
                record, deferred=True, not_before=None if after is None else now + after
            )
        why = (type(failure), f"robots.txt: {failure.message}", failure.at_stage)
        if failure.retry:
            return RobotsFetch(record, unanswered=why[0](why[1], stage=why[2]))
        self._remember(site, Ruling(now + self._config.max_age, failed=why))
        return RobotsFetch(record)

    def _recall(self, site: str) -> Ruling | None:
        note = self._notes.note(ROBOTS_TXT, site)
        if note is None:
            return None
        self._keep(site, msgspec.msgpack.decode(note, type=Fetched))
        return self._rulings[site]

    def _keep(self, site: str, fetched: Fetched) -> Robots:
        robots = parse(fetched.body or b"", self._config.agent)
        self._remember(site, Ruling(fetched.expires_at, robots))
        return robots

    def _remember(self, site: str, ruling: Ruling) -> None:
        before = self._rulings.pop(site, None)
        self._rulings[site] = ruling
        self._rules += ruling.weight - (before.weight if before else 0)
        while len(self._rulings) > 1 and (
            len(self._rulings) > MAX_RULINGS or self._rules > MAX_RULES
        ):
            self._rules -= self._rulings.popitem(last=False)[1].weight


def _refuse(response: Response, now: float) -> None:
    """Raise the Failure that 5xx and 429 are."""
    failure = refusal(response, now)
    if failure is not None and (response.status >= 500 or response.status == 429):
        raise failure
