"""The one place where a greenlet gives up control.

Everything in the hub that waits ends in `Waiter.get`, and `get` is the only function that
switches to the hub. What follows from that:

* **Waking is not running.** Whoever wakes (`wake_soon`) only puts a call on the loop's list; the
  loop makes it later, from the hub, and only then does the greenlet run.
* **Only who waits is switched to.** A waiter is used for one wait. Between being woken and
  running, the greenlet may have left `get` by an exception (a Timeout, a kill). The wake-up then
  finds nobody inside and does nothing, so it can never hit a later wait of the same greenlet.
* **Nobody else may switch in.** The hub passes the waiter itself through the switch. Anything
  else that comes out of it means that a stranger switched: InvalidSwitchError.
* **A gate may stand before the wait** (`gate`): cancel scopes and ``no_switch`` look at every
  wait made under them without any other file knowing of them.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from greenlet import getcurrent, greenlet

from hub.current import get_hub
from hub.errors import BlockingSwitchOutError, ConcurrentObjectUseError, InvalidSwitchError

if TYPE_CHECKING:
    from hub.hub import Hub

__all__ = ["Gate", "Waiter", "gate"]


class Gate(Protocol):
    """What looks at every wait made in a context."""

    def enter(self, waiter: "Waiter") -> None:
        """The current greenlet is about to wait; raising keeps it from doing so."""
        ...

    def leave(self, waiter: "Waiter") -> None:
        """The wait is over, in whatever way."""
        ...


gate: ContextVar[Gate | None] = ContextVar("gate", default=None)


class Waiter:
    """One wait of one greenlet: `get` parks it, `switch` or `throw` let it go on.

    If it is let go before it parks, the value or the error is kept, and `get` does not park.
    """

    __slots__ = ("__weakref__", "done", "error", "greenlet", "hub", "since", "value")

    claims = True  # who waits for something takes its error, too
    since: float  # when the wait began, by the loop's clock; only while it lasts

    def __init__(self, hub: "Hub | None" = None) -> None:
        self.hub = get_hub() if hub is None else hub
        self.greenlet: greenlet | None = None
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None

    def get(self) -> Any:
        """Wait until let go; returns the value given to `switch`, raises what `throw` was given.

        Raises BlockingSwitchOutError in the hub's own greenlet, ConcurrentObjectUseError if
        another greenlet is in this waiter, InvalidSwitchError if a stranger switched in.
        """
        if not self.done:
            hub = self.hub
            me = getcurrent()
            if me is hub:
                raise BlockingSwitchOutError("the hub itself can't wait; spawn a greenlet for it")
            if self.greenlet is not None:
                raise ConcurrentObjectUseError(f"this waiter is already used by {self.greenlet!r}")
            watcher = gate.get()
            if watcher is not None:
                watcher.enter(self)
            self.greenlet = me
            self.since = hub.loop.time
            try:
                result = hub.switch()
            finally:
                self.greenlet = None
                if watcher is not None:
                    watcher.leave(self)
            if result is not self:
                raise InvalidSwitchError(f"{me!r} waited and was switched to with {result!r}")
        if self.error is not None:
            raise self.error
        return self.value

    def get_within(self, timeout: float | None) -> bool:
        """Wait at most ``timeout`` seconds (None: for ever); False if the time was up first."""
        if timeout is None or self.done:
            self.get()
            return True
        loop = self.hub.loop
        timer = loop.call_later(timeout, self._expire)
        try:
            self.get()
        finally:
            loop.timers.cancel(timer)
        return self.value is not _EXPIRED

    def _expire(self) -> None:
        if not self.done:
            self.switch(_EXPIRED)

    def wake(self) -> None:
        """Let the greenlet go on, now. For the loop only; others use `wake_soon`."""
        self.done = True
        greenlet = self.greenlet
        if greenlet is not None:
            greenlet.switch(self)

    def wake_soon(self) -> None:
        """Have the greenlet go on in a next turn of its loop. From any greenlet and any thread."""
        self.done = True
        self.hub.loop.call_soon(self.wake)

    def switch(self, value: Any = None) -> None:
        """Let the greenlet go on with ``value``: now if the loop calls, soon if another does."""
        self.value = value
        if getcurrent() is self.hub:
            self.wake()
        else:
            self.wake_soon()

    def throw(self, error: BaseException) -> None:
        """As `switch`, with an error that `get` raises."""
        self.error = error
        self.switch()

    def ready(self) -> bool:
        """Whether it has been let go."""
        return self.done

    def __repr__(self) -> str:
        state = "done" if self.done else "idle" if self.greenlet is None else "waiting"
        return f"<Waiter {state} greenlet={self.greenlet!r}>"


_EXPIRED = object()
