"""`orbweb retry [DIR]`: put failed URLs back."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from crawler.commands.asking import code_option, flat, host_option, hosts_of


@click.command("retry")
@click.argument("folder", default=".", metavar="[DIR]")
@code_option
@host_option
@click.option("--dry-run", is_flag=True, help="Say how many there are, and change nothing.")
@click.option("-q", "--quiet", is_flag=True, help="No progress; errors and the result only.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each URL as it is done.")
def command(folder: str, codes: Any, hosts: Any, dry_run: bool, quiet: bool, verbose: bool) -> int:
    """Put the failed URLs of the crawl in DIR (default: here) back, and go on with it.

    Each is fetched as if for the first time and gets a second record; the later one counts.
    """
    from crawler.commands.running import Task, noise_of, run_tasks
    from crawler.folder import requeue, stored_config

    path = Path(folder)
    config = stored_config(path)
    count = requeue(path, flat(codes), hosts_of(hosts), now=time.time(), dry_run=dry_run)
    click.echo(
        f"orbweb: {count:,} failed URLs {'would be' if dry_run else 'are'} put back", err=True
    )
    if dry_run or not count:
        return 0
    noise = noise_of(quiet, verbose)
    return run_tasks([Task(config, "resume")], side_by_side=False, noise=noise)
