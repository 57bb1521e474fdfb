"""A crawl by several machines: beginning it, and one machine's part of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

import hub
from crawler import __version__
from crawler.cli.fleet import PATIENCE_S, checked_session, run_supervised
from crawler.cli.of_machines import NO_RECRAWL, OF_WORK
from crawler.cli.running import tell_of_contact
from crawler.cli.task import Task
from crawler.cli.terminal.reporter import Reporter
from crawler.cli.terminal.verbosity import Verbosity, verbosity_of
from crawler.engine.builder import check_config
from crawler.engine.changed_settings import shown
from crawler.engine.run_report import Summary
from crawler.fleet.address import PASSWORD, Address, parse_address
from crawler.fleet.allowances import Allowances
from crawler.fleet.exchange_server import Owner, SharedCrawl
from crawler.fleet.machine import Machine
from crawler.fleet.machine_part import MachinePart, this_machine
from crawler.fleet.shard_config import (
    refuse_for_machines,
    refuse_for_snapshots,
    shard_config,
)
from crawler.fleet.valkey_server import ValkeyServer
from crawler.frontier.sqlite.database import has_fleet
from crawler.frontier.sqlite.fleet_file import Fleet, FleetFile, read_fleet
from crawler.model.config import Config, from_json, to_json
from crawler.model.errors import StateError, Stop, UsageError
from crawler.model.http_config import LoginConfig
from crawler.model.shards import Layout, Session
from crawler.model.units import counted, show_seconds
from crawler.settings.load import Plan
from crawler.settings.secrets import revealed, revealed_login
from crawler.workspace.open import ulid
from crawler.workspace.outputs import object_outputs, with_absolute_outputs
from crawler.workspace.paths import has_state
from crawler.workspace.shards import changed_fleet, locked_fleet, refuse_folder

if TYPE_CHECKING:
    from crawler.fleet.machine_snapshots import MachineSnapshots, SnapshotSettings

SHARDS_A_PROCESS = 4
"""How many shards a machine takes for each of its processes."""


@contextmanager
def opened_server(text: str) -> Iterator[tuple[Address, ValkeyServer]]:
    """The server at an address that the user gave. Raises UsageError."""
    address = parse_address(text, os.environ)
    with closing(ValkeyServer(address)) as server:
        yield address, server


def begin_plan(tasks: Sequence[Task], plan: Plan, params: Mapping[str, Any]) -> int:
    """Begin the crawl of `orbweb crawl --exchange`, whose options are `params`.

    Raises UsageError if the exchange has a crawl of this name, ExchangeDown.
    """
    if params["exchange"] is None:
        raise UsageError(
            "--shards is for --exchange: a crawl of several machines is cut into N "
            "shards when it begins"
        )
    if params["pause"]:
        raise UsageError("--pause is for a crawl that has begun: leave --shards out")
    if len(tasks) > 1:
        raise UsageError("--exchange is of one crawl, and the file has several jobs")
    for name in ("processes", "dir"):
        if params[name] is not None:
            raise UsageError(f"--exchange: --{name} is {OF_WORK}")
    (task,) = tasks
    if task.mode == "newer":
        raise UsageError(f"--newer: {NO_RECRAWL}")
    shards, fresh = params["shards"], task.mode == "fresh"
    with (
        opened_server(params["exchange"]) as (address, server),
        reporting(params, address, task.config) as reporter,
    ):
        _begin(task.config, address, server, shards, fresh=fresh)
        reporter.begin(plan.warnings, plan.notes)
        tell_of_contact([task], reporter)
        reporter.notice(
            f"orbweb: {address}: begun in {counted(shards, 'shard')}; on each machine "
            f"run `orbweb work DIR --exchange {address}`"
        )
    return 0


def reporting(
    params: Mapping[str, Any], address: Address, config: Config
) -> closing[Reporter]:
    """What tells the user, by the options `params`, of a crawl of several machines."""
    return closing(Reporter(verbosity_of(params), str(address), [config]))


def _begin(
    config: Config, address: Address, server: ValkeyServer, shards: int, *, fresh: bool
) -> None:
    config = with_absolute_outputs(replace(config, dir=address.crawl))
    check_settings(config)
    old = server.crawl()
    if old is not None:
        if not fresh:
            raise UsageError(
                f"{address} has a crawl already; go on with it by `orbweb work DIR "
                f"--exchange {address}`, change it by the same command without "
                "--shards, name another one, or begin anew with --fresh"
            )
        _remove(server, old)
        for shard in range(shards) if object_outputs(config) else ():
            from crawler.engine.uploading import Uploading

            Uploading(shard_config(config, shard, shards)).overwrite()
    run_id, text = ulid(time.time(), Random()), to_json(config).decode()
    crawl = SharedCrawl(run_id, text, Layout(shards), __version__)
    if not server.begin(crawl):
        raise UsageError(f"{address}: another program has begun a crawl just now")


def check_settings(config: Config) -> None:
    """Raise UsageError for settings that are of no use to machines.

    Each of them logs in itself, so that this does not.
    """
    refuse_for_machines(config)
    revealed(config.http, os.environ)
    check_config(replace(config, login=LoginConfig()))


def _remove(server: ValkeyServer, old: SharedCrawl) -> None:
    """Remove a crawl that no machine runs."""
    owners = server.owners(old.layout.shards)
    if owners:
        machines = sorted({owner.machine for owner in owners.values()})
        raise StateError(
            f"the crawl is run by {', '.join(machines)}; stop that before --fresh"
        )
    server.remove(old.layout.shards)


def run_part(
    folder: str,
    text: str,
    processes: int,
    most: int | None,
    verbosity: Verbosity,
    snapshots: SnapshotSettings | None = None,
) -> int:
    """Run shards of a crawl in `folder`, in so many processes, until its end.

    `most`: how many shards this machine may take. `snapshots`: where those of its
    shards go, if there are any. Returns the exit code. Raises a Stop.
    """
    with opened_server(text) as (address, server):
        if address.password:  # its processes get it so, and not as an argument
            os.environ[PASSWORD] = address.password
        crawl = _crawl_of(server, address, folder)
        config = replace(from_json(crawl.config.encode()), dir=folder)
        revealed(config.http, os.environ)
        revealed_login(config.login, os.environ)
        begun = _begun(folder, crawl.layout.shards) if has_fleet(folder) else []
        if not has_fleet(folder):
            _refuse_new(server, config, crawl, may_wait=snapshots is not None)
        if snapshots is not None:
            from crawler.fleet.machine_snapshots import check_storage

            refuse_for_snapshots(config)
            check_storage(snapshots, crawl)
        most = most or SHARDS_A_PROCESS * processes
        with closing(Reporter(verbosity, folder, [config])) as reporter:
            try:
                session = checked_session(config, reporter, goes_on=bool(begun))
                part = _Part(server, crawl, config, address, reporter, snapshots)
                return part.run(processes, most, session).exit_code
            except Stop as stop:
                if not reporter.report_error(stop):
                    raise
                return stop.exit_code


class _Part:
    """The part of a crawl that this machine runs, in the folder of `config`."""

    def __init__(
        self,
        server: ValkeyServer,
        crawl: SharedCrawl,
        config: Config,
        address: Address,
        reporter: Reporter,
        snapshots: SnapshotSettings | None,
    ) -> None:
        self._snapshots = snapshots
        self._server = server
        self._crawl = crawl
        self._config = config
        self._address = address
        self._reporter = reporter

    def run(self, processes: int, most: int, session: Session | None) -> Summary:
        config, shards = self._config, self._crawl.layout.shards
        with (
            locked_fleet(config.dir, shards, config.grace + PATIENCE_S),
            closing(FleetFile(Path(config.dir))) as file,
        ):
            fleet = self._fleet(file, processes)
            file.set_session(session)
            machine = Machine(
                self._server,
                self._crawl,
                Owner(fleet.home, this_machine(Path(config.dir))),
                file,
                config.politeness.max_park_wait,
                self._note,
                hub.get_hub().loop.now,
                allowances=Allowances(
                    file, config.limits, fleet.home, shards, self._note
                ),
                max_time=config.limits.max_time,
            )
            snapshots = self._with_snapshots(machine)
            try:
                taken = machine.take(_begun(config.dir, shards), most)
                if snapshots is None:
                    self._refuse_without(taken)
                elif not taken:
                    self._note(
                        "no shard is free; this machine takes those of a machine that "
                        f"is gone for {show_seconds(snapshots.settings.takeover_s)}"
                    )
                part = MachinePart(
                    machine,
                    str(self._address),
                    taken,
                    lambda crawl: self._take_settings(file, crawl),
                    snapshots,
                )
                if self._crawl.is_paused:
                    self._note(_paused(self._address))
                return run_supervised(config, fleet, file, self._reporter, part)
            finally:
                machine.release()

    def _take_settings(self, file: FleetFile, crawl: SharedCrawl) -> Config:
        """Keep other settings of the crawl in the folder, and show what changes."""
        self._config = replace(from_json(crawl.config.encode()), dir=self._config.dir)
        fleet, changes = changed_fleet(file.fleet(), self._config)
        check_settings(self._config)
        for change in shown(changes):
            self._note(str(change))
        file.set_fleet(replace(fleet, revision=crawl.revision))
        was_paused, self._crawl = self._crawl.is_paused, crawl
        if crawl.is_paused:
            self._note(_paused(self._address))
        elif was_paused:
            self._note("the crawl goes on")
        return self._config

    def _note(self, line: str) -> None:
        self._reporter.message(f"orbweb: {line}")

    def _with_snapshots(self, machine: Machine) -> MachineSnapshots | None:
        if self._snapshots is None:
            return None
        from crawler.fleet.machine_snapshots import MachineSnapshots

        return MachineSnapshots(
            self._snapshots,
            machine,
            self._server,
            self._crawl,
            self._config,
            self._note,
        )

    def _refuse_without(self, taken: list[int]) -> None:
        """Raise StateError for what can't be run without snapshots."""
        if not taken:
            raise StateError(_NONE_LEFT)
        known = self._server.snapshots()
        for shard in taken:
            if known.get(shard) and not has_state(self._config.dir, shard):
                from crawler.fleet.machine_snapshots import only_in_snapshot

                raise StateError(only_in_snapshot(shard))

    def _fleet(self, file: FleetFile, processes: int) -> Fleet:
        """The crawl as the folder keeps it, with the id of the folder as a home."""
        home = ""
        with suppress(StateError):  # there is none yet
            home = file.fleet().home
        crawl = self._crawl
        fleet = Fleet(
            crawl.run_id,
            crawl.config,
            crawl.layout,
            processes,
            str(self._address),
            home or ulid(time.time(), Random()),
            crawl.revision,
        )
        file.set_fleet(fleet)
        return fleet


def _crawl_of(server: ValkeyServer, address: Address, folder: str) -> SharedCrawl:
    """The crawl at the exchange; one that has lost its data gets that of the folder."""
    crawl = server.crawl()
    fleet = read_fleet(Path(folder)) if has_fleet(folder) else None
    if fleet is not None and (crawl is None or crawl.run_id != fleet.run_id):
        if crawl is not None or fleet.exchange != str(address):
            raise StateError(
                f"{folder} has a part of another crawl, and nothing is written there: "
                "name another folder, or the exchange of its crawl"
                + (f", {fleet.exchange}" if fleet.exchange else "")
            )
        crawl = _of_folder(fleet)
        server.restore(
            crawl, dict.fromkeys(_begun(folder, crawl.layout.shards), fleet.home)
        )
    if crawl is None:
        raise no_crawl(address)
    if fleet is not None and fleet.revision > crawl.revision:
        crawl = _of_folder(fleet)  # the exchange went back to older data
        server.steer(crawl)
    if crawl.program != __version__:
        if server.owners(crawl.layout.shards):
            raise StateError(
                f"the machines of this crawl have orbweb {crawl.program}, and this one "
                f"has {__version__}: install the same version on all of them"
            )
        server.set_program(crawl, __version__)  # all were stopped before
    return crawl


def _of_folder(fleet: Fleet) -> SharedCrawl:
    """The crawl as a folder has it."""
    return SharedCrawl(
        fleet.run_id, fleet.config, fleet.layout, __version__, fleet.revision
    )


def no_crawl(address: Address) -> UsageError:
    """What is raised where the exchange has no crawl of this name."""
    return UsageError(
        f"{address} has no crawl; begin one with `orbweb crawl --exchange {address} "
        "--shards N URL`"
    )


def _paused(address: Address) -> str:
    return f"the crawl is paused; `orbweb crawl --exchange {address}` goes on with it"


def _refuse_new(
    server: ValkeyServer, config: Config, crawl: SharedCrawl, *, may_wait: bool
) -> None:
    """Raise a Stop, before anything is written, if no part can begin in the folder.

    `may_wait`: it may take over the shard of another machine later.
    """
    shards = crawl.layout.shards
    parts = [shard_config(config, shard, shards) for shard in range(shards)]
    refuse_folder(config, parts, "new")
    if len(server.homes()) == shards and not may_wait:
        raise StateError(_NONE_LEFT)


_NONE_LEFT = (
    "there is no shard left for this machine: the state of each is in another folder, "
    "on a machine that runs it or has run it"
)


def _begun(folder: str, shards: int) -> list[int]:
    """The shards whose states are in the folder."""
    return [shard for shard in range(shards) if has_state(folder, shard)]
