"""A time limit for one step of a request, which raises a failure of the crawl."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from crawler.model.errors import Failure
from hub import Timeout


class Deadline:
    """`with Deadline(seconds, timeout_error):` limits the time that the block may take.

    When the time is over, the block is interrupted and `timeout_error()` is raised in
    place of the hub's Timeout. 0 seconds: no limit. Any other Timeout, around this
    block or inside it, passes through unchanged.

    This is a context manager and not a function that takes a callable, because every
    call through `*args` is one more piece of C stack to copy when the greenlet waits.
    """

    __slots__ = ("_timeout", "_timeout_error")

    def __init__(self, seconds: float, timeout_error: Callable[[], Failure]) -> None:
        self._timeout = Timeout(seconds or None)
        self._timeout_error = timeout_error

    def __enter__(self) -> None:
        self._timeout.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timeout.cancel()
        if error is self._timeout:
            raise self._timeout_error() from None
