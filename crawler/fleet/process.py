"""A process of a crawl, as its parent has it, and the sockets to it."""

from __future__ import annotations

from msgspec import Struct

import hub
from crawler.fleet.messages import LogForm, ToWorker, WorkerSettings, frame
from crawler.fleet.starting import StartedProcess

_EXIT_POLL_S = 0.002


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
        self.socket, self.stdout, self.log = (
            hub.socket.socket(fileno=one.detach())
            for one in (started.socket, started.stdout, started.log)
        )
        if settings.log is None:
            self.log.close()
        self._popen = started.popen
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
        while (code := self._popen.poll()) is None:
            hub.sleep(_EXIT_POLL_S)
        return code
