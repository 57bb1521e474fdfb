"""SIGINT and SIGTERM: the first drains the crawl, the second stops it at once.

The state is saved in both cases. SIGHUP has two meanings. If the terminal of the
program was closed, it drains the crawl, too. Else another program asks for the files of
the log and of records to be opened again, since it has moved the old ones. Under nohup
it stays ignored.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import hub


class Interruptible(Protocol):
    def interrupt(self, signum: int) -> None:
        """Stop, and wait for the requests under way; at the second call, at once."""
        ...


@contextmanager
def interruptible(
    crawls: Sequence[Interruptible], reopen: Callable[[], None]
) -> Iterator[None]:
    """In the `with`, a signal interrupts all of `crawls`, also those added later.

    `reopen` opens files again that were moved away.
    """
    terminal = _Terminal()

    def arrived(signum: int) -> None:
        for crawl in crawls:
            crawl.interrupt(signum)

    def hung_up() -> None:
        if terminal.is_closed():
            terminal.replace()
            arrived(signal.SIGHUP)
        else:
            reopen()

    handlers = [
        hub.signal_handler(s, arrived, s) for s in (signal.SIGINT, signal.SIGTERM)
    ]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handlers.append(hub.signal_handler(signal.SIGHUP, hung_up))
    try:
        yield
    finally:
        for handler in handlers:
            handler.cancel()


class _Terminal:
    """The controlling terminal of the program, if it has one."""

    def __init__(self) -> None:
        self._existed = _has_terminal()
        self._descriptors = [fd for fd in (0, 1, 2) if os.isatty(fd)]

    def is_closed(self) -> bool:
        return self._existed and not _has_terminal()

    def replace(self) -> None:
        """Put /dev/null in its place, as writing to a closed terminal is an error."""
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for fd in self._descriptors:
            os.dup2(nothing, fd)
        os.close(nothing)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
