"""`orbweb extract`: records from saved bodies and WARC files, without a request."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from crawler.cli.flags import Flag, GroupedCommand, settings_of
from crawler.cli.options import extract_options
from crawler.cli.plan import read_settings
from crawler.cli.record_files import tell_missing
from crawler.cli.terminal.formatting import printable
from crawler.engine.exit_status import DONE, TOO_MANY_FAILURES
from crawler.model.config import Config
from crawler.model.errors import UsageError
from crawler.model.units import counted
from crawler.model.url_pattern import expression
from crawler.settings.load import Setting, load
from crawler.settings.resumed import settings_of as settings_of_config

GROUP = "Source"
_SUFFIX = "-extracted"


def _options() -> Iterator[click.Option]:
    yield Flag(
        "--from-warc", is_flag=True, group=GROUP,
        help="Read WARC files, which are named in place of DIR",
    )  # fmt: skip
    yield Flag(
        "--match", group=GROUP, metavar="RE",
        help="Only URLs in which this RE2 expression is found; or glob:PATTERN",
    )  # fmt: skip
    yield Flag(
        "--limit", group=GROUP, metavar="N", type=click.IntRange(1),
        help="Only the first N URLs",
    )  # fmt: skip
    yield from extract_options()


@click.command("extract", cls=GroupedCommand, params=list(_options()))
@click.argument("source", nargs=-1, metavar="[DIR|FILE...]")
@click.pass_context
def command(ctx: click.Context, /, source: tuple[str, ...], **params: Any) -> int:
    """Extract records again from the crawl in DIR, without a request.

    Reads the bodies that --save has kept, or the WARC files of the crawl, and writes
    records as a crawl with these settings would have: fields, text, links, items. With
    --config the settings are those of the file, otherwise those of the crawl. The
    records go to a folder of their own. So do the pictures of WARC files, with their
    --thumbnails; those of a crawl stay in its folder, and get no new thumbnails.

    \b
    orbweb extract out --config new.toml -o out-new
    orbweb extract --from-warc *.warc.gz --field 'title=css:h1::text' -o pages
    """
    from crawler.engine.extraction.opening import (
        Choice,
        config_of_crawl,
        extract_crawl,
        extract_warcs,
    )

    if params["from_warc"] and not source:
        raise UsageError("--from-warc: name the WARC files")
    if not params["from_warc"] and len(source) > 1:
        raise UsageError("name one folder of a crawl, or WARC files with --from-warc")
    if params["from_warc"]:
        _refuse_unreadable(source)
    choice = Choice(_pattern(params["match"]), params["limit"])
    first = Path(source[0] if source else ".")
    if params["from_warc"]:
        config = _config(ctx, params, None, _name_of_warc(first))
        extracted = extract_warcs([Path(one) for one in source], config, _tell, choice)
    else:
        crawl = config_of_crawl(first)
        tell_missing(first)
        config = _config(ctx, params, crawl, f"{first.absolute().name}{_SUFFIX}")
        extracted = extract_crawl(first, config, _tell, choice)
    if not params["quiet"]:
        kinds = ", ".join(
            counted(n, kind) for kind, n in extracted.records.most_common()
        )
        _tell(f"{config.dir}: {kinds or 'nothing'}")
    if extracted.unread:
        _tell(f"{counted(extracted.unread, 'place')} of the source could not be read")
    return TOO_MANY_FAILURES if extracted.unread else DONE


def _refuse_unreadable(files: Iterable[str]) -> None:
    """Before anything is written: a name that was mistyped is no damaged source."""
    for name in files:
        try:
            Path(name).open("rb").close()
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(f"--from-warc {name}: {reason}") from error


def _tell(text: str) -> None:
    click.echo(f"orbweb: {printable(text)}", err=True)


def _pattern(text: str | None) -> str:
    try:
        return expression(text) if text else ""
    except ValueError as error:
        raise UsageError(f"--match {text}: {error}") from error


def _name_of_warc(file: Path) -> str:
    """The name of the folder for what is in a WARC file."""
    return f"{file.name.partition('.warc')[0]}{_SUFFIX}"


def _config(
    ctx: click.Context, params: dict[str, Any], crawl: Config | None, name: str
) -> Config:
    """The settings of the file, or of the crawl, with those of the options."""
    file = params["config"]
    flags = settings_of(ctx.command, params)
    text = read_settings(file) if file else None
    before: list[Setting] = []
    if text is None and crawl is not None:
        own = replace(crawl, dir="", output=(), seeds=())
        before = [*settings_of_config(own, "state")]
    plan = load(text, os.environ, [*before, *flags])
    if len(plan.jobs) != 1:
        raise UsageError(f"{file} holds {len(plan.jobs)} jobs; an extraction is of one")
    config = plan.jobs[0].config
    places = {flag.path for flag in flags}
    if text is not None:  # where the crawl of that file goes
        if ("dir",) not in places:
            config = replace(config, dir="")
        if ("output",) not in places:
            config = replace(config, output=())
    return config if config.dir else replace(config, dir=name)
