"""Threads on greenlets, in place of the standard library's (see `hub.patch`)."""

import threading as _standard
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from greenlet import getcurrent, greenlet

from hub.future import OutsideEvent
from hub.greenlet import Greenlet

__all__ = [
    "Thread",
    "Timer",
    "active_count",
    "current_thread",
    "enumerate_threads",
    "get_ident",
    "join_at_exit",
]

_current_thread = _standard.current_thread
_enumerate = _standard.enumerate
_get_ident = _standard.get_ident
_ExceptHookArgs = _standard.ExceptHookArgs


_numbers = count(1)
_running: "WeakKeyDictionary[greenlet, Thread]" = WeakKeyDictionary()


class Thread:
    """threading.Thread on a greenlet of the thread that starts it."""

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: Iterable[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        if group is not None:
            raise ValueError("group argument must be None for now")
        function = getattr(target, "__name__", None) if name is None else None
        number = f"Thread-{next(_numbers)}" + (f" ({function})" if function else "")
        self.name = number if name is None else str(name)
        self._target, self._args, self._kwargs = target, tuple(args), dict(kwargs or {})
        self._daemon = current_thread().daemon if daemon is None else bool(daemon)
        self._greenlet: Greenlet[[], None] | None = None

    @property
    def daemon(self) -> bool:
        """Whether the program may end before it."""
        return self._daemon

    @daemon.setter
    def daemon(self, value: bool) -> None:
        if self._greenlet is not None:
            raise RuntimeError("cannot set daemon status of active thread")
        self._daemon = bool(value)

    @property
    def ident(self) -> int | None:
        """A number that no other living thread has; None before the start."""
        return None if self._greenlet is None else id(self._greenlet)

    @property
    def native_id(self) -> int | None:
        """The number of the native thread, which other greenlets share."""
        return None if self._greenlet is None else _standard.get_native_id()

    def start(self) -> None:
        """Start it soon; RuntimeError at a second call."""
        if self._greenlet is not None:
            raise RuntimeError("threads can only be started once")
        new = self._greenlet = Greenlet(self._bootstrap)
        new.name = self.name
        _running[new] = self
        new.start()

    def _bootstrap(self) -> None:
        try:
            self.run()
        except (Exception, SystemExit) as error:  # the hook ignores a SystemExit
            _standard.excepthook(
                _ExceptHookArgs((type(error), error, error.__traceback__, self))
            )
        finally:
            _running.pop(getcurrent(), None)

    def run(self) -> None:
        """The work; may be overridden."""
        try:
            if self._target is not None:
                self._target(*self._args, **self._kwargs)
        finally:
            del self._target, self._args, self._kwargs

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, at most ``timeout`` seconds."""
        if self._greenlet is None:
            raise RuntimeError("cannot join thread before it is started")
        if self._greenlet is getcurrent():
            raise RuntimeError("cannot join current thread")
        self._greenlet.join(None if timeout is None else max(0.0, timeout))

    def is_alive(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._greenlet is not None and not self._greenlet.dead

    def __repr__(self) -> str:
        state = "initial" if self._greenlet is None else "started"
        if self._greenlet is not None and self._greenlet.dead:
            state = "stopped"
        daemon = " daemon" if self._daemon else ""
        return f"<{type(self).__name__}({self.name}, {state}{daemon} {self.ident})>"


class Timer(Thread):
    """threading.Timer: calls ``function`` after ``interval`` seconds."""

    def __init__(
        self,
        interval: float,
        function: Callable[..., object],
        args: Iterable[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.interval = interval
        self.function = function
        self.args = [] if args is None else args
        self.kwargs = {} if kwargs is None else kwargs
        self.finished = OutsideEvent()

    def cancel(self) -> None:
        """Don't call it."""
        self.finished.set()

    def run(self) -> None:
        """Runs in the greenlet."""
        if not self.finished.wait(self.interval):
            self.function(*self.args, **self.kwargs)
        self.finished.set()


def current_thread() -> Any:
    """The `Thread` of this greenlet, or the standard library's of this thread."""
    return _running.get(getcurrent()) or _current_thread()


def get_ident() -> int:
    """The number of `current_thread`."""
    mine = _running.get(getcurrent())
    return _get_ident() if mine is None or mine.ident is None else mine.ident


def enumerate_threads() -> list[Any]:
    """All living threads, on greenlets or not."""
    return [*_enumerate(), *_running.values()]


def active_count() -> int:
    """How many `enumerate_threads` returns."""
    return len(enumerate_threads())


def join_at_exit() -> None:
    """Wait for the threads that are no daemons, as the interpreter does at its end."""
    while waited_for := [each for each in _running.values() if not each.daemon]:
        with suppress(RuntimeError):
            waited_for[0].join()
