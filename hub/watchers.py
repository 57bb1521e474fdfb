"""gevent's watchers: objects with ``start(callback, *args)`` and ``stop()``.

The loop makes them, for programs that use the loop directly and for descriptors that
are not our sockets. The hub's own sockets wait on `poller.Direction`, which has those
two methods and no more.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from hub.poller import Direction
from hub.timers import Timer

if TYPE_CHECKING:
    from hub.loop import Loop

__all__ = ["Async", "Callback", "Io", "TimerWatcher", "Watcher"]


class Callback:
    """A call on the loop's list that can still be taken back."""

    __slots__ = ("args", "callback")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.callback: Callable[..., object] | None = callback
        self.args = args

    def __call__(self) -> None:
        callback, args = self.callback, self.args
        if callback is not None:
            self.stop()
            callback(*args)

    @property
    def pending(self) -> bool:
        """Whether the call is still to come."""
        return self.callback is not None

    def stop(self) -> None:
        """Take the call back. Idempotent."""
        self.callback = None
        self.args = ()

    close = stop

    def __bool__(self) -> bool:
        return self.pending


class Watcher:
    """The base of all watchers: the callback, and ``ref``.

    ``ref`` says whether the watcher keeps the loop alive.

    ``_counts`` says how much an active watcher keeps the loop alive by other means: a
    timer is counted in the heap, a signal nowhere.
    """

    _counts = 1

    def __init__(self, loop: "Loop", ref: bool) -> None:
        self.loop = loop
        self.callback: Callable[..., object] | None = None
        self.args: tuple[Any, ...] = ()
        self._ref = ref
        self._counted = 0  # what this watcher has added to loop.external

    @property
    def active(self) -> bool:
        """Whether it is started."""
        return self.callback is not None

    pending = active

    @property
    def ref(self) -> bool:
        """Whether it keeps the loop alive while it is active."""
        return self._ref

    @ref.setter
    def ref(self, value: bool) -> None:
        self._ref = bool(value)
        self._update_count()

    def _update_count(self) -> None:
        counted = int(self._ref) - self._counts if self.active else 0
        self.loop.external += counted - self._counted
        self._counted = counted

    def start(self, callback: Callable[..., object], *args: Any) -> None:
        """Call ``callback(*args)`` at every event from now on."""
        if not callable(callback):
            raise TypeError(f"{callback!r} is not callable")
        if self.active:
            self.stop()
        self.callback = callback
        self.args = args
        self._arm()
        self._update_count()

    def stop(self) -> None:
        """Stop calling. Idempotent; it can be started again."""
        if self.active:
            self._disarm()
            self.callback = None
            self.args = ()
            self._update_count()

    def close(self) -> None:
        """Stop, for good."""
        self.stop()

    def _arm(self) -> None:
        raise NotImplementedError

    def _disarm(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        if self.callback is not None:
            self.callback(*self.args)

    def __enter__(self) -> "Watcher":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "active" if self.active else "stopped"
        return f"<{type(self).__name__} {state} callback={self.callback!r}>"


class Io(Watcher):
    """Calls each time a descriptor is ready."""

    def __init__(
        self, loop: "Loop", fd: int, read: bool, write: bool, ref: bool = True
    ) -> None:
        super().__init__(loop, ref)
        if fd < 0 or not (read or write):
            events = "an event" if fd < 0 else "nothing"
            raise ValueError(f"can't watch descriptor {fd} for {events}")
        self.fd = fd
        self._read = read
        self._write = write
        self._directions: list[Direction] = []

    def _arm(self) -> None:
        registration = self.loop.poller.watch(self.fd)
        directions = [registration.reading] * self._read
        directions += [registration.writing] * self._write
        try:
            for direction in directions:
                direction.start(self._run)
                self._directions.append(direction)
            self.loop.poller.rearm(self.fd)
        except BaseException:
            self._disarm()
            self.callback = None
            raise

    def _update_count(self) -> None:
        for direction in self._directions:
            direction.ref = self._ref

    def _disarm(self) -> None:
        while self._directions:
            direction = self._directions.pop()
            direction.ref = True
            direction.stop()

    def _run(self) -> None:
        super()._run()
        if self._directions:
            self.loop.poller.rearm(self.fd)


class TimerWatcher(Watcher):
    """Calls after some time, and then repeatedly if asked to."""

    def __init__(
        self, loop: "Loop", after: float, repeat: float = 0.0, ref: bool = True
    ) -> None:
        super().__init__(loop, ref)
        if repeat < 0.0:
            raise ValueError(f"repeat is {repeat!r} seconds, and can't be negative")
        self.after = max(0.0, after)
        self.repeat = repeat
        self._timer: Timer | None = None

    def _arm(self) -> None:
        self._timer = self.loop.call_later(self.after, self._run)

    def start(
        self, callback: Callable[..., object], *args: Any, update: bool = True
    ) -> None:
        """Call ``after`` seconds from now.

        ``update`` is gevent's, and without effect.
        """
        super().start(callback, *args)

    def again(
        self, callback: Callable[..., object], *args: Any, update: bool = True
    ) -> None:
        """Start again, with the first call after ``repeat`` seconds."""
        self.stop()
        self.after = self.repeat
        self.start(callback, *args)

    def _disarm(self) -> None:
        if self._timer is not None:
            self.loop.timers.cancel(self._timer)
            self._timer = None

    def _run(self) -> None:
        callback, args = self.callback, self.args
        if self.repeat:
            self._timer = self.loop.call_later(self.repeat, self._run)
        else:
            self._end()
        if callback is not None:
            callback(*args)

    def _end(self) -> None:
        """Drop the fired timer after the only call."""
        self._timer = None
        self.callback = None
        self.args = ()
        self._update_count()


class Async(Watcher):
    """Calls after `send`, once for any number of sends before the call."""

    _counts = 0

    def __init__(self, loop: "Loop", ref: bool = True) -> None:
        super().__init__(loop, ref)
        self._sent = False

    def _arm(self) -> None:
        self._sent = False

    def _disarm(self) -> None:
        self._sent = False

    def send(self) -> None:
        """Schedule the callback. From any thread."""
        if not self._sent:
            self._sent = True
            self.loop.call_soon(self._deliver)

    def send_ignoring_arg(self, _ignored: object) -> None:
        """`send`, as a link's callback."""
        self.send()

    def _deliver(self) -> None:
        if self._sent:
            self._sent = False
            self._run()
