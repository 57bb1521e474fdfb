"""`orbweb fetch --fields`: what each selector finds, as lines for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click
import msgspec

from crawler.cli.terminal.formatting import printable
from crawler.engine.field_report import FieldReport

MAX_WIDTH = 100
"""Characters of one value."""


def field_lines(reports: Iterable[FieldReport]) -> Iterator[str]:
    """One field after the other: name, count, selector; its values; a hint."""
    for one in reports:
        colour = "green" if one.count else "red" if one.required else "yellow"
        count = click.style(f"{one.count:>5}", fg=colour, bold=True)
        name = click.style(f"{'  ' * bool(one.item)}{one.name:<16}", bold=True)
        yield f"{count}  {name} {click.style(printable(one.select), dim=True)}"
        for value in one.values:
            yield f"       {_shown(value)}"
        if one.count > len(one.values) > 0:
            yield click.style(
                f"       ... {one.count - len(one.values)} more", dim=True
            )
        if one.hint:
            yield click.style(f"       {printable(one.hint)}", fg="yellow")


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode()
    cut = text if len(text) <= MAX_WIDTH else f"{text[: MAX_WIDTH - 3]}..."
    return printable(cut)
