"""How much a command says, in which form and where to: the options of all that
crawl."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from msgspec import Struct

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("-q", "--quiet"),
        {"is_flag": True, "help": "No progress; errors and the result only."},
    ),
    (
        ("-v", "--verbose"),
        {
            "is_flag": True,
            "help": "Each exchange with a server, and what became of each URL.",
        },
    ),
    (
        ("--log-format",),
        {
            "type": click.Choice(["text", "json"]),
            "help": "Of all that is said, records aside.",
        },
    ),
    (
        ("--log-file",),
        {
            "metavar": "FILE",
            "help": "Append what -v says to FILE instead, and the result too.",
        },
    ),
)
"""Names and attributes, for `click.option`."""


class Verbosity(Struct, frozen=True):
    """What the user wants to hear."""

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False
    file: str = ""


def verbosity_options(command: F) -> F:
    """The options, for a command that gives its parameters to `verbosity_of`."""
    for names, attributes in reversed(OPTIONS):
        command = click.option(*names, **attributes)(command)
    return command


def verbosity_of(params: Mapping[str, Any]) -> Verbosity:
    return Verbosity(
        params["quiet"] or False,
        params["verbose"] or False,
        params["log_format"] == "json",
        params["log_file"] or "",
    )
