"""`orbweb config init|check|show|schema`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

import click

from crawler.cli.flags import GroupedCommand
from crawler.cli.options import crawl_options
from crawler.cli.plan import load_plan, read_text_file
from crawler.model.errors import OutputError, UsageError
from crawler.settings.help_texts import example_toml, json_schema, show
from crawler.settings.load import load


@click.group()
def command() -> None:
    """Write, check and show configurations."""


@command.command(short_help="Write a commented configuration with all defaults")
@click.argument("file", default="-", metavar="[FILE]")
def init(file: str) -> None:
    """Write a commented configuration with all defaults to FILE (default: stdout)."""
    if file == "-":
        click.echo(example_toml(), nl=False)
        return
    try:
        with Path(file).open("x", encoding="utf-8") as out:
            out.write(example_toml())
    except FileExistsError:
        raise UsageError(f"{file} exists; name another file, or move it away") from None
    except OSError as error:
        raise OutputError(f"{file} can't be written: {error.strerror}") from error
    click.echo(
        f"Wrote {file}. Edit it, then: orbweb config check {quote(file)}", err=True
    )


@command.command()
@click.argument("file")
def check(file: str) -> None:
    """Find the errors in FILE, with their lines."""
    plan = load((file, read_text_file(file)), os.environ, [])
    for note in (*plan.warnings, *plan.notes):
        click.echo(note, err=True)
    seeds = sum(len(job.config.seeds) for job in plan.jobs)
    click.echo(
        f"{file} is valid: {len(plan.jobs)} job(s), {seeds} seed(s). "
        f"Next: orbweb crawl --config {quote(file)}{'' if seeds else ' URL'}",
        err=True,
    )


@command.command(
    "show",
    cls=GroupedCommand,
    params=list(crawl_options()),
    short_help="Print the settings of a crawl, each with its origin",
)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.pass_context
def show_(ctx: click.Context, /, urls: Sequence[str], **params: Any) -> None:
    """Print the settings of a crawl with these options, each with its origin."""
    plan = load_plan(ctx.command, params, urls)
    for number, job in enumerate(plan.jobs, 1):
        if len(plan.jobs) > 1:
            click.echo(f"# [[job]] {number}: {job.config.dir}")
        click.echo(show(job).lstrip("\n"))


@command.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    click.echo(json.dumps(json_schema(), indent=2))
