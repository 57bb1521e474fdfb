"""Greenlets that the hub runs: spawn, join, get, kill, links.

A `Greenlet` starts in the next turn of the loop, in spawn order. It ends by returning
(`value`), by an error (`exception`), or by GreenletExit, which counts as success and
becomes the value. An error is printed once, unless something handles it: a join, a get,
a link or a nursery.

A kill raises its exception once, at the wait where the greenlet is: it is
edge-triggered. A cancel scope raises again at each wait: it is level-triggered
(scope.py).

For a type checker a ``Greenlet[P, T]`` runs a function with the parameters ``P`` that
returns a ``T``. `Greenlet.get` has the type ``T``, although a greenlet that was ended
by GreenletExit returns that.
"""

import reprlib
import sys
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from itertools import count
from types import CodeType, GenericAlias, TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar, overload

from greenlet import GreenletExit, getcurrent
from greenlet import greenlet as RawGreenlet

from hub.current import thread
from hub.errors import Cancelled
from hub.interrupt import Interrupt, Raisable, instance, mark_kill
from hub.links import Linked, Notified
from hub.timeout import Limit, check_seconds, timeout_error
from hub.timers import Timer

__all__ = ["AnyGreenlet", "Greenlet"]

_numbers = count()
_spawn_callbacks: "list[Callable[[AnyGreenlet], object]]" = []

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)


class Greenlet(RawGreenlet, Linked, Generic[P, T_co]):
    """A greenlet that the hub starts: give it a function, or override ``_run``."""

    __slots__ = (
        "_ended",
        "_exception",
        "_hub",
        "_hub_locals",
        "_links",
        "_name",
        "_place",
        "_scheduled",
        "_target",
        "_traceback",
        "args",
        "created",
        "kwargs",
        "value",
    )

    __class_getitem__: Any = classmethod(GenericAlias)

    @overload
    def __init__(
        self, run: Callable[P, T_co], *args: P.args, **kwargs: P.kwargs
    ) -> None: ...

    @overload
    def __init__(self, run: None = None, *args: Any, **kwargs: Any) -> None: ...

    def __init__(
        self, run: Callable[..., Any] | None = None, *args: Any, **kwargs: Any
    ) -> None:
        hub = thread.hub
        RawGreenlet.__init__(self, None, hub)
        if run is not None and not callable(run):
            raise TypeError(f"a greenlet runs a callable, not {run!r}")
        self._hub = hub
        self.created = hub.loop.time
        """When it was made (s, the loop's clock)."""
        self._target = run
        self.args: tuple[Any, ...] = args
        self.kwargs: dict[str, Any] = kwargs
        self._hub_locals: Any = None  # the values that `hub.local` stores for it
        self.value: T_co | None = None
        self._exception: BaseException | None = None
        self._links: list[Notified] = []
        self._scheduled: bool | Timer = False
        self._ended = False
        self._traceback: TracebackType | None = None
        self._name: str | None = None
        self._place: tuple[CodeType, int] | None = None
        self.gr_context = copy_context()

    @overload
    @classmethod
    def spawn(
        cls, run: Callable[Q, R], *args: Q.args, **kwargs: Q.kwargs
    ) -> "Greenlet[Q, R]": ...

    @overload
    @classmethod
    def spawn(cls, run: None = None, *args: Any, **kwargs: Any) -> Self: ...

    @classmethod
    def spawn(cls, *args: Any, **kwargs: Any) -> Any:
        """Make and start a greenlet; the arguments are those of the class."""
        new = cls(*args, **kwargs)
        caller = sys._getframe(1)
        new._place = (caller.f_code, caller.f_lasti)
        new._scheduled = True
        new._hub.loop.ready.append(new._begin)
        if _spawn_callbacks:
            new._call_spawn_callbacks()
        return new

    @overload
    @classmethod
    def spawn_later(
        cls, seconds: float, run: Callable[Q, R], *args: Q.args, **kwargs: Q.kwargs
    ) -> "Greenlet[Q, R]": ...

    @overload
    @classmethod
    def spawn_later(
        cls, seconds: float, run: None = None, *args: Any, **kwargs: Any
    ) -> Self: ...

    @classmethod
    def spawn_later(cls, seconds: float, *args: Any, **kwargs: Any) -> Any:
        """As `spawn`, but start the greenlet after ``seconds``."""
        if cls is Greenlet and not args:
            raise TypeError("spawn_later(seconds, function, ...) needs a function")
        new = cls(*args, **kwargs)
        caller = sys._getframe(1)
        new._place = (caller.f_code, caller.f_lasti)
        new.start_later(seconds)
        return new

    # -- starting and running ----------------------------------------------------------

    def start(self) -> None:
        """Start it in the next turn. A second call does nothing."""
        if not self._scheduled:
            self._scheduled = True
            self._hub.loop.call_soon(self._begin)
            self._call_spawn_callbacks()

    def start_later(self, seconds: float) -> None:
        """Start it after ``seconds``; ValueError if that is negative."""
        if not self._scheduled:
            self._scheduled = self._hub.loop.call_later(
                check_seconds(seconds), self._begin
            )
            self._call_spawn_callbacks()

    @staticmethod
    def add_spawn_callback(callback: Callable[["AnyGreenlet"], object]) -> None:
        """Call ``callback(greenlet)`` whenever a greenlet is started, in any thread.

        It is called by the greenlet that starts the other, and must not wait.
        """
        _spawn_callbacks.append(callback)

    @staticmethod
    def remove_spawn_callback(callback: Callable[["AnyGreenlet"], object]) -> None:
        """Take it back. Idempotent."""
        if callback in _spawn_callbacks:
            _spawn_callbacks.remove(callback)

    def _call_spawn_callbacks(self) -> None:
        for callback in list(_spawn_callbacks):
            callback(self)

    def _begin(self) -> None:
        if not self._ended:
            self.switch()

    def run(self) -> None:
        """Do the work, and keep its value or error. The hub calls this."""
        self._scheduled = True
        target, args = self._target, self.args
        try:
            # Every switch copies the C stack. Before Python 3.12 a call with * adds a
            # frame to it, and a plain call does not: hence the cases.
            if target is None:
                self.value = self._run(*args, **self.kwargs)
            elif self.kwargs or len(args) > 3:
                self.value = target(*args, **self.kwargs)
            elif not args:
                self.value = target()
            elif len(args) == 1:
                self.value = target(args[0])
            elif len(args) == 2:
                self.value = target(args[0], args[1])
            else:
                self.value = target(args[0], args[1], args[2])
        except GreenletExit as leaving:
            self._leave(leaving)
        except BaseException as error:
            self._fail(error)
        self._end()
        # An error's traceback holds this frame: without this line that is a cycle.
        del self, target, args

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        """The work of a subclass that is given no function."""

    def _leave(self, leaving: GreenletExit) -> None:
        """End with ``leaving`` as the value; with a Cancelled as the error, too."""
        leaving.__traceback__ = None  # it holds our frame, and is never shown
        self.value = leaving  # type: ignore[assignment]
        if isinstance(leaving, Cancelled):
            self._exception = leaving

    def _fail(self, error: BaseException) -> None:
        """Keep ``error`` without our own frame; report it if nothing handles it."""
        if error.__traceback__ is not None:
            error.__traceback__ = error.__traceback__.tb_next
        self._exception = error
        self._traceback = error.__traceback__
        hub = self._hub
        if isinstance(error, hub.SYSTEM_ERROR) or not any(
            link.handles_error for link in self._links
        ):
            hub.handle_error(self, type(error), error, error.__traceback__)

    def _end(self) -> None:
        self._ended = True
        self._target = None
        self.args = ()
        self.kwargs = {}
        self._hub_locals = None
        if self._links:
            self._notify()

    # -- state -------------------------------------------------------------------------

    @property
    def started(self) -> bool:
        """Whether it has been started and has not ended."""
        return bool(self._scheduled) and not self._ended

    @property
    def dead(self) -> bool:
        """Whether it has ended, or was killed before it started."""
        return self._ended

    def ready(self) -> bool:
        """Whether it has ended."""
        return self._ended

    def successful(self) -> bool:
        """Whether it has ended without an error."""
        return self._ended and self._exception is None

    @property
    def exception(self) -> BaseException | None:
        """The error that ended it, or None."""
        return self._exception

    @property
    def exc_info(self) -> tuple[Any, ...] | None:
        """(type, value, traceback) of `exception`, or None."""
        error = self._exception
        return None if error is None else (type(error), error, self._traceback)

    @property
    def loop(self) -> Any:
        """The loop of its hub."""
        return self._hub.loop

    @property
    def name(self) -> str:
        """``Greenlet-N``, unless set to something else."""
        if self._name is None:
            self._name = f"Greenlet-{next(_numbers)}"
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    @property
    def minimal_ident(self) -> int:
        """A small number that no other living greenlet of its hub has."""
        hub: Any = self.parent
        number: int = hub.ident_registry.get_ident(self)
        return number

    def __bool__(self) -> bool:
        return self.started

    def _state(self) -> str:
        if self._ended:
            error = self._exception
            return "ended" if error is None else f"failed with {type(error).__name__}"
        return "new" if not self._scheduled else "started"

    def __repr__(self) -> str:
        work = (
            "" if self._target is None else f": {_call_text(self._target, self.args)}"
        )
        place = "" if self._place is None else f", spawned at {_line(*self._place)}"
        return f"<{type(self).__name__} {self.name!r} {self._state()}{work}{place}>"

    # -- waiting for it ----------------------------------------------------------------

    def join(self, timeout: Limit = None) -> bool:
        """Wait for its end; return False if that takes more than ``timeout`` seconds.

        Raises RuntimeError in the greenlet itself.
        """
        if getcurrent() is self:
            raise RuntimeError("a greenlet can't wait for its own end")
        return self._ended or self._wait_ready(timeout)

    def get(self, block: bool = True, timeout: Limit = None) -> T_co:
        """Wait for its end; return its value, or raise its error.

        Raises Timeout if it has not ended (``block`` false), or not in ``timeout``
        seconds.
        """
        if not self._ended and not (block and self.join(timeout)):
            raise timeout_error(timeout if block else 0)
        if self._exception is not None:
            # With its original traceback: each raise would add to it otherwise.
            raise self._exception.with_traceback(self._traceback)
        return self.value  # type: ignore[return-value]  # it is set by now

    def link(self, callback: Callable[["Greenlet[P, T_co]"], object]) -> None:
        """Call ``callback(self)`` in a new greenlet when this one has ended."""
        self._link(callback, lambda: True)

    def link_value(self, callback: Callable[["Greenlet[P, T_co]"], object]) -> None:
        """As `link`, if it ends without an error."""
        self._link(callback, self.successful)

    def link_exception(self, callback: Callable[["Greenlet[P, T_co]"], object]) -> None:
        """As `link`, if it ends with an error."""
        self._link(callback, lambda: self._exception is not None)

    def _link(
        self,
        callback: Callable[["Greenlet[P, T_co]"], object],
        wanted: Callable[[], bool],
    ) -> None:
        self.rawlink(_SpawnedLink(callback, wanted))

    def throw(self, *args: Any) -> Any:
        """Raise in it at once. Only the hub may; other callers use `kill`."""
        if not self._ended and not RawGreenlet.__bool__(self):
            return self._end_unstarted(args[0] if args else GreenletExit)
        return RawGreenlet.throw(self, *args)

    def kill(
        self,
        exception: Raisable = GreenletExit,
        block: bool = True,
        timeout: Limit = None,
    ) -> None:
        """Raise ``exception`` in it; ``block``: wait until it has ended.

        The wait takes at most ``timeout`` seconds. A greenlet that has not started
        never will. The current greenlet may kill itself.
        """
        if self._ended:
            return
        if not isinstance(exception, BaseException | type):
            exception = TypeError(
                f"killed with {exception!r}, which is not an exception"
            )
        if not RawGreenlet.__bool__(self):
            self._end_unstarted(exception)
        elif getcurrent() is self and block:
            raise mark_kill(self._hub, instance(exception))
        else:
            self._hub.loop.call_soon(partial(self._interrupt, exception))
            if block:
                self.join(timeout)

    def _end_unstarted(self, exception: Raisable) -> None:
        if isinstance(self._scheduled, Timer):
            self._hub.loop.timers.cancel(self._scheduled)
        error = exception() if isinstance(exception, type) else exception
        if isinstance(error, GreenletExit):
            self._leave(error)
        else:
            self._fail(error)
        self._end()

    def _interrupt(self, exception: Raisable) -> None:
        """Runs in the hub."""
        if not self._ended:
            Interrupt(self._hub, self, instance(exception)).deliver()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: object, value: BaseException | None, trace: object
    ) -> None:
        """Wait for its end; if the block failed, kill it with the same error."""
        if value is not None:
            self.kill(value)
            return
        try:
            self.join()
        finally:
            self.kill()


AnyGreenlet = Greenlet[..., Any]
"""For a type checker: any Greenlet, whatever it runs."""


class _SpawnedLink:
    """A link that runs its callback in a greenlet of its own, so that it may wait."""

    __slots__ = ("callback", "wanted")

    def __init__(
        self, callback: Callable[[Any], object], wanted: Callable[[], bool]
    ) -> None:
        if not callable(callback):
            raise TypeError(f"{callback!r} is not callable")
        self.callback = callback
        self.wanted = wanted

    def __call__(self, source: AnyGreenlet) -> None:
        """Runs in the hub; the callback starts at once, before later waiters wake."""
        if self.wanted():
            runner = Greenlet(self.callback, source)
            runner.switch()

    def __eq__(self, other: object) -> bool:
        """Equal to its callback, so that ``unlink(callback)`` finds it."""
        return self.callback == (
            other.callback if isinstance(other, _SpawnedLink) else other
        )

    __hash__ = None  # type: ignore[assignment]


def _call_text(target: Callable[..., object], args: tuple[object, ...]) -> str:
    name = getattr(target, "__qualname__", None) or repr(target)
    return f"{name}({', '.join(map(reprlib.repr, args))})"


def _line(code: CodeType, instruction: int) -> str:
    for start, end, line in code.co_lines():
        if start <= instruction < end:
            return f"{code.co_filename}:{line}"
    return code.co_filename
