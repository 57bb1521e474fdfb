"""`orbweb hosts [DIR]`: the hosts of a crawl, what waits for each, and what became of
the rest."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import click
import msgspec

from crawler.cli.state_options import open_state
from crawler.cli.terminal.formatting import printable
from crawler.frontier.sqlite.lookup import HostInfo
from crawler.model.units import show_bytes, show_seconds

COLUMNS = ("queued", "done", "errors", "skipped", "bytes", "time", "next")


@click.command("hosts")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), metavar="N", help="The first N only."
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines, for programs.")
def command(folder: str, limit: int | None, as_json: bool) -> None:
    """The hosts of the crawl in DIR (default: here), those with the most work first."""
    now = time.time()
    encode = msgspec.json.Encoder().encode
    with open_state(Path(folder)) as (state, _config):
        if not as_json:
            click.echo(_line("host", *COLUMNS))
        for host in islice(state.hosts(), limit):
            click.echo(encode(host) if as_json else printable(_row(host, now)))


def _row(host: HostInfo, now: float) -> str:
    ended = host.ended
    failed, skipped = ended.get("error", 0), ended.get("skip", 0)
    wait = host.ready_at - now
    return _line(
        host.name,
        f"{host.pages + host.images:,}",
        f"{sum(ended.values()) - failed - skipped:,}",
        f"{failed:,}",
        f"{skipped:,}",
        show_bytes(host.usage.wire_bytes),
        show_seconds(host.usage.seconds),
        f"in {show_seconds(wait)}" if wait > 0 and host.pages + host.images else "-",
    )


def _line(host: str, *columns: str) -> str:
    return f"{host:<40}" + "".join(f" {column:>9}" for column in columns)
