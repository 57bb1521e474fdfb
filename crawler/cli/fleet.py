"""A crawl by several processes, with its progress in one view."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from crawler.cli.signals import Interruptible, interruptible
from crawler.cli.task import Opening, Task, report_end
from crawler.cli.terminal.reporter import Reporter
from crawler.cli.terminal.views import Watched
from crawler.engine.builder import check_config
from crawler.engine.changed_settings import shown
from crawler.engine.exit_status import URLS_WAIT
from crawler.engine.run_report import Summary
from crawler.fleet.launcher import Launcher
from crawler.fleet.messages import Opened
from crawler.fleet.process import ProcessLogs
from crawler.fleet.shard_config import refuse_for_shards, shard_config
from crawler.fleet.shard_groups import ProcessFailed
from crawler.fleet.supervisor import Supervisor
from crawler.frontier.memory import MemoryStore
from crawler.frontier.sqlite.database import has_fleet
from crawler.frontier.sqlite.fleet_file import Fleet, FleetFile, read_fleet
from crawler.inspect.next_command import used_by_all
from crawler.inspect.state import open_states
from crawler.model.config import Config, to_json
from crawler.model.errors import UsageError
from crawler.model.metadata import COOKIE_FILE, COOKIES
from crawler.model.resume_command import steer_command, with_folder
from crawler.model.shards import Layout, Session
from crawler.model.units import counted
from crawler.policy.traps import Traps
from crawler.workspace.open import ulid
from crawler.workspace.outputs import object_outputs, with_absolute_outputs
from crawler.workspace.paths import state_folder
from crawler.workspace.shard_parts import parts_there
from crawler.workspace.shards import (
    begin_fleet,
    changed_fleet,
    locked_fleet,
    refuse_folder,
    remove_fleet,
)

if TYPE_CHECKING:
    from crawler.fleet.machine_part import MachinePart

PATIENCE_S = 5.0
"""How long, beyond `grace`, processes whose parent was killed may take to stop (s)."""


def run_fleet(task: Task, reporter: Reporter) -> Summary:
    """Run one crawl in `task.processes`. Raises a Stop."""
    assert task.processes is not None
    config = with_absolute_outputs(task.config)
    refuse_for_shards(config)
    goes_on = task.mode in ("resume", "newer") and has_fleet(config.dir)
    session = checked_session(config, reporter, goes_on=goes_on)
    folder, layout = Path(config.dir), Layout(task.processes)
    is_begun = has_fleet(folder) and task.mode in ("resume", "newer")
    if is_begun:
        begun = read_fleet(folder)
        begun.refuse_part(config.dir)
        layout = begun.layout
    shards = layout.shards
    parts = [shard_config(config, shard, shards) for shard in range(shards)]
    if task.mode == "fresh":
        _overwrite(config, parts)
    else:
        refuse_folder(config, parts, task.mode)
    with (
        locked_fleet(config.dir, shards, config.grace + PATIENCE_S),
        closing(FleetFile(folder)) as file,
    ):
        if is_begun:
            fleet = _going_on(file, config, task, reporter)
        else:
            fleet = begin_fleet(file, config, layout, task.processes, Random())
        file.set_session(session)
        try:
            return run_supervised(config, fleet, file, reporter, launcher=task.launcher)
        except ProcessFailed as error:
            if is_begun or error.exit_code != UsageError.exit_code:
                raise
            failed = error
    remove_fleet(config, parts)  # a crawl that cannot begin leaves nothing
    raise failed


def checked_session(
    config: Config, reporter: Reporter, *, goes_on: bool
) -> Session | None:
    """Check what the settings name, and log in for all shards. Raises a Stop.

    `goes_on`: the folder has shards, whose session may still be there.
    """
    if not config.login.url:
        check_config(config)
        return None
    cookies = MemoryStore()
    if goes_on:
        with open_states(state_folder(config.dir)) as state:
            for kind in (COOKIES, COOKIE_FILE):
                for key, value in state.items(kind):
                    cookies.set(kind, key, value)
    opening = Opening(reporter.view)
    with interruptible([opening], reporter.reopen):
        reporter.notice(
            f"orbweb: {opening.run(lambda: check_config(config, metadata=cookies))}"
        )
    values = (
        (kind, key, value)
        for kind in (COOKIES, COOKIE_FILE)
        for key, value in cookies.items(kind)
    )
    return Session(ulid(time.time(), Random()), tuple(values))


def _overwrite(config: Config, parts: Sequence[Config]) -> None:
    """Remove what the folder has, and let the outputs of the shards begin anew."""
    outdated = [*parts, *parts_there(config.dir)]
    remove_fleet(config, parts)
    for one in outdated:
        if object_outputs(one):
            from crawler.engine.uploading import Uploading

            Uploading(one).overwrite()


def _going_on(file: FleetFile, config: Config, task: Task, reporter: Reporter) -> Fleet:
    """The crawl as it goes on, or begins again as a recrawl; also in the file."""
    assert task.processes is not None
    fleet = replace(file.fleet(), processes=task.processes)
    if task.mode == "newer":
        text = to_json(config).decode()
        fleet = replace(fleet, run_id=ulid(time.time(), Random()), config=text)
    else:
        fleet, changes = changed_fleet(fleet, config)
        for change in shown(changes):
            reporter.notice(f"orbweb: {change}")
    if task.processes > fleet.layout.shards:
        reporter.notice(
            f"orbweb: the crawl was cut into {counted(fleet.layout.shards, 'shard')}, "
            "and there is no work for more processes than that"
        )
    file.set_fleet(fleet)
    return fleet


def run_supervised(
    config: Config,
    fleet: Fleet,
    file: FleetFile,
    reporter: Reporter,
    part: MachinePart | None = None,
    launcher: Launcher | None = None,
) -> Summary:
    """Run the shards of a crawl, or those of this machine. Raises a Stop.

    `launcher`: one that has begun already; it is closed, too.
    """
    log = None
    if reporter.logs_exchanges:
        log = ProcessLogs("crawler.cli.logging_process", reporter.log_form, config.dir)
    launcher = launcher or Launcher()
    listener = _Listener(reporter, config.dir)
    supervisor = Supervisor(config, fleet, file, listener, launcher, log, part)

    def reopen() -> None:
        reporter.reopen()
        supervisor.reopen_outputs()

    stoppable: list[Interruptible] = [Opening(reporter.view), supervisor]
    with (
        closing(launcher),
        interruptible(stoppable, reopen),
        Watched(reporter.view, supervisor.snapshot),
    ):
        summary = supervisor.run()
        config = supervisor.config
        if not supervisor.is_interrupted:
            summary = _made_of_all(
                config, summary, reporter, lambda: not supervisor.is_interrupted
            )
    if part is not None:  # whose URLs are tried again with those of all parts only
        summary = replace(summary, may_pass=0, retry_command="")
        if summary.next_command is not None:
            command = _next_of_part(config, summary, fleet)
            summary = replace(summary, next_command=command)
    report_end(reporter, summary, config)
    return summary


def _next_of_part(config: Config, summary: Summary, fleet: Fleet) -> str:
    """What goes on with the crawl after this machine's part of it has stopped.

    A limit that has stopped it is raised beyond what all machines have used of it.
    """
    limits, reason = config.limits, summary.finish_reason
    with open_states(state_folder(config.dir)) as state:
        own = state.received_bytes()
    pages, received = used_by_all(config.dir, summary.counts["page"], own)
    pages = max(pages, limits.max_pages or 0) if reason == "limit_pages" else 0
    received = max(received, limits.max_bytes or 0) if reason == "limit_bytes" else 0
    command = steer_command(fleet.exchange, limits, pages, received)
    return command or fleet.work_command(config.dir)


def _made_of_all(
    config: Config,
    summary: Summary,
    reporter: Reporter,
    is_wanted: Callable[[], bool],
) -> Summary:
    """Make what is one of all shards: a WACZ file, a mirror. The summary with these."""
    if config.warc.wacz:
        from crawler.engine.archive.packing import pack_archive

        pack_archive(config, time.time(), is_wanted)
    if config.bodies.mirror and is_wanted():
        from crawler.engine.further_parts import MAKING, make_mirror
        from crawler.inspect.state_checks import StateValues

        def warn(text: str) -> None:
            reporter.message(f"orbweb: {text}")

        reporter.notice(f"orbweb: {MAKING}")
        with open_states(state_folder(config.dir)) as state:
            values = StateValues(state)
            traps = Traps(config.limits, values)
            first = make_mirror(config, values, traps, is_wanted, warn)
        summary = replace(summary, mirror=first)
    return summary if is_wanted() else replace(summary, exit_code=URLS_WAIT)


class _Listener:
    """Shows what the processes say; what several of them say alike, once."""

    def __init__(self, reporter: Reporter, folder: str) -> None:
        self._reporter = reporter
        self._folder = folder
        self._noticed: set[str] = set()

    def opened(self, shard: Opened) -> None:
        if shard.lost:
            self._reporter.message(
                "orbweb: the machine stopped before the last records reached the disk; "
                f"{counted(shard.lost, 'URL')} will be fetched again"
            )

    def notice(self, text: str, *, is_warning: bool) -> None:
        text = with_folder(text, self._folder)
        if is_warning:
            self._reporter.message(f"orbweb: {text}")
        elif text not in self._noticed:
            self._noticed.add(text)
            self._reporter.notice(f"orbweb: {text}")

    def logged(self, lines: list[bytes]) -> None:
        self._reporter.logged([line.decode() for line in lines])
