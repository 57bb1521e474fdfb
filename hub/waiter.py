"""The one place where a greenlet gives up control.

Every wait in the hub ends in `Waiter.get`, the only function that switches away from
the greenlet that calls it. What follows from that:

* **Waking is not running.** `wake_soon` only appends the waiter to the loop's list. The
  greenlet runs later, when the loop comes to that entry.
* **Only a waiting greenlet is switched to.** A waiter serves one wait. Between the
  wake-up and its turn the greenlet may leave `get` by an exception (a Timeout, a kill).
  The wake-up then finds no greenlet in the waiter and does nothing, so it can never end
  a later wait of the same greenlet.
* **A foreign switch is an error.** A wake-up sets the waiter's outcome before the
  switch. A greenlet that runs again without an outcome was resumed by something else:
  InvalidSwitchError.
* **A gate may check each wait** of a greenlet (``hub.gates``): cancel scopes and
  ``no_switch`` see every wait that is made under them, and no other file needs to know
  of them.
* **What an arriving interrupt does is decided here** (interrupt.py): it ends the wait,
  or it gives way to a kill that unwinds the greenlet, or it is kept for later.

Which greenlet runs next? In principle the hub decides: it takes the next entry from its
list and, if that is a waiter, switches to its greenlet. If the next entry is a waiter,
`get` switches to it directly and saves the detour through the hub, a third of the cost
of a switch. ``loop.budget`` counts these switches too, and returns control to the loop
in time to poll.
"""

from typing import TYPE_CHECKING, Any, Protocol

from greenlet import getcurrent, greenlet

from hub.current import thread
from hub.errors import (
    BlockingSwitchOutError,
    ConcurrentObjectUseError,
    InvalidSwitchError,
)
from hub.interrupt import KILL, Interrupt, outranking
from hub.timeout import Limit, Timeout

if TYPE_CHECKING:
    from hub.hub import Hub

__all__ = ["Gate", "Waiter"]


class Gate(Protocol):
    """An object that checks the waits of one greenlet: ``hub.gates`` has the innermost.

    ``_outer`` is the next one around it.
    """

    _outer: Any

    @property
    def forbidding(self) -> Any:
        """The gate around the wait that refuses it, or None."""
        ...

    @property
    def cancelled(self) -> bool:
        """Whether a scope around the wait is cancelled."""
        ...

    def enter(self, waiter: "Waiter") -> None:
        """Called before the current greenlet waits; an exception prevents the wait."""
        ...

    def leave(self, waiter: "Waiter") -> None:
        """Called after the wait, however it ended."""
        ...

    def defers(self, interrupt: Interrupt) -> bool:
        """Whether the wait goes on although ``interrupt`` has come."""
        ...


class _Pending:
    def __repr__(self) -> str:
        return "<pending>"


class _Error:
    """An outcome that `Waiter.get` raises.

    ``ticket``: of the cancelled scope that sent it.
    """

    __slots__ = ("error", "ticket")

    def __init__(self, error: BaseException, ticket: int | None = None) -> None:
        self.error = error
        self.ticket = ticket


PENDING = _Pending()
_EXPIRED = object()


class Waiter:
    """One wait of one greenlet: `get` parks it, `resume` or `throw` resumes it.

    A value or error that comes before `get` is kept, and `get` does not park then.

    The waits that most programs make spell out what ``Waiter(hub)`` does: a call of a
    class with an ``__init__`` costs a quarter more on Python 3.11, and twice as much on
    3.13, and there is one for each wait.
    """

    __slots__ = ("greenlet", "hub", "outcome", "since")

    handles_error = True  # a greenlet that waits gets the error, too
    since: float  # when the wait began (s, the loop's clock)

    def __init__(self, hub: "Hub | None" = None) -> None:
        self.hub = thread.hub if hub is None else hub
        self.greenlet: greenlet | None = None
        self.outcome: Any = PENDING

    def get(self) -> Any:
        """Park until resumed.

        Returns the value given to `resume`, or raises the error of `throw`.

        Raises BlockingSwitchOutError in the hub's own greenlet,
        ConcurrentObjectUseError if another greenlet is in this waiter,
        InvalidSwitchError after a foreign switch.
        """
        if self.outcome is PENDING:
            hub = self.hub
            me = getcurrent()
            if me is hub or self.greenlet is not None:
                self._refuse(me)
            guard = gates.get(me) if (gates := hub.gates) else None
            if guard is not None:
                guard.enter(self)
            loop = hub.loop
            self.since = loop.time
            self.greenlet = me
            passed = interrupt = None
            try:
                if (ready := loop.ready) and (budget := loop.budget or loop.renew()):
                    next_waiter = ready.popleft()
                    if (
                        type(next_waiter) is Waiter
                        and (target := next_waiter.greenlet) is not None
                    ):
                        loop.budget = budget - 1
                        if next_waiter.outcome is PENDING:
                            next_waiter.outcome = None
                        passed = target.switch()
                    else:
                        ready.appendleft(next_waiter)
                        passed = hub.park()
                else:
                    passed = hub.park()
            except BaseException as error:
                interrupt = error
            if interrupt is not None:
                self._interrupted(interrupt)
                interrupt = None  # with its traceback it would be a cycle
            self.greenlet = None
            if guard is not None:
                guard.leave(self)
            if self.outcome is PENDING:
                raise InvalidSwitchError(
                    f"Invalid switch into {me!r}, which waits: {passed!r}"
                )
        outcome = self.outcome
        if outcome is not None and type(outcome) is _Error:
            del outcome  # with the error's traceback it would be a cycle
            raise self.take_error()
        return outcome

    def _interrupted(self, error: BaseException) -> None:
        """Make ``error`` the outcome, or a kill that outranks it.

        Or go on waiting, if the gate keeps the interrupt for later.
        """
        hub, guard, postponed = self.hub, self._gate(), []
        while True:
            arriving, hub.arriving = hub.arriving, None
            if arriving is None or arriving.error is not error:
                arriving = Interrupt(hub, getcurrent(), error)  # not by the hub
            error.__traceback__ = arriving.traceback
            kill = outranking(arriving.ticket) if arriving.rank < KILL else None
            if guard is None or not guard.defers(arriving):
                if kill is None or not arriving.yielded:
                    if kill is not None:
                        arriving.yielded = True
                        postponed.append(arriving)
                    self.outcome = _Error(error if kill is None else kill)
                    break
                postponed.append(arriving)
            try:
                hub.park()
                break
            except BaseException as another:
                error = another
        for interrupt in postponed:
            interrupt.again()
        # A traceback leads here: no error may be left in a variable.
        del error, arriving, kill, postponed

    def _gate(self) -> Gate | None:
        gate: Gate | None = self.hub.gates.get(getcurrent())
        return gate

    def take_error(self) -> BaseException:
        """Return the error that was thrown, or a kill that outranks a cancellation."""
        failed, self.outcome = self.outcome, None
        if failed.ticket is not None:
            kill = outranking(failed.ticket)
            if kill is not None:
                return kill
        error: BaseException = failed.error
        return error

    def _refuse(self, me: greenlet) -> None:
        if me is self.hub:
            error = BlockingSwitchOutError(
                "Impossible to call blocking function in the event loop callback"
            )
            error.add_note("the hub itself can't wait; spawn a greenlet for it")
            raise error
        raise ConcurrentObjectUseError(
            f"this waiter is already used by {self.greenlet!r}"
        )

    def wait(self, timeout: Limit) -> bool:
        """Park for at most ``timeout`` seconds; return False if they were over first.

        None means no limit. A Timeout raises instead.
        """
        if timeout is None or self.outcome is not PENDING:
            self.get()
            return True
        if isinstance(timeout, Timeout):
            with Timeout.start_new(timeout):
                self.get()
                return True
            return False
        loop = self.hub.loop
        timer = loop.timers.add(loop.now() + timeout, self._expire)
        try:
            return self.get() is not _EXPIRED
        finally:
            loop.timers.cancel(timer)

    def _expire(self) -> None:
        if self.outcome is PENDING and not (
            self.greenlet is not None and self.hub.loop.is_answered(self.greenlet)
        ):
            self.outcome = _EXPIRED
            self.wake()

    def wake(self) -> None:
        """Resume the greenlet at once. For the loop only.

        Other code uses `wake_soon`.
        """
        if self.outcome is PENDING:
            self.outcome = None
        greenlet = self.greenlet
        if greenlet is not None:
            greenlet.switch()

    __call__ = wake

    def wake_soon(self) -> None:
        """Resume the greenlet when its turn comes. From any greenlet and any thread."""
        if self.outcome is PENDING:
            self.outcome = None
        loop = self.hub.loop
        loop.ready.append(self)
        if loop.asleep:
            loop.wake()

    def resume(self, value: Any = None) -> None:
        """Resume the greenlet with ``value``.

        At once if the hub's greenlet calls; if another one does, when its turn comes.
        """
        self.outcome = value
        if getcurrent() is self.hub:
            self.wake()
        else:
            self.wake_soon()

    def throw(self, error: BaseException) -> None:
        """As `resume`, with an error that `get` raises."""
        self.resume(_Error(error))

    def throw_soon(self, error: BaseException, ticket: int | None = None) -> None:
        """As `wake_soon`, with an error that `get` raises.

        ``ticket``: of the cancelled scope that sends it. A kill that is newer and
        unwinds the greenlet is raised instead then.
        """
        self.outcome = _Error(error, ticket)
        self.wake_soon()

    def ready(self) -> bool:
        """Whether it has been resumed."""
        return self.outcome is not PENDING

    def __repr__(self) -> str:
        state = (
            "done" if self.ready() else "idle" if self.greenlet is None else "waiting"
        )
        return f"<Waiter {state} greenlet={self.greenlet!r}>"
