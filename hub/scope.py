"""Cancel scopes and nurseries (structured concurrency), and blocks that must not wait.

    with CancelScope(30) as scope:      # everything inside has 30 seconds in all
        ...
    if scope.cancelled_caught: ...

    with Nursery(limit=8) as nursery:   # the block ends when its children have ended
        for url in urls:
            nursery.spawn(fetch, url)   # waits while 8 children run

A Timeout and a kill are edge-triggered: they raise once, and a bare ``except:``
swallows them for good. A cancelled scope is level-triggered: every wait inside it
raises Cancelled, until the scope has been left. It covers every greenlet that is
started inside it too: the present scope is a context variable (`gate` of waiter.py),
which a greenlet inherits from its spawner.

Before a greenlet parks, the gate checks whether the scope or one around it has been
cancelled. If not, the waiter is recorded in its scope, so that `cancel` reaches the
greenlets that are parked already. A scope with ``shield`` ignores the scopes around it:
for cleaning up.

Errors of a nursery always come out as an ExceptionGroup, even a single one, so that
code that handles them is written once. An interrupt (a Timeout, a kill, Ctrl-C) is not
an error and comes out as it is, because the code that sent it recognises it by
identity.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Token
from types import TracebackType
from typing import ParamSpec, TypeVar
from weakref import WeakSet

from greenlet import getcurrent

from hub.current import get_hub
from hub.errors import Cancelled, NoSwitchError
from hub.event import Event
from hub.greenlet import AnyGreenlet, Greenlet
from hub.lock import Semaphore
from hub.timeout import check_seconds
from hub.timers import Timer
from hub.waiter import Gate, Waiter, gate, use_gates

__all__ = ["CancelScope", "Nursery", "no_switch"]

P = ParamSpec("P")
T = TypeVar("T")


class CancelScope:
    """A block whose waits end together: by `cancel`, or after ``seconds``.

    ``shield``: scopes around this one don't cancel what is inside. Raises ValueError if
    ``seconds`` is negative.
    """

    def __init__(self, seconds: float | None = None, *, shield: bool = False) -> None:
        self.seconds = None if seconds is None else check_seconds(seconds)
        self.shield = shield
        self.cancel_called = False
        """Whether it has been cancelled, or its time was up."""
        self.cancelled_caught = False
        """Whether the block was left because of that."""
        self._outer: Gate | None = None
        self._parent: CancelScope | None = None
        self._children: WeakSet[CancelScope] = WeakSet()
        self._parked: dict[Waiter, None] = {}
        self._token: Token[Gate | None] | None = None
        self._timer: Timer | None = None

    def cancel(self) -> None:
        """Make every wait inside raise Cancelled, present waits included.

        Idempotent.
        """
        if not self.cancel_called:
            self.cancel_called = True
            self._interrupt()

    def _interrupt(self) -> None:
        for waiter in self._parked:
            waiter.throw_soon(Cancelled())
        for child in list(self._children):
            if not child.shield:
                child._interrupt()

    @property
    def cancelled(self) -> bool:
        """Whether a wait inside would raise.

        That is so if this scope is cancelled, or an unshielded scope around it.
        """
        scope: CancelScope | None = self
        while scope is not None:
            if scope.cancel_called:
                return True
            scope = None if scope.shield else scope._parent
        return False

    # -- the gate ----------------------------------------------------------------------

    def enter(self, waiter: Waiter) -> None:
        """Check the scope before a greenlet waits; raises Cancelled, NoSwitchError."""
        if self.cancelled:
            raise Cancelled
        if isinstance(self._outer, _NoSwitch):
            self._outer.check()
        self._parked[waiter] = None

    def leave(self, waiter: Waiter) -> None:
        """Forget a waiter that has stopped waiting."""
        self._parked.pop(waiter, None)

    # -- the block ---------------------------------------------------------------------

    def __enter__(self) -> "CancelScope":
        if self._token is not None:
            raise RuntimeError("a cancel scope can be entered once at a time")
        use_gates()
        self._outer = gate.get()
        self._parent = enclosing_scope(self._outer)
        if self._parent is not None:
            self._parent._children.add(self)
        self._token = gate.set(self)
        if self.seconds is not None and self.seconds != math.inf:
            self._timer = get_hub().loop.call_later(self.seconds, self.cancel)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        assert self._token is not None
        gate.reset(self._token)
        self._token = None
        if self._timer is not None:
            get_hub().loop.timers.cancel(self._timer)
            self._timer = None
        if (
            isinstance(value, Cancelled)
            and self.cancel_called
            and not self._cancelled_outside()
        ):
            self.cancelled_caught = True
            return True
        return False

    def _cancelled_outside(self) -> bool:
        return not self.shield and self._parent is not None and self._parent.cancelled

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled else "open"
        return f"<CancelScope at {id(self):#x} {state} parked={len(self._parked)}>"


class _NoSwitch:
    """A gate that its own greenlet can't pass; other greenlets pass to the next one."""

    def __init__(self, outer: Gate | None) -> None:
        self._owner = getcurrent()
        self._outer = outer
        self.scope = enclosing_scope(outer)

    def check(self) -> None:
        """Raise NoSwitchError in the greenlet that made this gate."""
        if getcurrent() is self._owner:
            raise NoSwitchError(
                "a call that waits was made where no_switch() forbids it"
            )
        if isinstance(self._outer, _NoSwitch):
            self._outer.check()

    def enter(self, waiter: Waiter) -> None:
        self.check()
        if self.scope is not None:
            self.scope.enter(waiter)

    def leave(self, waiter: Waiter) -> None:
        if self.scope is not None:
            self.scope.leave(waiter)


def enclosing_scope(outer: Gate | None) -> CancelScope | None:
    """Return the innermost scope of a chain of gates."""
    return outer.scope if isinstance(outer, _NoSwitch) else outer  # type: ignore[return-value]


@contextmanager
def no_switch() -> Iterator[None]:
    """Make every call inside that would wait raise NoSwitchError.

    It protects a read-modify-write: nothing else shows where control may be lost.
    Greenlets that are spawned inside may wait.
    """
    use_gates()
    token = gate.set(_NoSwitch(gate.get()))
    try:
        yield
    finally:
        gate.reset(token)


class Nursery:
    """A block that ends when the greenlets spawned in it have ended.

    The first error, of a child or of the block, cancels all others. ``supervised``: a
    child's error is reported instead, and the others go on. ``limit``: how many
    children may run at once.
    """

    def __init__(self, limit: int | None = None, *, supervised: bool = False) -> None:
        self.scope = CancelScope()
        """The scope of the children; ``nursery.scope.cancel()`` ends them all."""
        self.supervised = supervised
        self._slots = None if limit is None else Semaphore(limit)
        self._children: set[AnyGreenlet] = set()
        self._empty = Event()
        self._errors: list[BaseException] = []
        self._closed = True

    def __enter__(self) -> "Nursery":
        self.scope.__enter__()
        self._closed = False
        return self

    def spawn(
        self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Greenlet[P, T]:
        """Start a child that runs ``function(*args, **kwargs)``.

        Waits for a slot (``limit``).

        Any greenlet may call it until the last child has ended. Raises RuntimeError
        after that.
        """
        self._check_open()
        if self._slots is not None:
            self._slots.acquire()
            self._check_open()
        child = Greenlet(function, *args, **kwargs)
        assert child.gr_context is not None
        child.gr_context.run(gate.set, self.scope)
        self._children.add(child)
        self._empty.clear()
        child._add_link(self._ended, handles_error=not self.supervised)
        child.start()
        return child

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the nursery is closed: spawn inside its block")

    def _ended(self, child: AnyGreenlet) -> None:
        """Runs in the hub."""
        self._children.remove(child)
        if self._slots is not None:
            self._slots.release()
        if child.exception is not None and not self.supervised:
            self._errors.append(child.exception)
            self.scope.cancel()
        if not self._children:
            self._empty.set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if value is not None:
            self.scope.cancel()
        interrupt = self._wait_for_children()
        self._closed = True
        if isinstance(value, Exception):
            self._errors.insert(0, value)
        else:
            interrupt = interrupt or value
        if interrupt is None and self.scope.cancelled:
            interrupt = Cancelled()  # of the block as a whole, once its children ended
        return self._leave(interrupt)

    def _wait_for_children(self) -> BaseException | None:
        """Wait for all children; return the interrupt that came meanwhile, if any."""
        interrupt = None
        while self._children:
            try:
                with CancelScope(shield=True):
                    self._empty.wait()
            except BaseException as error:
                interrupt = error
                self.scope.cancel()
        return interrupt

    def _leave(self, interrupt: BaseException | None) -> bool:
        """Raise what is to be raised.

        Return True if the block's exception is handled.
        """
        errors, self._errors = self._errors, []
        group = BaseExceptionGroup("errors in a nursery", errors) if errors else None
        if group is not None and (
            interrupt is None or isinstance(interrupt, Cancelled)
        ):
            self.scope.__exit__(None, None, None)
            raise group
        if interrupt is None:
            return self.scope.__exit__(None, None, None)
        if self.scope.__exit__(type(interrupt), interrupt, interrupt.__traceback__):
            return True
        raise interrupt from group

    def __len__(self) -> int:
        return len(self._children)

    def __bool__(self) -> bool:
        return True

    def statistics(self) -> dict[str, int | None]:
        """How many children run, and how many more may."""
        free = None if self._slots is None else max(0, self._slots.counter)
        return {"children": len(self._children), "free": free}

    def __repr__(self) -> str:
        return (
            f"<Nursery at {id(self):#x} children={len(self._children)} {self.scope!r}>"
        )
