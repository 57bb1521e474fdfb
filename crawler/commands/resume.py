"""`orbweb resume`: go on where a crawl stopped."""

from __future__ import annotations

import os
from pathlib import Path

import click

from crawler.commands.options import read_text_file
from crawler.errors import UsageError
from crawler.settings.load import load


@click.command("resume")
@click.argument("folder", required=False, metavar="[DIR]")
@click.option("--config", "file", metavar="FILE",
              help="All jobs of this file; those that never began are begun.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="No progress; errors and the result only.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each URL as it is done.")
def command(folder: str | None, file: str | None, quiet: bool, verbose: bool) -> int:
    """Go on with the crawl in DIR (default: here), under the configuration it was begun with."""
    from crawler.commands.running import Task, noise_of, run_tasks, tasks_of
    from crawler.folder import STATE, stored_config

    noise = noise_of(quiet, verbose)
    if file is None:
        task = Task(stored_config(Path(folder or ".")), "resume")
        return run_tasks([task], side_by_side=False, noise=noise)
    if folder is not None:
        raise UsageError("name a folder or a file of jobs, not both")
    plan = load((file, read_text_file(file)), os.environ, [])
    tasks = [
        Task(stored_config(Path(task.config.dir)), "resume")
        if (Path(task.config.dir) / STATE).is_dir()
        else task
        for task in tasks_of(plan, "new")
    ]
    return run_tasks(tasks, side_by_side=plan.side_by_side, noise=noise)
