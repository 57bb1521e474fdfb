"""Nurseries: blocks that own greenlets (structured concurrency).

    with Nursery(limit=8) as nursery:   # the block ends when its children have ended
        for url in urls:
            nursery.spawn(fetch, url)   # waits while 8 children run
        address = nursery.start(serve)  # waits until the child says that it is ready

What a nursery spawns runs in its scope: it is cancelled with the nursery, and by the
scopes around it.

Errors always come out as an ExceptionGroup, even a single one, so that code that
handles them is written once. An interrupt (a Timeout, a kill, Ctrl-C) is not an error
and comes out as it is, because the code that sent it recognises it by identity. If
several come, or one while the children clean up, they have the order of interrupt.py.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from hub.current import get_hub
from hub.deferral import Deferral
from hub.errors import Cancelled
from hub.event import Event
from hub.greenlet import AnyGreenlet, Greenlet
from hub.lock import Semaphore
from hub.scope import CancelScope

__all__ = ["Nursery", "TaskStatus"]

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", contravariant=True)


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
        self._children: dict[AnyGreenlet, CancelScope] = {}
        self._starting = 0  # calls of `start` that wait
        self._empty = Event()
        self._errors: list[BaseException] = []
        self._closed = True

    def __enter__(self) -> "Nursery":
        self.scope.__enter__()
        self._closed = False
        return self

    # -- children ----------------------------------------------------------------------

    def spawn(
        self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Greenlet[P, T]:
        """Start a child that runs ``function(*args, **kwargs)``.

        Waits for a slot (``limit``).

        Any greenlet may call it until the last child has ended. Raises RuntimeError
        after that.
        """
        self._take_slot()
        child: Greenlet[P, T] = Greenlet(function, *args, **kwargs)
        self._adopt(child, self.scope)
        child.start()
        return child

    def start(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Start a child and wait until it is ready; return what it says then.

        The child is given a keyword argument ``task_status``, and says that it is ready
        by ``task_status.started(value)``. Until then it belongs to the caller, who gets
        its error, and by whose scopes it is cancelled. Raises RuntimeError if the child
        ends before.
        """
        self._take_slot()
        self._starting += 1
        status: TaskStatus[Any] = TaskStatus(self)
        failed = None
        try:
            with status.nursery:
                status.child = status.nursery.spawn(
                    function, *args, task_status=status, **kwargs
                )
        except BaseExceptionGroup as group:
            failed = group.exceptions[0]
        finally:
            self._starting -= 1
            if not status.moved:
                self._give_slot_back()
            self._child_left()
            status.child = None  # it has the error, whose traceback leads here
        try:
            if failed is not None:
                raise failed
        finally:
            del failed
        if not status.ready:
            raise RuntimeError(
                "the child ended without a call of task_status.started()"
            )
        return status.value

    def _take_slot(self) -> None:
        self._check_open()
        if self._slots is not None:
            self._slots.acquire()
            if self._closed:
                self._slots.release()
            self._check_open()

    def _give_slot_back(self) -> None:
        if self._slots is not None:
            self._slots.release()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the nursery is closed: spawn inside its block")

    def _adopt(self, child: AnyGreenlet, scope: CancelScope) -> None:
        """Make ``child``, whose outermost scope is ``scope``, one of the children."""
        get_hub().gates.setdefault(child, scope)
        self._children[child] = scope
        self._empty.clear()
        child._add_link(self._ended, handles_error=not self.supervised)

    def _take_over(self, child: AnyGreenlet, other: "Nursery") -> None:
        """Make a child of ``other``, its only one, a child of this nursery."""
        scope = other._children.pop(child)
        child.unlink(other._ended)
        other._child_left()
        scope.move_to(self.scope)
        self._adopt(child, scope)

    def _ended(self, child: AnyGreenlet) -> None:
        """Runs in the hub."""
        scope = self._children.pop(child)
        del get_hub().gates[child]
        self._give_slot_back()
        error = child.exception
        cancelled = isinstance(error, Cancelled) and scope.cancelled
        if error is not None and not cancelled and not self.supervised:
            self._errors.append(error)
            self.scope.cancel()
        if scope is not self.scope:
            scope.move_to(None)
        self._child_left()

    def _child_left(self) -> None:
        if not self._children and not self._starting:
            self._empty.set()

    # -- the end of the block ----------------------------------------------------------

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if value is not None:
            self.scope.cancel()
        try:
            interrupts = self._wait_for_children()
        except BaseException:  # nothing can end the children any more
            self._closed = True
            self.scope.__exit__(None, None, None)
            raise
        self._closed = True
        block = None
        if isinstance(value, Exception):
            self._errors.insert(0, value)
        else:
            block = value
        first = interrupts.settle(block, self.scope.cancelled_outside())
        if first is None and self.scope.cancelled:
            first = Cancelled()  # of the block as a whole, once its children ended
        try:
            return self._leave(first)
        finally:
            del value, block, first  # they lead here by their tracebacks

    def _wait_for_children(self) -> Deferral:
        """Wait for all children; return the interrupts that came meanwhile."""
        deferral = Deferral(self.scope.cancel)
        if self._children or self._starting:
            with deferral:
                while self._children or self._starting:
                    self._empty.clear()
                    self._empty.wait()
        return deferral

    def _leave(self, interrupt: BaseException | None) -> bool:
        """Raise what is to be raised.

        Return True if the block's exception is handled.
        """
        errors, self._errors = self._errors, []
        group = BaseExceptionGroup("errors in a nursery", errors) if errors else None
        try:
            if group is not None and (
                interrupt is None or isinstance(interrupt, Cancelled)
            ):
                self.scope.__exit__(None, None, None)
                raise group
            if interrupt is None:
                return self.scope.__exit__(None, None, None)
            kind, trace = type(interrupt), interrupt.__traceback__
            if self.scope.__exit__(kind, interrupt, trace):
                return True
            raise interrupt from group
        finally:
            del errors, group, interrupt  # they lead here by their tracebacks

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


class TaskStatus(Generic[S]):
    """What a child of `Nursery.start` says to the caller: that it is ready.

    A ``TaskStatus[S]`` says it with an ``S``.
    """

    def __init__(self, target: Nursery) -> None:
        self.nursery = Nursery()
        """Owns the child until it is ready."""
        self.child: AnyGreenlet | None = None
        self.value: Any = None
        self.ready = False
        self.moved = False
        """Whether the child belongs to the nursery that it was started for."""
        self._target = target

    @overload
    def started(self: "TaskStatus[None]") -> None: ...

    @overload
    def started(self, value: S) -> None: ...

    def started(self, value: Any = None) -> None:
        """Let `Nursery.start` return ``value``.

        A child whose start has been cancelled stays cancelled. Raises RuntimeError at a
        second call.
        """
        if self.ready:
            raise RuntimeError("task_status.started() was called before")
        self.ready = True
        self.value = value
        child = self.child
        assert child is not None
        if child in self.nursery._children and not self.nursery.scope.cancelled:
            self.moved = True
            self._target._take_over(child, self.nursery)
