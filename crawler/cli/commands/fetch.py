"""`orbweb fetch URL`: everything about one URL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

import hub
from crawler.cli.flags import Flag, GroupedCommand
from crawler.cli.options.configuration import configuration_options
from crawler.cli.options.requests import request_options
from crawler.cli.plan import load_plan
from crawler.cli.standard_streams import reader_may_leave
from crawler.cli.terminal.formatting import echo_json, printable
from crawler.engine.fetch_url import FetchedUrl
from crawler.model.config import Config
from crawler.model.documents import File, Page
from crawler.model.errors import ExtractFailure, UsageError
from crawler.model.record_base import BodyRecord, FetchRecord
from crawler.model.records import ErrorRecord, ImageRecord, PageRecord, SkipRecord
from crawler.model.redact import redact
from crawler.model.units import show_bytes

_BAR = 36
_MAX_ROWS = 20
_POLL = 0.3
"""Seconds between two looks at a watched file."""


def fetch_options() -> Iterator[Flag]:
    """The options of a crawl that apply to one URL, and those of the output."""
    yield Flag(
        "--json", "as_json", is_flag=True, group="Output",
        help="Print JSON lines: the robots record, then the record of the URL",
    )  # fmt: skip
    yield Flag(
        "-a", "--all", "everything", is_flag=True, group="Output",
        help=f"Show all links, images and headers, not only the first {_MAX_ROWS}",
    )  # fmt: skip
    yield Flag(
        "-v", "--verbose", is_flag=True, group="Output",
        help="Show each request with its response on stderr, secrets redacted",
    )  # fmt: skip
    yield Flag(
        "--fields", "show_fields", is_flag=True, group="Output",
        help="Show what each selector of [fields] and [[site]] finds",
    )  # fmt: skip
    yield Flag(
        "--watch", is_flag=True, group="Output",
        help="With --fields: look again, without a request, when --config changes",
    )  # fmt: skip
    yield from request_options()
    yield from configuration_options()


@click.command("fetch", cls=GroupedCommand, params=list(fetch_options()))
@click.argument("url")
@click.pass_context
def command(ctx: click.Context, /, url: str, **params: Any) -> int:
    """Fetch one URL as a crawl would, and show robots, timings, fields and links.

    \b
    orbweb fetch https://example.com/logo.png
    orbweb fetch https://example.com/p/1 --fields --config shop.toml
    orbweb fetch https://example.com/ --json
    """
    plan = load_plan(ctx.command, params, [url])
    if len(plan.jobs) > 1:
        raise UsageError(
            f"{params['config']} holds several jobs; fetch needs a file with one"
        )
    for note in (*plan.warnings, *plan.notes):
        click.echo(f"orbweb: {note}", err=True)
    from crawler.engine.fetch_url import fetch_url
    from crawler.fetch.exchange_text import render
    from crawler.model.http import Exchange

    def show(exchange: Exchange) -> None:
        click.echo("\n".join([*map(printable, render(exchange)), ""]), err=True)

    config = plan.jobs[0].config
    fetched = fetch_url(
        config,
        config.seeds[-1],
        on_exchange=show if params["verbose"] else None,
        on_warning=lambda text: click.echo(f"orbweb: {printable(text)}", err=True),
    )
    code = _exit_code(fetched)
    with reader_may_leave(code):
        if params["show_fields"]:
            _show_fields(config, fetched)
            if params["watch"]:
                _watch(ctx, params, url, fetched)
        elif params["as_json"]:
            for record in filter(None, (fetched.robots, fetched.record)):
                echo_json(record)
        else:
            for line in report(fetched, None if params["everything"] else _MAX_ROWS):
                click.echo(printable(line).rstrip())
    return code


def _show_fields(config: Config, fetched: FetchedUrl) -> None:
    from crawler.cli.terminal.field_table import field_lines
    from crawler.engine.field_report import report as report_fields

    document, response = fetched.document, fetched.response
    if response is None or not isinstance(document, (Page, File)):
        raise UsageError(f"{fetched.record.url} has no body with fields")
    if not config.fields and not config.site:
        raise UsageError("there are no fields: write [fields], or give --field")
    reports = report_fields(config, response.url, response.body, document)
    for line in field_lines(reports):
        click.echo(line)


def _watch(
    ctx: click.Context, params: dict[str, Any], url: str, fetched: FetchedUrl
) -> None:
    """Show the fields again whenever the file changes, until Ctrl-C."""
    if not params["config"]:
        raise UsageError("--watch needs --config FILE, whose changes it waits for")
    file = Path(params["config"])
    seen = file.stat().st_mtime_ns
    while True:
        hub.sleep(_POLL)
        try:
            changed = file.stat().st_mtime_ns
        except FileNotFoundError:  # an editor is about to put another in its place
            continue
        if changed == seen:
            continue
        seen = changed
        click.echo(f"\n{file} has changed")
        try:
            plan = load_plan(ctx.command, params, [url])
            _show_fields(plan.jobs[0].config, fetched)
        except (UsageError, ExtractFailure) as error:
            click.echo(click.style(printable(str(error)), fg="red"))


def _exit_code(fetched: FetchedUrl) -> int:
    """The exit code of a crawl with this one seed."""
    from crawler.engine.exit_status import exit_code

    record = fetched.record
    failures = (
        [(record.error_code, record.status)] if isinstance(record, ErrorRecord) else []
    )
    counts = {"page": 0, "file": 0, "image": 0, "skip": 0, "error": len(failures)}
    return exit_code(failures, counts | {record.type: 1}, "")


# ------------------------------------------------------------------ text


def report(fetched: FetchedUrl, rows: int | None) -> Iterator[str]:
    """What was fetched as lines of text; long lists are cut after `rows`."""
    record = fetched.record
    for hop in getattr(record, "redirects", ()):
        yield f"{hop.url}  {hop.status} redirect"
    if isinstance(record, ErrorRecord):
        yield f"{record.url}  failed"
        yield from _table([("error", f"{record.error_code} ({record.error_stage})"),
                           ("message", record.error_message)])  # fmt: skip
    elif isinstance(record, SkipRecord):
        yield f"{record.url}  skipped"
        yield from _table([("reason", record.reason), ("rule", record.rule)])
    elif isinstance(record, FetchRecord):
        reason = fetched.response.reason if fetched.response else ""
        yield f"{record.url}  {record.status} {reason}"
    yield from _table([("robots", _decision(fetched))])
    if isinstance(record, FetchRecord):
        yield from _table(_facts(record))
        yield ""
        yield from waterfall(record)
    yield from _lists(fetched, rows)


def _table(pairs: list[tuple[str, Any]]) -> Iterator[str]:
    for name, value in pairs:
        if value not in (None, ""):
            yield f"  {name:<13} {value}"


def _decision(fetched: FetchedUrl) -> str:
    if fetched.skip is not None:
        return f"a crawl would skip this: {fetched.skip.rule}"
    if fetched.robots is None:
        return "not fetched"
    if fetched.robots.policy == "allow_all":
        return f"allowed; robots.txt has status {fetched.robots.status}"
    return f"allowed; applicable rules in robots.txt: {fetched.robots.rules_count}"


_SHELL = "needed: without it, the page is an empty shell"


def _facts(record: FetchRecord) -> list[tuple[str, Any]]:
    size = show_bytes(record.body_bytes)
    if record.content_encoding:
        size += f" ({show_bytes(record.wire_bytes)} as {record.content_encoding})"
    if record.truncated:
        size += f", truncated ({record.truncated})"
    facts: list[tuple[str, Any]] = [
        ("type", f"{record.type}, {record.content_type}"),
        ("size", size),
        ("from", f"{record.remote_ip}, HTTP/{record.http_version}"),
        ("etag", record.etag),
        ("last modified", record.last_modified),
        ("sha256", record.sha256),
        ("tolerated", ", ".join(record.tolerated)),
        ("weak cipher", record.weak_cipher),
    ]
    if isinstance(record, BodyRecord):
        facts.append(("charset", _told(record.charset, record.charset_source)))
    if isinstance(record, PageRecord):
        facts += [
            ("JavaScript", _SHELL if record.needs_javascript else None),
            ("language", record.lang),
            ("meta robots", record.robots_meta),
            ("title", _told(record.title, record.title_source)),
            ("description", _told(record.description, record.description_source)),
            ("canonical", _told(record.canonical_url, record.canonical_source)),
            *_declared(record),
            ("data", record.data and msgspec.json.encode(record.data).decode()),
        ]
    elif isinstance(record, ImageRecord):
        facts += [
            ("format", record.format),
            ("pixels", f"{record.width} x {record.height}"),
            ("frames", record.frames),
        ]
    return facts


def _declared(record: PageRecord) -> list[tuple[str, Any]]:
    """What the page declares for search engines and social networks."""
    alternates = [one.hreflang for one in record.alternates]
    return [
        ("og:type", record.og_type),
        ("og:site_name", record.og_site_name),
        ("author", record.author),
        ("published", record.published),
        ("modified", record.modified),
        ("json-ld", ", ".join(record.jsonld_types)),
        ("breadcrumbs", " > ".join(record.breadcrumbs)),
        ("feeds", " ".join(record.feeds)),
        ("amp", record.amp_url),
        ("languages", ", ".join(alternates)),
    ]


def _told(text: str | None, source: str | None) -> str | None:
    """A fact with what told it."""
    return f"{text} ({source})" if text and source else text


_PHASES = (
    ("dns", "dns_ms"),
    ("connect", "connect_ms"),
    ("tls", "tls_ms"),
    ("first byte", "ttfb_ms"),
    ("download", "download_ms"),
)


def waterfall(record: FetchRecord) -> Iterator[str]:
    """The phases of the exchange, one per line, each with a bar at its time."""
    total = max(record.fetch_ms or 0, 1)
    elapsed = 0
    for name, field in _PHASES:
        took = getattr(record, field)
        if took is not None:
            start = min(_BAR - 1, round(elapsed / total * _BAR))
            length = max(1, min(_BAR - start, round(took / total * _BAR)))
            bar = " " * start + "█" * length
            yield f"  {name:<13} {bar:<{_BAR}} {took:>6} ms"
            elapsed += took
    yield f"  {'total':<13} {'':<{_BAR}} {record.fetch_ms:>6} ms"


def _lists(fetched: FetchedUrl, rows: int | None) -> Iterator[str]:
    record = fetched.record
    headers = fetched.response.headers if fetched.response is not None else ()
    lines = [f"{name}: {redact(name, value)}" for name, value in headers]
    yield from _list("headers", lines, rows)
    if isinstance(record, BodyRecord):
        links = [_link(link.url, link.kind, link.text) for link in record.links or ()]
        images = [
            _link(image.url, image.kind, image.alt) for image in record.images or ()
        ]
        yield from _list("links", links, rows)
        yield from _list("images", images, rows)


def _link(url: str, kind: str, text: str | None) -> str:
    shown = " ".join((text or "").split())
    return f"{kind:<10} {url}  {shown[:80]}"


def _list(title: str, lines: list[str], rows: int | None) -> Iterator[str]:
    if lines:
        yield ""
        yield f"{title} ({len(lines)})"
        yield from (f"  {line}" for line in lines[:rows])
        if rows is not None and len(lines) > rows:
            yield f"  ... and {len(lines) - rows} more (--all)"
