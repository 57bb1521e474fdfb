"""`orbweb work`: one machine's part of a crawl that several machines run."""

from __future__ import annotations

from typing import Any

import click

from crawler.cli.options.configuration import ProcessCount
from crawler.cli.terminal.verbosity import verbosity_of, verbosity_options
from crawler.model.units import parse_seconds


class Seconds(click.ParamType[float]):
    """A duration, as in the settings."""

    name = "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            return parse_seconds(str(value))
        except ValueError as error:
            self.fail(str(error))


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
@click.option(
    "--snapshot", metavar="URL", envvar="ORBWEB_SNAPSHOT",
    help="Keep snapshots of the shards there: s3://BUCKET/PREFIX, gs://, az://, or a "
    "folder that all machines have; a shard whose machine is gone goes on from them",
)  # fmt: skip
@click.option(
    "--snapshot-every", metavar="TIME", type=Seconds(), default="5m",
    show_default=True, help="How often each shard has a new snapshot",
)  # fmt: skip
@click.option(
    "--takeover-after", metavar="TIME", type=Seconds(), default="10m",
    show_default=True,
    help="How long a machine is gone before this one takes its shards; with --snapshot",
)  # fmt: skip
@verbosity_options
def command(
    folder: str,
    exchange: str,
    processes: int,
    max_shards: int | None,
    snapshot: str | None,
    snapshot_every: float,
    takeover_after: float,
    **params: Any,
) -> int:
    """Run shards of the crawl at the exchange, with their states and files in DIR.

    `orbweb crawl --exchange URL --shards N` begins the crawl. This takes shards that no
    machine has, and runs them to the end of the whole crawl. SIGTERM gives them back;
    the same command goes on with those whose states are in DIR.

    \b
    orbweb work /data/news --exchange valkey://cache/news --processes 16
    orbweb work /data/news --exchange valkey://cache/news --snapshot s3://bucket/news
    """
    from crawler.cli.exchange import run_part

    snapshots = None
    if snapshot is not None:
        from crawler.cli.snapshot_options import snapshot_settings

        snapshots = snapshot_settings(
            snapshot, snapshot_every, takeover_after, max_shards, processes
        )
    return run_part(
        folder, exchange, processes, max_shards, verbosity_of(params), snapshots
    )
