"""`orbweb report [DIR]`: a crawl as one HTML page, with plots and its pictures."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from crawler.cli.record_files import record_files
from crawler.inspect.report.gather import gather
from crawler.inspect.report.making import files_of, picture_folder, read_state, way_to
from crawler.inspect.report.page import page
from crawler.inspect.report.pictures import MAX_PICTURES
from crawler.inspect.report.report import Report, Thumbnail
from crawler.model.errors import UsageError
from crawler.model.units import show_bytes
from crawler.output.export.files import STDOUT, open_output

NAME = "report.html"
MAX_EMBEDDED = 12_000_000
"""Bytes of all thumbnails: with them the page can be sent by mail (25 MB)."""
MAX_SHARE = 12_000
"""Bytes of one thumbnail, about."""
AT_ONCE = 64


@click.command("report")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option(
    "-o", "--output", metavar="FILE",
    help=f"The page to write (default: DIR/{NAME})",
)  # fmt: skip
@click.option(
    "--pictures", type=click.IntRange(min=0), metavar="N", default=MAX_PICTURES,
    help=f"Show the N with the most pixels; 0: none (default: {MAX_PICTURES})",
)  # fmt: skip
@click.option(
    "--no-thumbnails", is_flag=True,
    help="Show the files of the crawl instead of thumbnails in the page",
)  # fmt: skip
def command(
    folder: str, output: str | None, pictures: int, no_thumbnails: bool
) -> None:
    """Write what came of the crawl in DIR (default: here) as one HTML page.

    It needs no network and may be sent by mail: the crawl over time, status codes,
    hosts, depth, sizes and response times as plots, what failed with the command that
    tries it again, redirects, the site as a tree, and the pictures.

    \b
    orbweb report out                   out/report.html
    orbweb report out -o /tmp/page.html
    """
    root = Path(folder)
    state, seeds = read_state(root)
    files = record_files(root)
    target = Path(output) if output else root / NAME
    if target != STDOUT and any(target.exists() and target.samefile(f) for f in files):
        raise UsageError(f"-o {target} is the file that is read; name another")
    found = gather(files, pictures)
    shown = found.pictures.shown()
    pictures_in = picture_folder(root, state)
    thumbnails: dict[str, Thumbnail] = {}
    can_embed = _can_embed()
    if can_embed and not no_thumbnails:
        thumbnails = _thumbnails(pictures_in, files_of(pictures_in, shown))
    report = Report(
        folder,
        way_to(pictures_in, Path.cwd() / "-" if target == STDOUT else target),
        seeds,
        state,
        found,
        shown,
        thumbnails,
        can_embed,
        time.time(),
    )
    size = 0
    with open_output(target) as out:
        for piece in page(report):
            size += out.write(piece)
    if target != STDOUT:
        click.echo(f"{target}: {show_bytes(size)}", err=True)


def _can_embed() -> bool:
    from crawler.engine.images.thumbnails import can_make_thumbnails

    return can_make_thumbnails()


def _thumbnails(root: Path, paths: Sequence[str]) -> dict[str, Thumbnail]:
    """The thumbnails of files, as many as there is room for."""
    from crawler.engine.images.thumbnails import Thumbnails
    from crawler.engine.sandbox.cores import usable_cores
    from hub.pool import Pool

    if not paths:
        return {}
    share = min(MAX_SHARE, MAX_EMBEDDED // len(paths))
    makers = Thumbnails(usable_cores())
    made: dict[str, Thumbnail] = {}
    size = 0
    tell = _progress(len(paths))
    try:
        every = Pool(AT_ONCE).imap(lambda path: makers.make(root / path, share), paths)
        for number, (path, one) in enumerate(zip(paths, every, strict=True)):
            tell(number)
            if one is not None and size + len(one[1]) <= MAX_EMBEDDED:
                made[path] = Thumbnail(*one)
                size += len(one[1])
    finally:
        makers.close()
        tell(len(paths))
    return made


def _progress(whole: int) -> Callable[[int], None]:
    """Shows on a terminal how many thumbnails there are; the last call clears that."""

    def tell(number: int) -> None:
        if sys.stderr.isatty() and (number % 50 == 0 or number == whole):
            text = f"thumbnails: {number:,} of {whole:,}" if number < whole else ""
            click.echo(f"\r{text:<40}\r{text}", nl=False, err=True)

    return tell
