"""SIGINT and SIGTERM: the first drains the crawl, the second stops it at once.

The state is saved in both cases.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import hub


class Interruptible(Protocol):
    def interrupt(self, signum: int) -> None:
        """Stop, and wait for the requests under way; at the second call, at once."""
        ...


@contextmanager
def interruptible(crawls: Sequence[Interruptible]) -> Iterator[None]:
    """In the `with`, a signal interrupts all of `crawls`, also those added later."""

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
