"""Signals as callbacks in the hub, and Ctrl-C while it sleeps.

Python runs a signal's handler in the main thread, between two bytecodes of whatever
runs there. Here the handler only appends the callback to the loop's list; the callback
then runs in a greenlet of its own, and may wait. The hub makes a signal wake the loop
(``signal.set_wakeup_fd``), so Ctrl-C is never noticed late.
"""

import signal as _standard
from collections.abc import Callable
from types import FrameType
from typing import Any, ParamSpec

from hub.current import get_hub
from hub.greenlet import Greenlet
from hub.loop import Loop
from hub.watchers import Watcher

__all__ = ["SignalHandler", "signal_handler"]

P = ParamSpec("P")


class _SignalWatcher(Watcher):
    """Calls at each arrival of a signal; several that come at once may count as one."""

    _counts = 0

    def __init__(self, loop: Loop, signum: int, ref: bool) -> None:
        super().__init__(loop, ref)
        self.signum = signum
        self._previous: Any = _standard.SIG_DFL

    def _arm(self) -> None:
        self._previous = _standard.signal(self.signum, self._arrived)

    def _disarm(self) -> None:
        if _standard.getsignal(self.signum) == self._arrived:
            previous = _standard.SIG_DFL if self._previous is None else self._previous
            _standard.signal(self.signum, previous)

    def _arrived(self, signum: int, frame: FrameType | None) -> None:
        self.loop.call_soon(self._run)


class SignalHandler:
    """A callback for one signal, until `cancel`; ``ref``: it keeps the hub alive."""

    def __init__(
        self, signum: int, handler: Callable[..., object], *args: Any, **kwargs: Any
    ) -> None:
        if not callable(handler):
            raise TypeError(f"a signal handler must be callable, not {handler!r}")
        self.handler = handler
        self.args = args
        self.kwargs = kwargs
        self._watcher = _SignalWatcher(get_hub().loop, signum, ref=False)
        self._watcher.start(self._spawn)

    def _spawn(self) -> None:
        Greenlet.spawn(self._handle)

    def _handle(self) -> None:
        """Call the handler.

        An error goes to the main greenlet, as from Python's handlers.
        """
        try:
            self.handler(*self.args, **self.kwargs)
        except Exception as error:
            get_hub().handle_system_error(error)

    @property
    def ref(self) -> bool:
        """Whether this handler alone keeps the hub from ending."""
        return self._watcher.ref

    @ref.setter
    def ref(self, value: bool) -> None:
        self._watcher.ref = value

    def cancel(self) -> None:
        """Restore the former handling of the signal. Idempotent."""
        self._watcher.stop()

    def __repr__(self) -> str:
        name = _standard.Signals(self._watcher.signum).name
        return f"<SignalHandler {name} {self.handler!r}>"


def signal_handler(
    signum: int, handler: Callable[P, object], *args: P.args, **kwargs: P.kwargs
) -> SignalHandler:
    """Call ``handler(*args, **kwargs)`` in a greenlet at every ``signum``.

    Only in the main thread (elsewhere ValueError). The result's ``cancel()`` restores
    the former handling.
    """
    return SignalHandler(signum, handler, *args, **kwargs)


def __getattr__(name: str) -> Any:
    return getattr(_standard, name)
