"""Why a URL was or was not crawled: what the state remembers, beside what the rules say
today.

The state's word comes first: it is what happened. Scope, robots.txt and budget are then
asked again under the configuration that the crawl is run with, so that a changed rule
shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from crawler.frontier.sqlite.lookup import HostInfo, Lookup, UrlRow
from crawler.model.config import Config
from crawler.model.crawl import Destination
from crawler.model.metadata import ROBOTS_TXT, WIDENED
from crawler.model.units import exact_bytes, show_seconds
from crawler.model.url import host_key, origin, url_id_hex
from crawler.policy.quotas import cost_reached, is_reached, template_reached
from crawler.policy.robots_cache import recorded
from crawler.policy.scope import Scope
from crawler.policy.strip_params import ParamStripper


class Verdict(Struct, frozen=True):
    """What one authority says of the URL; `allowed` is None where it can't tell."""

    allowed: bool | None
    rule: str


class Explanation(Struct, frozen=True):
    """All that is known of one URL. Moments are seconds since the epoch."""

    url: str
    """The canonical form, under which the crawl knows it."""
    url_id: str
    answer: str
    """In one sentence."""
    known: UrlRow | None
    """What the state has of it; None if the crawl has not met it."""
    scope: Verdict
    robots: Verdict
    robots_expire_at: float | None
    budget: tuple[str, ...]
    """Limits that keep such a URL from being fetched now."""
    host: HostInfo | None
    next_allowed_at: float | None
    """When its host may be asked next; None for now."""
    ahead: int | None
    """Of a queued URL: how many of its host come before it."""
    path: str | None
    """Of a picture: its file in the crawl's folder."""


def explain(state: Lookup, config: Config, url: str, now: float) -> Explanation:
    """What became of the canonical `url`, and why. `now`: seconds since the epoch."""
    row = state.url(url)
    if row is None:  # a link to it would have been read so
        url = ParamStripper(config.scope.strip_params).stripped(url)
        row = state.url(url)
    host = state.host(host_key(url))
    robots, expires_at = _robots(state, config, url)
    scope = _scope(state, config, url, row)
    budget = tuple(
        _budget(state, config, url, host, row.destination if row else "page")
    )
    ahead = (
        state.ahead(row)
        if row and row.state == "queued" and row.retry_at is None
        else None
    )
    kept = state.kept(url) if row and row.state == "image" else None
    return Explanation(
        url=url,
        url_id=url_id_hex(url),
        answer=_answer(row, host, scope, budget, ahead, now),
        known=row,
        scope=scope,
        robots=robots,
        robots_expire_at=expires_at,
        budget=budget,
        host=host,
        next_allowed_at=host.ready_at if host and host.ready_at > now else None,
        ahead=ahead,
        path=kept.path if kept else None,
    )


def _scope(state: Lookup, config: Config, url: str, row: UrlRow | None) -> Verdict:
    """For a URL that was not met: as if a seed linked to it."""
    widened = (seed for seed, _ in state.notes(WIDENED))
    scope = Scope(config.scope, (*config.seeds, *widened))
    destination: Destination = row.destination if row else "page"
    skip = scope.check(url, destination, row.depth if row else 1)
    if skip is not None:
        return Verdict(False, skip.rule)
    within = (
        config.scope.within if destination == "page" else config.scope.images_within
    )
    return Verdict(
        True,
        f"scope.{'within' if destination == 'page' else 'images_within'}: {within}",
    )


def _robots(state: Lookup, config: Config, url: str) -> tuple[Verdict, float | None]:
    if not config.robots.obey:
        return Verdict(True, "robots.obey: false"), None
    note = state.note(ROBOTS_TXT, origin(url)) if "://" in url else None
    if note is None:
        return Verdict(None, f"{origin(url)}/robots.txt has not been read"), None
    allowed, rule, expires_at = recorded(note, url, config.robots.agent)
    return Verdict(allowed, rule), expires_at


def _budget(
    state: Lookup,
    config: Config,
    url: str,
    host: HostInfo | None,
    destination: Destination,
) -> Iterator[str]:
    """Of the whole crawl, of the host, and of its template."""
    limits = config.limits
    if destination == "page" and is_reached(state.count("page"), limits.max_pages):
        yield f"limits.max_pages: {limits.max_pages}"
    if limits.max_bytes is not None and state.received() >= limits.max_bytes:
        yield f"limits.max_bytes: {exact_bytes(limits.max_bytes)}"
    if host is None:
        return
    if (rule := cost_reached(limits, host.cost, destination)) is not None:
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
            return "never met: nothing that was read leads to it"
        return f"never met; it would be left out by {scope.rule}"
    if row.state == "queued":
        return _waits(row, host, budget, ahead, now)
    if row.state == "skip":
        return f"left out: {row.code}, by {row.why}"
    if row.state == "error":
        tries = "once" if row.attempts == 1 else f"{row.attempts} times"
        return f"failed: {row.code}, {row.why}; tried {tries}"
    told = [row.state, *([f"{row.code} since the crawl before"] if row.code else [])]
    return f"fetched: {', '.join([*told, *([row.why] if row.why else [])])}"


def _waits(
    row: UrlRow,
    host: HostInfo | None,
    budget: tuple[str, ...],
    ahead: int | None,
    now: float,
) -> str:
    if row.retry_at is not None and row.retry_at > now:
        due = show_seconds(row.retry_at - now)
        return f"waits {due} for attempt {row.attempts + 1}: {row.code}, {row.why}"
    if budget:
        return f"queued, but {budget[0]} is reached"
    before = f"; {ahead:,} of its host come before it" if ahead else ""
    if host is not None and host.parked:
        again = show_seconds(max(0.0, host.ready_at - now))
        return f"queued: {host.name} is parked ({host.pace.trouble}), and asked again in {again}"
    if host is not None and host.ready_at > now:
        return f"queued: {host.name} may be asked in {show_seconds(host.ready_at - now)}{before}"
    return f"queued{before}"
