"""`orbweb schema`: the record schema, in the format of the program that reads it."""

from __future__ import annotations

import click

from crawler.cli.flags import OneOf
from crawler.output.schema_export import FORMS


@click.command("schema")
@click.option(
    "-f", "--format", "form", type=OneOf(list(FORMS)), default="md",
    show_default=True, help="JSON Schema; typed views for DuckDB; a reader for polars; "
    "SQL tables; Markdown",
)  # fmt: skip
def command(form: str) -> None:
    """Print the schema of the records: every field of every record type."""
    click.echo(FORMS[form](), nl=False)
