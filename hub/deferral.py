"""A wait that interrupts don't end: they are kept, and raised after it."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from greenlet import getcurrent

from hub.current import get_hub
from hub.errors import Cancelled, LoopExit
from hub.interrupt import CANCELLATION, KILL, TIMEOUT, Interrupt
from hub.timeout import Timeout
from hub.waiter import Gate, Waiter

if TYPE_CHECKING:
    from hub.hub import Hub

__all__ = ["Deferral"]

_NO_RANK = -1


class Deferral:
    """A block whose waits are neither interrupted nor cancelled.

    ``on_interrupt`` is called in the current greenlet at each interrupt that comes. The
    second LoopExit is not kept: nothing can end the wait then.
    """

    def __init__(self, on_interrupt: Callable[[], object] | None = None) -> None:
        self._on_interrupt = on_interrupt
        self._kept: list[Interrupt] = []
        self._hub: Hub = get_hub()
        self._outer: Any = None

    def __enter__(self) -> "Deferral":
        owner = getcurrent()
        self._outer = self._hub.gates.get(owner)
        self._hub.gates[owner] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        owner, outer = getcurrent(), self._outer
        self._outer = None
        if outer is None:
            del self._hub.gates[owner]
        else:
            self._hub.gates[owner] = outer

    # -- the gate ----------------------------------------------------------------------

    @property
    def forbidding(self) -> Gate | None:
        """Return None: nothing forbids the waits of this block."""
        return None

    @property
    def cancelled(self) -> bool:
        """Return False: nothing cancels the waits of this block."""
        return False

    def enter(self, waiter: Waiter) -> None:
        """Let it wait."""

    def leave(self, waiter: Waiter) -> None:
        """Do nothing: a scope around can't reach the waiter."""

    def defers(self, interrupt: Interrupt) -> bool:
        """Keep ``interrupt``; return whether the wait goes on."""
        if isinstance(interrupt.error, LoopExit) and any(
            isinstance(kept.error, LoopExit) for kept in self._kept
        ):
            return False
        self._kept.append(interrupt)
        if self._on_interrupt is not None:
            self._on_interrupt()
        return True

    # -- afterwards --------------------------------------------------------------------

    def settle(
        self, raised: BaseException | None, cancelled: bool = False
    ) -> BaseException | None:
        """Return what comes first: ``raised``, or what was kept, or a Cancelled.

        ``raised`` is what the current greenlet raises already, ``cancelled`` says
        whether a scope around is cancelled. Everything else is raised at later waits.
        """
        kept, self._kept = self._kept, []
        first = max(kept, key=lambda interrupt: interrupt.rank, default=None)
        rank = max(_rank(raised), CANCELLATION if cancelled else _NO_RANK)
        if first is not None and first.rank > rank:
            kept.remove(first)
            if isinstance(raised, Timeout):
                raised.fire_again()
            raised = first.error
        elif cancelled and _rank(raised) < CANCELLATION:
            if isinstance(raised, Timeout):
                raised.fire_again()
            raised = Cancelled()
        for interrupt in kept:
            interrupt.again()
        return raised


def _rank(error: BaseException | None) -> int:
    """Order what a greenlet raises among the interrupts; errors come last."""
    if error is None or isinstance(error, Exception):
        return _NO_RANK
    if isinstance(error, Timeout):
        return TIMEOUT
    return CANCELLATION if isinstance(error, Cancelled) else KILL
