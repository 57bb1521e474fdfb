"""One extraction process and the sockets to it, from its start to its end.

Orders are handed over ahead of time, and are answered in their order. The first without
an answer is the one that the process works on. So the reason why a process has ended is
that of this order, and the others can be given to another process.

Nothing here waits for the process but `listen`, which runs in a greenlet of its own. It
is woken when the process announces answers, when it has ended, and when it is late.

To start the process blocks this thread for 0.3 to 3 ms (`subprocess`, by exec); a
fork without exec would copy the hub's threads' locks, and was rejected for that. A
process that was killed is reaped later.
"""

from __future__ import annotations

import os
import signal
import socket as standard_socket
import subprocess  # nosec B404  # runs our own module
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import islice

import msgspec
from msgspec import MsgspecError, Struct
from msgspec.msgpack import Decoder

import hub
from crawler.engine.sandbox.messages import (
    CHUNK,
    MAX_ANSWER,
    OUT_OF_MEMORY,
    SEND_BUFFER,
    Answer,
    ChildSettings,
    Frames,
    order_frame,
)
from crawler.model.errors import ExtractFailure

MB = 2**20
MAX_PARTS = 256
"""Parts of orders that one call sends; IOV_MAX of Linux is 1024."""
# -P: the current folder is not searched for modules, `json` and `sys` least of all.
_COMMAND = (
    sys.executable,
    "-P",
    "-c",
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])['path'];"
    "import msgspec; from crawler.engine.sandbox import child, messages;"
    "child.main(msgspec.json.decode(sys.argv[1], type=messages.ChildSettings))",
)


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


class PendingOrder:
    """An order on its way: its frame, and who is told the answer."""

    __slots__ = ("abandoned", "child", "frame", "on_answer", "size")

    def __init__(
        self, task: str, payload: Sequence[bytes], on_answer: Callable[[Answer], None]
    ) -> None:
        """`on_answer` is called once, unless the order is abandoned.

        It must neither raise nor switch.
        """
        self.frame = order_frame(task, payload)
        self.size = sum(map(len, self.frame))
        """In bytes."""
        self.on_answer = on_answer
        self.child: ChildProcess | None = None
        """Which process has it."""
        self.abandoned = False
        """The caller waits no longer."""

    def answer(self, answer: Answer) -> None:
        """It has this answer."""
        if not self.abandoned:
            self.on_answer(answer)


class _CannotStart(Exception):
    """It has said why it cannot load its tasks."""


def failure(message: str) -> Answer:
    """The answer of an order that a process did not answer."""
    return Answer(code=ExtractFailure.code, message=message)


class ChildProcess:
    """One process. Raises ExtractFailure if it cannot be started."""

    def __init__(
        self,
        tasks: Mapping[str, str],
        limits: WorkerLimits,
        on_answers: Callable[[], None],
    ) -> None:
        """`on_answers` is called when it has answered, so that it may get more."""
        self._limits = limits
        self._on_answers = on_answers
        self._decode = Decoder(Answer).decode
        self._frames = Frames(MAX_ANSWER)
        self.orders: deque[PendingOrder] = deque()
        """Those that it has, the one that it works on first."""
        self.bytes = 0
        """Size of these orders."""
        self.is_ready = False
        """Whether it has said that it has loaded its tasks."""
        self.answered = 0
        """Orders that it has answered."""
        self._unsent: deque[bytes | memoryview] = deque()
        self._received = memoryview(bytearray(CHUNK))
        self._heard_at = time.monotonic()
        self._data, their_data = standard_socket.socketpair()
        self._bell, their_bell = hub.socket.socketpair()
        self._data.setblocking(False)
        self._data.setsockopt(
            standard_socket.SOL_SOCKET, standard_socket.SO_SNDBUF, SEND_BUFFER
        )
        try:
            self._process = self._popen(tasks, their_data.fileno(), their_bell.fileno())
        except OSError as error:
            self._close_sockets()
            raise ExtractFailure(
                f"the extraction process can't start: {error}"
            ) from error
        finally:
            their_data.close()
            their_bell.close()
        self.pid = self._process.pid

    def _popen(
        self, tasks: Mapping[str, str], data: int, bell: int
    ) -> subprocess.Popen[bytes]:
        settings = ChildSettings(
            sys.path,
            data,
            bell,
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
            pass_fds=(data, bell),
            process_group=0,  # not the terminal's: Ctrl-C is for the crawl
        )

    # Orders

    def take(self, order: PendingOrder) -> None:
        """Give it an order, which `send` sends."""
        if not self.orders and self.is_ready:
            self._heard_at = time.monotonic()
        order.child = self
        self.orders.append(order)
        self.bytes += order.size
        self._unsent.extend(filter(None, order.frame))

    def send(self) -> None:
        """Send of what was taken as much as finds room.

        The process rings when it has nothing to do and part of an order.
        """
        with suppress(OSError):  # no room, or `listen` finds that it has ended
            while self._unsent:
                parts = islice(self._unsent, MAX_PARTS)
                self._remove_sent(self._data.sendmsg(parts))

    def _remove_sent(self, size: int) -> None:
        while size:
            part = self._unsent.popleft()
            if len(part) > size:
                self._unsent.appendleft(memoryview(part)[size:])
                return
            size -= len(part)

    # Answers

    def works_on(self, order: PendingOrder) -> bool:
        """Whether the answer of that order is the next one to come."""
        with suppress(ValueError, MsgspecError, OSError, _CannotStart):
            self.deliver()
        return bool(self.orders) and self.orders[0] is order and self.is_ready

    def listen(self) -> str:
        """Deliver answers until the process is of no more use; returns the reason.

        Then it has to be killed.
        """
        try:
            while self._is_announced():
                self.deliver()
                self._on_answers()
            self.deliver()
        except _CannotStart as error:
            return f"the extraction process can't start: {error}"
        except TimeoutError:
            return f"no answer within {self._limits.wall_s:g} seconds"
        except (ValueError, MsgspecError) as error:
            return f"the extraction process sent {error}"
        except OSError:
            pass
        return self._end()

    def _is_announced(self) -> bool:
        """Wait for the process; False if it has ended.

        Raises TimeoutError if it is late. What it has answered and not announced is
        found then, so that the order after that may have had twice the time.
        """
        while True:
            now = time.monotonic()
            is_busy = bool(self.orders) or not self.is_ready
            self._heard_at = self._heard_at if is_busy else now
            rest = self._heard_at + self._limits.wall_s - now
            if rest <= 0:
                self.deliver()
                if self._heard_at < now:
                    raise TimeoutError
                continue
            with hub.Timeout(rest, False):
                try:
                    return self._bell.recv(CHUNK) != b""
                except ConnectionError:  # it has left orders unread
                    return False

    def deliver(self) -> None:
        """Give the answers that have come to those that wait.

        Raises ValueError, MsgspecError or OSError if they make no sense.
        """
        while True:
            try:
                size = self._data.recv_into(self._received)
            except (BlockingIOError, ConnectionError):
                return
            if not size:
                return
            self._frames.add(self._received[:size])
            for content in self._frames:
                self._heard_at = time.monotonic()
                self._deliver(self._decode(content))

    def _deliver(self, answer: Answer) -> None:
        if not self.is_ready:
            self.is_ready = True
            if answer.code is not None:
                raise _CannotStart(answer.message)
            return
        if not self.orders:
            raise ValueError("an answer without an order")
        order = self.orders.popleft()
        self.bytes -= order.size
        self.answered += 1
        order.answer(answer)

    # The end

    def _end(self) -> str:
        """The reason why the process ended.

        A process closes its sockets only by ending. One that closes them otherwise is
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
        self._close_sockets()

    def _close_sockets(self) -> None:
        self._data.close()
        self._bell.close()

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
