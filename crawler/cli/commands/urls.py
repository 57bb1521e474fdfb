"""`orbweb urls [DIR]`: the URLs of a crawl, each with its state."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any, cast

import click

from crawler.cli.state_options import (
    code_option,
    host_option,
    state_option,
    unique_words,
)
from crawler.cli.terminal.formatting import echo_json, printable
from crawler.frontier.state_reader import UrlRow
from crawler.frontier.store import State
from crawler.inspect.state import open_state
from crawler.inspect.urls import list_urls


@click.command("urls")
@click.argument("folder", default=".", metavar="[DIR]")
@state_option
@host_option
@code_option
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N"
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines")
def command(
    folder: str, states: Any, hosts: Any, reasons: Any, limit: int | None, as_json: bool
) -> None:
    """List the URLs of the crawl in DIR (default: here), in order of discovery.

    Columns: state, attempts, code, URL.
    """
    with open_state(Path(folder)) as (state, _config):
        rows = list_urls(
            state,
            cast(tuple[State, ...], unique_words(states)),
            unique_words(hosts),
            unique_words(reasons),
        )
        for row in islice(rows, limit):
            if as_json:
                echo_json(row)
            else:
                click.echo(printable(_line(row)))


def _line(row: UrlRow) -> str:
    return f"{row.state:<8} {row.attempts:>2}  {row.code or '-':<16} {row.url}"
