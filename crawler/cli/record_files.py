"""The files of records that a command reads."""

from __future__ import annotations

from pathlib import Path

import click

from crawler.cli.state_options import unfinished
from crawler.cli.terminal.formatting import printable
from crawler.frontier.store import Run
from crawler.inspect.state import open_state
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.workspace.missing_records import missing_records, why_no_records
from crawler.workspace.outputs import record_streams


def record_files(source: Path) -> list[Path]:
    """The records of the crawl in `source`, or that file. Raises UsageError.

    Says on stderr which records of the crawl are not there any more, and whether the
    crawl has URLs left.
    """
    if source.is_file():
        return [source]
    config, run, left = _crawl_in(source)
    files: list[Path] = next(filter(None, record_streams(config)), [])
    if not files:
        raise UsageError(f"{source}: {why_no_records(config, run)}")
    _tell_missing(config, run)
    if part := unfinished(str(source), left):
        click.echo(f"orbweb: {part}", err=True)
    return files


def tell_missing(source: Path) -> None:
    """Say on stderr which records of the crawl are not there any more."""
    config, run, _ = _crawl_in(source)
    _tell_missing(config, run)


def _crawl_in(source: Path) -> tuple[Config, Run, int]:
    """The configuration of the crawl, its run, and how many URLs are left."""
    with open_state(source, of_extraction=True) as (state, config):
        run, left = state.run(), state.count("queued")
    assert run is not None  # `open_state` has seen it
    return config, run, left


def _tell_missing(config: Config, run: Run) -> None:
    for text in missing_records(config, run):
        click.echo(f"orbweb: {printable(text)}", err=True)
