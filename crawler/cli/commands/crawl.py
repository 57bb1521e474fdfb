"""`orbweb crawl`: a new crawl, or several from one file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from crawler.cli.flags import GroupedCommand
from crawler.cli.options import crawl_options
from crawler.cli.plan import begun_launcher, load_plan
from crawler.cli.terminal.verbosity import verbosity_of
from crawler.model.errors import UsageError


@click.command("crawl", cls=GroupedCommand, params=list(crawl_options()))
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.pass_context
def command(ctx: click.Context, /, urls: Sequence[str], **params: Any) -> int:
    """Crawl from the URLs: follow links, write one record per URL, save images.

    Everything is kept in one folder, and `orbweb resume` continues after any stop.

    \b
    orbweb crawl https://example.com/ --max-pages 100
    orbweb crawl https://example.com/docs/ -np -l 3 -d docs
    orbweb crawl -i seeds.txt --no-images --with markdown -d texts
    orbweb crawl https://example.com/ --save pdf --warc -w 1s
    """
    if params["shards"] is None and (params["exchange"] or params["pause"]):
        from crawler.cli.steering import steer

        return steer(ctx.command, params, urls)
    plan = load_plan(ctx.command, params, urls)
    if params["fresh"] and params["newer"]:
        raise UsageError(
            "--fresh deletes the crawl that -N compares with; name one of them"
        )
    is_exchanged = params["shards"] is not None
    processes = None if is_exchanged else params["processes"]
    with begun_launcher(processes) as launcher:
        from crawler.cli.running import run_plan
        from crawler.cli.task import tasks_of, with_processes
        from crawler.workspace.open import Mode

        mode: Mode = (
            "fresh" if params["fresh"] else "newer" if params["newer"] else "new"
        )
        tasks = tasks_of(plan, mode)
        if is_exchanged:
            from crawler.cli.exchange import begin_plan

            return begin_plan(tasks, plan, params)
        tasks = with_processes(tasks, processes, launcher)
        return run_plan(tasks, verbosity_of(params), plan)
