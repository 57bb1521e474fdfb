"""The extraction process: one task after the other, within limits.

Theory. A tree of hostile HTML, or a decoder of images, can take gigabytes or minutes,
or crash. So the process limits itself, in the kernel, where no library can forget it:

- Memory: RLIMIT_AS. What exceeds it is a MemoryError, or a crash in a library that does
  not check; after either the heap is not worth keeping, so the process ends and the
  crawl starts another. The exit status tells it from other ends.
- CPU time: ITIMER_PROF, armed anew for each task, with SIGPROF's default action, which
  ends the process even inside of a library that never returns to Python. RLIMIT_CPU
  counts whole seconds of the process's life, and was rejected for that. Memory alone
  is not enough: 50,000 attributes in one tag cost lxml 18 s and 17 MB.
- Its life: it ends with the crawl, also after `kill -9`. The kernel sends it SIGKILL
  when the thread that started it ends (PR_SET_PDEATHSIG), and an idle process reads the
  end of the stream.

Signals of the terminal and of a service manager are for the crawl, which may still want
an answer: SIGINT, SIGTERM and SIGHUP are ignored. It has no descriptor but its ends of
the two socket pairs (`messages.py`) and /dev/null.

Answers are announced when there is nothing else to do, when there are MAX_UNANNOUNCED
of them or the socket is full, or MAX_DELAY_S after the first. So one page is answered
at once, and a crawl that has more of them than it can extract is woken seldom.

This side imports no hub: it waits for the crawl only, and may block.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from crawler.engine.sandbox.messages import (
    CHUNK,
    OUT_OF_MEMORY,
    RING,
    SEND_BUFFER,
    Answer,
    ChildSettings,
    Frames,
    answer_frame,
    read_order,
)
from crawler.model.errors import (
    BodyFailure,
    ExtractFailure,
    is_out_of_memory,
    short_text,
)

if TYPE_CHECKING:
    from crawler.extract.tasks import Task

MAX_UNANNOUNCED = 32
MAX_DELAY_S = 1.0
"""What it takes to announce an answer adds to the time of the order behind it."""

_PR_SET_PDEATHSIG = 1


def main(settings: ChildSettings) -> NoReturn:
    """Serve the crawl until it closes its end; never returns.

    Leaves by `os._exit`, so that the sockets are closed by the end of the process and
    by nothing else: the reader of the end of the stream can then get the exit status.
    """
    status = 1
    # Each thread of numpy's OpenBLAS takes address space, and one is enough.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        _outlive_signals(settings.parent)
        _limit_memory(settings.memory_bytes)
        crawl = _Crawl(settings)
        _serve(crawl, settings)
    except (EOFError, ConnectionError):
        status = 0
    except MemoryError:
        status = OUT_OF_MEMORY
    except SystemExit as leaving:  # a task's
        status = leaving.code if isinstance(leaving.code, int) else 1
    finally:
        os._exit(status)


def _outlive_signals(parent: int) -> None:
    """Ignore the signals that are for the crawl, and end when the crawl ends."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        os._exit(0)


def _limit_memory(limit: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:  # as of `ulimit -v`; it cannot be raised
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Crawl:
    """The connection to the crawl."""

    def __init__(self, settings: ChildSettings) -> None:
        self._data = socket.socket(fileno=settings.data_fd)
        self._bell = socket.socket(fileno=settings.bell_fd)
        self._data.setblocking(True)
        self._data.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._bell.setblocking(True)
        self._orders = Frames()
        self._unannounced = 0
        self._first_at = 0.0

    def order(self) -> bytes:
        """The next order. Raises EOFError when the crawl has closed its end."""
        self._receive_more()
        while (content := self._orders.take()) is None:
            if self._orders.has_part:
                self._ring()
            else:
                self.announce()
            self._receive(0)
            self._receive_more()
        return content

    def _receive_more(self) -> None:
        """Receive what has come meanwhile, so that there is room for more."""
        with suppress(BlockingIOError):
            while True:
                self._receive(socket.MSG_DONTWAIT)

    def _receive(self, flags: int) -> None:
        part = self._data.recv(CHUNK, flags)
        if not part:
            raise EOFError
        self._orders.add(part)

    def answer(self, answer: Answer) -> None:
        rest = memoryview(answer_frame(answer))
        while rest:
            try:
                rest = rest[self._data.send(rest, socket.MSG_DONTWAIT) :]
            except BlockingIOError:
                self._wait_for_room()
        now = time.monotonic()
        self._first_at = self._first_at if self._unannounced else now
        self._unannounced += 1
        late = now - self._first_at >= MAX_DELAY_S
        if late or self._unannounced >= MAX_UNANNOUNCED:
            self.announce()

    def _wait_for_room(self) -> None:
        self._ring()
        writable = select.poll()
        writable.register(self._data, select.POLLOUT)
        writable.poll()

    def announce(self) -> None:
        """Tell the crawl that there are answers."""
        if self._unannounced:
            self._ring()

    def _ring(self) -> None:
        self._unannounced = 0
        self._bell.send(RING)


def _serve(crawl: _Crawl, settings: ChildSettings) -> NoReturn:
    """Raises EOFError when the crawl has closed its end, MemoryError at the limit."""
    try:
        tasks = {name: _load(where) for name, where in settings.tasks.items()}
    except Exception as error:
        crawl.answer(_failed(error))
        raise EOFError from error
    crawl.answer(Answer())
    crawl.announce()
    while True:
        content = crawl.order()
        signal.setitimer(signal.ITIMER_PROF, settings.cpu_s)
        answer = _run(tasks, *read_order(content))
        signal.setitimer(signal.ITIMER_PROF, 0)  # the next order comes on no budget
        crawl.answer(answer)


def _load(where: str) -> Task:
    module, _, name = where.partition(":")
    task: Task = getattr(import_module(module), name)
    return task


def _run(tasks: Mapping[str, Task], name: str, payload: bytes) -> Answer:
    process = os.getpid()
    try:
        return Answer(tasks[name](payload))
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        return _failed(error)
    finally:
        if os.getpid() != process:  # the task has forked; the crawl awaits one answer
            os._exit(0)


def _failed(error: Exception) -> Answer:
    if isinstance(error, BodyFailure):
        code, message = error.code, error.message
    else:
        code, message = ExtractFailure.code, f"{type(error).__name__}: {error}"
    return Answer(code=code, message=short_text(message))
