"""A process of a crawl, as its parent has it, and the sockets to it."""

from __future__ import annotations

from contextlib import closing

from msgspec import Struct

import hub
from crawler.fleet.launcher import EXIT_CODE_BYTES, StartedProcess, exit_code
from crawler.fleet.messages import LogForm, ToWorker, WorkerSettings, frame


class ProcessLogs(Struct, frozen=True):
    """What writes the log of a process (`-v`)."""

    module: str
    """As in `LogSettings`."""
    form: LogForm
    job: str
    """The folder of the crawl, as the user names it."""


class Process:
    """One process that has its settings, and the sockets to it."""

    def __init__(self, started: StartedProcess, settings: WorkerSettings) -> None:
        self.socket, self.stdout, self.log, self._exit = (
            hub.socket.socket(fileno=one.detach())
            for one in (started.socket, started.stdout, started.log, started.exit)
        )
        if settings.log is None:
            self.log.close()
        self.shards = set(settings.shards)
        """Those that have not ended."""
        self.is_outdated = False
        """Whether it was told to begin anew: it may have work that it does not know."""
        self.tell(settings)

    def tell(self, message: ToWorker | WorkerSettings) -> None:
        try:
            self.socket.sendall(frame(message))
        except OSError:
            return  # it has ended, which its listener finds

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        with closing(self._exit):
            try:
                return exit_code(self._exit.recv(EXIT_CODE_BYTES))
            except OSError:  # the launcher was killed
                return exit_code(b"")
