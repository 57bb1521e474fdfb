"""`orbweb demo`: crawls a small site that this machine serves."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from crawler.demo.server import serving
from crawler.model.config import Config
from crawler.model.content_config import OutputConfig
from crawler.model.policy_config import PolitenessConfig

DELAY_S = 0.12
"""Delay between two requests: slow enough to watch, and the demo ends soon."""


@click.command("demo")
@click.option(
    "-d", "--dir", "folder", default="orbweb-demo", show_default=True, metavar="DIR",
    help="Folder of the crawl; an earlier demo in it is replaced",
)  # fmt: skip
@click.option(
    "-q",
    "--quiet",
    is_flag=True,
    help="Show nothing unless something goes wrong",
)
def command(folder: str, quiet: bool) -> int:
    """Crawl a small site that this machine serves, and show what to look at next.

    No internet connection is needed.
    """
    from crawler.cli.running import run_crawl
    from crawler.cli.task import Task
    from crawler.cli.terminal.reporter import Reporter
    from crawler.cli.terminal.verbosity import Verbosity

    with serving() as server:
        config = demo_config(server.url, folder)
        if not quiet:
            click.echo(
                f"Serving a small site at {server.url}, and crawling it.", err=True
            )
        task = Task(config, "fresh" if is_demo(folder) else "new")
        summary = run_crawl(task, Reporter(Verbosity(quiet=quiet), folder, [config]))
    if not quiet:
        for line in what_to_see(folder, summary.counts):
            click.echo(line, err=True)
    return summary.exit_code


def demo_config(url: str, folder: str) -> Config:
    """All record types, at a speed that a reader can follow."""
    return Config(
        seeds=(url,),
        name="demo",
        dir=folder,
        politeness=PolitenessConfig(wait=DELAY_S),
        records=OutputConfig(record=("skips", "robots")),
    )


def is_demo(folder: str) -> bool:
    """True if the folder holds an earlier demo. Only that may be replaced."""
    from crawler.frontier.sqlite.database import holds_crawl
    from crawler.workspace.open import stored_config

    path = Path(folder)
    return holds_crawl(path) and stored_config(path).name == "demo"


_MEANINGS = (
    ("page", "title, links, timings, hashes"),
    ("image", "PNG, JPEG, GIF, SVG and WebP, saved byte for byte"),
    ("file", "a style sheet and a text file, neither page nor image"),
    ("redirect", "/visit redirects to /visit.html"),
    ("error", "the lost room does not exist (404)"),
    ("skip", "the storeroom (robots.txt), and another host (scope)"),
)


def what_to_see(folder: str, counts: Mapping[str, int]) -> Iterator[str]:
    """The numbers of records, and commands that show them."""
    from crawler.model.units import counted

    yield ""
    for state, meaning in _MEANINGS:
        yield f"  {counted(counts[state], state):<12} {meaning}"
    records = shlex.quote(f"{folder}/records.jsonl")
    yield ""
    yield "Every URL that was found has one line in the records. Look at them:"
    fields = "[.status, .url, .title] | @tsv"
    yield f"  jq -r 'select(.type == \"page\") | {fields}' {records}"
    table = f"'{folder}/records.jsonl'"
    yield f'  duckdb -c "SELECT type, count(*) FROM {table} GROUP BY 1"'
    yield f"  ls {shlex.quote(f'{folder}/images')}"
    yield ""
    example = "orbweb crawl https://example.com/ --max-pages 100"
    yield f"Then crawl a site of your own:  {example}"
