"""Errors of the hub itself, as opposed to errors of the work that runs on it.

    HubError (RuntimeError)
      LoopExit                    nothing can happen any more, and a greenlet waits
      BlockingSwitchOutError      the hub's own greenlet made a call that waits
        NoSwitchError             a call that waits, made inside ``with no_switch()``
      InvalidSwitchError          something else resumed a waiting greenlet
      ConcurrentObjectUseError    a second greenlet waits where only one may
      InvalidThreadUseError       an object used in another thread than its own
      ForkError                   a hub inherited through fork()
    Cancelled (GreenletExit)      the enclosing cancel scope ended: clean up and leave
    TooSlowError (TimeoutError)   a block of `fail_after` was not ready in time

Each of them is a bug of the caller, except the last two. BlockingSwitchOutError,
NoSwitchError, InvalidSwitchError and ConcurrentObjectUseError are AssertionErrors too,
as gevent's are.
"""

from greenlet import GreenletExit

__all__ = [
    "BlockingSwitchOutError",
    "Cancelled",
    "ConcurrentObjectUseError",
    "ForkError",
    "HubError",
    "InvalidSwitchError",
    "InvalidThreadUseError",
    "LoopExit",
    "NoSwitchError",
    "TooSlowError",
]


class HubError(RuntimeError):
    """Misuse of the hub."""


class LoopExit(HubError):
    """The main greenlet waits, and no timer, descriptor, thread or callback is left.

    The text lists every greenlet of the hub with what it waits for.
    """


class BlockingSwitchOutError(HubError, AssertionError):
    """The hub's own greenlet called something that waits."""


class NoSwitchError(BlockingSwitchOutError):
    """A call that waits was made where ``no_switch()`` forbids it."""


class InvalidSwitchError(HubError, AssertionError):
    """A waiting greenlet was resumed by something other than what it waits for."""


class ConcurrentObjectUseError(HubError, AssertionError):
    """Two greenlets wait for the same object, which can serve only one."""


class InvalidThreadUseError(HubError):
    """An object that belongs to one native thread was used in another."""


class ForkError(HubError):
    """A forked child used a hub that was made in its parent process."""


class Cancelled(GreenletExit):
    """Raised by every wait in a cancelled `CancelScope`, until the scope is left."""


class TooSlowError(TimeoutError):
    """Raised at the end of a block of `fail_after` or `fail_at` that was cancelled."""
