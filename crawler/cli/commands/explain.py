"""`orbweb explain URL`: why it was or was not crawled, from a crawl's state."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from crawler.cli.terminal.formatting import echo_json, printable
from crawler.frontier.sqlite.damage import explain_damage
from crawler.inspect.explain import Explanation
from crawler.inspect.state import open_state
from crawler.inspect.why_waiting import failures_in_a_row
from crawler.model.crawl import Decision
from crawler.model.metadata import clock_shift
from crawler.model.units import counted, show_bytes, show_seconds
from crawler.workspace.paths import state_folder


@click.command("explain")
@click.argument("url")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object")
@click.option(
    "--fetch-robots",
    is_flag=True,
    help="Fetch robots.txt now, instead of using the stored one",
)
def command(url: str, folder: str, as_json: bool, fetch_robots: bool) -> None:
    """Show why URL was or was not crawled by the crawl in DIR (default: here).

    URL is as you type it: the scheme and the slash at the end may be missing. Nothing
    is fetched unless --fetch-robots is given.
    """
    with explain_damage(state_folder(folder)):
        _show(url, folder, as_json, fetch_robots)


def _show(typed: str, folder: str, as_json: bool, fetch_robots: bool) -> None:
    from crawler.inspect.explain import explain

    now = time.time()
    with open_state(Path(folder)) as (state, config):
        now -= clock_shift(state, now)
        found = explain(state, config, typed, now)
    if fetch_robots:
        asked = _fetch_decision(config, found.url)
        found = msgspec.structs.replace(found, robots=asked)
    if as_json:
        echo_json(found)
    else:
        for line in report(found, now):
            click.echo(printable(line))


def _fetch_decision(config: Any, url: str) -> Decision:
    from crawler.engine.fetch_url import ask_robots

    (answer,) = ask_robots(config, [url])
    return answer.decision


def report(found: Explanation, now: float) -> Iterator[str]:
    """The explanation as lines of text."""
    yield found.url
    yield f"  {found.answer}"
    yield ""
    rows: list[tuple[str, Any]] = [
        *_of_the_state(found, now),
        ("scope", _decision(found.scope)),
        ("seed", found.seed_redirect),
        ("robots", _decision(found.robots)),
        ("check", _further_refusal(found)),
        *(("unknown", text) for text in found.unavailable),
        *(("limit", f"{limit}, reached") for limit in found.reached_limits),
        *_of_the_host(found, now),
        ("url_id", found.url_id),
    ]
    for name, value in rows:
        if value:
            yield f"  {name:<9} {value}"


def _further_refusal(found: Explanation) -> str | None:
    """What a check other than scope, robots.txt and limits refuses today."""
    refused, shown = (
        found.refused,
        (found.scope.rule, found.robots.rule, *found.reached_limits),
    )
    if refused is None or refused.rule in shown:
        return None
    return f"{refused.check} refused: {refused.rule}"


def _decision(decision: Decision) -> str:
    words = {True: "allowed", False: "refused", None: "unknown"}
    return f"{words[decision.allowed]}: {decision.rule}"


def _of_the_state(found: Explanation, now: float) -> Iterator[tuple[str, Any]]:
    row = found.known
    if row is None:
        return
    yield "state", f"{row.state}{f' ({row.code})' if row.code else ''}"
    yield "cut" if row.state in ("page", "file") else "why", row.detail
    yield "attempts", row.attempts
    if row.retry_at is not None:
        yield "retry at", _moment(row.retry_at, now)
    yield "found", f"as {row.kind} at depth {row.depth}, destination {row.destination}"
    yield "on", row.parent_url
    yield "from seed", row.seed_url
    yield "redirects", " -> ".join(f"{hop.url} {hop.status}" for hop in row.redirects)
    yield "file", found.path


def _of_the_host(found: Explanation, now: float) -> Iterator[tuple[str, Any]]:
    host = found.host
    if host is None:
        return
    pages, images = counted(host.pages, "page"), counted(host.images, "image")
    yield "host", f"{host.name}: {pages}, {images} queued"
    if (usage := host.usage).seconds:
        busy = f"{show_seconds(usage.seconds)} of requests and the pauses after them"
        received = show_bytes(usage.wire_bytes)
        yield "usage", f"{counted(usage.pages, 'page')}, {received}, {busy}"
    if found.ahead is not None:
        yield "ahead", f"{counted(found.ahead, 'URL')} of this host"
    if found.next_allowed_at is not None:
        yield (
            "next",
            f"next request allowed at {_moment(found.next_allowed_at, now)}",
        )
    if host.parked:
        yield "parked", f"after {failures_in_a_row(host.throttle)}"
    if host.throttle.crawl_delay:
        yield "delay", f"Crawl-delay {show_seconds(host.throttle.crawl_delay)}"
    if host.throttle.slowdown:
        yield (
            "slowed",
            f"to a request in {show_seconds(host.throttle.slowdown)}, after 429 or 503",
        )


def _moment(at: float, now: float) -> str:
    when = datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M:%S")
    return (
        f"{when}, in {show_seconds(at - now)}" if at > now else f"{when}, which is past"
    )
