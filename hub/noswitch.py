"""Blocks that must not wait, and the chain of gates of a greenlet.

A gate checks the waits of one greenlet (waiter.py). Gates lie within each other, as
their blocks do: ``hub.gates`` has the innermost, and each has the next one around it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from greenlet import getcurrent, greenlet

from hub.current import get_hub
from hub.errors import NoSwitchError
from hub.interrupt import Interrupt
from hub.waiter import Gate, Waiter

__all__ = ["NoSwitch", "no_switch", "unlink"]


def unlink(gates: dict[greenlet, Any], owner: greenlet, gate: Gate) -> bool:
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


class NoSwitch:
    """A gate that its own greenlet can't pass; the children of nurseries do."""

    def __init__(self, outer: Gate | None) -> None:
        self._owner = getcurrent()
        self._outer = outer
        self.left = False

    @property
    def forbidding(self) -> "NoSwitch":
        """Itself."""
        return self

    @property
    def cancelled(self) -> bool:
        """Whether the scope around is cancelled."""
        return self._outer is not None and self._outer.cancelled

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


@contextmanager
def no_switch() -> Iterator[None]:
    """Make every call inside that would wait raise NoSwitchError.

    It protects a read-modify-write: nothing else shows where control may be lost.
    Greenlets that are spawned inside may wait.
    """
    gates, owner = get_hub().gates, getcurrent()
    forbidden = NoSwitch(gates.get(owner))
    gates[owner] = forbidden
    try:
        yield
    finally:
        forbidden.left = True
        unlink(gates, owner, forbidden)
