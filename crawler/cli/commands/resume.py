"""`orbweb resume`: continues a stopped crawl."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from crawler.cli.flags import GroupedCommand, settings_of
from crawler.cli.options import resume_options
from crawler.cli.plan import read_text_file
from crawler.cli.terminal.verbosity import verbosity_of
from crawler.model.errors import UsageError
from crawler.settings.load import load


@click.command("resume", cls=GroupedCommand, params=list(resume_options()))
@click.argument("folder", required=False, metavar="[DIR]")
@click.pass_context
def command(
    ctx: click.Context, /, folder: str | None, file: str | None, **params: Any
) -> int:
    """Continue the crawl in DIR (default: here) with its own configuration.

    A limit that is given here replaces that of the crawl from now on.
    """
    from crawler.cli.running import Task, run_tasks, tasks_of
    from crawler.workspace.open import change_limits, stored_config
    from crawler.workspace.paths import state_folder

    verbosity = verbosity_of(params)
    limits = {one.path[-1]: one.value for one in settings_of(ctx.command, params)}
    if file is None:
        place = Path(folder or ".")
        if limits:
            change_limits(place, limits)
        return run_tasks([Task(stored_config(place), "resume")], verbosity)
    if folder is not None:
        raise UsageError("give DIR or --config, not both")
    if limits:
        raise UsageError("limits are set for one crawl: give its DIR, not --config")
    plan = load((file, read_text_file(file)), os.environ, [])
    tasks = [
        Task(stored_config(Path(task.config.dir)), "resume")
        if state_folder(task.config.dir).is_dir()
        else task
        for task in tasks_of(plan, "new")
    ]
    return run_tasks(tasks, verbosity, side_by_side=plan.side_by_side, notes=plan.notes)
