"""A process of a crawl: it runs some of the shards, in one hub.

The parent (`supervisor.py`) starts it (`launcher.py`), hears from it how its shards
stand, and tells it the end. It may be killed at any moment: what it has committed is in
its shards' states, and another process goes on with them.
"""

from __future__ import annotations

import gc
import os
import traceback
from contextlib import ExitStack, closing, suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

import hub
from crawler.engine.builder import Crawl, open_crawl
from crawler.engine.shard_link import ShardLink, ShardParts
from crawler.fleet.carrier import Carrier, LocalCarrier
from crawler.fleet.exchange import Exchange
from crawler.fleet.exchange_server import LeaseLost
from crawler.fleet.grants import SharedLimits
from crawler.fleet.held_leases import HeldLeases
from crawler.fleet.messages import (
    RESTARTS,
    Ended,
    Failed,
    Finish,
    FromWorker,
    Interrupt,
    Notice,
    Opened,
    Progress,
    Renewed,
    Reopen,
    Restart,
    Saved,
    WorkerSettings,
    decode_settings,
    decode_to_worker,
    frame,
    read_frame,
)
from crawler.fleet.shard_config import shard_config
from crawler.frontier.mail import Mark, Report
from crawler.frontier.sqlite.database import shard_folder
from crawler.frontier.sqlite.fleet_file import Fleet, FleetFile
from crawler.model.config import from_json
from crawler.model.errors import Stop, is_out_of_memory
from crawler.model.http import Exchange as HttpExchange
from crawler.model.record_base import Record
from crawler.workspace.open import Mode
from crawler.workspace.shards import run_id_of

PROGRESS_S = 0.5
"""How often the parent is told how a shard stands that is at work (seconds)."""
SIGTERM = 15


class ProcessLog(Protocol):
    """Gets what happens in the shards of a process. It must not switch."""

    def exchange(self, exchange: HttpExchange) -> None: ...

    def record(self, record: Record) -> None: ...


def begin(descriptor: int, log: int) -> None:
    """Wait for the settings at the socket of this descriptor, and run the process.

    `log` is the descriptor where it writes a log, if the settings say so.
    """
    socket = hub.socket.socket(fileno=descriptor)
    content = _received(socket)
    if content is None:
        return  # the parent has ended before the crawl began
    settings = decode_settings(content)
    if settings.log is None:
        main(settings, socket)
    else:
        import_module(settings.log.module).main(settings, socket, log)


def main(
    settings: WorkerSettings, socket: hub.socket.socket, log: ProcessLog | None = None
) -> None:
    """Run the shards to their end, and tell the parent."""
    worker = Worker(settings, log)
    try:
        worker.run(socket)
    except LeaseLost as lost:
        raise SystemExit(lost.exit_code) from lost  # the parent starts another one
    except Stop as stop:
        if is_out_of_memory(stop):
            raise  # as if it had been killed: the parent starts another one
        worker.tell(Failed(str(stop), stop.exit_code))
    except Exception as error:
        if is_out_of_memory(error):
            raise
        traceback.print_exc()
        text = f"internal error: {type(error).__name__}: {error}"
        worker.tell(Failed(text, 1))
    worker.send_told(socket)
    socket.close()
    if worker.is_replaced:
        raise SystemExit(RESTARTS)
    gc.freeze()  # otherwise the interpreter's exit collects garbage twice


class Worker:
    """Runs the shards that `settings` name."""

    def __init__(self, settings: WorkerSettings, log: ProcessLog | None) -> None:
        self._settings = settings
        self._log = log
        self._told: list[bytes] = []
        self._crawls: dict[int, Crawl] = {}
        self._links: list[ShardLink] = []
        self._last: dict[int, Report] = {}
        self._told_at: dict[int, float] = {}
        self._error: Exception | None = None
        self.is_replaced = False
        """Whether another process goes on with the shards, under other settings."""
        self._leases: HeldLeases | None = None
        self._kept: dict[int, dict[int, Mark]] | None = None
        if settings.leases is not None:
            self._leases = HeldLeases(settings.leases)
            self._kept = settings.leases.kept

    def tell(self, message: FromWorker) -> None:
        """Have a message sent to the parent soon; does not switch."""
        self._told.append(frame(message))

    def send_told(self, socket: hub.socket.socket) -> None:
        """Send what is to be told. A parent that has died is noticed elsewhere."""
        told, self._told = self._told, []
        try:
            socket.sendall(b"".join(told))
        except OSError:
            return

    def run(self, socket: hub.socket.socket) -> None:
        """Raises what ended the crawl of a shard."""
        folder = Path(self._settings.dir)
        with ExitStack() as held:
            file = held.enter_context(closing(FleetFile(folder)))
            fleet = file.fleet()
            for shard in self._settings.shards:
                self._open(shard, fleet, file)
            carrier = self._carrier(folder, fleet, held)
            held.callback(carrier.close)
            exchange = Exchange(
                carrier, self._links, partial(self._looked, socket), self._fail
            )
            exchanging = hub.spawn(exchange.run)
            listening = hub.spawn(self._listen, socket)
            try:
                hub.joinall([hub.spawn(self._run, one) for one in self._crawls])
            finally:
                hub.killall([exchanging, listening])
        if self._error is not None:
            raise self._error

    def _carrier(self, folder: Path, fleet: Fleet, held: ExitStack) -> Carrier:
        if self._leases is None:
            return LocalCarrier(folder, fleet.layout.shards)
        assert self._settings.leases is not None
        from crawler.fleet.address import parse_address  # several machines only
        from crawler.fleet.server_carrier import ServerCarrier
        from crawler.fleet.valkey_server import ValkeyServer

        address = parse_address(self._settings.leases.address, os.environ)
        server = held.enter_context(closing(ValkeyServer(address)))
        clock = hub.get_hub().loop.now
        return ServerCarrier(server, self._leases.by_shard, clock, kept=self._kept)

    def _open(self, shard: int, fleet: Fleet, file: FleetFile) -> None:
        config = replace(from_json(fleet.config.encode()), dir=self._settings.dir)
        shards = fleet.layout.shards
        leases = self._settings.leases
        sharing = leases.shards if leases else shards
        limits = SharedLimits(file, shard, sharing, config.limits)
        crawl = open_crawl(
            shard_config(config, shard, shards),
            mode=_mode(shard_folder(config.dir, shard), fleet.run_id),
            shard=ShardParts(
                fleet.shard(shard),
                limits,
                self._settings.elapsed_s,
                file.session(),
            ),
        )
        crawl.events.on_warning(lambda text: self.tell(Notice(text, is_warning=True)))
        crawl.events.on_notice(lambda text: self.tell(Notice(text, is_warning=False)))
        if self._log is not None:
            crawl.events.on_exchange(self._log.exchange)
            crawl.events.on_record(self._log.record)
        assert crawl.shard_link is not None
        crawl.shard_link.at_end = lambda: self._tell_last(shard)
        self._crawls[shard] = crawl
        self._links.append(crawl.shard_link)
        if self._leases is not None:
            crawl.shard_link.mail.guard(partial(self._leases.check, shard))
        self.tell(Opened(shard, crawl.lost, crawl.changed_settings))

    def _run(self, shard: int) -> None:
        crawl = self._crawls[shard]
        try:
            summary = crawl.run()
            if self.is_replaced:
                return
            self.tell(Ended(shard, summary, list(crawl.seed_failures)))
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End all shards of this process because of the first error of one."""
        if self._error is None:
            self._error = error
            for crawl in self._crawls.values():
                crawl.fail(error)

    # What is heard, and told

    def _listen(self, socket: hub.socket.socket) -> None:
        while (content := _received(socket)) is not None:
            message = decode_to_worker(content)
            match message:
                case Finish():
                    for link in self._links:
                        link.end()
                case Interrupt(signum):
                    self._interrupt(signum)
                case Renewed():
                    self._renewed(message)
                case Restart():
                    self.is_replaced = True
                    self._interrupt(SIGTERM)

                case Saved(shard, kept):  # of any shard of this machine
                    if self._kept is not None and shard in self._crawls:
                        self._kept[shard] = kept
                case Reopen():
                    for crawl in self._crawls.values():
                        with suppress(Stop):  # the crawl meets it at its next commit
                            crawl.reopen_outputs()
        self._interrupt(SIGTERM)  # the parent has died

    def _renewed(self, message: Renewed) -> None:
        assert self._leases is not None
        self._leases.renewed(message)
        for shard in self._crawls:
            try:
                self._leases.check(shard)
            except LeaseLost as lost:
                self._fail(lost)

    def _interrupt(self, signum: int) -> None:
        for crawl in self._crawls.values():
            crawl.interrupt(signum)

    def _looked(self, socket: hub.socket.socket) -> None:
        """Tell how the shards stand: the idle ones at each change."""
        now = hub.get_hub().loop.now()
        for link in self._links:
            if not link.is_open:
                continue
            shard, report = link.mail.shard, link.report()
            is_news = report.is_idle and report != self._last.get(shard)
            if is_news or now >= self._told_at.get(shard, 0.0) + PROGRESS_S:
                self._tell_standing(link, report)
        self.send_told(socket)

    def _tell_last(self, shard: int) -> None:
        """Tell how a shard stands whose run is at its end."""
        link = self._crawls[shard].shard_link
        assert link is not None
        self._tell_standing(link, link.report())

    def _tell_standing(self, link: ShardLink, report: Report) -> None:
        shard = report.shard
        is_news = report.is_idle and report != self._last.get(shard)
        if is_news and self._leases is not None:
            link.mail.sync()  # machines that see the end can't take it back
        self._last[shard], self._told_at[shard] = report, hub.get_hub().loop.now()
        self.tell(Progress(report, self._crawls[shard].snapshot()))


def _received(socket: hub.socket.socket) -> bytes | None:
    try:
        return read_frame(socket.recv)
    except OSError:  # the parent was killed with something unread
        return None


def _mode(folder: Path, run_id: str) -> Mode:
    """How a shard is opened: it may be behind the crawl, which was killed between."""
    began = run_id_of(folder)
    if began is None:
        return "new"
    return "resume" if began == run_id else "newer"
