"""Event, a flag to wait for, and AsyncResult, a value or an error to wait for.

Both may be set from any native thread; each waiting greenlet is woken in its own.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar, cast

from hub.links import Linked, Notified
from hub.timeout import Limit, timeout_error

__all__ = ["AsyncResult", "Event"]

T = TypeVar("T")


class Event(Linked):
    """A flag: `wait` returns at once while it is set, and `set` wakes all that wait."""

    __slots__ = ("__weakref__", "_flag", "_links")

    def __init__(self) -> None:
        self._flag = False
        self._links: list[Notified] = []

    def set(self) -> None:
        """Set the flag and wake all waiters, in the order in which they came."""
        self._flag = True
        if self._links:
            self._notify()

    def clear(self) -> None:
        """Clear the flag. Waiters that were woken before return True from `wait`."""
        self._flag = False

    def is_set(self) -> bool:
        """Return the flag."""
        return self._flag

    isSet = is_set

    def ready(self) -> bool:
        """Return the flag."""
        return self._flag

    def wait(self, timeout: Limit = None) -> bool:
        """Wait for the flag; return False if it was not set in ``timeout`` seconds."""
        return self._flag or self._wait_ready(timeout)

    def __repr__(self) -> str:
        state = "set" if self._flag else "clear"
        return f"<Event at {id(self):#x} {state} links[{len(self._links)}]>"


class _Ended(Protocol):
    value: Any
    exception: BaseException | None

    def successful(self) -> bool: ...


_PENDING: Any = object()
_NOTHING: Any = None


class AsyncResult(Linked, Generic[T]):
    """A result that is set by `set` or `set_exception`, and that many may wait for.

    An instance can be linked itself: ``greenlet.link(result)`` copies value or error.
    """

    __slots__ = ("__weakref__", "_error", "_links", "_traceback", "_value")

    def __init__(self) -> None:
        self._value: T = _PENDING
        self._error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._links: list[Notified] = []

    def set(self, value: T = _NOTHING) -> None:
        """Set the value and wake all waiters. A second call replaces the value."""
        self._value = value
        self._error = None
        self._notify()

    def set_exception(
        self,
        exception: BaseException,
        exc_info: tuple[Any, BaseException, TracebackType | None] | None = None,
    ) -> None:
        """Set an error instead of a value; `get` raises it in each caller."""
        self._error = exception
        self._traceback = exception.__traceback__ if exc_info is None else exc_info[2]
        self._value = cast(T, None)
        self._notify()

    def ready(self) -> bool:
        """Return whether a value or an error has been set."""
        return self._value is not _PENDING

    def successful(self) -> bool:
        """Return whether a value has been set."""
        return self._value is not _PENDING and self._error is None

    @property
    def value(self) -> T | None:
        """The value; None if there is none (yet)."""
        return None if self._value is _PENDING else self._value

    @property
    def exception(self) -> BaseException | None:
        """The error; None if there is none (yet)."""
        return self._error

    @property
    def exc_info(self) -> tuple[Any, ...]:
        """(type, value, traceback) of the error; () if there is none."""
        error = self._error
        return () if error is None else (type(error), error, self._traceback)

    def get(self, block: bool = True, timeout: Limit = None) -> T:
        """Return the value, waiting for it, or raise the error.

        Raises Timeout if neither is set (``block`` false), or not in ``timeout``
        seconds.
        """
        if self._value is _PENDING and not (block and self._wait_ready(timeout)):
            raise timeout_error(timeout if block else 0)
        if self._error is not None:
            # With its original traceback: each raise would add to it otherwise.
            raise self._error.with_traceback(self._traceback)
        return self._value

    def get_nowait(self) -> T:
        """`get`, without waiting."""
        return self.get(block=False)

    def wait(self, timeout: Limit = None) -> T | None:
        """Wait; return the value, or None for an error or after ``timeout`` seconds."""
        if self._value is _PENDING:
            self._wait_ready(timeout)
        return self.value

    def __call__(self, source: _Ended) -> None:
        if source.successful():
            self.set(source.value)
        else:
            assert source.exception is not None
            self.set_exception(source.exception)

    # The names that a future of concurrent.futures has.

    result = get
    set_result: Callable[["AsyncResult[T]", T], None] = set
    done = ready

    def cancel(self) -> bool:
        """Return False: a result cannot be cancelled."""
        return False

    def cancelled(self) -> bool:
        """Return False."""
        return False

    def __repr__(self) -> str:
        state = "pending"
        if self.ready():
            state = (
                f"value={self._value!r}"
                if self._error is None
                else f"error={self._error!r}"
            )
        return f"<AsyncResult at {id(self):#x} {state} links[{len(self._links)}]>"
