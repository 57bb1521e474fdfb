"""`orbweb resume`: continues a stopped crawl."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from crawler.cli.plan import read_text_file
from crawler.cli.terminal.verbosity import verbosity_of, verbosity_options
from crawler.model.errors import UsageError
from crawler.settings.load import load


@click.command("resume")
@click.argument("folder", required=False, metavar="[DIR]")
@click.option(
    "--config", "file", metavar="FILE",
    help="Resume all jobs of this file, and start those that never started",
)  # fmt: skip
@verbosity_options
def command(folder: str | None, file: str | None, **params: Any) -> int:
    """Continue the crawl in DIR (default: here) with its own configuration."""
    from crawler.cli.running import Task, run_tasks, tasks_of
    from crawler.workspace.open import stored_config
    from crawler.workspace.paths import state_folder

    verbosity = verbosity_of(params)
    if file is None:
        task = Task(stored_config(Path(folder or ".")), "resume")
        return run_tasks([task], verbosity)
    if folder is not None:
        raise UsageError("give DIR or --config, not both")
    plan = load((file, read_text_file(file)), os.environ, [])
    tasks = [
        Task(stored_config(Path(task.config.dir)), "resume")
        if state_folder(task.config.dir).is_dir()
        else task
        for task in tasks_of(plan, "new")
    ]
    return run_tasks(tasks, verbosity, side_by_side=plan.side_by_side, notes=plan.notes)
