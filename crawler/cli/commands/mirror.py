"""`orbweb mirror`: a crawl that makes a copy for reading offline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from msgspec.structs import replace

from crawler.cli.flags import GroupedCommand
from crawler.cli.options import mirror_options
from crawler.cli.plan import load_plan
from crawler.cli.terminal.verbosity import verbosity_of
from crawler.settings.load import Job

_WITHIN = ("scope", "within")


@click.command("mirror", cls=GroupedCommand, params=list(mirror_options()))
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.pass_context
def command(ctx: click.Context, /, urls: Sequence[str], **params: Any) -> int:
    """Copy what is below the URLs into a folder that a browser reads offline.

    It is a crawl with --mirror and --scope prefix: pages, pictures, style sheets,
    scripts, fonts and films are saved, and links in them lead to the copies. Called
    again, it fetches what has changed. The last line names the page to open.

    \b
    orbweb mirror https://example.com/docs/
    orbweb mirror https://example.com/ --scope host -l 5 -d copy
    """
    plan = load_plan(ctx.command, params, urls)
    from crawler.cli.running import run_plan
    from crawler.cli.task import tasks_of

    plan = replace(plan, jobs=tuple(map(_mirrored, plan.jobs)))
    tasks = tasks_of(plan, "fresh" if params["fresh"] else "newer")
    verbosity = verbosity_of(params)
    return run_plan(tasks, verbosity, plan)


def _mirrored(job: Job) -> Job:
    """The job as one that makes a mirror, in the scope that the user has chosen."""
    config = job.config
    if _WITHIN not in job.origins:
        config = replace(config, scope=replace(config.scope, within="prefix"))
    config = replace(config, bodies=replace(config.bodies, mirror=True))
    return replace(job, config=config)
