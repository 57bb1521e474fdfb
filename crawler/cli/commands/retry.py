"""`orbweb retry [DIR]`: queues failed URLs again."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from crawler.cli.state_options import code_option, host_option, unique_words
from crawler.cli.terminal.verbosity import verbosity_of, verbosity_options
from crawler.inspect.urls import host_keys
from crawler.model.units import counted, is_or_are


@click.command("retry")
@click.argument("folder", default=".", metavar="[DIR]")
@code_option
@host_option
@click.option("--dry-run", is_flag=True, help="Show their number, and change nothing")
@verbosity_options
def command(folder: str, reasons: Any, hosts: Any, dry_run: bool, **params: Any) -> int:
    """Queue the failed URLs of the crawl in DIR (default: here), and continue it.

    Each is fetched as if for the first time and gets a second record, which replaces
    the first.
    """
    from crawler.cli.running import run_tasks
    from crawler.cli.task import Task, with_processes
    from crawler.cli.terminal.reporter import Reporter
    from crawler.workspace.open import stored_config
    from crawler.workspace.retrying import requeue_failed

    path = Path(folder)
    config = stored_config(path)
    keys = host_keys(unique_words(hosts))
    count = requeue_failed(
        path, unique_words(reasons), keys, now=time.time(), dry_run=dry_run
    )
    verb = "would be" if dry_run else is_or_are(count)
    note = f"{counted(count, 'failed URL')} {verb} queued again"
    verbosity = verbosity_of(params)
    if dry_run or not count:
        with closing(Reporter(verbosity, folder, [config])) as reporter:
            reporter.notice(f"orbweb: {note}")
        return 0
    tasks = with_processes([Task(config, "resume")], None)
    return run_tasks(tasks, verbosity, notes=[note])
