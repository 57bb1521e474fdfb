"""`orbweb robots URL...`: a site's robots.txt, and the line that applies to a URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from crawler.cli.flags import Flag, GroupedCommand
from crawler.cli.options.configuration import configuration_options
from crawler.cli.options.requests import request_options
from crawler.cli.plan import load_plan
from crawler.cli.standard_streams import reader_may_leave
from crawler.cli.terminal.formatting import echo_json, printable
from crawler.model.errors import UsageError
from crawler.model.records import RobotsRecord
from crawler.model.url import join

if TYPE_CHECKING:
    from crawler.engine.fetch_url import RobotsAnswer

DISALLOWED = 9
"""Exit code; a crawl whose seeds are all excluded has the same."""


def robots_options() -> Iterator[Flag]:
    yield Flag(
        "--test", "paths", group="Check", metavar="PATH", multiple=True,
        help="Path or URL to check instead; repeatable",
    )  # fmt: skip
    yield Flag(
        "--agent", key="robots.agent", group="Check", metavar="TOKEN",
        help="Product token of the crawler to check for",
    )  # fmt: skip
    yield Flag(
        "--json",
        "as_json",
        is_flag=True,
        group="Check",
        help="Print JSON lines",
    )
    yield from request_options()
    yield from configuration_options()


@click.command("robots", cls=GroupedCommand, params=list(robots_options()))
@click.argument("urls", nargs=-1, required=True, metavar="URL...")
@click.pass_context
def command(ctx: click.Context, /, urls: tuple[str, ...], **params: Any) -> int:
    """Fetch the robots.txt of each URL's site, and show the line that applies to it.

    The exit code is 9 if any of the URLs is disallowed.
    """
    from crawler.engine.fetch_url import ask_robots

    plan = load_plan(ctx.command, params, urls)
    if len(plan.jobs) > 1:
        raise UsageError(
            f"{params['config']} holds several jobs; robots needs a file with one"
        )
    config = plan.jobs[0].config
    answers = ask_robots(config, _questions(config.seeds, params["paths"]))
    code = 0 if all(one.decision.allowed for one in answers) else DISALLOWED
    with reader_may_leave(code):
        if params["as_json"]:
            for answer in answers:
                echo_json(answer)
        else:
            _print(answers)
    return code


def _print(answers: Sequence[RobotsAnswer]) -> None:
    shown: set[str] = set()
    for answer in answers:
        if answer.record.url not in shown:
            click.echo(printable(_site(answer.record)))
            shown.add(answer.record.url)
        word = "allows" if answer.decision.allowed else "disallows"
        click.echo(printable(f"  {word:<9} {answer.url}  ({answer.decision.rule})"))


def _questions(urls: tuple[str, ...], paths: tuple[str, ...] | None) -> list[str]:
    """Each path at the site of each URL, or the URLs if there is no path."""
    if not paths:
        return list(urls)
    found = []
    for url in urls:
        for path in paths:
            if (target := join(url, path)) is None:
                raise UsageError(f"--test {path}: neither a path nor a URL")
            found.append(target)
    return found


def _site(record: RobotsRecord) -> str:
    if record.policy == "deferred":
        why = f"status {record.status}" if record.status else "no response"
        return f"{record.url}  {why}: a crawl retries it, and fetches nothing else"
    if record.policy == "allow_all":
        return f"{record.url}  status {record.status}: everything is allowed"
    facts = [f"group {record.agent_matched or 'none'}", f"rules: {record.rules_count}"]
    if record.crawl_delay_s:
        facts.append(f"Crawl-delay {record.crawl_delay_s:g} s")
    facts += [f"Sitemap {sitemap}" for sitemap in record.sitemaps]
    return f"{record.url}  {', '.join(facts)}"
