"""`orbweb crawl --exchange` for a crawl that has begun: its settings are changed.

What is given replaces the settings of the crawl, as on a resume, and further URLs are
further seeds. The machines take that within seconds (`fleet/steering.py`). Without
--pause a crawl that was paused goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from msgspec.structs import replace

from crawler import __version__
from crawler.cli.exchange import check_settings, no_crawl, opened_server, reporting
from crawler.cli.flags import settings_of
from crawler.cli.of_machines import NO_RECRAWL, OF_WORK
from crawler.cli.plan import read_settings, seed_setting
from crawler.engine.changed_settings import shown
from crawler.fleet.address import Address
from crawler.fleet.exchange_server import SharedCrawl
from crawler.model.config import Config, from_json, to_json
from crawler.model.config_changes import Change, changes_between
from crawler.model.errors import StateError, UsageError
from crawler.model.units import counted
from crawler.settings.load import Plan
from crawler.settings.resumed import load_resumed
from crawler.workspace.new_settings import refuse_fixed
from crawler.workspace.outputs import object_outputs, with_absolute_outputs

_NOT_CHANGES = {
    "processes": f"it is {OF_WORK}",
    "dir": f"it is {OF_WORK}",
    "fresh": "with --shards N it begins one anew",
}
_OF_LOGIN = (("login", "url"), ("login", "form"))


def steer(
    command: click.Command, params: Mapping[str, Any], urls: Sequence[str]
) -> int:
    """Change the crawl at the exchange by the options `params` and further seeds.

    Raises UsageError, StateError if its machines have another version of orbweb, and
    ExchangeDown.
    """
    if params["exchange"] is None:
        raise UsageError("--pause is of the crawl at an exchange: name that, too")
    if params["newer"]:
        raise UsageError(f"--newer: {NO_RECRAWL}")
    for name, instead in _NOT_CHANGES.items():
        if params[name]:
            raise UsageError(
                f"--{name} does not change a crawl of several machines: {instead}"
            )
    with opened_server(params["exchange"]) as (address, server):
        crawl = server.crawl()
        if crawl is None:
            raise no_crawl(address)
        if crawl.program != __version__:
            raise StateError(
                f"the machines of this crawl have orbweb {crawl.program}, and this one "
                f"has {__version__}: change it with the same version"
            )
        old = replace(from_json(crawl.config.encode()), dir=address.crawl)
        plan = _plan(command, params, urls, old)
        config, changes = _changed(plan, old)
        if server.snapshots():
            _refuse_uploads(config)
        newer = replace(
            crawl,
            config=to_json(config).decode(),
            revision=crawl.revision + 1,
            is_paused=bool(params["pause"]),
        )
        is_changed = bool(changes) or newer.is_paused != crawl.is_paused
        with reporting(params, address, config) as reporter:
            if is_changed and not server.steer(newer):
                raise UsageError(
                    f"{address}: another program has changed the crawl just now; try "
                    "again"
                )
            reporter.begin(plan.warnings, plan.notes)
            at_work = bool(server.owners(crawl.layout.shards))
            for line in _told(address, crawl, newer, changes, has_machines=at_work):
                reporter.notice(f"orbweb: {line}")
    return 0


def _plan(
    command: click.Command, params: Mapping[str, Any], urls: Sequence[str], old: Config
) -> Plan:
    flags = settings_of(command, params)
    if urls:
        flags.append(seed_setting(urls))
    file = params["config"]
    text = read_settings(file) if file else None
    plan = load_resumed(text, os.environ, flags, lambda _: old, adds_seeds=True)
    if len(plan.jobs) > 1:
        raise UsageError("--exchange is of one crawl, and the file has several jobs")
    return plan


def _changed(plan: Plan, old: Config) -> tuple[Config, tuple[Change, ...]]:
    """The settings from now on, and what differs. Raises UsageError."""
    config = with_absolute_outputs(plan.jobs[0].config)
    changes = changes_between(old, config)
    refuse_fixed(old, config, changes)
    for change in changes:
        if change.path in _OF_LOGIN:
            raise UsageError(
                f"{'.'.join(change.path)} can't change: each machine has logged in; "
                "begin anew with --shards N --fresh"
            )
    check_settings(config)
    return config, changes


def _refuse_uploads(config: Config) -> None:
    """Raise UsageError if the records of a crawl that has snapshots would leave it."""
    if object_outputs(config):
        raise UsageError(
            "--output: the machines of this crawl keep snapshots, to which records in "
            "object storage can't be cut back; leave -o out, since snapshots have the "
            "records, too"
        )


def _told(
    address: Address,
    before: SharedCrawl,
    crawl: SharedCrawl,
    changes: Sequence[Change],
    *,
    has_machines: bool,
) -> Iterable[str]:
    """What the user is told of the change."""
    seeds = [change for change in changes if change.path == ("seeds",)]
    for change in seeds:
        more = len(change.after) - len(change.before)
        yield f"{counted(more, 'seed')} more: {', '.join(change.after[-more:][:5])}"
    yield from map(str, shown(one for one in changes if one not in seeds))
    if crawl.is_paused != before.is_paused:
        how = "is paused" if crawl.is_paused else "goes on"
        yield f"{address}: the crawl {how}"
    elif not changes:
        yield f"{address}: nothing has changed"
        return
    yield (
        "its machines take that within some seconds"
        if has_machines
        else f"no machine is at work; `orbweb work DIR --exchange {address}` takes that"
    )
