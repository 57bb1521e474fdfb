"""Cancel scopes: blocks whose waits end together.

    with CancelScope(30) as scope:      # everything inside has 30 seconds in all
        ...
    if scope.cancelled_caught: ...

The functions that trio has for them are in deadlines.py.

A Timeout and a kill are edge-triggered: they raise once, and a bare ``except:``
swallows them for good. A cancelled scope is level-triggered: every wait inside it
raises Cancelled, until the scope has been left. Before it raises, the loop has had a
full turn (`Loop.give_turn`): a block that swallows Cancelled in a loop keeps neither
timers nor descriptors nor signals waiting.

A scope covers the greenlet that entered it, and the children of the nurseries inside
(nursery.py). A greenlet that ``spawn`` started there is not covered: a library may
start a worker that serves others too, when it is first needed.

A scope is the gate of its greenlet (``hub.gates``, see waiter.py). Before the greenlet
parks, the gate checks whether the scope or one around it has been cancelled. If not,
the waiter is recorded in its scope, so that `cancel` reaches the greenlets that are
parked already. A scope with ``shield`` ignores the scopes around it: for cleaning up.
"""

import math
from types import TracebackType
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from hub.current import get_hub
from hub.errors import Cancelled
from hub.interrupt import Interrupt
from hub.noswitch import NoSwitch, unlink
from hub.timeout import check_seconds
from hub.timers import Timer
from hub.waiter import Gate, Waiter

if TYPE_CHECKING:
    from hub.hub import Hub

__all__ = ["CancelScope", "enclosing_scope"]

_NEVER = math.inf


class _Pause(Waiter):
    """The wait of a greenlet in a cancelled scope: for a turn of the loop."""

    __slots__ = ()


class CancelScope:
    """A block whose waits end together: by `cancel`, or when its time is up.

    ``seconds`` count from the start of the block; ``deadline`` is absolute (see
    `hub.current_time`). ``shield``: scopes around this one don't cancel what is inside.
    Raises ValueError if ``seconds`` is negative, if ``deadline`` is not a number, or if
    both are given.
    """

    def __init__(
        self,
        seconds: float | None = None,
        *,
        deadline: float = math.inf,
        shield: bool = False,
    ) -> None:
        if seconds is not None and deadline != math.inf:
            raise ValueError("a scope takes either seconds or a deadline")
        self._seconds = None if seconds is None else check_seconds(seconds)
        self._deadline = _check_deadline(deadline)
        self._shield = shield
        self._cancel_called = False
        self.cancelled_caught = False
        """Whether the block was left because of that."""
        self.ticket = 0
        """When it was entered, in the order of the hub's timers."""
        self.forbidding: NoSwitch | None = None
        """The innermost ``no_switch()`` around it."""
        self._hub: Hub | None = None  # while it is entered
        self._owner: greenlet | None = None
        self._outer: Gate | None = None
        self._moved = False
        self._parent: CancelScope | None = None
        self._children: dict[CancelScope, None] = {}
        self._parked: dict[Waiter, None] = {}
        self._timer: Timer | None = None

    # -- cancelling --------------------------------------------------------------------

    def cancel(self) -> None:
        """Make every wait inside raise Cancelled, present waits included.

        Idempotent.
        """
        if not self._cancel_called:
            self._cancel_called = True
            self._disarm()
            self._interrupt(self.ticket, set())

    def _expire(self) -> None:
        """Cancel at the deadline. A wait that was answered before ends normally."""
        if not self._cancel_called:
            self._cancel_called = True
            assert self._hub is not None
            self._interrupt(self.ticket, self._hub.loop.answered())

    def _interrupt(self, ticket: int, spared: set[Waiter]) -> None:
        for waiter in self._parked:
            if waiter not in spared:
                waiter.throw_soon(Cancelled(), ticket)
        for child in list(self._children):
            if not child._shield:
                child._interrupt(ticket, spared)

    @property
    def cancel_called(self) -> bool:
        """Whether it has been cancelled, or its time was up."""
        if not self._cancel_called and self._deadline != math.inf:
            hub = self._hub
            if hub is not None and hub.loop.now() >= self._deadline:
                self._disarm()
                self._expire()
        return self._cancel_called

    @property
    def cancelled(self) -> bool:
        """Whether a wait inside would raise.

        That is so if this scope is cancelled, or an unshielded scope around it.
        """
        return self._cancelling() is not None

    def _cancelling(self) -> "CancelScope | None":
        """Return the outermost scope that cancels what is inside."""
        found = None
        scope: CancelScope | None = self
        while scope is not None:
            if scope._cancel_called or (
                scope._deadline != math.inf and scope.cancel_called
            ):
                found = scope
            scope = None if scope._shield else scope._parent
        return found

    @property
    def shield(self) -> bool:
        """Whether the scopes around this one don't cancel what is inside.

        Without its shield, what is inside is cancelled at once if a scope around is.
        """
        return self._shield

    @shield.setter
    def shield(self, value: bool) -> None:
        self._shield = value
        if not value and (cancelling := self._cancelling()) is not None:
            self._interrupt(cancelling.ticket, set())

    # -- the deadline ------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """When it is cancelled (`hub.current_time`); infinity for never. It may be set.

        Setting it does not revive a scope that is cancelled. Raises ValueError for NaN.
        """
        if self._seconds is not None:
            return get_hub().loop.now() + float(self._seconds)
        return self._deadline

    @deadline.setter
    def deadline(self, value: float) -> None:
        self._deadline = _check_deadline(value)
        self._seconds = None
        self._disarm()
        self._arm()

    @property
    def effective_deadline(self) -> float:
        """When this scope or one around it cancels what is inside.

        Minus infinity if one has.
        """
        earliest, scope = math.inf, self
        while not scope.cancel_called:
            earliest = min(earliest, scope.deadline)
            if scope._shield or scope._parent is None:
                return earliest
            scope = scope._parent
        return -math.inf

    def _arm(self) -> None:
        if (
            self._hub is not None
            and not self._cancel_called
            and self._deadline != math.inf
        ):
            self._timer = self._hub.loop.timers.add(self._deadline, self._expire)

    def _disarm(self) -> None:
        if self._timer is not None:
            assert self._hub is not None
            self._hub.loop.timers.cancel(self._timer)
            self._timer = None

    # -- the gate ----------------------------------------------------------------------

    def enter(self, waiter: Waiter) -> None:
        """Check the scope before a greenlet waits; raises Cancelled, NoSwitchError."""
        if self.forbidding is not None:
            self.forbidding.check()
        scope: CancelScope | None = self
        while scope is not None:  # at each wait of a nursery's child: hence no call
            if scope._cancel_called or scope._deadline != _NEVER:
                self._check(waiter)
                break
            scope = None if scope._shield else scope._parent
        self._parked[waiter] = None

    def _check(self, waiter: Waiter) -> None:
        cancelling = self._cancelling()
        if cancelling is not None and type(waiter) is not _Pause:
            pause = _Pause(waiter.hub)
            waiter.hub.loop.give_turn(pause)
            pause.get()
            waiter.throw_soon(Cancelled(), cancelling.ticket)
            raise waiter.take_error()

    def leave(self, waiter: Waiter) -> None:
        """Forget a waiter that has stopped waiting."""
        self._parked.pop(waiter, None)

    def defers(self, interrupt: Interrupt) -> bool:
        """Return False: an interrupt ends the wait."""
        return False

    # -- the block ---------------------------------------------------------------------

    def __enter__(self) -> "CancelScope":
        if self._hub is not None:
            raise RuntimeError("a cancel scope can be entered once at a time")
        hub = self._hub = get_hub()
        owner = self._owner = getcurrent()
        outer = self._outer = hub.gates.get(owner)
        self.forbidding = None if outer is None else outer.forbidding
        self.ticket = hub.loop.timers.next_ticket()
        self._attach(enclosing_scope(self._outer))
        hub.gates[owner] = self
        if self._seconds is not None:
            self._deadline = hub.loop.now() + self._seconds
            self._seconds = None
        self._arm()
        return self

    def move_to(self, parent: "CancelScope | None") -> None:
        """Make ``parent`` the scope around this one, in place of the present one.

        The block itself may have been left: what counts are the greenlets inside.
        """
        self._moved = parent is not None
        self._attach(parent)
        if (cancelling := self._cancelling()) is not None:
            self._interrupt(cancelling.ticket, set())

    def _attach(self, parent: "CancelScope | None") -> None:
        if self._parent is not None:
            self._parent._children.pop(self, None)
        self._parent = parent
        if parent is not None:
            parent._children[self] = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        caught = (
            isinstance(value, Cancelled)
            and self.cancel_called
            and not self.cancelled_outside()
        )
        in_order = self._close()
        if not in_order:
            raise RuntimeError(
                "cancel scopes must be left in the reverse order of being entered, "
                f"each in its own greenlet: {self!r} was not the innermost"
            )
        self.cancelled_caught = self.cancelled_caught or caught
        return caught

    def _close(self) -> bool:
        """Leave the gates of the owner; return whether it was the innermost there."""
        self._disarm()
        assert self._hub is not None
        assert self._owner is not None
        in_order = unlink(self._hub.gates, self._owner, self)
        for child in list(self._children):  # there are none if the order is kept
            child._attach(self._parent)
        if not self._moved:
            self._attach(None)
        self._hub = self._owner = self._outer = self.forbidding = None
        return in_order

    def cancelled_outside(self) -> bool:
        """Whether a scope around this one cancels what is inside."""
        return not self._shield and self._parent is not None and self._parent.cancelled

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled else "open"
        return f"<CancelScope at {id(self):#x} {state} parked={len(self._parked)}>"


def _check_deadline(deadline: float) -> float:
    if math.isnan(deadline):
        raise ValueError("a deadline must be a number; infinity means never")
    return float(deadline)


def enclosing_scope(outer: Gate | None) -> CancelScope | None:
    """Return the innermost scope of a chain of gates."""
    while outer is not None and not isinstance(outer, CancelScope):
        outer = outer._outer
    return outer
