"""The chain of checks over a crawl's state. Nothing is written, nothing fetched.

Each check is given what the state remembers: the rules of robots.txt, the usage of
hosts, the templates that were cut, the crashes. So its refusal is the one that the URL
met in the crawl, or would meet on a resume under the same configuration.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from crawler.frontier.state_reader import StateReader, UrlRow
from crawler.frontier.throttle import Controller, check
from crawler.model.config import Config
from crawler.model.crawl import Decision, Skip
from crawler.model.errors import Failure
from crawler.model.host import NO_USAGE, HostUsage
from crawler.model.metadata import POISON_URLS, SEED_REDIRECTS, read_number
from crawler.model.url import host_key, origin
from crawler.plugins.checking import available_checks
from crawler.policy.chain import compose, scope_checks
from crawler.policy.check import Candidate, Chain
from crawler.policy.quotas import Quotas
from crawler.policy.robots_cache import RobotsCache
from crawler.policy.scope import NAMED_SITEMAPS, ONWARD, Scope
from crawler.policy.traps import Traps


class Refusal(Struct, frozen=True):
    """What a check of the chain makes of the URL today."""

    check: str
    """The name of the check."""
    code: str
    """`reason` of a skip, or `error_code`."""
    rule: str


class StateChecks:
    """The chain of checks of one crawl under `config`.

    `now`: seconds since the epoch.
    """

    def __init__(self, state: StateReader, config: Config, now: float) -> None:
        self._state = state
        self._config = config
        values = StateValues(state)
        self._redirects = dict(state.items(SEED_REDIRECTS))
        self._scope = Scope(config.scope, config.seeds, self._redirects.items())
        self._robots = RobotsCache(config.robots, values, lambda: now)
        self._controller = Controller(config.politeness)
        plugins, self.unavailable = available_checks(config.plugin)
        self._chain = compose(
            config,
            scope=self._scope,
            robots=self._robots,
            quotas=Quotas(config.limits, config.images, values, started=now, pages=0),
            traps=Traps(config.limits, values),
            given_up=self._given_up,
            deaths=lambda url: read_number(state, POISON_URLS, url),
            further=plugins,
        )

    def candidate(self, url: str, row: UrlRow | None) -> Candidate:
        """The URL as a candidate; one not discovered counts as linked from a seed."""
        if row is None:
            found = Candidate(url, "a", "page", 1, due=True)
            if self._config.scope.check_external and self._is_outside(found):
                found = replace(found, destination="external")
            return found
        rel, directive = self._directives(row)
        return Candidate(
            url,
            row.kind,
            row.destination,
            row.depth,
            row.parent_url,
            row.seed_url,
            rel=rel,
            nofollow=rel is not None,
            directive=directive,
            due=True,
            attempts=row.attempts,
        )

    def _is_outside(self, candidate: Candidate) -> bool:
        skip = self._scope.check(candidate)
        return skip is not None and skip.reason == "scope"

    def _directives(self, row: UrlRow) -> tuple[str | None, Skip | None]:
        """The `rel` and the robots meta of the link, known by the skip they led to."""
        robots = self._config.robots
        if row.detail is None or row.attempts:
            return None, None
        if row.code == "nofollow" and row.detail.startswith("rel: "):
            return row.detail.removeprefix("rel: "), None
        if row.code == "nofollow" and robots.nofollow != "ignore":
            return None, Skip("nofollow", row.detail)
        if row.code == "noai" and row.destination != "page" and robots.noai:
            return None, Skip("noai", row.detail)
        return None, None

    def refusal(self, candidate: Candidate) -> Refusal | None:
        """The first refusal of the chain."""
        for one in self._chain.checks:
            try:
                skip = one.check(candidate)
            except Failure as failure:
                return Refusal(one.name, failure.code, failure.message)
            if skip is not None:
                return Refusal(one.name, skip.reason, skip.rule)
        return None

    def scope(self, candidate: Candidate) -> Decision:
        """What the scope says, and the rule that says so."""
        chain = Chain(scope_checks(self._config.scope, self._scope))
        if (skip := chain.check(candidate)) is not None:
            return Decision(False, skip.rule)
        return Decision(True, self._rule_that_allows(candidate))

    def _rule_that_allows(self, candidate: Candidate) -> str:
        """The rule by which `Scope` lets a candidate pass, in the same order."""
        config = self._config.scope
        if candidate.destination == "external":
            return "scope.check_external: true; links there are not followed"
        if candidate.destination != "page":
            return f"scope.images_within: {config.images_within}"
        if self._scope.holds(candidate.url):
            return f"scope.within: {config.within}"
        if candidate.kind in NAMED_SITEMAPS:
            return "it was named as a sitemap"
        if candidate.kind in ONWARD:
            return f"the seed {candidate.seed_url} leads here"
        return f"it continues {candidate.parent_url}"  # the answer of an API

    def seed_redirect(self, url: str) -> str | None:
        """What a redirected seed means for the host of `url`, in words, if one does."""
        host = host_key(url)
        ends = [end for end in self._redirects if host_key(end) == host]
        if not ends:
            return None
        named = Scope(self._config.scope, self._config.seeds)
        for end in ends:
            seed = self._redirects[end].decode()
            if seed and not named.holds(end):
                return self._scope.redirect_words(seed, end)
        return None

    def robots(self, url: str) -> Decision:
        """What robots.txt says, and the line that says so, also after it expired."""
        if not self._config.robots.obey:
            return Decision(True, "robots.obey: false")
        unknown = Decision(None, f"{origin(url)}/robots.txt has not been read")
        return self._robots.decision(url) or unknown

    def robots_expire_at(self, url: str) -> float | None:
        """When the robots.txt has to be fetched again, seconds since the epoch."""
        return self._robots.expires_at(url) if self._config.robots.obey else None

    def _given_up(self, name: str) -> Skip | None:
        host = self._state.host(name)
        if host is None or not self._controller.given_up(host.throttle):
            return None
        return check(host.throttle)


class StateValues:
    """The values beside URLs, for checks that could also write them."""

    def __init__(self, state: StateReader) -> None:
        self.get = state.get
        self.items = state.items
        self._host = state.host

    def set(self, kind: str, key: str, value: bytes | None) -> None:
        raise TypeError("the state is only read")

    def usage(self, host: str) -> HostUsage:
        info = self._host(host)
        return NO_USAGE if info is None else info.usage

    def set_usage(self, host: str, usage: HostUsage) -> None:
        raise TypeError("the state is only read")

    def charge(self, host: str, sent_at: float, until: float, wire_bytes: int) -> None:
        raise TypeError("the state is only read")
