"""The check of robots.txt: the rules of a URL's origin decide (RFC 9309).

Rules belong to an origin: scheme, host and port (section 2.3). What was fetched is kept
in the store, so that a resume need not fetch it again; parsed rules are kept in a
bounded cache. The conversation that fetches a robots.txt, and what each answer means,
is in `engine/robots_fetcher.py`. The option `robots.obey` takes the check out of the
chain.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import msgspec
from msgspec import Struct

from crawler.model.crawl import Decision, Skip
from crawler.model.errors import Failure
from crawler.model.metadata import ROBOTS_TXT, KeyValue
from crawler.model.policy_config import RobotsConfig
from crawler.model.url import origin
from crawler.policy.check import DUE, Candidate
from crawler.policy.robots_txt import Robots, parse

MAX_AGE_S = 86400.0
"""The longest that rules may be used (seconds; RFC 9309 section 2.4)."""
MAX_ORIGINS = 4096
"""Origins whose parsed rules are kept; the others are parsed again from the store."""
MAX_RULES = 200_000
"""The maximum number of cached rules, of all origins together.

One file may have 45,000 rules, some 15 MB once they are parsed.
"""


class StoredRobots(Struct, frozen=True):
    """A robots.txt as the store keeps it."""

    expires_at: float
    """Seconds since the epoch."""
    body: bytes | None
    """None where there is no robots.txt: nothing is forbidden."""


class CachedRobots(Struct, frozen=True):
    """What is known of an origin: its rules, or why there are none."""

    expires_at: float
    """Seconds since the epoch."""
    rules: Robots | None = None
    """None where there is no robots.txt, or where it could not be had."""
    failed: tuple[type[Failure], str, str] | None = None
    """Class, message and stage: one exception instance is never raised twice."""

    @property
    def weight(self) -> int:
        """The number of rules that it holds."""
        return 0 if self.rules is None else self.rules.rules_count


class RobotsCache:
    """The rules of the origins that were fetched. `clock`: seconds since the epoch."""

    name = "robots"
    moments = DUE

    def __init__(
        self,
        config: RobotsConfig,
        metadata: KeyValue,
        clock: Callable[[], float],
        max_rules: int = MAX_RULES,
    ) -> None:
        self._config = config
        self._max_rules = max_rules
        self._metadata = metadata
        self._clock = clock
        self._origins: OrderedDict[str, CachedRobots] = OrderedDict()
        self._rules = 0

    def is_cached(self, url: str) -> bool:
        """Whether `check` can decide; if not, the robots.txt has to be fetched."""
        if not self._config.obey:
            return True
        cached = self._find(origin(url))
        return cached is not None and cached.expires_at > self._clock()

    def check(self, candidate: Candidate) -> Skip | None:
        """None also where no rules are cached, or where they have expired.

        Raises the Failure that the request for robots.txt ended in.
        """
        cached = self._find(origin(candidate.url))
        if cached is None or cached.expires_at <= self._clock():
            return None
        if cached.failed is not None:
            kind, message, stage = cached.failed
            raise kind(message, stage=stage)
        if cached.rules is None:
            return None
        allowed, rule = cached.rules.allowed(candidate.url)
        return None if allowed else Skip("robots", rule)

    def decision(self, url: str) -> Decision | None:
        """The decision of robots.txt about `url`, and the line that made it.

        The setting `robots.obey` and the age of the rules make no difference.

        None where it was not fetched, or could not be had.
        """
        cached = self._find(origin(url))
        if cached is None or cached.failed is not None:
            return None
        if cached.rules is None:
            return Decision(True, "robots.txt: there is none")
        return Decision(*cached.rules.allowed(url))

    def expires_at(self, url: str) -> float | None:
        """When the rules for `url` must be fetched again, seconds since the epoch."""
        cached = self._find(origin(url))
        return None if cached is None else cached.expires_at

    def sitemaps(self, url: str) -> tuple[str, ...]:
        """The sitemaps that the cached robots.txt of the URL's origin names."""
        cached = self._find(origin(url))
        rules = None if cached is None else cached.rules
        return () if rules is None else rules.sitemaps

    def add(self, site: str, body: bytes | None) -> tuple[Robots, float]:
        """Record what the origin `site` answered, None for nothing forbidden.

        The rules, and when they expire.
        """
        stored = StoredRobots(self._clock() + self._config.max_age, body)
        encoded = msgspec.msgpack.encode(stored)
        self._metadata.set(ROBOTS_TXT, site, encoded)
        cached = self._parse(site, stored)
        return cached.rules or parse(b"", self._config.agent), cached.expires_at

    def add_failure(self, site: str, failure: tuple[type[Failure], str, str]) -> None:
        """Record that the robots.txt of the origin `site` is unavailable.

        The URLs of that origin fail.
        """
        expires_at = self._clock() + self._config.max_age
        self._remember(site, CachedRobots(expires_at, failed=failure))

    def _find(self, site: str) -> CachedRobots | None:
        cached = self._origins.get(site)
        if cached is not None:
            return cached
        encoded = self._metadata.get(ROBOTS_TXT, site)
        if encoded is None:
            return None
        stored = msgspec.msgpack.decode(encoded, type=StoredRobots)
        # Later than that only if the system's clock was set back since it was stored.
        latest = self._clock() + MAX_AGE_S
        expires_at = min(stored.expires_at, latest)
        return self._parse(site, StoredRobots(expires_at, stored.body))

    def _parse(self, site: str, stored: StoredRobots) -> CachedRobots:
        body = stored.body
        rules = None if body is None else parse(body, self._config.agent, site)
        cached = CachedRobots(stored.expires_at, rules)
        self._remember(site, cached)
        return cached

    def _remember(self, site: str, cached: CachedRobots) -> None:
        before = self._origins.pop(site, None)
        self._origins[site] = cached
        self._rules += cached.weight - (before.weight if before else 0)
        while len(self._origins) > 1 and (
            len(self._origins) > MAX_ORIGINS or self._rules > self._max_rules
        ):
            self._rules -= self._origins.popitem(last=False)[1].weight
