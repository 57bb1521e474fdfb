"""A time budget for a step of a request, whose end is a failure of the crawl."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from crawler.errors import Failure
from hub import Timeout

T = TypeVar("T")


def within(seconds: float, late: Callable[[], Failure], step: Callable[..., T], *args: object) -> T:
    """`step(*args)`; raises `late()` if it takes longer than `seconds` (0: no limit).

    Timeouts of others, around this one or inside, pass through as they are.
    """
    budget = Timeout(seconds or None)
    budget.start()
    try:
        return step(*args)
    except Timeout as fired:
        if fired is not budget:
            raise
        raise late() from None
    finally:
        budget.cancel()
