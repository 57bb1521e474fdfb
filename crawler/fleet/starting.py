"""Starting the processes of a crawl, before the parent knows what they will do.

A process loads its code, which takes as long as the parent takes for its own, and then
waits at its socket for its settings. So this module imports little, and the command
starts the processes as soon as the user's options say how many there will be.
"""

from __future__ import annotations

import gc
import socket
import subprocess  # nosec B404  # runs our own module
import sys

_PROGRAM = (
    "import gc, sys; gc.set_threshold(int(sys.argv[1])); sys.path[:] = sys.argv[3:];"
    "from crawler.fleet.worker import begin; begin(int(sys.argv[2]))"
)
"""Its arguments: objects before a collection, the socket, and `sys.path`."""


class StartedProcess:
    """A process that has no settings yet (`worker.begin`); the sockets to it."""

    def __init__(self, *, has_stdout: bool) -> None:
        """`has_stdout`: it may write to its stdout, which the parent reads."""
        self.socket, theirs = socket.socketpair()
        self.stdout, their_stdout = socket.socketpair()
        self.log, their_log = socket.socketpair()
        self.log_descriptor = their_log.fileno()
        """In the process: where it writes its log."""
        with theirs, their_stdout, their_log:
            self.popen = subprocess.Popen(  # nosec B603
                self._command(theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=their_stdout.fileno() if has_stdout else subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), self.log_descriptor),
                process_group=0,  # not the terminal's: Ctrl-C is for the parent
            )

    def _command(self, descriptor: int) -> list[str]:
        """With -P the current folder is not searched for modules."""
        young_objects = str(gc.get_threshold()[0])
        given = (young_objects, str(descriptor), *sys.path)
        return [sys.executable, "-P", "-c", _PROGRAM, *given]

    def discard(self) -> None:
        """End it; it has no settings, and so nothing that it could lose."""
        self.popen.kill()
        self.popen.wait()
        for one in (self.socket, self.stdout, self.log):
            one.close()


class ReadyProcesses:
    """Starts processes, `number` of them ahead. `has_stdout` as in StartedProcess."""

    def __init__(self, number: int = 0, *, has_stdout: bool) -> None:
        self._has_stdout = has_stdout
        self._waiting = [StartedProcess(has_stdout=has_stdout) for _ in range(number)]

    def take(self) -> StartedProcess:
        """One that was started ahead, or else a new one."""
        if self._waiting:
            return self._waiting.pop(0)
        return StartedProcess(has_stdout=self._has_stdout)

    def keep(self, number: int) -> None:
        """End those beyond `number`, for which the crawl has no shards."""
        while len(self._waiting) > number:
            self._waiting.pop().discard()

    def close(self) -> None:
        """End those that were not taken."""
        self.keep(0)
