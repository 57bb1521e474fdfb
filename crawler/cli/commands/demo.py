"""`orbweb demo`: a small site on this machine, crawled before the newcomer's eyes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from crawler.demo.server import serving
from crawler.model.config import Config, OutputConfig, PolitenessConfig

PACE_S = 0.12
"""Between two requests: slow enough to be seen, quick enough for a demonstration."""


@click.command("demo")
@click.option("-d", "--dir", "folder", default="orbweb-demo", show_default=True, metavar="DIR",
              help="Where the crawl is kept; a demo that is there is replaced.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="No progress; the result only.")
def command(folder: str, quiet: bool) -> int:
    """Crawl a small site on this machine, and say what to look at next. Needs no
    internet."""
    from crawler.cli.running import Reporter, Task, run_crawl
    from crawler.cli.terminal.verbosity import Verbosity

    with serving() as server:
        config = demo_config(server.url, folder)
        click.echo(
            f"A small site is being served at {server.url}; now it is crawled.",
            err=True,
        )
        task = Task(config, "fresh" if is_demo(folder) else "new")
        summary = run_crawl(task, Reporter(Verbosity(quiet=quiet), folder, [config]))
    for line in what_to_see(folder, summary.counts):
        click.echo(line, err=True)
    return summary.exit_code


def demo_config(url: str, folder: str) -> Config:
    """All record types, and a pace that eyes can follow."""
    return Config(
        seeds=(url,),
        name="demo",
        dir=folder,
        politeness=PolitenessConfig(wait=PACE_S),
        records=OutputConfig(record=("skips", "robots")),
    )


def is_demo(folder: str) -> bool:
    """Is a former demo there, which may be replaced? What is anything else is never
    touched."""
    from crawler.workspace.folder import STATE, stored_config

    return (Path(folder) / STATE).is_dir() and stored_config(
        Path(folder)
    ).name == "demo"


_MEANINGS = (
    ("page", "title, links, timings, hashes"),
    ("image", "PNG, JPEG, GIF, SVG and WebP, kept byte for byte"),
    ("file", "neither page nor image"),
    ("redirect", "/visit has moved to /visit.html"),
    ("error", "the lost room is not there (404)"),
    ("skip", "the storeroom (robots.txt) and another host (scope)"),
)


def what_to_see(folder: str, counts: Mapping[str, int]) -> Iterator[str]:
    """What was found, and where to look."""
    from crawler.cli.running import counted

    yield ""
    for state, meaning in _MEANINGS:
        yield f"  {counted(counts[state], state):<12} {meaning}"
    records = shlex.quote(f"{folder}/records.jsonl")
    yield ""
    yield "Every URL that was met has one line in the records. Look at them:"
    yield f"  jq -r 'select(.type == \"page\") | [.status, .url, .title] | @tsv' {records}"
    yield f"  duckdb -c \"SELECT type, count(*) FROM '{folder}/records.jsonl' GROUP BY 1\""
    yield f"  ls {shlex.quote(f'{folder}/images')}"
    yield ""
    yield "Then crawl something of yours:  orbweb crawl https://example.com/ --max-pages 100"
