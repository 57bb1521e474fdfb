"""A budget for a block of code.

    with Timeout(10):           raises itself in this greenlet after ten seconds
    with Timeout(10, False):    leaves the block silently
    with Timeout(10, error):    raises ``error``, an instance or a class

Budgets raise; a single wait takes ``timeout=`` and returns. A Timeout is a
BaseException, so that ``except Exception`` inside the block does not swallow it. Nested
ones end their own block each; a handler tells which by ``is``.

It fires only when control reaches the loop: code that computes can't be interrupted.
"""

import math
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

from hub.current import thread
from hub.timers import Timer

__all__ = ["Limit", "Timeout", "check_seconds", "timeout_error", "with_timeout"]

T = TypeVar("T")

Raisable = BaseException | type[BaseException]


def check_seconds(seconds: "float | Timeout") -> Any:
    """``seconds`` if it is a length of time; raises ValueError if negative or not a
    number."""
    if not isinstance(seconds, Timeout) and not seconds >= 0:
        raise ValueError(
            f"{seconds!r} seconds: a time-out can't be negative; None means no limit"
        )
    return seconds


class Timeout(BaseException):
    """Raises in the greenlet that started it, ``seconds`` after `start`; None means
    never.

    ``exception``: None raises the Timeout itself, False likewise, but ``with`` swallows
    it; a string is shown in the message; an exception or a class is raised instead.
    """

    __slots__ = ("_loop", "_timer", "exception", "seconds")

    def __init__(
        self,
        seconds: float | None = None,
        exception: Raisable | str | bool | None = None,
    ) -> None:
        if seconds is not None and not seconds >= 0:
            check_seconds(seconds)
        self.seconds = seconds
        self.exception = exception
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin to count; raises RuntimeError if it has begun already."""
        if self.pending:
            raise RuntimeError(f"{self!r} has been started already; cancel it first")
        seconds = self.seconds
        if seconds is not None and seconds != math.inf:
            loop = self._loop = thread.hub.loop
            self._timer = loop.call_later(seconds, partial(self._fire, getcurrent()))

    def _fire(self, target: greenlet) -> None:
        """Interrupt ``target``. Runs in the hub; only here and in greenlet.py is that
        done."""
        if not target.dead:
            error = self.exception
            raised = self if error is None or isinstance(error, bool | str) else error
            target.throw(raised)

    @classmethod
    def start_new(
        cls,
        timeout: "float | Timeout | None" = None,
        exception: Raisable | str | bool | None = None,
    ) -> "Timeout":
        """A started Timeout; one that is given is started if it isn't yet, and
        returned."""
        budget = timeout if isinstance(timeout, Timeout) else cls(timeout, exception)
        if not budget.pending:
            budget.start()
        return budget

    @property
    def pending(self) -> bool:
        """Whether it may still fire."""
        timer = self._timer
        return timer is not None and timer.callback is not None

    def cancel(self) -> None:
        """Never fire for the present `start`. Idempotent; it can be started again."""
        timer = self._timer
        if timer is not None:
            self._timer = None
            self._loop.timers.cancel(timer)

    close = cancel

    def __enter__(self) -> "Timeout":
        timer = self._timer
        if timer is None or timer.callback is None:
            self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        timer = self._timer
        if timer is not None:
            self._timer = None
            self._loop.timers.cancel(timer)
        return value is self and self.exception is False

    def __str__(self) -> str:
        if self.seconds is None:
            return ""
        text = f"{self.seconds} second" + ("" if self.seconds == 1 else "s")
        if self.exception is None:
            return text
        return (
            f"{text} (silent)"
            if self.exception is False
            else f"{text}: {self.exception}"
        )

    def __repr__(self) -> str:
        state = " pending" if self.pending else ""
        error = "" if self.exception is None else f" exception={self.exception!r}"
        return f"<{type(self).__name__} at {id(self):#x} seconds={self.seconds}{error}{state}>"


Limit = float | Timeout | None
"""What a ``timeout`` parameter takes: seconds, None for no limit, or a Timeout, which
is started for the wait and raises itself (or what it was made to raise) when it
fires."""


def timeout_error(timeout: Limit) -> Timeout:
    """What to raise when a wait has ended by ``timeout``."""
    return timeout if isinstance(timeout, Timeout) else Timeout(timeout)


_NO_VALUE: Any = object()


def with_timeout(
    seconds: float | None,
    function: Callable[..., T],
    *args: Any,
    timeout_value: T = _NO_VALUE,
    **kwargs: Any,
) -> T:
    """``function(*args, **kwargs)`` under a Timeout; ``timeout_value``, if given,
    instead of it."""
    budget = Timeout(seconds)
    budget.start()
    try:
        return function(*args, **kwargs)
    except Timeout as error:
        if error is budget and timeout_value is not _NO_VALUE:
            return timeout_value
        raise
    finally:
        budget.cancel()
