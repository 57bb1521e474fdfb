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
an answer: SIGINT, SIGTERM and SIGHUP are ignored. It has no descriptor but its end of
the socket pair and /dev/null.

This side imports no hub: it waits for the crawl only, and may block.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
from collections.abc import Mapping
from importlib import import_module
from typing import NoReturn

from msgspec.msgpack import Decoder

from crawler.engine.sandbox.messages import (
    OUT_OF_MEMORY,
    Answer,
    ChildSettings,
    Order,
    frame,
    read_frame,
)
from crawler.extract.tasks import Task
from crawler.model.errors import (
    BodyFailure,
    ExtractFailure,
    is_out_of_memory,
    short_text,
)

_PR_SET_PDEATHSIG = 1


def main(settings: ChildSettings) -> NoReturn:
    """Serve the crawl until it closes its end; never returns.

    Leaves by `os._exit`, so that the socket is closed by the end of the process and by
    nothing else: the reader of the end of the stream can then get the exit status.
    """
    status = 1
    try:
        _outlive_signals(settings.parent)
        _limit_memory(settings.memory_bytes)
        connection = socket.socket(fileno=settings.fd)
        connection.setblocking(True)
        _serve(connection, settings)
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


def _serve(connection: socket.socket, settings: ChildSettings) -> NoReturn:
    """Raises EOFError when the crawl has closed its end, MemoryError at the limit."""
    try:
        tasks = {name: _load(where) for name, where in settings.tasks.items()}
    except Exception as error:
        connection.sendall(frame(_failed(error)))
        raise EOFError from error
    connection.sendall(frame(Answer()))
    decode = Decoder(Order).decode
    while True:
        content = read_frame(connection.recv_into)
        signal.setitimer(signal.ITIMER_PROF, settings.cpu_s)
        answer = frame(_run(tasks, decode(content)))
        signal.setitimer(signal.ITIMER_PROF, 0)  # the next order comes on no budget
        connection.sendall(answer)


def _load(where: str) -> Task:
    module, _, name = where.partition(":")
    task: Task = getattr(import_module(module), name)
    return task


def _run(tasks: Mapping[str, Task], order: Order) -> Answer:
    process = os.getpid()
    try:
        return Answer(tasks[order.task](order.payload))
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
