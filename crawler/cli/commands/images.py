"""`orbweb images [DIR]`: the images of a crawl, and their way into data sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import get_args

import click
import msgspec

from crawler.cli.flags import OneOf
from crawler.cli.image_limits import image_limits
from crawler.cli.record_files import record_files
from crawler.cli.state_options import WordList, host_option, unique_words
from crawler.cli.terminal.formatting import printable
from crawler.inspect.images import (
    PagesOf,
    image_filter,
    image_line,
    open_pages,
    page_lines,
)
from crawler.model.content_config import ImageFormat, ImagesConfig
from crawler.model.errors import UsageError
from crawler.model.units import counted, parse_bytes
from crawler.output.datasets.imagefolder import open_imagefolder
from crawler.output.datasets.samples import CAPTIONS, Samples
from crawler.output.datasets.webdataset import open_webdataset
from crawler.output.export.condition import Condition
from crawler.output.export.export import export, placed
from crawler.output.export.files import STDOUT
from crawler.output.export.formats import FORMATS
from crawler.output.export.latest import latest_images
from crawler.output.export.lines import Line, data_fields, read_batches
from crawler.output.export.selection import Field, Selection
from crawler.output.export.writer import Format, Write

TABLES = ("csv", "parquet", "jsonl")
DATA_SETS = ("webdataset", "imagefolder")
SHARD = 10_000


@click.command("images")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option(
    "--format", "formats", type=WordList(get_args(ImageFormat)), multiple=True,
    help="Only these formats: jpeg,png,...; repeatable",
)  # fmt: skip
@click.option(
    "--min-image", metavar="LIST", help="Only from this size: 200x200, 0.5MP, 20K"
)
@click.option("--max-image", metavar="LIST", help="Only up to this size")
@host_option
@click.option(
    "--page", "pages", multiple=True, metavar="PATTERN",
    help="Only images of these pages, with * for anything; repeatable",
)  # fmt: skip
@click.option(
    "--all-pages", is_flag=True, help="List below each image all pages that show it"
)
@click.option(
    "--where", metavar="SQL", help="Only images for which this holds, as in `export`"
)
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), metavar="N", help="List the first N"
)
@click.option(
    "-t", "--to", "form", type=OneOf([*TABLES, *DATA_SETS]),
    help="Write the images in this format instead of listing them",
)  # fmt: skip
@click.option(
    "-o", "--output", metavar="PATH", default="-",
    help="Where to: a file, or a new folder for a data set",
)  # fmt: skip
@click.option(
    "--caption", "captions", type=WordList(CAPTIONS), multiple=True,
    help=f"Captions of a data set, the best first (default: {','.join(CAPTIONS)})",
)  # fmt: skip
@click.option(
    "--shard", type=click.IntRange(min=1), metavar="N", default=SHARD,
    help=f"Images of a tar file (default: {SHARD})",
)  # fmt: skip
def command(
    folder: str,
    formats: tuple[tuple[str, ...], ...],
    min_image: str | None,
    max_image: str | None,
    hosts: tuple[tuple[str, ...], ...],
    pages: tuple[str, ...],
    all_pages: bool,
    where: str | None,
    limit: int | None,
    form: str | None,
    output: str,
    captions: tuple[tuple[str, ...], ...],
    shard: int,
) -> None:
    """List the images of the crawl in DIR (default: here), or write them as a data set.

    Columns: format, width and height, size, file, URL.

    \b
    orbweb images out --format jpeg --min-image 512x512
    orbweb images out --to imagefolder -o data      load_dataset("imagefolder", ...)
    orbweb images out --to webdataset -o shards     00000.tar, 00001.tar, ...
    """
    root = Path(folder)
    files = record_files(root)
    limits = _limits(min_image, max_image, unique_words(formats))
    if all_pages and form is not None:
        raise UsageError("--all-pages is for the list; data sets have page_urls")
    is_wanted = all_pages or bool(pages) or form in DATA_SETS
    with open_pages(root, is_wanted) as pages_of:
        wanted = [image_filter(limits, unique_words(hosts), pages, pages_of)]
        with placed(files):
            wanted.insert(0, latest_images(files))
            if where:
                wanted.append(Condition(where, data_fields(files)))
        if limit:
            wanted.append(_first(limit))
        selection = Selection(
            ("image",), where=lambda line: all(one(line) for one in wanted)
        )
        if form is None:
            with placed(files):
                _list(files, selection, pages_of if all_pages else None)
        elif form in TABLES:
            _write_table(files, form, selection, Path(output))
        else:
            samples = Samples(root, unique_words(captions) or CAPTIONS, pages_of)
            _write_data_set(files, form, selection, Path(output), samples, shard)


def _list(files: list[Path], selection: Selection, pages_of: PagesOf | None) -> None:
    for line in chain.from_iterable(selection.lines(read_batches(files))):
        click.echo(printable(image_line(line)))
        for page in () if pages_of is None else page_lines(line, pages_of):
            click.echo(printable(page))


def _first(limit: int) -> Callable[[Line], bool]:
    count = iter(range(limit))
    return lambda _line: next(count, None) is not None


def _limits(
    min_image: str | None, max_image: str | None, formats: tuple[str, ...]
) -> ImagesConfig:
    """The limits of these options. Raises UsageError."""
    limits: dict[str, str] = {}
    for flag, text in (("--min-image", min_image), ("--max-image", max_image)):
        limits |= image_limits(flag, text) if text else {}
    values = {
        key: parse_bytes(text) if key.endswith("file_size") else int(text)
        for key, text in limits.items()
    }
    return msgspec.convert({**values, "formats": formats}, ImagesConfig)


def _write_table(
    files: list[Path], form: str, selection: Selection, target: Path
) -> None:
    chosen = FORMATS[form]
    if target == STDOUT and not chosen.streams:
        raise UsageError(f"--to {form} needs a file: -o images{chosen.ending}")
    if target != STDOUT and any(target.exists() and target.samefile(f) for f in files):
        raise UsageError(f"-o {target} is the file that is read; name another")
    written = export(files, chosen, selection, target)
    if target != STDOUT:
        click.echo(f"{target}: {counted(written, 'record')}", err=True)


def _write_data_set(
    files: list[Path],
    form: str,
    selection: Selection,
    target: Path,
    samples: Samples,
    shard: int,
) -> None:
    if target == STDOUT:
        raise UsageError(f"--to {form} needs a new folder: -o data")

    def opened(target: Path, fields: Sequence[Field]) -> AbstractContextManager[Write]:
        del fields  # a sample has its own
        if form == "imagefolder":
            return open_imagefolder(target, samples)
        return open_webdataset(target, samples, shard)

    written = export(files, Format(opened, "", tabular=False), selection, target)
    click.echo(f"{target}: {counted(written, 'image')}", err=True)
    if samples.unreadable:
        click.echo(f"{samples.unreadable:,} SVG, HEIC or JPEG XL left out", err=True)
    if samples.missing:
        whose = "file is" if samples.missing == 1 else "files are"
        click.echo(f"{samples.missing:,} left out, whose {whose} missing", err=True)
