"""How much a crawling command reports, in which form, and where: its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from msgspec import Struct

from crawler.cli.flags import OneOf

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (
        ("-q", "--quiet"),
        {"is_flag": True, "help": "Show nothing unless something goes wrong"},
    ),
    (
        ("-v", "--verbose"),
        {
            "is_flag": True,
            "help": "Log each request with its response, and each record",
        },
    ),
    (
        ("--log-format",),
        {
            "type": OneOf(["text", "json"]),
            "help": "Format of progress, messages and log on stderr",
        },
    ),
    (
        ("--log-file",),
        {
            "metavar": "FILE",
            "help": "Append the log of -v and the result to FILE",
        },
    ),
)
"""Names and attributes, for `click.option`."""


class Verbosity(Struct, frozen=True):
    """What the user wants to see."""

    quiet: bool = False
    verbose: bool = False
    as_json: bool = False
    file: str = ""


def verbosity_options(command: F) -> F:
    """Add the options to a command that passes its parameters to `verbosity_of`."""
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
