"""trio's functions for cancel scopes: by their names, and as they are there.

with move_on_after(30) as scope:    # CancelScope(30)
with fail_after(30):                # the same, and raises TooSlowError
with move_on_at(deadline):          # CancelScope(deadline=deadline)
"""

import math
from types import TracebackType

from greenlet import getcurrent

from hub.current import get_hub
from hub.errors import TooSlowError
from hub.scope import CancelScope, enclosing_scope

__all__ = [
    "current_effective_deadline",
    "current_scope",
    "current_time",
    "fail_after",
    "fail_at",
    "move_on_after",
    "move_on_at",
]


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
    scope = current_scope()
    return math.inf if scope is None else scope.effective_deadline


def move_on_after(seconds: float, *, shield: bool = False) -> CancelScope:
    """Return a scope that is cancelled ``seconds`` after its block has begun."""
    return CancelScope(seconds, shield=shield)


def move_on_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """Return a scope that is cancelled at the absolute time ``deadline``."""
    return CancelScope(deadline=deadline, shield=shield)


class _FailingScope(CancelScope):
    """A scope that tells the code around it by an error that it was cancelled."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        caught = super().__exit__(kind, value, trace)
        if caught:
            raise TooSlowError("the block took longer than it may") from None
        return caught


def fail_after(seconds: float, *, shield: bool = False) -> CancelScope:
    """As `move_on_after`, but the block raises TooSlowError if it was cancelled."""
    return _FailingScope(seconds, shield=shield)


def fail_at(deadline: float, *, shield: bool = False) -> CancelScope:
    """As `move_on_at`, but the block raises TooSlowError if it was cancelled."""
    return _FailingScope(deadline=deadline, shield=shield)
