"""`orbweb crawl`: a new crawl, or several from one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from crawler.commands.options import GroupedCommand, crawl_options, load_plan


@click.command("crawl", cls=GroupedCommand, params=list(crawl_options()))
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.pass_context
def command(ctx: click.Context, /, urls: Sequence[str], **params: Any) -> int:
    """Crawl from the URLs: follow links, write one record for each URL, keep images.

    Everything goes to one folder, from which orbweb resume goes on after any stop.
    """
    plan = load_plan(ctx.command, params, urls)
    from crawler.commands.running import noise_of, run_tasks, tasks_of

    tasks = tasks_of(plan, "fresh" if params["fresh"] else "new")
    noise = noise_of(params["quiet"], params["verbose"])
    return run_tasks(tasks, side_by_side=plan.side_by_side, noise=noise)
