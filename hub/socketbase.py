"""The part of a socket that never waits: its attributes, names and options."""

from operator import index
from typing import Any

__all__ = ["Address", "SocketBase"]

Address = Any

MAX_SECONDS = (2**63 - 1) // 10**9  # seconds; the system counts nanoseconds


class SocketBase:
    """A real socket as an attribute, and the calls on it that return at once."""

    __slots__ = ("_closed", "_sock", "_timeout")

    _closed: bool
    _sock: Any
    _timeout: float | None

    @property
    def family(self) -> Any:
        """The address family."""
        return self._sock.family

    @property
    def type(self) -> Any:
        """SOCK_STREAM, SOCK_DGRAM, ..."""
        return self._sock.type

    @property
    def proto(self) -> int:
        """The protocol."""
        proto: int = self._sock.proto
        return proto

    @property
    def timeout(self) -> float | None:
        """The same as `gettimeout`."""
        return self._timeout

    def gettimeout(self) -> float | None:
        """How many seconds a call may wait; None: no limit; 0.0: non-blocking."""
        return self._timeout

    def settimeout(self, value: float | None) -> None:
        """Set how many seconds a call may wait.

        Raises as the standard library: TypeError unless it is a number, ValueError if
        negative, OverflowError if the system's clock can't count so far.
        """
        if value is not None and not (
            type(value) is float and 0 < value <= MAX_SECONDS
        ):
            value = _checked_timeout(value)
        self._timeout = value

    def setblocking(self, flag: bool) -> None:
        """True: wait without limit; False: never wait."""
        self._timeout = None if flag else 0.0

    def getblocking(self) -> bool:
        """Whether calls may wait."""
        return self._timeout != 0.0

    def fileno(self) -> int:
        """Return the descriptor; -1 once closed."""
        descriptor: int = self._sock.fileno()
        return descriptor

    def getpeername(self) -> Address:
        """Return the peer's address."""
        return self._sock.getpeername()

    def getsockname(self) -> Address:
        """Return our own address."""
        return self._sock.getsockname()

    def getsockopt(self, *args: Any) -> Any:
        """``getsockopt(level, option[, buflen])``."""
        return self._sock.getsockopt(*args)

    def setsockopt(self, *args: Any) -> None:
        """``setsockopt(level, option, value[, optlen])``."""
        self._sock.setsockopt(*args)

    def get_inheritable(self) -> bool:
        """Whether a child process inherits the descriptor."""
        return bool(self._sock.get_inheritable())

    def set_inheritable(self, inheritable: bool) -> None:
        """Set whether a child process inherits the descriptor."""
        self._sock.set_inheritable(inheritable)

    def __getstate__(self) -> None:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __repr__(self) -> str:
        inner = repr(self._sock).partition(" ")[2].rstrip(">")
        state = " [closed]" if self._closed else ""
        return f"<hub.socket.socket{state} {inner}>"


def _checked_timeout(value: Any) -> float:
    seconds = value if isinstance(value, float) else index(value)
    if seconds != seconds:
        raise ValueError("Invalid value NaN (not a number)")
    if abs(seconds) > MAX_SECONDS:
        raise OverflowError(f"a time-out of {value!r} s is too long")
    if seconds < 0:
        raise ValueError(f"a time-out can't be {value!r} seconds")
    return float(seconds)
