"""A time budget for a step of a request, whose end is a failure of the crawl."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from crawler.model.errors import Failure
from hub import Timeout


class Deadline:
    """`with Budget(seconds, late):` raises `late()` if the block takes longer (0: no
    limit).

    Timeouts of others, around this one or inside, pass through as they are. A block and
    not a call: each call through `*args` is one more piece of C stack to copy whenever
    the greenlet waits.
    """

    __slots__ = ("_late", "_timeout")

    def __init__(self, seconds: float, late: Callable[[], Failure]) -> None:
        self._timeout = Timeout(seconds or None)
        self._late = late

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
            raise self._late() from None
