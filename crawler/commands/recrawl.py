"""`orbweb recrawl`: ask again for everything, and only for what has changed."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("recrawl")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option("-q", "--quiet", is_flag=True, help="No progress; errors and the result only.")
@click.option("-v", "--verbose", is_flag=True, help="A line for each URL as it is done.")
def command(folder: str, quiet: bool, verbose: bool) -> int:
    """Ask again for all that the crawl in DIR (default: here) has met, and for what is new since.

    What has not changed is not sent again where the server knows that (ETag, Last-Modified). Each
    record says whether it is new, changed or unchanged, and comes behind the earlier ones. To do it
    under other settings: orbweb crawl -N, with options and URLs as for a new crawl.
    """
    from crawler.commands.running import Task, noise_of, run_tasks
    from crawler.folder import stored_config

    task = Task(stored_config(Path(folder)), "newer")
    return run_tasks([task], side_by_side=False, noise=noise_of(quiet, verbose))
