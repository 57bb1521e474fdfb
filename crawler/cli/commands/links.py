"""`orbweb links [DIR]`: the links of a crawl, and what became of their targets."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import click

from crawler.cli.state_options import unfinished
from crawler.cli.terminal.formatting import echo_json, printable
from crawler.inspect.links import (
    Chosen,
    GroupedLinks,
    LinkLine,
    count_links,
    group_links,
    list_links,
)
from crawler.inspect.state import open_state
from crawler.inspect.typed_url import find_typed
from crawler.model.units import counted, is_or_are

OUTCOME = 12
"""Columns for what became of a target; a longer word takes more."""


@click.command("links")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("--broken", is_flag=True, help="Only links that end in an error")
@click.option("--redirects", is_flag=True, help="Only links that are redirected")
@click.option("--external", is_flag=True, help="Only links that leave the scope")
@click.option("--to", metavar="URL", help="Only links to this URL")
@click.option("--from", "source", metavar="URL", help="Only links of this page")
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines")
def command(
    folder: str,
    broken: bool,
    redirects: bool,
    external: bool,
    to: str | None,
    source: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List the links of the crawl in DIR (default: here) with what became of them.

    Each line has the status of the target, or why it was not fetched, its URL, and the
    text of the link. With --broken, --redirects or --external alone, each target is
    listed once, with the first pages that link to it; --json lists all links. A page
    names each URL once, with the text of its first link there.

    \b
    orbweb links out --broken                    what is broken, and where
    orbweb links out --to example.com/x          all pages that link to this URL
    orbweb links out --from example.com          all links of this page
    """
    grouped = (broken or redirects or external) and to is None and source is None
    with open_state(Path(folder)) as (state, config):
        part = unfinished(folder, state.count("queued"))
        to_url = find_typed(state, config, to, "--to") if to else None
        from_url = find_typed(state, config, source, "--from") if source else None
        chosen = Chosen(broken, redirects, external, to_url, from_url)
        if grouped and not as_json:
            _print_groups(folder, group_links(state, chosen), limit)
        else:
            lines = islice(list_links(state, chosen), limit)
            links, pages = shown = _print_lines(lines, as_json)
            if not as_json:
                links, pages = shown if limit is None else count_links(state, chosen)
                total = f"{counted(links, 'link')} on {counted(pages, 'page')}"
                _print_total(total, shown[0] if shown[0] < links else None, "link")
            if to_url and not to_url.row and not links:
                click.echo(f"orbweb: the crawl does not know {to_url.url}", err=True)
        if part:
            click.echo(f"orbweb: {part}", err=True)
        if unread := state.pages_without_links():
            click.echo(
                f"{counted(unread, 'page')} fetched by an earlier program, which kept "
                f"no links: orbweb recrawl {shlex.quote(folder)} fetches them again",
                err=True,
            )


def _print_lines(lines: Iterable[LinkLine], as_json: bool) -> tuple[int, int]:
    """The links, as JSON or below their pages; how many, and on how many pages."""
    pages = links = 0
    source = None
    for line in lines:
        links += 1
        is_new = line.source_url != source
        source = line.source_url
        pages += is_new
        if as_json:
            echo_json(line)
            continue
        if is_new:
            click.echo(printable(source))
        click.echo(f"  {_target(line)}{_text(line)}")
        for hop in _hops(line):
            click.echo(f"  {hop}")
    return links, pages


def _print_groups(folder: str, found: GroupedLinks, limit: int | None) -> None:
    """The targets, above the first pages with a link to each."""
    for group in islice(found.groups, limit):
        target = group.first[0]
        click.echo(f"{_target(target)}  on {counted(group.links, 'page')}")
        for hop in _hops(target):
            click.echo(hop)
        for line in group.first:
            click.echo(f"{'':<{OUTCOME}}  {printable(line.source_url)}{_text(line)}")
        if more := group.links - len(group.first):
            url = shlex.quote(target.target_url)
            hint = f"orbweb links {shlex.quote(folder)} --to {url}"
            click.echo(f"{'':<{OUTCOME}}  {more:,} more: {printable(hint)}")
    total = f"{counted(found.links, 'link')} to {counted(found.urls, 'URL')}"
    _print_total(total, limit if limit and limit < found.urls else None, "URL")


def _print_total(total: str, shown: int | None, unit: str) -> None:
    """`shown`: how many `unit` are listed, if not all."""
    if shown is not None:
        first = unit if shown == 1 else counted(shown, unit)
        total += f"; the first {first} {is_or_are(shown)} shown"
    click.echo(total, err=True)


def _target(line: LinkLine) -> str:
    outcome = _outcome(line.status, line.code, line.state)
    colour = "red" if line.broken else "yellow" if line.redirects else None
    shown = click.style(f"{outcome:<{OUTCOME}}", fg=colour)
    return f"{shown}  {printable(line.target_url)}"


def _text(line: LinkLine) -> str:
    return f'  "{printable(line.text)}"' if line.text else ""


def _hops(line: LinkLine) -> Iterator[str]:
    """Where the target redirects to, and what the last of these answered."""
    final = _outcome(line.final_status, line.final_code, None)
    for index, url in enumerate(line.redirects, start=1):
        end = f"  {final}" if index == len(line.redirects) else ""
        yield f"{'':<{OUTCOME}}  -> {printable(url)}{end}"


def _outcome(status: int | None, code: str | None, state: str | None) -> str:
    if status is not None:
        return str(status)
    return code or state or "not fetched"
