"""The program's front door: finds the command, loads only that, and turns errors into
exit codes.

A first word that is no command and holds a dot, a colon or a slash is a URL to crawl.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click

from crawler.cli.standard_streams import occupy_closed
from crawler.model.errors import OutputError, Stop

COMMANDS = {
    "crawl": "Crawl a site: follow its links, keep records and images.",
    "resume": "Go on with a crawl that was stopped, however it was stopped.",
    "recrawl": "Crawl it again: only what has changed since.",
    "status": "How far a crawl is, while it runs or afterwards.",
    "explain": "Why a URL was or was not crawled.",
    "hosts": "The hosts of a crawl, and what waits for each.",
    "urls": "The URLs of a crawl, by state, host and code.",
    "retry": "Put failed URLs back, and go on.",
    "robots": "Fetch robots.txt, and show the line that decides about a URL.",
    "fetch": "Fetch one URL and show everything about it.",
    "config": "Write, check and show configurations.",
    "schema": "Print the schema of the records, in several forms.",
    "doctor": "Look whether this machine is fit for a crawl.",
    "completion": "Make the shell complete our commands and options.",
    "demo": "Crawl a small site on this machine: the place to start.",
}
"""Name and purpose of each command; its code is the object `command` of the module of
its name."""


class Commands(click.Group):
    """Loads a command's module when it is called: nobody pays for what is not used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = import_module(f"crawler.cli.commands.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            if _looks_like_url(args[0]):
                args = ["crawl", *args]
            elif near := get_close_matches(args[0], COMMANDS, n=1):
                ctx.fail(f"there is no command {args[0]!r}; did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)


def _looks_like_url(word: str) -> bool:
    return any(mark in word for mark in ".:/")


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted:
        from crawler import __version__

        click.echo(f"orbweb {__version__}")
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A URL without a command is crawled: orbweb example.com. Begin with: orbweb demo.",
)
@click.option(
    "-V", "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Show the version and exit.",
)  # fmt: skip
def orbweb() -> None:
    """A web crawler and image collector. stdout carries data only; all else goes to
    stderr."""


COMPLETION_VARIABLE = "_ORBWEB_COMPLETE"
"""By which the shell asks for completions (click)."""
_NO_WAY_OUT = frozenset(
    {errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC}
)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the exit code."""
    try:
        code: Any = orbweb.main(
            list(arguments),
            prog_name="orbweb",
            complete_var=COMPLETION_VARIABLE,
            standalone_mode=False,
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except Stop as stop:
        click.echo(f"orbweb: {stop}", err=True)
        return stop.exit_code
    except BrokenPipeError:
        _give_up_stdout()
        return 0  # whoever read our output has what they wanted (`| head`)
    except OSError as error:
        if error.errno not in _NO_WAY_OUT:
            raise
        _give_up_stdout()
        click.echo(f"orbweb: stdout can't be written: {error.strerror}", err=True)
        return OutputError.exit_code
    return code if isinstance(code, int) else 0


def _give_up_stdout() -> None:
    """What is still to be written there is lost; Python would complain about it at
    exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


YOUNG_OBJECTS = 20_000
"""More of them than this, and the garbage collector looks at them (CPython: 700).
Nothing that is over forms a cycle here, but what is loaded is looked through again and
again."""


def main() -> None:
    """What the `orbweb` script calls."""
    occupy_closed()
    gc.set_threshold(YOUNG_OBJECTS)
    code = run(sys.argv[1:])
    gc.freeze()  # Python's end looks for garbage among all that there is, twice
    sys.exit(code)
