"""`orbweb resume`: continues a stopped crawl, also under other settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from crawler.cli.flags import GroupedCommand, settings_of
from crawler.cli.options import resume_options
from crawler.cli.plan import read_settings
from crawler.cli.terminal.verbosity import verbosity_of
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.settings.load import Plan, from_flag
from crawler.settings.resumed import load_resumed


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
    start. A limit of the crawl is removed by `none`.

    \b
    orbweb resume example.com
    orbweb resume example.com --max-pages 500 --exclude /old/
    orbweb resume example.com --max-pages none
    """
    from crawler.cli.running import run_plan
    from crawler.cli.task import Task, tasks_of, with_processes
    from crawler.workspace.paths import state_folder

    if params["dir"] is not None:
        raise UsageError(
            "--dir: a resume goes on in the folder of its crawl; name it as in "
            "`orbweb resume DIR`"
        )
    verbosity = verbosity_of(params)
    plan = _plan(ctx.command, params, folder, further)
    begun = [state_folder(job.config.dir).is_dir() for job in plan.jobs]
    tasks = [
        Task(task.config, "resume" if resumed else "new")
        for task, resumed in zip(tasks_of(plan, "new"), begun, strict=True)
    ]
    tasks = with_processes(tasks, params["processes"])
    return run_plan(tasks, verbosity, plan)


def _plan(
    command: click.Command,
    params: dict[str, Any],
    folder: str | None,
    further: tuple[str, ...],
) -> Plan:
    """The crawls that go on, each with its own settings and those that were given.

    `further`: words after the folder; a URL there has to be a seed of the crawl.
    """
    from crawler.workspace.open import stored_config
    from crawler.workspace.paths import state_folder

    file = params["config"]
    flags = settings_of(command, params)
    if folder is not None or file is None:
        flags.append(from_flag(("dir",), folder or ".", "DIR"))

    if further:
        if state_folder(further[0]).is_dir():
            raise UsageError(
                f"{further[0]}: a resume continues one crawl; resume the others by "
                "commands of their own"
            )
        flags.append(from_flag(("seeds",), list(further), "URL", adds=True))

    def stored(place: str) -> Config | None:
        if folder is None and file is not None and not state_folder(place).is_dir():
            return None  # a job that never started
        return stored_config(Path(place))

    text = read_settings(file) if file else None
    return load_resumed(text, os.environ, flags, stored)
