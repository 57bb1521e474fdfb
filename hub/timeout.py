"""Timeout: a limit on the time that a block of code may take.

    with Timeout(10):           raises itself in this greenlet after ten seconds
    with Timeout(10, False):    leaves the block silently
    with Timeout(10, error):    raises ``error``, an instance or a class

The limit of a block raises; a single wait takes ``timeout=`` and returns. A Timeout is
a BaseException, so that ``except Exception`` inside the block does not swallow it.
Nested ones end their own blocks; a handler tells them apart by ``is``.

It fires only when control reaches the loop: code that computes is not interrupted.
"""

import math
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, overload

from greenlet import getcurrent, greenlet

from hub.current import thread
from hub.interrupt import TIMEOUT, Interrupt, Raisable, instance
from hub.timers import Timer

__all__ = ["Limit", "Timeout", "check_seconds", "timeout_error", "with_timeout"]

D = TypeVar("D")
P = ParamSpec("P")
T = TypeVar("T")


def check_seconds(seconds: "float | Timeout") -> Any:
    """Return ``seconds``; ValueError if it is negative or not a number."""
    if not isinstance(seconds, Timeout) and not seconds >= 0:
        raise ValueError(
            f"{seconds!r} seconds: a time-out can't be negative; None means no limit"
        )
    return seconds


class Timeout(BaseException):
    """Raises in the greenlet that started it, ``seconds`` after `start` (None: never).

    ``exception``: None raises the Timeout itself; False does so too, and ``with``
    swallows it; a string goes into the message; an exception or a class is raised
    instead. Raises ValueError if ``seconds`` is negative.
    """

    __slots__ = ("_loop", "_ticket", "_timer", "exception", "seconds")

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
        """Start the timer; RuntimeError if it runs already."""
        timer = self._timer
        if timer is not None and timer.callback is not None:
            raise RuntimeError(f"{self!r} has been started already; cancel it first")
        seconds = self.seconds
        if seconds is not None and seconds != math.inf:
            loop = self._loop = thread.hub.loop
            self._ticket = loop.timers.ticket
            self._timer = loop.timers.add(
                loop.now() + seconds, partial(self._due, getcurrent())
            )

    def _due(self, target: greenlet) -> None:
        """Runs in the hub.

        A wait that was answered before ends first, and may cancel the time-out.
        """
        if self._loop.is_answered(target):
            self._interrupt(target).again()
        else:
            self._interrupt(target).deliver()

    def _interrupt(self, target: greenlet) -> Interrupt:
        """Make what ends the waits of ``target``, as long as this is not cancelled."""
        error, timer = self.exception, self._timer
        given = error is not None and not isinstance(error, bool | str)
        return Interrupt(
            thread.hub,
            target,
            instance(error) if given else self,  # type: ignore[arg-type]
            TIMEOUT,
            self._ticket,
            wanted=lambda: self._timer is timer,
        )

    def fire_again(self) -> None:
        """Raise it at the next wait of this greenlet: another error has replaced it."""
        if self._timer is not None:
            self._interrupt(getcurrent()).again()

    @classmethod
    def start_new(
        cls,
        timeout: "float | Timeout | None" = None,
        exception: Raisable | str | bool | None = None,
    ) -> "Timeout":
        """Return a started Timeout; one that is given is started if need be."""
        limit = timeout if isinstance(timeout, Timeout) else cls(timeout, exception)
        if not limit.pending:
            limit.start()
        return limit

    @property
    def pending(self) -> bool:
        """Whether it may still fire."""
        timer = self._timer
        return timer is not None and timer.callback is not None

    def cancel(self) -> None:
        """Stop the timer. Idempotent; it can be started again."""
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
        name = f"{type(self).__name__} at {id(self):#x}"
        return f"<{name} seconds={self.seconds}{error}{state}>"


Limit = float | Timeout | None
"""What a ``timeout`` parameter accepts: seconds, None for no limit, or a Timeout.

A Timeout is started for the wait, and raises as it does for a block.
"""


def timeout_error(timeout: Limit) -> Timeout:
    """Return what to raise when a wait has ended by ``timeout``."""
    return timeout if isinstance(timeout, Timeout) else Timeout(timeout)


_NO_VALUE: Any = object()


@overload
def with_timeout(
    seconds: float | None,
    function: Callable[..., T],
    *args: Any,
    timeout_value: D,
    **kwargs: Any,
) -> T | D: ...


@overload
def with_timeout(
    seconds: float | None,
    function: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T: ...


def with_timeout(
    seconds: float | None,
    function: Callable[..., Any],
    *args: Any,
    timeout_value: Any = _NO_VALUE,
    **kwargs: Any,
) -> Any:
    """Call ``function(*args, **kwargs)`` within ``seconds``.

    After that return ``timeout_value`` if it is given, or raise Timeout.
    """
    limit = Timeout(seconds)
    limit.start()
    try:
        return function(*args, **kwargs)
    except Timeout as error:
        if error is limit and timeout_value is not _NO_VALUE:
            return timeout_value
        raise
    finally:
        limit.cancel()
