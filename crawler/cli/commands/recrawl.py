"""`orbweb recrawl`: ask again for everything, and only for what has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crawler.cli.terminal.verbosity import verbosity_of, verbosity_options


@click.command("recrawl")
@click.argument("folder", default=".", metavar="[DIR]")
@verbosity_options
def command(folder: str, **said: Any) -> int:
    """Ask again for all that the crawl in DIR (default: here) has met, and for what is
    new since.

    What has not changed is not sent again where the server knows that (ETag,
    Last-Modified). Each record says whether it is new, changed or unchanged, and comes
    behind the earlier ones. To do it under other settings: orbweb crawl -N, with
    options and URLs as for a new crawl.
    """
    from crawler.cli.running import Task, run_tasks
    from crawler.workspace.folder import stored_config

    return run_tasks([Task(stored_config(Path(folder)), "newer")], verbosity_of(said))
