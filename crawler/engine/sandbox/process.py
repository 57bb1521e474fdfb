"""The crawl's side of the extraction process: send orders, wait, replace it.

Theory. The process is started when it is first needed, and serves one order at a time,
in the order of the calls. While an order is with it, only its greenlet waits (on the
socket); the others go on. However the order ends, the next one finds a process in a
known state:

- an answer came: the process is idle again and is kept, which saves the 100 to 250 ms
  of a start;
- anything else: no answer was read to its end, so the stream is in an unknown place.
  The process is killed, and the next order starts another. That holds for a crash, a
  limit, an answer that makes no sense, and for a waiting greenlet that gets a Timeout
  or is killed: no stale answer can reach the next caller.

What the process did wrong is a coded failure of the one document, never an end of the
crawl. The limits on memory and CPU time are kept by the process (`child.py`); the one
on wall-clock time is kept here, for a task that waits without computing.

To start the process blocks this thread for 0.3 to 3 ms (`subprocess`, by exec); a
fork without exec would copy the hub's threads' locks, and was rejected for that. A
process that was killed is reaped with a later order, or by `close`.

This needs a hub in real time: a simulated clock does not drive another process.
"""

from __future__ import annotations

import os
import signal
import subprocess  # nosec B404  # runs our own module
import sys
from collections.abc import Mapping
from contextlib import suppress

import msgspec
from msgspec import MsgspecError, Struct
from msgspec.msgpack import Decoder

import hub
from crawler.engine.sandbox.messages import (
    MAX_ANSWER,
    OUT_OF_MEMORY,
    Answer,
    ChildSettings,
    Order,
    frame,
    read_frame,
)
from crawler.extract.tasks import TASKS
from crawler.model.errors import BodyFailure, ExtractFailure
from hub.lock import Semaphore

MB = 2**20
# -P: the current folder is not searched for modules, `json` and `sys` least of all.
_COMMAND = (
    sys.executable,
    "-P",
    "-c",
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])['path'];"
    "import msgspec; from crawler.engine.sandbox import child, messages;"
    "child.main(msgspec.json.decode(sys.argv[1], type=messages.ChildSettings))",
)
_FAILURES = {kind.code: kind for kind in BodyFailure.__subclasses__()}


class WorkerLimits(Struct, frozen=True):
    """What one order may cost. The memory is that of the process with all it loads."""

    memory_bytes: int = 512 * MB
    """Address space. The process without a task of its own has 30 MB of it."""
    cpu_s: float = 5.0
    """Seconds of CPU time for one order."""
    wall_s: float = 60.0
    """The time limit (seconds) for one order, and for the start of the process.

    A machine that is ten times overloaded still meets it.
    """


class WorkerStatistics(Struct, frozen=True):
    """How a worker is now."""

    starts: int
    """Processes started so far."""
    answers: int
    """Orders answered so far, with a result or with a failure."""
    pid: int | None
    """Process id; None while there is no process."""


class ExtractionWorker:
    """Runs tasks in a child process, which it starts and replaces as needed.

    `tasks` names the functions that the process may run (`crawler/extract/tasks.py`).
    Any number of greenlets may share a worker; each is served in its turn.
    """

    def __init__(
        self, tasks: Mapping[str, str] = TASKS, limits: WorkerLimits | None = None
    ) -> None:
        self._tasks = tasks
        self._limits = limits or WorkerLimits()
        self._turn = Semaphore()
        self._child: _Child | None = None
        self._killed: list[_Child] = []
        self._closed = False
        self._starts = self._answers = 0

    def run(self, task: str, payload: bytes) -> bytes:
        """The result of the task of that name; may switch to other greenlets.

        Raises the BodyFailure that the task raised, and ExtractFailure for any other
        exception in it, for a limit that it exceeded, and for a process that crashed or
        could not start. KeyError: there is no such task.
        """
        if task not in self._tasks:
            raise KeyError(task)
        with self._turn:
            answer = self._call(frame(Order(task, payload)))
        if answer.code is not None:
            raise _FAILURES.get(answer.code, ExtractFailure)(answer.message)
        return answer.result

    def _call(self, order: bytes) -> Answer:
        answered = False
        if self._killed:
            self._killed = [child for child in self._killed if not child.has_ended()]
        try:
            if self._child is None:
                self._start()
            assert self._child is not None
            answer = self._child.call(order)
            answered = True
            self._answers += 1
            return answer
        finally:
            if not answered:
                self._kill()

    def _start(self) -> None:
        if self._closed:
            raise ExtractFailure("the extraction process was closed")
        self._child = _Child(self._tasks, self._limits)
        self._starts += 1
        ready = self._child.call(b"")
        if ready.code is not None:
            raise ExtractFailure(f"the extraction process can't start: {ready.message}")

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._killed.append(self._child)
            self._child = None

    def close(self) -> None:
        """End the process.

        The order in progress ends as an ExtractFailure, and so does each later one.
        """
        self._closed = True
        self._kill()
        for child in self._killed:
            child.wait()
        self._killed.clear()

    def statistics(self) -> WorkerStatistics:
        pid = None if self._child is None else self._child.pid
        return WorkerStatistics(self._starts, self._answers, pid)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.statistics()}>"


class _Child:
    """One process and the socket to it, from its start to its end."""

    def __init__(self, tasks: Mapping[str, str], limits: WorkerLimits) -> None:
        self._limits = limits
        self._decode = Decoder(Answer).decode
        self._socket, theirs = hub.socket.socketpair()
        try:
            self._process = self._popen(tasks, theirs.fileno())
        except OSError as error:
            self._socket.close()
            raise ExtractFailure(
                f"the extraction process can't start: {error}"
            ) from error
        finally:
            theirs.close()
        self.pid = self._process.pid

    def _popen(self, tasks: Mapping[str, str], fd: int) -> subprocess.Popen[bytes]:
        settings = ChildSettings(
            sys.path,
            fd,
            os.getpid(),
            self._limits.memory_bytes,
            self._limits.cpu_s,
            tasks,
        )
        return subprocess.Popen(  # nosec B603
            (*_COMMAND, msgspec.json.encode(settings).decode()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(fd,),
            process_group=0,  # not the terminal's: Ctrl-C is for the crawl
        )

    def call(self, order: bytes) -> Answer:
        """Send `order`, and wait for the answer; an empty one is not sent.

        Raises ExtractFailure if no answer came. Then the process has to be killed.
        """
        limit = self._limits.wall_s
        late = ExtractFailure(f"no answer within {limit:g} seconds")
        timeout = hub.Timeout(limit, late)
        timeout.start()
        try:
            self._socket.sendall(order)
            return self._decode(read_frame(self._socket.recv_into, MAX_ANSWER))
        except (ValueError, MsgspecError) as error:
            raise ExtractFailure(f"the extraction process sent {error}") from error
        except (EOFError, OSError) as error:
            raise ExtractFailure(self._end()) from error
        finally:
            timeout.cancel()

    def _end(self) -> str:
        """The reason why the process ended.

        A process closes its socket only by ending. One that closes it otherwise is
        killed.
        """
        self._kill_group()
        status = self._process.wait()
        if status == OUT_OF_MEMORY:
            megabytes = self._limits.memory_bytes / MB
            return f"more than {megabytes:g} MB of memory were needed"
        if status == -signal.SIGPROF:
            return f"more than {self._limits.cpu_s:g} seconds of CPU time were needed"
        if status < 0:
            return f"the extraction process crashed: {signal.strsignal(-status)}"
        return f"the extraction process ended with status {status}"

    def kill(self) -> None:
        """End the process without waiting for its end; again: nothing."""
        self._kill_group()
        self._socket.close()

    def _kill_group(self) -> None:
        """Kill the process, and those that a task in it has started.

        A process that has ended is not reaped yet, so that its number still names its
        group.
        """
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def has_ended(self) -> bool:
        """Whether the process has ended; one that has is reaped."""
        return self._process.poll() is not None

    def wait(self) -> None:
        """Reap the process; it was killed, so this thread is blocked but shortly."""
        self._process.wait()
