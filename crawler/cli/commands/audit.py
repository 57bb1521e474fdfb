"""`orbweb audit [DIR]`: what is wrong with a crawled site."""

from __future__ import annotations

import shlex
from pathlib import Path
from shutil import get_terminal_size
from typing import get_args

import click

from crawler.cli.standard_streams import reader_may_leave
from crawler.cli.state_options import WordList, unfinished, unique_words
from crawler.cli.terminal.formatting import echo_json, printable
from crawler.inspect.audit.audit import audit
from crawler.inspect.audit.findings import (
    Audit,
    Finding,
    Level,
    Section,
    SectionName,
)
from crawler.inspect.state import open_state
from crawler.model.units import counted

NO_FAULTS = ("info", "slowest_pages", "largest_pages")
UNFINISHED = "unfinished"
FAULTS = (
    *(
        word
        for word in (*get_args(Level), *get_args(SectionName))
        if word not in NO_FAULTS
    ),
    UNFINISHED,
)
"""What --fail-on takes: levels, sections, and that the crawl has URLs left.

That is no error by itself, since a crawl that stops at its limit always has some.
"""
SHOWN = 10
"""Findings of each section that are shown."""
IN_JSON = 10_000
"""The same for JSON, so that a crawl of any size needs little memory."""
FAILED = 8
"""Exit code: there is what --fail-on names. `crawl --fail-on` has the same."""
OF_SITEMAP = ("orphan_pages", "not_in_sitemap")
MAX_WIDTH = 100
_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}


@click.command("audit")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), metavar="N",
    help=f"Findings of each section (default: {SHOWN}, with --json {IN_JSON})",
)  # fmt: skip
@click.option(
    "--fail-on", "fatal", type=WordList(FAULTS), multiple=True,
    help="Exit with 8 if there is any: error, warning, broken_links, unfinished, ...",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object")
def command(
    folder: str, limit: int | None, fatal: tuple[tuple[str, ...], ...], as_json: bool
) -> None:
    """Audit the site that was crawled into DIR (default: here).

    Broken links, redirect loops and chains, missing and duplicate titles and
    descriptions, canonical conflicts, translations without a return link, pages that
    only the sitemap names and the reverse, mixed content, the slowest and the largest
    pages. All is read from the state, without a request.

    The exit code is 0, whatever is found, unless --fail-on names it. A crawl that has
    URLs left is audited as far as it is; --fail-on unfinished refuses that.

    \b
    orbweb audit out --fail-on error,unfinished      for a pipeline: 8 if so
    orbweb audit out --json | jq '.sections[] | select(.count > 0)'
    """
    with open_state(Path(folder)) as (state, config):
        found = audit(state, limit or (IN_JSON if as_json else SHOWN))
        unread = state.pages_without_links()
    words = unique_words(fatal)
    fails = (UNFINISHED in words and found.urls_left > 0) or any(
        one.count and {one.name, one.level} & {*words} for one in found.sections
    )
    part = unfinished(folder, found.urls_left)
    with reader_may_leave(FAILED if fails else 0):
        echo_json(found) if as_json else _print(found, config.scope.sitemaps, part)
    if part and as_json:
        click.echo(f"orbweb: {part}", err=True)
    if unread:
        click.echo(
            f"{counted(unread, 'page')} left out, fetched by an earlier program: "
            f"orbweb recrawl {shlex.quote(folder)} fetches them again",
            err=True,
        )
    if fails:
        raise click.exceptions.Exit(FAILED)


def _print(found: Audit, wants_sitemaps: bool, part: str) -> None:
    """`part`: that the crawl is unfinished, or ""."""
    click.echo(f"{counted(found.pages, 'page')}, {counted(found.links, 'link')}")
    if part:
        click.echo(f"{click.style('warning ', fg='yellow')} {part}")
    for section in found.sections:
        if section.count:
            _print_section(section)
    nothing = [
        one.title[0].lower() + one.title[1:]
        for one in found.sections
        if not one.count
        and one.name != "not_checked"
        and (found.has_sitemap or one.name not in OF_SITEMAP)
    ]
    text = f"Nothing found: {', '.join(nothing)}." if nothing else ""
    if not found.has_sitemap:
        why = (
            "robots.txt names none that could be read; its URL can be a seed"
            if wants_sitemaps
            else "--sitemaps"
        )
        text += f" The crawl has read no sitemap ({why})."
    width = min(get_terminal_size().columns, MAX_WIDTH)
    click.echo(f"\n{click.wrap_text(text.strip(), width)}")


def _print_section(section: Section) -> None:
    level = click.style(f"{section.level:<8}", fg=_COLOURS[section.level])
    title = click.style(f"{section.title}: {section.count:,}", bold=True)
    click.echo(f"\n{level} {title}")
    for finding in section.findings:
        _print_finding(finding)
    if more := section.count - len(section.findings):
        click.echo(f"  ... {more:,} more (-n)")


def _print_finding(finding: Finding) -> None:
    detail = f"  {printable(finding.detail)}" if finding.detail else ""
    click.echo(f"  {printable(finding.url)}{detail}")
    for one in finding.related:
        text = f'  "{printable(one.text)}"' if one.text else ""
        click.echo(f"      {printable(one.url)}{text}")
    if (more := finding.count - len(finding.related)) > 0:
        click.echo(f"      ... {counted(more, 'page')} more")
