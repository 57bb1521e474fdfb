"""Why a URL was or was not crawled: what the state remembers, and what the checks of
the crawl say of it today.

What the state remembers comes first: it is what happened. The chain of checks
(`policy/chain.py`) then decides again over the state, under the configuration that the
crawl is run with, so that a changed rule shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from crawler.frontier.state_reader import HostInfo, StateReader, UrlRow
from crawler.frontier.throttle import Controller, check
from crawler.model.config import Config
from crawler.model.crawl import Destination, Skip, Verdict
from crawler.model.errors import Failure
from crawler.model.host import NO_USAGE, HostUsage
from crawler.model.metadata import ADDED_SEEDS, POISON_URLS
from crawler.model.units import exact_bytes, show_seconds
from crawler.model.url import host_key, origin, url_id_hex
from crawler.plugins.checking import checks_to_explain
from crawler.policy.chain import compose, scope_checks
from crawler.policy.check import Candidate, Chain
from crawler.policy.quotas import Quotas, is_reached, template_reached, usage_reached
from crawler.policy.robots_cache import RobotsCache
from crawler.policy.scope import Scope
from crawler.policy.strip_params import ParamStripper
from crawler.policy.traps import Traps


class Refusal(Struct, frozen=True):
    """What a check of the chain makes of the URL today."""

    check: str
    """The name of the check."""
    code: str
    """`reason` of a skip, or `error_code`."""
    rule: str


class Explanation(Struct, frozen=True):
    """All that is known of one URL. Moments are seconds since the epoch."""

    url: str
    """The canonical form, under which the crawl knows it."""
    url_id: str
    answer: str
    """One sentence."""
    known: UrlRow | None
    """What the state has of it; None if it was not discovered."""
    refused: Refusal | None
    """The first refusal of the chain; None if the URL may be fetched, as far as the
    state tells."""
    scope: Verdict
    robots: Verdict
    robots_expire_at: float | None
    budget: tuple[str, ...]
    """Limits that keep such a URL from being fetched now."""
    host: HostInfo | None
    next_allowed_at: float | None
    """When its host may be asked next; None for now."""
    ahead: int | None
    """URLs of its host that come before it, if it is queued."""
    path: str | None
    """The file of an image in the crawl's folder."""


def explain(state: StateReader, config: Config, url: str, now: float) -> Explanation:
    """What became of the canonical `url`, and why. `now`: seconds since the epoch."""
    row = state.url(url)
    if row is None:  # a link to it would have been read so
        url = ParamStripper(config.scope.strip_params).stripped(url)
        row = state.url(url)
    host = state.host(host_key(url))
    checks = StateChecks(state, config, now)
    candidate = checks.candidate(url, row)
    scope = checks.scope(candidate)
    budget = tuple(_budget(state, config, url, host, candidate.destination))
    ahead = (
        state.urls_before(row)
        if row and row.state == "queued" and row.retry_at is None
        else None
    )
    kept = state.image_file(url) if row and row.state == "image" else None
    return Explanation(
        url=url,
        url_id=url_id_hex(url),
        answer=_answer(row, host, scope, budget, ahead, now),
        known=row,
        refused=checks.refusal(candidate),
        scope=scope,
        robots=checks.robots(url),
        robots_expire_at=checks.robots_expire_at(url),
        budget=budget,
        host=host,
        next_allowed_at=host.ready_at if host and host.ready_at > now else None,
        ahead=ahead,
        path=kept.path if kept else None,
    )


class StateChecks:
    """The chain of checks over a crawl's state. Nothing is written, nothing fetched."""

    def __init__(self, state: StateReader, config: Config, now: float) -> None:
        self._state = state
        self._config = config
        values = _StateValues(state)
        added = (seed for seed, _ in state.items(ADDED_SEEDS))
        self._scope = Scope(config.scope, (*config.seeds, *added))
        self._robots = RobotsCache(config.robots, values, lambda: now)
        self._controller = Controller(config.politeness)
        self._chain = compose(
            config,
            scope=self._scope,
            robots=self._robots,
            quotas=Quotas(config.limits, config.images, values, started=now, pages=0),
            traps=Traps(config.limits, values),
            given_up=self._given_up,
            deaths=lambda url: int(state.get(POISON_URLS, url) or 0),
            further=checks_to_explain(config.plugin),
        )

    def candidate(self, url: str, row: UrlRow | None) -> Candidate:
        """The URL as it comes to its checks; one that was not discovered as if a seed
        linked to it."""
        if row is None:
            return Candidate(url, "a", "page", 1, due=True)
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

    def _directives(self, row: UrlRow) -> tuple[str | None, Skip | None]:
        """The `rel` and the robots meta of the link, known by the skip they led to."""
        robots = self._config.robots
        if row.detail is None or row.attempts:
            return None, None
        if row.code == "nofollow" and row.detail.startswith("rel: "):
            return row.detail.removeprefix("rel: "), None
        if row.code == "nofollow" and robots.nofollow != "ignore":
            return None, Skip("nofollow", row.detail)
        if row.code == "noai" and row.destination == "image" and robots.noai:
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

    def scope(self, candidate: Candidate) -> Verdict:
        """What the scope says, and the rule that says so."""
        chain = Chain(scope_checks(self._config.scope, self._scope))
        if (skip := chain.check(candidate)) is not None:
            return Verdict(False, skip.rule)
        within, images_within = (
            self._config.scope.within,
            self._config.scope.images_within,
        )
        if candidate.destination == "page":
            return Verdict(True, f"scope.within: {within}")
        return Verdict(True, f"scope.images_within: {images_within}")

    def robots(self, url: str) -> Verdict:
        """What robots.txt says, and the line that says so, also after it expired."""
        if not self._config.robots.obey:
            return Verdict(True, "robots.obey: false")
        unknown = Verdict(None, f"{origin(url)}/robots.txt has not been read")
        return self._robots.decision(url) or unknown

    def robots_expire_at(self, url: str) -> float | None:
        """When the robots.txt has to be fetched again, seconds since the epoch."""
        return self._robots.expires_at(url) if self._config.robots.obey else None

    def _given_up(self, name: str) -> Skip | None:
        host = self._state.host(name)
        if host is None or not self._controller.given_up(host.throttle):
            return None
        return check(host.throttle)


class _StateValues:
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


def _budget(
    state: StateReader,
    config: Config,
    url: str,
    host: HostInfo | None,
    destination: Destination,
) -> Iterator[str]:
    """The limits that are reached: of the whole crawl, of the host, of its template."""
    limits = config.limits
    if destination == "page" and is_reached(state.count("page"), limits.max_pages):
        yield f"limits.max_pages: {limits.max_pages}"
    if limits.max_bytes is not None and state.received_bytes() >= limits.max_bytes:
        yield f"limits.max_bytes: {exact_bytes(limits.max_bytes)}"
    if host is None:
        return
    if (rule := usage_reached(limits, host.usage, destination)) is not None:
        yield rule
    if (
        destination == "page"
        and (rule := template_reached(limits, state, host.name, url)) is not None
    ):
        yield rule


def _answer(
    row: UrlRow | None,
    host: HostInfo | None,
    scope: Verdict,
    budget: tuple[str, ...],
    ahead: int | None,
    now: float,
) -> str:
    if row is None:
        if scope.allowed:
            return "not discovered: no crawled page links to it"
        return f"not discovered; it would be skipped by {scope.rule}"
    if row.state == "queued":
        return _waits(row, host, budget, ahead, now)
    if row.state == "skip":
        return f"skipped: {row.code}, by {row.detail}"
    if row.state == "error":
        tries = "once" if row.attempts == 1 else f"{row.attempts} times"
        return f"failed: {row.code}, {row.detail}; tried {tries}"
    facts = [row.state, *([f"{row.code} since the crawl before"] if row.code else [])]
    return f"fetched: {', '.join([*facts, *([row.detail] if row.detail else [])])}"


def _waits(
    row: UrlRow,
    host: HostInfo | None,
    budget: tuple[str, ...],
    ahead: int | None,
    now: float,
) -> str:
    if row.retry_at is not None and row.retry_at > now:
        due = show_seconds(row.retry_at - now)
        return f"waits {due} for attempt {row.attempts + 1}: {row.code}, {row.detail}"
    if budget:
        return f"queued, but {budget[0]} is reached"
    before = f"; {ahead:,} of its host come before it" if ahead else ""
    if host is not None and host.parked:
        again = show_seconds(max(0.0, host.ready_at - now))
        trouble = host.throttle.failure_code
        return f"queued: {host.name} is parked ({trouble}), next request in {again}"
    if host is not None and host.ready_at > now:
        due = show_seconds(host.ready_at - now)
        return f"queued: next request to {host.name} in {due}{before}"
    return f"queued{before}"
