"""The program `orbweb`: loads the command that is called, turns errors into exit codes.

A first word that is not a command and has a dot, a colon or a slash is a URL to crawl.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from crawler.cli.shadowing import overwriting_error, shadowing_error
from crawler.cli.standard_streams import (
    ReaderLeft,
    reader_may_leave,
    reserve_closed,
)
from crawler.model.errors import (
    OutOfMemoryError,
    OutputError,
    Stop,
    UsageError,
    is_out_of_memory,
)

COMMANDS = {
    "crawl": "Crawl a site: follow links, write records, save images",
    "mirror": "Copy a site into a folder that a browser reads offline",
    "resume": "Continue a stopped crawl",
    "work": "Run shards of a crawl that several machines run",
    "recrawl": "Crawl again, and fetch only what has changed",
    "status": "Show the progress of a crawl, running or not",
    "serve": "Serve metrics for Prometheus and a page of crawls",
    "explain": "Show why a URL was or was not crawled",
    "hosts": "List the hosts of a crawl with their queues",
    "urls": "List the URLs of a crawl by state, host and code",
    "links": "List the links of a crawl: broken, redirected, to or from a URL",
    "audit": "Audit a crawled site: broken links, titles, redirects, sitemap",
    "retry": "Queue failed URLs again, and continue the crawl",
    "robots": "Fetch robots.txt, and show the line that applies to a URL",
    "fetch": "Fetch one URL, and show everything about it",
    "extract": "Extract again from saved bodies or WARC files, without a request",
    "images": "List the images of a crawl, or write them as a data set",
    "report": "Write a crawl as one HTML page with plots and its pictures",
    "export": "Write the records as CSV, Parquet, SQLite, URLs, sitemap, graph",
    "config": "Write, check and show configurations",
    "schema": "Print the schema of the records in several formats",
    "doctor": "Check whether this machine is ready for a crawl",
    "completion": "Print the script for shell completion",
    "help": "Show the help of a command, the exit codes, the environment",
    "demo": "Crawl a small site served by this machine: the place to start",
}
"""Name and purpose of each command.

Its code is the object `command` in the module of that name.
"""


class Commands(click.Group):
    """Loads the module of a command when that is called, which keeps start-up short."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with reader_may_leave():  # it prints --help and --version
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with reader_may_leave():
            return super().invoke(ctx)

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
            else:
                _suggest_command(ctx, args[0])
        return super().resolve_command(ctx, args)


def _looks_like_url(word: str) -> bool:
    return any(mark in word for mark in ".:/")


def _suggest_command(ctx: click.Context, word: str) -> None:
    """Raise UsageError if `word` is similar to a command."""
    from difflib import get_close_matches

    if near := get_close_matches(word, COMMANDS, n=1):
        ctx.fail(f"there is no command {word!r}; did you mean {near[0]!r}?")


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted:
        from crawler import __version__

        click.echo(f"orbweb {__version__}")
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A URL without a command is crawled: orbweb example.com. "
    "The place to start: orbweb demo.",
)
@click.option(
    "-V", "--version", is_flag=True, is_eager=True, expose_value=False,
    callback=_print_version, help="Show the version and exit.",
)  # fmt: skip
def orbweb() -> None:
    """A web crawler and image collector.

    stdout carries data only; progress and messages go to stderr.
    """


COMPLETION_VARIABLE = "_ORBWEB_COMPLETE"
"""The environment variable by which a shell asks for completions (click)."""
_WRITE_ERRORS = frozenset(
    {errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC}
)


_ACCESS_ERRORS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def run(arguments: Sequence[str], program: click.Command = orbweb) -> int:
    """Run one command line of `program`; the exit code."""
    try:
        code: Any = program.main(
            list(arguments),
            prog_name="orbweb",
            complete_var=COMPLETION_VARIABLE,
            standalone_mode=False,
        )
    except click.ClickException as error:
        from crawler.cli.complaints import complain_of_usage  # only for a mistake

        complain_of_usage(error, arguments)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except Stop as stop:
        if is_out_of_memory(stop) and not isinstance(stop, OutOfMemoryError):
            stop = OutOfMemoryError()
        _complain(str(stop), arguments)
        return stop.exit_code
    except ReaderLeft as left:
        _discard_stdout()
        return left.exit_code
    except OSError as error:
        if error.errno in _ACCESS_ERRORS and error.filename:
            _complain(_no_access(error), arguments)
            return OutputError.exit_code
        if error.errno not in _WRITE_ERRORS:
            raise
        _discard_stdout()
        _complain(f"stdout can't be written: {error.strerror}", arguments)
        return OutputError.exit_code
    return code if isinstance(code, int) else 0


def _no_access(error: OSError) -> str:
    """Which file or folder may not be used, and whose it is."""
    path = os.fsdecode(error.filename)
    text = f"{path}: {error.strerror}"
    for place in (path, os.path.dirname(path) or "."):
        try:
            owner = os.stat(place).st_uid
        except OSError:
            continue
        if owner != os.geteuid():
            text += f"; {place} belongs to the user with the id {owner}"
        break
    return f"{text}; check owner and mode"


def _complain(text: str, arguments: Sequence[str], details: str = "") -> None:
    from crawler.cli.complaints import complain  # only for a mistake

    complain(text, arguments, details)


def _discard_stdout() -> None:
    """Discard what is still in stdout's buffer: writing it at exit would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


MAX_YOUNG_OBJECTS = 20_000
"""New objects before the garbage collector runs (CPython: 700).

Finished objects form no cycles here, and each run would look through the loaded modules
again.
"""


RESERVE = 2 * 2**20
"""Bytes of address space that are kept free for the report of a lack of memory.

They are never written, so they take no memory.
"""


def main(program: click.Command = orbweb) -> NoReturn:
    """The entry point of the `orbweb` script: runs `sys.argv`, and exits."""
    reserve_closed()
    gc.set_threshold(MAX_YOUNG_OBJECTS)
    reserve = bytearray(RESERVE)
    try:
        code = _refuse_shadowed() or run(sys.argv[1:], program)
    except Exception as error:
        del reserve
        code = _report(error)
    gc.freeze()  # otherwise the interpreter's exit collects garbage twice
    sys.exit(code)


def _refuse_shadowed() -> int:
    """Report a foreign `hub`; the exit code, or 0 if it is ours."""
    if not (shadowed := shadowing_error("hub")):
        return 0
    click.echo(f"orbweb: {shadowed}", err=True)
    return UsageError.exit_code


def _report(error: Exception) -> int:
    """Report an error that is not the user's; its exit code."""
    if is_out_of_memory(error):
        stop = OutOfMemoryError()
        _complain(str(stop), sys.argv[1:])
        return stop.exit_code
    if overwritten := overwriting_error(error):
        _complain(overwritten, sys.argv[1:])
        return UsageError.exit_code
    import traceback

    trace = "".join(traceback.format_exception(error))
    _complain(f"internal error: {type(error).__name__}: {error}", sys.argv[1:], trace)
    return 1
