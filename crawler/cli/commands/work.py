"""`orbweb work`: one machine's part of a crawl that several machines run."""

from __future__ import annotations

from typing import Any

import click

from crawler.cli.options.configuration import ProcessCount
from crawler.cli.terminal.verbosity import verbosity_of, verbosity_options


@click.command("work")
@click.argument("folder", metavar="DIR")
@click.option(
    "--exchange", metavar="URL", required=True, envvar="ORBWEB_EXCHANGE",
    help="Where the machines meet: valkey://HOST[:PORT]/CRAWL; valkeys:// is over TLS",
)  # fmt: skip
@click.option(
    "--processes", metavar="N|auto", type=ProcessCount(), default="auto",
    help="Processes, each with some of the shards; default: one a core",
)  # fmt: skip
@click.option(
    "--max-shards", metavar="N", type=click.IntRange(1),
    help="Shards that this machine takes at most; default: four a process",
)  # fmt: skip
@verbosity_options
def command(
    folder: str, exchange: str, processes: int, max_shards: int | None, **params: Any
) -> int:
    """Run shards of the crawl at the exchange, with their states and files in DIR.

    `orbweb crawl --exchange URL --shards N` begins the crawl. This takes shards that no
    machine has, and runs them to the end of the whole crawl. SIGTERM gives them back;
    the same command goes on with those whose states are in DIR.

    \b
    orbweb work /data/news --exchange valkey://cache/news --processes 16
    """
    from crawler.cli.exchange import run_part

    return run_part(folder, exchange, processes, max_shards, verbosity_of(params))
