"""`orbweb recrawl`: fetches everything again that has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crawler.cli.options.configuration import ProcessCount
from crawler.cli.terminal.verbosity import verbosity_of, verbosity_options


@click.command("recrawl")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option(
    "--processes", metavar="N|auto", type=ProcessCount(),
    help="Crawl with N processes; only a crawl that has begun with several",
)  # fmt: skip
@verbosity_options
def command(folder: str, processes: int | None, **params: Any) -> int:
    """Crawl all URLs of the crawl in DIR (default: here) again, and new ones.

    Requests are conditional where the server gave an ETag or Last-Modified, so that
    unchanged content is not sent again. New records are appended; each says whether
    it is new, changed or unchanged. To change settings, use orbweb crawl -N with
    options and URLs as for a new crawl.
    """
    from crawler.cli.running import run_tasks
    from crawler.cli.task import Task, with_processes
    from crawler.workspace.open import stored_config

    task = Task(stored_config(Path(folder)), "newer")
    return run_tasks(with_processes([task], processes), verbosity_of(params))
