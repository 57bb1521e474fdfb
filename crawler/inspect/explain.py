"""Why a URL was or was not crawled: its state, and today's decision of the checks.

What the state remembers comes first: it is what happened. The chain of checks
(`policy/chain.py`) then decides again over the state, under the configuration that the
crawl is run with, so that a changed rule shows.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from crawler.frontier.state_reader import HostInfo, StateReader, UrlRow
from crawler.frontier.waits import cause_of
from crawler.inspect.state_checks import Refusal, StateChecks
from crawler.inspect.typed_url import find_typed
from crawler.model.config import Config
from crawler.model.crawl import Decision, Destination
from crawler.model.units import exact_bytes, show_seconds
from crawler.model.url import host_key, url_id_hex
from crawler.policy.quotas import (
    is_reached,
    styles_reached,
    template_reached,
    usage_reached,
)


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
    """The first refusal of the chain; None if the state allows the URL."""
    unavailable: tuple[str, ...]
    """Why plug-ins of the crawl cannot be called, one sentence each."""
    scope: Decision
    seed_redirect: str | None
    """What a seed that redirects to this host means for the scope, one sentence."""
    robots: Decision
    robots_expire_at: float | None
    reached_limits: tuple[str, ...]
    """Limits that keep such a URL from being fetched now."""
    host: HostInfo | None
    next_allowed_at: float | None
    """When its host is due next; None for now."""
    ahead: int | None
    """URLs of its host that come before it, if it is queued."""
    path: str | None
    """The file of an image in the crawl's folder."""


def explain(state: StateReader, config: Config, typed: str, now: float) -> Explanation:
    """What became of the URL that was typed so, and why.

    `now`: seconds since the epoch. Raises UsageError if it is no URL.
    """
    meant = find_typed(state, config, typed)
    url, row = meant.url, meant.row
    host = state.host(host_key(url))
    checks = StateChecks(state, config, now)
    candidate = checks.candidate(url, row)
    scope = checks.scope(candidate)
    reached_limits = tuple(
        _reached_limits(state, config, url, host, candidate.destination)
    )
    ahead = (
        state.urls_before(row)
        if row and row.state == "queued" and row.retry_at is None
        else None
    )
    kept = state.image_file(url) if row and row.state == "image" else None
    return Explanation(
        url=url,
        url_id=row.url_id if row else url_id_hex(url),
        answer=_answer(row, host, scope, reached_limits, ahead, now),
        known=row,
        refused=checks.refusal(candidate),
        unavailable=checks.unavailable,
        scope=scope,
        seed_redirect=checks.seed_redirect(url),
        robots=checks.robots(url),
        robots_expire_at=checks.robots_expire_at(url),
        reached_limits=reached_limits,
        host=host,
        next_allowed_at=host.ready_at if host and host.ready_at > now else None,
        ahead=ahead,
        path=kept.path if kept else None,
    )


def _reached_limits(
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
    if (
        destination == "style"
        and (rule := styles_reached(limits, state, host.name)) is not None
    ):
        yield rule


def _answer(
    row: UrlRow | None,
    host: HostInfo | None,
    scope: Decision,
    reached_limits: tuple[str, ...],
    ahead: int | None,
    now: float,
) -> str:
    if row is None:
        if scope.allowed:
            return "not discovered: no crawled page links to it"
        return f"not discovered; it would be skipped by {scope.rule}"
    if row.state == "queued":
        return _waits(row, host, reached_limits, ahead, now)
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
    reached_limits: tuple[str, ...],
    ahead: int | None,
    now: float,
) -> str:
    if row.retry_at is not None and row.retry_at > now:
        due = show_seconds(row.retry_at - now)
        return f"waits {due} for attempt {row.attempts + 1}: {row.code}, {row.detail}"
    if reached_limits:
        return f"queued, but {reached_limits[0]} is reached"
    before = f"; {ahead:,} of its host come before it" if ahead else ""
    if host is not None and host.parked:
        wait = host.ready_at - now
        again = f"in {show_seconds(wait)}" if wait > 0 else "when the crawl goes on"
        failure = cause_of(host.throttle.failure_code)
        return f"queued: {host.name} is parked ({failure}), next request {again}"
    if host is not None and host.ready_at > now:
        due = show_seconds(host.ready_at - now)
        return f"queued: next request to {host.name} in {due}{before}"
    return f"queued{before}"
