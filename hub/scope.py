"""Cancel scopes: blocks whose waits end together; and blocks that must not wait.

    with CancelScope(30) as scope:      # everything inside has 30 seconds in all
        ...
    if scope.cancelled_caught: ...

    with move_on_after(30) as scope:    # the same, under trio's name
    with fail_after(30):                # the same, and raises TooSlowError

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
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent, greenlet

from hub.current import get_hub
from hub.errors import Cancelled, NoSwitchError, TooSlowError
from hub.interrupt import Interrupt
from hub.timeout import check_seconds
from hub.timers import Timer
from hub.waiter import Gate, Waiter

if TYPE_CHECKING:
    from hub.hub import Hub

__all__ = [
    "CancelScope",
    "current_effective_deadline",
    "current_scope",
    "current_time",
    "fail_after",
    "fail_at",
    "move_on_after",
    "move_on_at",
    "no_switch",
]


class _Pause(Waiter):
    """The wait of a greenlet in a cancelled scope: for a turn of the loop."""

    __slots__ = ()


class CancelScope:
    """A block whose waits end together: by `cancel`, or when its time is up.

    ``seconds`` count from the start of the block; ``deadline`` is absolute (see
    `current_time`). ``shield``: scopes around this one don't cancel what is inside.
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
        self.forbidding: _NoSwitch | None = None
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
        while scope is not None:  # at each wait of a nursery's child: hence no property
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
        """When it is cancelled (`current_time`); infinity for never. It may be set.

        Setting it does not revive a scope that is cancelled. Raises ValueError for NaN.
        """
        if self._seconds is not None:
            return current_time() + float(self._seconds)
        return self._deadline

    @deadline.setter
    def deadline(self, value: float) -> None:
        self._deadline = _check_deadline(value)
        self._seconds = None
        self._disarm()
        self._arm()

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
        cancelling = self._cancelling()
        if cancelling is not None and type(waiter) is not _Pause:
            pause = _Pause(waiter.hub)
            waiter.hub.loop.give_turn(pause)
            pause.get()
            waiter.throw_soon(Cancelled(), cancelling.ticket)
            raise waiter.take_error()
        self._parked[waiter] = None

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
        in_order = _unlink(self._hub.gates, self._owner, self)
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


def _unlink(gates: dict[greenlet, Any], owner: greenlet, gate: Gate) -> bool:
    """Take ``gate`` out of the chain of ``owner``; return whether it was the innermost.

    It is not if blocks are left in another order than that of their beginning, by a
    generator that is closed late, or that another greenlet closes.
    """
    innermost = gates.get(owner)
    if innermost is not gate:
        while innermost is not None and innermost._outer is not gate:
            innermost = innermost._outer
        if innermost is not None:
            innermost._outer = gate._outer
        return False
    if gate._outer is None:
        del gates[owner]
    else:
        gates[owner] = gate._outer
    return owner is getcurrent()


class _NoSwitch:
    """A gate that its own greenlet can't pass; the children of nurseries do."""

    def __init__(self, outer: Gate | None) -> None:
        self._owner = getcurrent()
        self._outer = outer
        self.left = False
        self.scope = enclosing_scope(outer)

    @property
    def forbidding(self) -> "_NoSwitch":
        """Itself."""
        return self

    @property
    def cancelled(self) -> bool:
        """Whether the scope around is cancelled."""
        return self.scope is not None and self.scope.cancelled

    def allows(self, waiting: greenlet) -> bool:
        """Whether ``waiting`` may wait: all but the greenlet that made this gate."""
        return waiting is not self._owner or self.left

    def check(self) -> None:
        """Raise NoSwitchError in the greenlet that made this gate."""
        if not self.allows(getcurrent()):
            raise NoSwitchError(
                "a call that waits was made where no_switch() forbids it"
            )

    def enter(self, waiter: Waiter) -> None:
        self.check()

    def leave(self, waiter: Waiter) -> None:
        """Does nothing: `enter` makes every wait fail."""

    def defers(self, interrupt: Interrupt) -> bool:
        """Return False: an interrupt ends the wait."""
        return False


def enclosing_scope(outer: Gate | None) -> CancelScope | None:
    """Return the innermost scope of a chain of gates."""
    while outer is not None and not isinstance(outer, CancelScope):
        outer = outer._outer
    return outer


@contextmanager
def no_switch() -> Iterator[None]:
    """Make every call inside that would wait raise NoSwitchError.

    It protects a read-modify-write: nothing else shows where control may be lost.
    Greenlets that are spawned inside may wait.
    """
    gates, owner = get_hub().gates, getcurrent()
    forbidden = _NoSwitch(gates.get(owner))
    gates[owner] = forbidden
    try:
        yield
    finally:
        forbidden.left = True
        _unlink(gates, owner, forbidden)


# -- trio's names ----------------------------------------------------------------------


def current_scope() -> CancelScope | None:
    """Return the innermost scope around the running code, or None."""
    return enclosing_scope(get_hub().gates.get(getcurrent()))


def current_time() -> float:
    """Return what the clock of the hub shows (s): deadlines are on this clock."""
    return get_hub().loop.now()


def current_effective_deadline() -> float:
    """Return when the scopes around the running code cancel it.

    Infinity for never, minus infinity if they have done so.
    """
    earliest, scope = math.inf, current_scope()
    while scope is not None:
        if scope.cancel_called:
            return -math.inf
        earliest = min(earliest, scope.deadline)
        scope = None if scope.shield else scope._parent
    return earliest


def move_on_after(seconds: float, *, shield: bool = False) -> CancelScope:
    """Return a scope that is cancelled ``seconds`` after its block has begun."""
    return CancelScope(seconds, shield=shield)


def move_on_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """Return a scope that is cancelled at the absolute time ``deadline``."""
    return CancelScope(deadline=deadline, shield=shield)


@contextmanager
def _fail_if_caught(scope: CancelScope) -> Iterator[CancelScope]:
    with scope:
        yield scope
    if scope.cancelled_caught:
        raise TooSlowError("the block took longer than it may")


def fail_after(seconds: float, *, shield: bool = False) -> Any:
    """As `move_on_after`, but the block raises TooSlowError if it was cancelled."""
    return _fail_if_caught(move_on_after(seconds, shield=shield))


def fail_at(deadline: float, *, shield: bool = False) -> Any:
    """As `move_on_at`, but the block raises TooSlowError if it was cancelled."""
    return _fail_if_caught(move_on_at(deadline, shield=shield))
