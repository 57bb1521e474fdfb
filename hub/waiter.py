"""The one place where a greenlet gives up control.

Everything in the hub that waits ends in `Waiter.get`, and `get` is the only function
that switches away from the greenlet that called. What follows from that:

* **Waking is not running.** Whoever wakes only puts the waiter on the loop's list
  (`wake_soon`). Its turn comes later, in order, and only then does the greenlet run.
* **Only who waits is switched to.** A waiter serves one wait. Between being woken and
  running, the greenlet may have left `get` by an exception (a Timeout, a kill). The
  wake-up then finds nobody inside and does nothing, so it can never hit a later wait of
  the same greenlet.
* **Nobody else may switch in.** Whoever wakes sets the waiter's outcome before it
  switches. A greenlet that runs again without an outcome was switched to by a stranger:
  InvalidSwitchError.
* **A gate may stand before the wait** (`gate`): cancel scopes and ``no_switch`` look at
  every wait made under them without any other file knowing of them.

Who takes over? The hub, in principle: it takes the next entry from its list, and if
that is a waiter, switches to its greenlet. Where the next entry is a waiter `get` does
just that itself and saves the way through the hub, a third of the cost of a switch. The
hub keeps the upper hand by ``loop.budget``, which counts such entries too and sends
control back to the loop to poll.
"""

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from greenlet import getcurrent, greenlet

from hub.current import thread
from hub.errors import (
    BlockingSwitchOutError,
    ConcurrentObjectUseError,
    InvalidSwitchError,
)
from hub.timeout import Limit, Timeout

if TYPE_CHECKING:
    from hub.hub import Hub

__all__ = ["Gate", "Waiter", "gate", "use_gates"]


class Gate(Protocol):
    """What looks at every wait made in a context."""

    def enter(self, waiter: "Waiter") -> None:
        """The current greenlet is about to wait; raising keeps it from doing so."""
        ...

    def leave(self, waiter: "Waiter") -> None:
        """The wait is over, in whatever way."""
        ...


gate: ContextVar[Gate | None] = ContextVar("gate", default=None)
"""The innermost gate of this context; a greenlet inherits it from its spawner."""

_gates_in_use = False  # spares every wait of a program without gates the look-up


def use_gates() -> None:
    """To be called before the first gate is set."""
    global _gates_in_use
    _gates_in_use = True


class _Pending:
    def __repr__(self) -> str:
        return "<pending>"


class _Error:
    """An outcome that `Waiter.get` raises."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


PENDING = _Pending()
_EXPIRED = object()


class Waiter:
    """One wait of one greenlet: `get` parks it, `switch` or `throw` let it go on.

    If it is let go before it parks, the value or the error is kept, and `get` does not
    park.
    """

    __slots__ = ("greenlet", "hub", "outcome", "since")

    handles_error = True  # who waits for something takes its error, too
    since: float  # when the wait began, by the loop's clock; only while it lasts

    def __init__(self, hub: "Hub | None" = None) -> None:
        self.hub = thread.hub if hub is None else hub
        self.greenlet: greenlet | None = None
        self.outcome: Any = PENDING

    def get(self) -> Any:
        """Wait until let go; returns the value given to `switch`, raises what `throw`
        was given.

        Raises BlockingSwitchOutError in the hub's own greenlet,
        ConcurrentObjectUseError if another greenlet is in this waiter,
        InvalidSwitchError if a stranger switched in.
        """
        if self.outcome is PENDING:
            hub = self.hub
            me = getcurrent()
            if me is hub or self.greenlet is not None:
                self._refuse(me)
            guard = gate.get() if _gates_in_use else None
            if guard is not None:
                guard.enter(self)
            loop = hub.loop
            self.since = loop.time
            self.greenlet = me
            try:
                if loop.budget > 0 and (ready := loop.ready):
                    next_waiter = ready.popleft()
                    if (
                        type(next_waiter) is Waiter
                        and (target := next_waiter.greenlet) is not None
                    ):
                        loop.budget -= 1
                        if next_waiter.outcome is PENDING:
                            next_waiter.outcome = None
                        passed = target.switch()
                    else:
                        ready.appendleft(next_waiter)
                        passed = hub.park()
                else:
                    passed = hub.park()
            finally:
                self.greenlet = None
                if guard is not None:
                    guard.leave(self)
            if self.outcome is PENDING:
                raise InvalidSwitchError(
                    f"Invalid switch into {me!r}, which waits: {passed!r}"
                )
        outcome = self.outcome
        if outcome is not None and type(outcome) is _Error:
            raise outcome.error
        return outcome

    def _refuse(self, me: greenlet) -> None:
        if me is self.hub:
            raise BlockingSwitchOutError(
                "the hub itself can't wait; spawn a greenlet for it"
            )
        raise ConcurrentObjectUseError(
            f"this waiter is already used by {self.greenlet!r}"
        )

    def get_within(self, timeout: Limit) -> bool:
        """Wait at most ``timeout`` seconds (None: for ever); False if the time was up
        first."""
        if timeout is None or self.outcome is not PENDING:
            self.get()
            return True
        if isinstance(timeout, Timeout):
            with Timeout.start_new(timeout):
                self.get()
                return True
            return False
        loop = self.hub.loop
        timer = loop.call_later(timeout, self._expire)
        try:
            return self.get() is not _EXPIRED
        finally:
            loop.timers.cancel(timer)

    def _expire(self) -> None:
        if self.outcome is PENDING:
            self.outcome = _EXPIRED
            self.wake()

    def wake(self) -> None:
        """Let the greenlet go on, now. For the loop only; others use `wake_soon`."""
        if self.outcome is PENDING:
            self.outcome = None
        greenlet = self.greenlet
        if greenlet is not None:
            greenlet.switch()

    __call__ = wake

    def wake_soon(self) -> None:
        """Have the greenlet go on when its turn comes. From any greenlet and any
        thread."""
        if self.outcome is PENDING:
            self.outcome = None
        loop = self.hub.loop
        loop.ready.append(self)
        if loop.asleep:
            loop.wake()

    def switch(self, value: Any = None) -> None:
        """Let the greenlet go on with ``value``: now if the loop calls, soon if another
        does."""
        self.outcome = value
        if getcurrent() is self.hub:
            self.wake()
        else:
            self.wake_soon()

    def throw(self, error: BaseException) -> None:
        """As `switch`, with an error that `get` raises."""
        self.switch(_Error(error))

    def throw_soon(self, error: BaseException) -> None:
        """As `wake_soon`, with an error that `get` raises."""
        self.outcome = _Error(error)
        self.wake_soon()

    def ready(self) -> bool:
        """Whether it has been let go."""
        return self.outcome is not PENDING

    def __repr__(self) -> str:
        state = (
            "done" if self.ready() else "idle" if self.greenlet is None else "waiting"
        )
        return f"<Waiter {state} greenlet={self.greenlet!r}>"
