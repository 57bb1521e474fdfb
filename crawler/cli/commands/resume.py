"""`orbweb resume`: continues a stopped crawl, also under other settings."""

from __future__ import annotations

from typing import Any

import click

from crawler.cli.flags import GroupedCommand
from crawler.cli.options import resume_options
from crawler.cli.plan import begun_launcher, load_resumed_plan
from crawler.cli.terminal.verbosity import verbosity_of
from crawler.model.errors import UsageError


@click.command("resume", cls=GroupedCommand, params=list(resume_options()))
@click.argument("folder", required=False, metavar="[DIR]")
@click.argument("further", nargs=-1, metavar="")
@click.pass_context
def command(
    ctx: click.Context, /, folder: str | None, further: tuple[str, ...], **params: Any
) -> int:
    """Continue the crawl in DIR (default: here) with its own configuration.

    Settings that are given here replace those of the crawl from now on; what changes is
    shown. URLs that a former limit or scope refused are checked anew. With --config
    FILE and no DIR, all jobs of the file are resumed, and those that never started
    start. A limit of the crawl is removed by `none`. orbweb config show DIR prints the
    settings of the crawl.

    \b
    orbweb resume example.com
    orbweb resume example.com --max-pages 500 --exclude /old/
    orbweb resume example.com --max-pages none
    """
    from crawler.frontier.sqlite.database import holds_crawl
    from crawler.workspace.open import stored_config

    if params["dir"] is not None:
        raise UsageError(
            "--dir: a resume goes on in the folder of its crawl; name it as in "
            "`orbweb resume DIR`"
        )
    verbosity = verbosity_of(params)
    plan = load_resumed_plan(ctx.command, params, folder, further, stored_config)
    begun = [holds_crawl(job.config.dir) for job in plan.jobs]
    with begun_launcher(params["processes"]) as launcher:
        from crawler.cli.running import run_plan
        from crawler.cli.task import Task, tasks_of, with_processes

        tasks = [
            Task(task.config, "resume" if resumed else "new")
            for task, resumed in zip(tasks_of(plan, "new"), begun, strict=True)
        ]
        tasks = with_processes(tasks, params["processes"], launcher)
        return run_plan(tasks, verbosity, plan)
