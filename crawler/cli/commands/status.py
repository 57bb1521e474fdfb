"""`orbweb status [DIR]`: the progress of a crawl, read from its folder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from crawler.cli.failed_crawl import failure_of_crawl
from crawler.cli.terminal.formatting import (
    echo_json,
    estimate,
    name_files,
    printable,
    terminal_width,
    time_bound,
)
from crawler.frontier.sqlite.damage import explain_damage
from crawler.frontier.store import State
from crawler.inspect.next_command import next_command, part_of, used_by_all
from crawler.inspect.recent import Speed, read_speed
from crawler.inspect.state import open_state
from crawler.inspect.status import Status, began_at, list_cut, read_status
from crawler.inspect.why_waiting import Blocker, why_waiting
from crawler.model.config import Config, from_json
from crawler.model.errors import UsageError
from crawler.model.metadata import clock_shift
from crawler.model.reasons import retry_command
from crawler.model.resume_command import limit_reached
from crawler.model.units import RECEIVED, counted, show_bytes, show_moment, show_seconds
from crawler.workspace.outputs import last_files, record_streams
from crawler.workspace.paths import state_folder

_MIN_DETAIL = 20
"""Columns that a detail of --why has at least."""
SILENT_AFTER_S = 10.0
"""A crawl that wrote no record for longer is shown without a speed."""


@click.command("status")
@click.argument("folder", default=".", metavar="[DIR]")
@click.option(
    "--why", is_flag=True, help="Show what the crawl waits for, and how many URLs each"
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object")
@click.option(
    "--exchange", metavar="URL",
    help="Show the crawl of several machines at valkey://HOST[:PORT]/CRAWL",
)  # fmt: skip
def command(folder: str, why: bool, as_json: bool, exchange: str | None) -> None:
    """Show the progress of the crawl in DIR (default: here), running or not.

    Its settings are shown by orbweb config show DIR.
    """
    if exchange is not None:
        from crawler.cli.exchange_status import show

        if why or folder != ".":
            raise UsageError("--exchange shows a whole crawl: leave DIR and --why out")
        show(exchange, as_json=as_json)
        return
    with explain_damage(state_folder(folder)):
        _show(folder, why, as_json)


def _show(folder: str, why: bool, as_json: bool) -> None:
    with open_state(Path(folder)):  # or it is said what the folder holds
        status = read_status(state_folder(folder))
    assert status is not None
    records = _records_of(Path(folder), status)
    speed = read_speed(*recent_files(Path(folder), status)) if records else None
    now = time.time()
    reasons = _reasons(Path(folder), status, now) if why else None
    if as_json:
        found = _as_json(folder, status, records, speed)
        if reasons is not None:
            found["why"] = reasons
        echo_json(found)
    else:
        for line in _as_text(folder, status, records, speed, now):
            click.echo(printable(line))
        for line in reason_lines(reasons, terminal_width()):
            click.echo(printable(line))


def _reasons(folder: Path, status: Status, now: float) -> list[Blocker]:
    with open_state(folder) as (state, config):
        now -= clock_shift(state, now)
        return why_waiting(state, status, config, now)


def reason_lines(reasons: Sequence[Blocker] | None, width: int | None) -> Iterator[str]:
    """The lines of --why: columns, of which the last is broken at `width`."""
    if reasons is None:
        return
    yield "  why"
    if not reasons:
        yield "    the crawl waits for nothing, and skipped nothing"
        return
    rows = [(_reason_name(one), f"{one.urls:,}", one.detail) for one in reasons]
    names = max(len(name) for name, _, _ in rows)
    numbers = max(len(urls) for _, urls, _ in rows)
    for name, urls, detail in rows:
        start = f"    {name:<{names}}  {urls:>{numbers}}  "
        first, *rest = _broken(detail, width and max(_MIN_DETAIL, width - len(start)))
        yield start + first
        yield from (" " * len(start) + line for line in rest)


def _reason_name(one: Blocker) -> str:
    return one.reason if one.kind == "waits" else f"{one.kind} {one.reason}"


def _broken(text: str, width: int | None) -> list[str]:
    """The text in lines of at most `width`, if that is given."""
    if width is None or len(text) <= width:
        return [text]
    from textwrap import wrap

    return wrap(text, width, break_on_hyphens=False)


def recent_files(folder: Path, status: Status) -> list[Path]:
    """The files to which records go, or went last."""
    return last_files(_config_of(folder, status))


def _records_of(folder: Path, status: Status) -> list[Path]:
    """The files of the first output of which there are any."""
    return next(filter(None, record_streams(_config_of(folder, status))), [])


def _config_of(folder: Path, status: Status) -> Config:
    return replace(from_json(status.run.config.encode()), dir=str(folder))


def size_of(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _as_json(
    folder: str, status: Status, records: list[Path], speed: Speed | None
) -> dict[str, Any]:
    ended = status.saved_at if status.pid is None else None
    ended_as = {**status.reasons["error"], **status.reasons["skip"]}
    ends = status.waits.stops_in_s
    runs, took, whole = status.runs, status.last_run_s, status.all_runs_s
    return {
        "dir": folder,
        "state": status.state,
        "pid": status.pid,
        "run_id": status.run.run_id,
        "started_at": datetime.fromtimestamp(began_at(status.run.run_id), UTC),
        "counts": status.counts,
        "bytes": status.received_bytes,
        "hosts": status.hosts,
        "hosts_waiting": status.hosts_waiting,
        "failure": failure_of_crawl(folder, status) or None,
        "ended_at": None if ended is None else datetime.fromtimestamp(ended, UTC),
        "runs": None if runs is None else runs.before + 1,
        "last_run_s": None if took is None else round(took, 3),
        "all_runs_s": None if whole is None else round(whole, 3),
        "parked": [
            {
                "cause": one.cause,
                "hosts": one.hosts,
                "urls": one.urls,
                "until": datetime.fromtimestamp(one.until, UTC),
            }
            for one in status.parked
        ],
        "retry_command": retry_command(folder, ended_as)[1] or None,
        "retries": status.retries,
        "next_retry_at": status.next_retry
        and datetime.fromtimestamp(status.next_retry, UTC),
        "errors_by_code": status.reasons["error"],
        "skips_by_reason": status.reasons["skip"],
        "changes": status.changes,
        "external": status.external,
        "broken_external": status.broken_external,
        "external_not_checked": status.external_not_checked,
        "items": status.items,
        "left_out": status.left_out,
        "needs_javascript": status.needs_javascript,
        "records": str(records[-1]) if records else None,
        "records_bytes": size_of(records) if records else None,
        "speed": speed,
        "slowest_host": status.waits.slowest_host or None,
        "least_s": round(status.waits.least_s, 3),
        "stops_in_s": None if ends is None else round(ends, 3),
        "next_command": command_after(folder, status)
        if status.state == "stopped"
        else None,
    }


def _as_text(
    folder: str, status: Status, records: list[Path], speed: Speed | None, now: float
) -> Iterator[str]:
    counts = status.counts
    started = began_at(status.run.run_id)
    when = datetime.fromtimestamp(started).strftime("%Y-%m-%d %H:%M:%S")
    yield f"{folder}: {headline(folder, status)}"
    yield f"  started  {when}, {show_seconds(max(0, now - started))} ago"
    if ended := ended_text(status, now):
        yield f"  ended    {ended}"
    done = (f"{name} {counts[state]:,}" for state, name in NAMES if counts[state])
    yield f"  URLs     {', '.join(done) or 'none'}"
    if status.received_bytes:
        yield f"  received {show_bytes(status.received_bytes)}, {RECEIVED}"
    if status.external or status.external_not_checked:
        asked = counted(status.external, "link")
        text = f"  external {asked} checked, {status.broken_external:,} broken"
        never = status.external_not_checked
        yield text + (f", {never:,} not checked" if never else "")
    if status.items:
        yield f"  items    {status.items:,}"
    if status.left_out:
        cut = ", ".join(f"{what} {n:,}" for what, n in status.left_out.items())
        yield f"  cut      {cut}: {list_cut(folder)}"
    if status.needs_javascript:
        pages = counted(status.needs_javascript, "page")
        yield f"  shells   {pages} in need of JavaScript"
    if status.changes:
        changes = ", ".join(f"{how} {n:,}" for how, n in status.changes.items())
        yield f"  changes  {changes}"
    if status.pid is not None and speed is not None:
        yield f"  speed    {speed_text(status, speed, now)}"
    if bound := time_bound(status.waits):
        yield f"  time     {bound}"
    if status.retries and status.next_retry is not None:
        due = max(0.0, status.next_retry - now)
        yield f"  retries  {status.retries:,}, the next in {show_seconds(due)}"
    for title, name in (("errors", "error"), ("skipped", "skip")):
        if status.reasons[name]:
            rows = (
                f"{code} {number:,}" for code, number in status.reasons[name].items()
            )
            yield f"  {title:<7}  {', '.join(rows)}"
    ended_as = {**status.reasons["error"], **status.reasons["skip"]}
    may_pass, retry = retry_command(folder, ended_as)
    if may_pass and status.pid is None and part_of(folder) is None:
        urls = counted(may_pass, "URL")
        yield f"  retry    {urls} failed for a reason that may pass: {retry}"
    for text in parked_texts(status, now):
        yield f"  parked   {text}; {command_after(folder, status)} tries again"
    if status.hosts_waiting:
        yield f"  hosts    {status.hosts:,}; the longest queues:"
        for host in status.hosts_waiting:
            wait = host.ready_at - now
            note = f", next request in {show_seconds(wait)}" if wait > 1 else ""
            pages, images = counted(host.pages, "page"), counted(host.images, "image")
            yield f"    {host.name}  {pages}, {images}{note}"
    if records:
        yield f"  records  {name_files(records)} ({show_bytes(size_of(records))})"


NAMES: tuple[tuple[State, str], ...] = (
    ("page", "pages"),
    ("image", "images"),
    ("file", "files"),
    ("redirect", "redirects"),
    ("error", "errors"),
    ("skip", "skipped"),
    ("queued", "queued"),
)


def ended_text(status: Status, now: float) -> str:
    """When a crawl ended that no process works on, and how long it ran.

    `now`: seconds since the epoch. "" where that is not known.
    """
    if status.pid is not None or status.saved_at is None:
        return ""
    ended, runs = status.saved_at, status.runs
    text = f"{show_moment(ended, now)}, {show_seconds(max(0, now - ended))} ago"
    if runs is None or status.last_run_s is None or status.all_runs_s is None:
        return text
    text += f", after {show_seconds(status.last_run_s)}"
    if runs.before:
        whole = show_seconds(status.all_runs_s)
        text += f" (the last of {runs.before + 1} runs, {whole} in all)"
    return text


def parked_texts(status: Status, now: float) -> Iterator[str]:
    """The hosts that a crawl has left behind: how many, why and until when."""
    for group in status.parked:
        hosts, urls = counted(group.hosts, "host"), counted(group.urls, "URL")
        first = "" if group.hosts == 1 else "the first "
        until = f"{first}until {show_moment(group.until, now)}"
        yield f"{hosts} with {urls}: {group.cause}, {until}"


def headline(folder: str, status: Status) -> str:
    state = status.state
    if state == "running":
        return f"running, process {status.pid or 'unknown'}"
    if state != "stopped":
        failure = failure_of_crawl(folder, status)
        return failure[:1].lower() + failure[1:] or "finished"
    limits = from_json(status.run.config.encode()).limits
    used = used_by_all(folder, status.counts["page"], status.received_bytes)
    limit = limit_reached(limits, *used)
    left = counted(status.counts["queued"], "URL")
    where = f" at the {limit} with {left} left" if limit else ""
    command, part = command_after(folder, status), part_of(folder)
    if part is not None and limit:
        work = part.work_command(folder)
        return f"stopped{where}; `{command}` raises it, and `{work}` continues then"
    stays = ""
    if limits.max_time is not None:
        most = show_seconds(limits.max_time)
        stays = f", for at most {most}"
        if part is None:
            stays += " (--max-time none: no limit)"
    return f"stopped{where}; `{command}` continues{stays}"


def command_after(folder: str, status: Status) -> str:
    """What goes on with the crawl, or raises the limit that is reached."""
    limits = from_json(status.run.config.encode()).limits
    return next_command(folder, limits, status.counts["page"], status.received_bytes)


def speed_text(status: Status, speed: Speed, now: float) -> str:
    """The rate, and the time that the known queue takes at that rate."""
    silence = now - speed.last_at
    if silence > SILENT_AFTER_S:
        return f"no record for {show_seconds(silence)}"
    text = f"{speed.pages_per_s:.1f} pages/s"
    left = status.counts["queued"] - status.over_limit
    if speed.urls_per_s and left:
        about_s = estimate(status.waits, left / speed.urls_per_s)
        if about_s is not None:
            due = show_seconds(about_s)
            text += f"; the URLs known now take about {due} more"
    return text
