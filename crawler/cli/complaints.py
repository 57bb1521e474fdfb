"""Errors of the program on stderr: as text, or as a line of the JSON log.

With `--log-format json` a program reads stderr line by line, so what is wrong with the
options or the configuration has to be an event like all others. The format is looked up
in the words of the command line, since these may be what is wrong. With a log file
stderr is text, as it is during a crawl.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def complain(text: str, arguments: Sequence[str], details: str = "") -> None:
    """Print an error, which may name what a server or a file has sent.

    `arguments` are those of the program. `details` come before the text.
    """
    if wants_json(arguments):
        import time

        from crawler.cli.terminal.log import JsonLog, to_stream

        message = f"{details}orbweb: {text}"
        JsonLog(to_stream(sys.stderr), time.time).message(message, "error")
        return
    from crawler.model.controls import escape_controls

    click.echo(escape_controls(f"{details}orbweb: {text}"), err=True)


def complain_of_usage(error: click.ClickException, arguments: Sequence[str]) -> None:
    """Print what click says of the words of the command line."""
    if isinstance(error, click.NoSuchOption):
        from crawler.cli.of_machines import with_command_here

        error = with_command_here(error)
    if wants_json(arguments):
        complain(error.format_message(), arguments)
        return
    from io import StringIO

    from crawler.model.controls import escape_controls

    shown = StringIO()
    error.show(shown)
    click.echo(escape_controls(shown.getvalue()), nl=False, err=True)


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the log goes to stderr as JSON.

    >>> wants_json(["crawl", "--log-format=json", "example.com"])
    True
    """
    format_ = ""
    for at, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if word == "--":
            break
        if name == "--log-file":
            return False
        if name == "--log-format":
            format_ = value if equals else "".join(arguments[at + 1 : at + 2])
    return format_ == "json"
