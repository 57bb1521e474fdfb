"""Ctrl-C and SIGTERM: once to drain, twice to stop at once. Either way the state is
saved."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import hub


class Interruptible(Protocol):
    def interrupt(self, signum: int) -> None:
        """The user, or the system, wants an end; asked again, at once."""
        ...


@contextmanager
def interruptible(crawls: Sequence[Interruptible]) -> Iterator[None]:
    """While this lasts, a signal interrupts all of `crawls`."""

    def arrived(signum: int) -> None:
        for crawl in crawls:
            crawl.interrupt(signum)

    handlers = [
        hub.signal_handler(s, arrived, s) for s in (signal.SIGINT, signal.SIGTERM)
    ]
    try:
        yield
    finally:
        for handler in handlers:
            handler.cancel()
