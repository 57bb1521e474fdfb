"""`orbweb recrawl`: fetches everything again that has changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crawler.cli.terminal.verbosity import verbosity_of, verbosity_options


@click.command("recrawl")
@click.argument("folder", default=".", metavar="[DIR]")
@verbosity_options
def command(folder: str, **params: Any) -> int:
    """Crawl all URLs of the crawl in DIR (default: here) again, and new ones.

    Requests are conditional where the server gave an ETag or Last-Modified, so that
    unchanged content is not sent again. New records are appended; each says whether
    it is new, changed or unchanged. To change settings, use orbweb crawl -N with
    options and URLs as for a new crawl.
    """
    from crawler.cli.running import Task, run_tasks
    from crawler.workspace.open import stored_config

    return run_tasks([Task(stored_config(Path(folder)), "newer")], verbosity_of(params))
