"""What can go wrong with the hub itself, as opposed to with the work done on it.

    HubError (RuntimeError)
      LoopExit                    nothing can ever happen again, and somebody waits
      BlockingSwitchOutError      a call that waits, made by the hub, which must never wait
        NoSwitchError             a call that waits, made inside ``with no_switch()``
      InvalidSwitchError          a waiting greenlet was switched to by a stranger
      ConcurrentObjectUseError    a second greenlet waits where only one may
      InvalidThreadUseError       an object used in another thread than the one it belongs to
      ForkError                   a hub inherited through fork()
    Cancelled (GreenletExit)      the enclosing cancel scope has ended: leave, cleaning up

Each is a bug of the caller, except Cancelled, which is how a scope speaks to what runs
in it. Those about switching are AssertionErrors too, as gevent's are.
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
]


class HubError(RuntimeError):
    """Misuse of the hub."""


class LoopExit(HubError):
    """The main greenlet waits, and no timer, descriptor, thread or callback can wake
    anyone.

    The text lists every greenlet of the hub with what it waits for.
    """


class BlockingSwitchOutError(HubError, AssertionError):
    """The hub's own greenlet called something that waits."""


class NoSwitchError(BlockingSwitchOutError):
    """A call that waits was made where ``no_switch()`` forbids it."""


class InvalidSwitchError(HubError, AssertionError):
    """A greenlet was switched to by somebody other than what it waits for."""


class ConcurrentObjectUseError(HubError, AssertionError):
    """Two greenlets wait for the same thing, which can only serve one."""


class InvalidThreadUseError(HubError):
    """An object that belongs to one native thread was used in another."""


class ForkError(HubError):
    """The hub was made in another process; a forked child must not use it."""


class Cancelled(GreenletExit):
    """Raised at every wait inside a cancelled ``CancelScope``, until the scope is
    left."""
