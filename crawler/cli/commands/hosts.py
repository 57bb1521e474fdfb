"""`orbweb hosts [DIR]`: the hosts of a crawl, as a table."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import click

from crawler.cli.terminal.formatting import echo_json, printable
from crawler.inspect.hosts import HostSummary, summarise
from crawler.inspect.state import open_state
from crawler.model.metadata import clock_shift
from crawler.model.units import show_bytes, show_seconds

COLUMNS = ("queued", "done", "errors", "skipped", "bytes", "busy", "next", "failing")


@click.command("hosts")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines")
def command(folder: str, limit: int | None, as_json: bool) -> None:
    """List the hosts of the crawl in DIR (default: here), the busiest first.

    Columns: URLs queued, fetched, failed and skipped; bytes of bodies; busy, the time
    of its requests and of the pauses that politeness demands after them, which
    --max-time-per-host limits; next, when its next request is due; failing, what its
    last requests failed with, and until when the host is parked.
    """
    with open_state(Path(folder)) as (state, _config):
        now = time.time()
        now -= clock_shift(state, now)
        if not as_json:
            click.echo(_line("host", *COLUMNS))
        for host in islice(state.hosts(), limit):
            if as_json:
                echo_json(host)
            else:
                click.echo(printable(_row(summarise(host, now))))


def _row(host: HostSummary) -> str:
    return _line(
        host.name,
        f"{host.queued:,}",
        f"{host.fetched:,}",
        f"{host.failed:,}",
        f"{host.skipped:,}",
        show_bytes(host.wire_bytes),
        show_seconds(host.seconds),
        "-" if host.next_in is None else f"in {show_seconds(host.next_in)}",
        host.failing or "-",
    )


def _line(host: str, *columns: str) -> str:
    *numbers, failing = columns
    row = f"{host:<40}" + "".join(f" {column:>9}" for column in numbers)
    return f"{row}  {failing}"
