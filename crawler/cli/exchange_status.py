"""`orbweb status --exchange`: one view of a crawl that several machines run."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime

import click
from msgspec import Struct

from crawler.cli.exchange import no_crawl
from crawler.cli.terminal.formatting import echo_json, printable
from crawler.engine.stats import Snapshot, combined
from crawler.fleet.address import Address, parse_address
from crawler.fleet.exchange_server import SharedCrawl
from crawler.fleet.messages import Progress, decode_progress
from crawler.fleet.valkey_server import ValkeyServer
from crawler.inspect.status import began_at
from crawler.model.config import from_json
from crawler.model.resume_command import steer_command
from crawler.model.units import counted, show_bytes, show_seconds

_COUNTS = (
    "pages", "images", "files", "redirects", "errors", "skipped", "queued", "in_flight",
)  # fmt: skip
"""The fields of a snapshot that are shown, as they are named there."""


class MachineStatus(Struct):
    """One machine that is at work."""

    machine: str
    """Its name, and the path of the folder there."""
    shards: list[int]
    pages: int = 0
    pages_per_s: float = 0.0


class ExchangeStatus(Struct):
    """A crawl, as its machines have told last."""

    exchange: str
    state: str
    """It is "running", "paused", "finished", or "stopped": no machine is at work."""
    run_id: str
    program: str
    started_at: datetime
    shards: int
    shards_untaken: int
    """Those that no machine has ever run."""
    shards_waiting: list[int]
    """Those whose state is in a folder on whose machine nothing runs."""
    snapshots: dict[int, datetime]
    """When the last snapshot of each shard was taken, of those that have one."""
    machines: list[MachineStatus]
    counts: dict[str, int]
    bytes: int
    """Body bytes that came since the processes have started."""
    pages_per_s: float
    errors_by_code: dict[str, int]
    next_command: str | None
    """It raises the limit that the crawl has reached."""


def show(text: str, *, as_json: bool) -> None:
    """Print the crawl at the exchange `text`. Raises UsageError, ExchangeDown."""
    address = parse_address(text, os.environ)
    with closing(ValkeyServer(address)) as server:
        status = _read(server, address)
    if as_json:
        echo_json(status)
        return
    for line in _lines(status, time.time()):
        click.echo(printable(line))


def _read(server: ValkeyServer, address: Address) -> ExchangeStatus:
    crawl = server.crawl()
    if crawl is None:
        raise no_crawl(address)
    shards = crawl.layout.shards
    owners, homes = server.owners(shards), server.homes()
    reports = {shard: decode_progress(one) for shard, one in server.reports().items()}
    machines: dict[str, MachineStatus] = {}
    for shard, owner in owners.items():
        one = machines.setdefault(owner.machine, MachineStatus(owner.machine, []))
        one.shards.append(shard)
        if shard in reports:
            one.pages += reports[shard].snapshot.pages
            one.pages_per_s += reports[shard].snapshot.pages_per_s
    state = "running" if owners else "stopped"
    if crawl.is_paused:
        state = "paused"
    elif server.is_over() and not any(one.snapshot.queued for one in reports.values()):
        state = "finished"
    return _status(
        crawl,
        address,
        state,
        reports,
        [*machines.values()],
        shards - len(homes),
        [shard for shard in sorted(homes) if shard not in owners],
        server.snapshots(),
    )


def _status(
    crawl: SharedCrawl,
    address: Address,
    state: str,
    reports: Mapping[int, Progress],
    machines: list[MachineStatus],
    untaken: int,
    waiting: list[int],
    snapshots_at: Mapping[int, float],
) -> ExchangeStatus:
    snapshots = [one.snapshot for one in reports.values()]
    total = combined(snapshots) if snapshots else Snapshot(0.0)
    return ExchangeStatus(
        str(address),
        state,
        crawl.run_id,
        crawl.program,
        datetime.fromtimestamp(began_at(crawl.run_id), UTC),
        crawl.layout.shards,
        untaken,
        [] if state == "finished" else waiting,
        {
            shard: datetime.fromtimestamp(taken_at, UTC)
            for shard, taken_at in sorted(snapshots_at.items())
            if taken_at
        },
        machines,
        {name: getattr(total, name) for name in _COUNTS},
        total.bytes,
        sum(one.pages_per_s for one in machines),
        dict(Counter(total.errors_by_code).most_common()),
        steer_command(
            str(address),
            from_json(crawl.config.encode()).limits,
            sum(one.report.pages for one in reports.values()),
            sum(one.report.received_bytes for one in reports.values()),
        )
        or None,
    )


def _headline(status: ExchangeStatus) -> str:
    if status.state == "paused":
        return f"paused; `orbweb crawl --exchange {status.exchange}` goes on with it"
    if status.state != "stopped":
        return status.state
    work = f"orbweb work DIR --exchange {status.exchange}"
    if status.next_command is None:
        return f"stopped, no machine is at work; `{work}` goes on with it"
    raised = f"`{status.next_command}` raises it, and `{work}` continues then"
    return f"stopped at a limit of the crawl; {raised}"


def _lines(status: ExchangeStatus, now: float) -> Iterator[str]:
    started = status.started_at.timestamp()
    when = datetime.fromtimestamp(started).strftime("%Y-%m-%d %H:%M:%S")
    yield f"{status.exchange}: {_headline(status)}"
    yield f"  started  {when}, {show_seconds(max(0, now - started))} ago"
    done = (
        f"{name.replace('_', ' ')} {number:,}"
        for name, number in status.counts.items()
        if number
    )
    yield f"  URLs     {', '.join(done) or 'none'}"
    if status.machines:
        yield f"  speed    {status.pages_per_s:.1f} pages/s"
    if status.bytes:
        yield f"  received {show_bytes(status.bytes)} in this run"
    if status.errors_by_code:
        rows = (f"{code} {number:,}" for code, number in status.errors_by_code.items())
        yield f"  errors   {', '.join(rows)}"
    at_work = sum(len(one.shards) for one in status.machines)
    rest = ""
    if status.shards_untaken:
        rest += f", {status.shards_untaken} for the next machine"
    if status.shards_waiting:
        rest += f", {len(status.shards_waiting)} whose machines are not at work"
    yield f"  shards   {status.shards}: {at_work} at work{rest}"
    yield from _snapshots(status, now)
    for one in status.machines:
        shards = counted(len(one.shards), "shard")
        speed = f"{counted(one.pages, 'page')}, {one.pages_per_s:.1f} pages/s"
        yield f"    {one.machine}  {shards}, {speed}"


def _snapshots(status: ExchangeStatus, now: float) -> Iterator[str]:
    """The ages of the snapshots, from the oldest on."""
    ages: dict[str, list[str]] = {}
    for shard, taken_at in sorted(status.snapshots.items(), key=lambda one: one[1]):
        age = show_seconds(max(0.0, now - taken_at.timestamp()))
        ages.setdefault(age, []).append(str(shard))
    if not ages:
        return
    shown = "; ".join(f"{', '.join(of)}: {age} ago" for age, of in ages.items())
    missing = status.shards - len(status.snapshots)
    rest = f"; {missing} without" if missing else ""
    yield f"  snapshots of shards {shown}{rest}"
