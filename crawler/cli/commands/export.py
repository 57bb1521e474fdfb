"""`orbweb export`: the records of a crawl in the formats of other programs."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec.structs import replace

from crawler.cli.flags import OneOf
from crawler.cli.record_files import record_files
from crawler.cli.state_options import WordList, unique_words
from crawler.model.errors import UsageError
from crawler.model.records import RECORD_TYPES
from crawler.model.units import counted
from crawler.output.export.condition import Condition
from crawler.output.export.export import export, export_by_type, placed
from crawler.output.export.files import STDOUT
from crawler.output.export.formats import FORMATS
from crawler.output.export.latest import latest_records
from crawler.output.export.lines import data_fields, with_data
from crawler.output.export.selection import DATA, Selection
from crawler.output.export.writer import Format
from crawler.output.sink import compression_of


@click.command("export")
@click.argument("source", default=".", metavar="[DIR|FILE...]", nargs=-1)
@click.option(
    "-t", "--to", "form", type=OneOf(list(FORMATS)), required=True,
    help="The format",
)  # fmt: skip
@click.option(
    "-o", "--output", metavar="FILE", default="-",
    help="Where to; `.gz` and `.zst` compress (default: stdout)",
)  # fmt: skip
@click.option(
    "--type", "types", type=WordList(tuple(RECORD_TYPES)), multiple=True,
    help="Only these types of records: page,image,...",
)  # fmt: skip
@click.option(
    "--columns", type=WordList(), multiple=True,
    help="Only these columns, in this order; `data.NAME` is a field of `data`",
)  # fmt: skip
@click.option(
    "--where", metavar="SQL",
    help="Only records for which this holds, in the SQL of SQLite: "
    "\"status = 200 AND url LIKE '%.html'\"",
)  # fmt: skip
@click.option(
    "--split-types", is_flag=True, help="A file for each type: FILE-page.csv, ..."
)
@click.option(
    "--latest", is_flag=True,
    help="Only the last record of each URL, as urls, sitemap and graphml have it",
)  # fmt: skip
def command(
    source: tuple[str, ...],
    form: str,
    output: str,
    types: tuple[tuple[str, ...], ...],
    columns: tuple[tuple[str, ...], ...],
    where: str | None,
    split_types: bool,
    latest: bool,
) -> None:
    """Export the records of the crawl in DIR, or in FILEs of records.

    After a recrawl or a retry, a URL has several records; the last one counts.

    \b
    orbweb export out -t csv --type page --columns url,status,title -o pages.csv
    orbweb export out -t parquet -o records.parquet
    orbweb export out -t urls --where "status >= 400"
    orbweb export out -t sitemap -o sitemap.xml
    """
    chosen = FORMATS[form]
    target = Path(output)
    files = [file for one in source or (".",) for file in record_files(Path(one))]
    with placed(files):
        selection = _selection(
            files, unique_words(types) or chosen.types, unique_words(columns), where
        )
        if latest or chosen.latest:
            selection = replace(selection, latest=latest_records(files))
    _check(form, chosen, selection, target, split_types)
    _check_target(target, files)
    if split_types:
        for path, written in export_by_type(files, chosen, selection, target).items():
            click.echo(f"{path}: {counted(written, 'record')}", err=True)
        return
    written = export(files, chosen, selection, target)
    if target != STDOUT:
        click.echo(f"{target}: {counted(written, 'record')}", err=True)


def _selection(
    files: list[Path],
    types: tuple[str, ...],
    columns: tuple[str, ...],
    where: str | None,
) -> Selection:
    data = data_fields(files)
    named = {name.removeprefix(DATA) for name in columns if name.startswith(DATA)}
    return Selection(
        types,
        columns,
        Condition(where, data) if where else None,
        data,
        # A plug-in's fields are not in the schema line.
        frozenset(with_data(files, named - data.keys())),
    )


def _check_target(target: Path, files: list[Path]) -> None:
    """Raises UsageError if the export would replace the records that it reads."""
    for file in files:
        if target != STDOUT and target.exists() and target.samefile(file):
            raise UsageError(f"-o {target} is the file that is read; name another")


def _check(
    name: str, form: Format, selection: Selection, target: Path, split: bool
) -> None:
    if target == STDOUT and (split or not form.streams):
        what = "--split-types" if split else f"--to {name}"
        raise UsageError(f"{what} needs a file: -o records{form.ending}")
    if not form.streams and compression_of(target.name):
        plain = target.with_suffix("")
        raise UsageError(f"--to {name} is not compressed by its name: -o {plain}")
    if selection.columns and not form.tabular:
        raise UsageError(f"--to {name} has no columns to choose from")
    selection.fields()
