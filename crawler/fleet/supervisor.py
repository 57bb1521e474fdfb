"""The parent of a crawl by several processes.

It starts them, sees how their shards stand, starts another one where one has died, and
tells all of them the end, which only it can see. It has no part in the exchange of
mail, so that a parent that is killed costs nothing: its processes stop, and a resume
goes on.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

import hub
from crawler.engine.run_report import Summary
from crawler.engine.stats import Snapshot, combined
from crawler.fleet.end import EndOfCrawl
from crawler.fleet.exchange_server import SharedCrawl
from crawler.fleet.launcher import Launcher
from crawler.fleet.machine import Machine
from crawler.fleet.messages import (
    Ended,
    Failed,
    Finish,
    FromWorker,
    Interrupt,
    LogSettings,
    Notice,
    Opened,
    Progress,
    Renewed,
    Reopen,
    Restart,
    Saved,
    ToWorker,
    WorkerSettings,
    decode_from_worker,
    read_frame,
)
from crawler.fleet.outcome import summarise
from crawler.fleet.process import Process, ProcessLogs
from crawler.fleet.shard_groups import ProcessFailed, ShardGroups
from crawler.frontier.sqlite.fleet_file import Fleet, FleetFile
from crawler.inspect.state import usage_of
from crawler.model.config import Config
from crawler.model.errors import Stop
from crawler.output.lines import STDOUT, open_lines

_LINES = 1 << 16
"""Bytes of records, or of a log, that are read at once."""


if TYPE_CHECKING:
    from crawler.fleet.machine_part import MachinePart
    from crawler.fleet.machine_snapshots import MachineSnapshots


class Listener(Protocol):
    """It hears what happens."""

    def opened(self, shard: Opened) -> None: ...

    def notice(self, text: str, *, is_warning: bool) -> None: ...

    def logged(self, lines: list[bytes]) -> None:
        """Whole lines of the log of a process. Raises OutputError."""
        ...


class Supervisor:
    """Runs the crawl `fleet` under `config`, in `processes` of them."""

    def __init__(
        self,
        config: Config,
        fleet: Fleet,
        file: FleetFile,
        listener: Listener,
        launcher: Launcher,
        log: ProcessLogs | None = None,
        part: MachinePart | None = None,
    ) -> None:
        """`log`: that of the processes, if any. Without `part` all shards are here."""
        self._config = config
        self._log = log
        self._fleet = fleet
        self._file = file
        self._listener = listener
        self._processes: list[Process] = []
        self._ended: dict[int, Ended] = {}
        self._signals: list[int] = []
        self._failure: Stop | None = None
        self._is_over = False
        self._started = hub.get_hub().loop.now()
        self._part = part
        self._end: EndOfCrawl = (
            part.machine.own
            if part
            else EndOfCrawl(
                fleet.layout.shards,
                config.politeness.max_park_wait,
                self._pages_left,
                hub.get_hub().loop.now,
            )
        )
        self._groups = ShardGroups(self, self._end, has_leases=part is not None)
        self._stdout = open_lines(STDOUT) if STDOUT in config.output else None
        self._launcher = launcher

    def run(self) -> Summary:
        """Crawl until done, limited or interrupted. Raises what stops the crawl."""
        part = self._part
        shards = part.shards if part else range(self._fleet.layout.shards)
        count = min(self._fleet.processes, len(shards))
        for number in range(count):
            self._groups.begin(shards[number::count])
        holding = [hub.spawn(self._hold, part.machine)] if part else []
        try:
            if part and part.snapshots:
                self._run_with_snapshots(part.snapshots)
            while self._groups.join():
                pass
        finally:
            hub.killall(holding)
            self._groups.kill()
            for process in self._processes:
                process.socket.close()  # they stop, as at a signal
            if part:
                part.machine.report_end()
        try:
            return self._summary()
        finally:
            self._groups.wait_for_exits()

    def _summary(self) -> Summary:
        if self._failure is not None:
            raise self._failure
        ended = [*self._ended.values()]
        part = self._part
        pages = part.machine.pages if part else 0
        return summarise(
            self._config,
            ended,
            self._signals,
            self._elapsed(),
            pages,
            is_cut=part is not None and part.machine.is_cut,
        )

    @property
    def config(self) -> Config:
        """The settings, which may have been changed at the exchange."""
        return self._config

    def interrupt(self, signum: int) -> None:
        """Stop all shards; called a second time, end their requests, too."""
        self._signals.append(signum)
        self._tell(Interrupt(signum))

    @property
    def is_interrupted(self) -> bool:
        return bool(self._signals)

    def reopen_outputs(self) -> None:
        """Go on in new files of records, where theirs were moved away."""
        self._tell(Reopen())

    def snapshot(self) -> Snapshot:
        """The whole crawl now; what is before the first reports is empty."""
        snapshots = [*self._end.snapshots.values()]
        return combined(snapshots) if snapshots else Snapshot(self._elapsed())

    def _elapsed(self) -> float:
        return hub.get_hub().loop.now() - self._started

    def _tell(self, message: ToWorker) -> None:
        # In greenlets of their own, since a signal's handler must not switch.
        for process in self._processes:
            hub.spawn(process.tell, message)

    def _run_with_snapshots(self, snapshots: MachineSnapshots) -> None:
        from crawler.fleet.adopting import Adopting  # with what few crawls need

        snapshots.schedule.told = lambda *kept: self._tell(Saved(*kept))
        adopting = Adopting(
            snapshots,
            self._groups,
            lambda run: hub.spawn(self._guarded, run),
            self.warn,
            lambda: self._is_over,
            lambda: 2 if self._failure else len(self._signals),
        )
        adopting.run()

    def _guarded(self, run: Callable[..., None], *arguments: Any) -> None:
        """Run what ends the whole where it fails."""
        try:
            run(*arguments)
        except Stop as stop:
            self.stop(stop)

    # What the groups of shards need

    @property
    def is_stopped(self) -> bool:
        return bool(self._signals or self._failure)

    def prepare(self, shards: Iterable[int]) -> None:
        """Have what shards need to run here: leases, and their states."""
        if self._part is not None:
            self._part.machine.hold(shards, lambda: self.is_stopped)
            if self._part.snapshots is not None:
                self._part.snapshots.restore(shards, lambda: self.is_stopped)

    def run_process(self, shards: Iterable[int]) -> Process:
        process = self._start(shards)
        self._processes.append(process)
        copying = [
            hub.spawn(self._copy, process.stdout, self._write_records),
            hub.spawn(self._copy, process.log, self._listener.logged),
        ]
        self._listen(process)
        process.socket.close()
        hub.joinall(copying)
        self._processes.remove(process)
        return process

    def begun_again(self, shards: Iterable[int]) -> None:
        self._end.begun(shards)
        for shard in shards:
            self._ended.pop(shard, None)

    def warn(self, text: str) -> None:
        self._listener.notice(text, is_warning=True)

    def stop(self, stop: Stop) -> None:
        """End the crawl, which cannot go on."""
        if self._failure is None:
            self._failure = stop
            self._tell(Interrupt(15))

    # One process

    def _hold(self, machine: Machine) -> None:
        """Keep the leases of this machine, and hear of the end from the others."""
        try:
            self._guarded(machine.run, self._renewed, self._finish, self._steered)
        except Exception as error:
            traceback.print_exc()
            text = f"internal error: {type(error).__name__}: {error}"
            self.stop(ProcessFailed(text, 1))

    def _renewed(self) -> None:
        assert self._part is not None
        machine = self._part.machine
        self._tell(Renewed(machine.held_until, sorted(machine.lost)))

    def _steered(self, crawl: SharedCrawl) -> None:
        assert self._part is not None
        self._config = self._part.take_settings(crawl)
        self._part.machine.take_limits(self._config)
        self._is_over = False
        for process in self._processes:
            process.is_outdated = True
        self._groups.begin_again()
        self._tell(Restart())

    def _finish(self) -> None:
        self._is_over = True
        self._tell(Finish())

    def _start(self, shards: Iterable[int]) -> Process:
        self._file.set_used(self._used(shards))
        log = None
        if (wanted := self._log) is not None:
            log = LogSettings(wanted.module, wanted.form, wanted.job)
        process = Process(
            self._launcher.start(has_stdout=self._stdout is not None),
            WorkerSettings(
                os.path.abspath(self._config.dir),
                tuple(sorted(shards)),
                self._elapsed(),
                log,
                self._part.leases(shards) if self._part else None,
            ),
        )
        if self._is_over:
            process.tell(Finish())
        return process

    def _listen(self, process: Process) -> None:
        """Hear what a process tells, until it has ended."""
        try:
            while (content := read_frame(process.socket.recv)) is not None:
                self._hear(process, decode_from_worker(content))
        except (OSError, msgspec.MsgspecError):
            return  # it was killed in the middle of a message

    def _hear(self, process: Process, message: FromWorker) -> None:
        match message:
            case Opened():
                self._listener.opened(message)
            case Progress(report, snapshot) if not process.is_outdated:
                self._end.heard(report, snapshot)
            case Notice(text, is_warning):
                self._listener.notice(text, is_warning=is_warning)
            case Ended(shard):
                process.shards.discard(shard)
                if not process.is_outdated:
                    self._ended[shard] = message
                    self._end.ended(shard)
            case Failed(text, exit_code):
                self.stop(ProcessFailed(text, exit_code))
        if not self._is_over and self._end.is_there():
            self._finish()

    def _write_records(self, lines: list[bytes]) -> None:
        assert self._stdout is not None
        self._stdout.write(lines)

    def _copy(
        self, source: hub.socket.socket, write: Callable[[list[bytes]], None]
    ) -> None:
        """Copy what a process writes, whole lines, until it has ended."""
        rest = b""
        try:
            while part := source.recv(_LINES):
                *lines, rest = (rest + part).split(b"\n")
                if lines:
                    write(lines)
        except Stop as stop:  # the reader of stdout has left, or the disk is full
            self.stop(stop)
        except OSError:
            return
        finally:
            source.close()

    def _pages_left(self) -> int:
        limit = self._config.limits.max_pages
        return 0 if limit is None else self._file.left("pages", limit)

    def _used(self, shards: Iterable[int]) -> list[tuple[int, int, int]]:
        """What shards have used of the limits, by their states."""
        return [usage_of(Path(self._config.dir), shard) for shard in sorted(shards)]
