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
from crawler.cli.plan import load_plan, load_resumed_plan, read_text_file
from crawler.frontier.sqlite.database import has_fleet
from crawler.frontier.sqlite.fleet_file import read_fleet
from crawler.inspect.state import open_state
from crawler.model.config import Config
from crawler.model.config_changes import changes_between
from crawler.model.errors import OutputError, UsageError
from crawler.settings.help_texts import example_toml, json_schema, show, show_for_file
from crawler.settings.load import Plan, load
from crawler.workspace.new_settings import refuse_fixed


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
@click.argument("names", nargs=-1, metavar="[DIR | URL...]")
@click.option(
    "--all", "everything", is_flag=True,
    help="Of the crawl in DIR: print what is as the defaults are, too",
)  # fmt: skip
@click.pass_context
def show_(
    ctx: click.Context, /, names: Sequence[str], everything: bool, **params: Any
) -> None:
    """Print the settings of a crawl as TOML, each with its origin.

    With DIR, they are those with which orbweb resume DIR goes on, the same options
    given: what differs from the defaults, or with --all everything. Else they are those
    of a new crawl. The output is a file for --config, but for secrets that are not
    written as env:NAME or file:PATH: they are not shown.

    \b
    orbweb config show example.com/
    orbweb config show example.com --max-pages 500
    orbweb config show https://example.com/ --config crawl.toml
    """
    is_there = bool(names) and Path(names[0]).is_dir()
    if is_there:
        if params["dir"] is not None:
            raise UsageError(f"--dir: {names[0]} is the folder already; leave one out")
        plan = load_resumed_plan(ctx.command, params, names[0], names[1:], _goes_on)
        _refuse_fixed(plan)
    elif names and names[0] != "localhost" and not set(names[0]) & set(".:/"):
        raise UsageError(
            f"there is no folder {names[0]}; if it is a host, write https://{names[0]}/"
        )
    else:
        plan = load_plan(ctx.command, params, names)
    for warning in plan.warnings:
        click.echo(f"orbweb: {warning}", err=True)
    for number, job in enumerate(plan.jobs, 1):
        if len(plan.jobs) > 1:
            click.echo(f"# [[job]] {number}: {job.config.dir}")
        if is_there and has_fleet(job.config.dir):
            click.echo(f"# --processes {read_fleet(Path(job.config.dir)).processes}")
        text = show(job)
        if is_there:
            text = show_for_file(job, only_changed=not everything)
        click.echo(text.lstrip("\n"))


def _goes_on(folder: Path) -> Config:
    """The configuration of the crawl in `folder`, which may be running."""
    with open_state(folder) as (_state, config):
        return config


def _refuse_fixed(plan: Plan) -> None:
    """Raise UsageError for an option that a resume would refuse."""
    for job in plan.jobs:
        old = _goes_on(Path(job.config.dir))
        refuse_fixed(old, job.config, changes_between(old, job.config))


@command.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    click.echo(json.dumps(json_schema(), indent=2))
