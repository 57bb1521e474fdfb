"""Inspection: greenlets and what they wait for, a blocked loop, counts of objects.

    hub.debug.dump()            prints every greenlet with its stack
    hub.debug.dump_on_signal()  does so at every SIGUSR1
    with hub.debug.Watchdog():  reports code that keeps the loop from polling

None of this adds work to a switch. A dump reads the stacks of the greenlets when it is
asked for (introspect.py). The watchdog is a native thread that compares the clock with
the time stamp that the loop writes after each poll: an old stamp of a loop that is not
asleep means that some code computes or blocks.
"""

import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TextIO

from greenlet import greenlet

from hub.blockingcall import describe_call
from hub.current import get_hub
from hub.greenlet import Greenlet
from hub.hub import Hub
from hub.introspect import Wait, greenlets_of, wait_of
from hub.native import blocking
from hub.signal import SignalHandler, signal_handler

__all__ = [
    "GreenletState",
    "Statistics",
    "Watchdog",
    "dump",
    "dump_on_signal",
    "snapshot",
    "statistics",
]


@dataclass(frozen=True)
class GreenletState:
    """One greenlet as `snapshot` found it.

    ``age`` and ``waiting_for`` are in seconds; ``age`` is None for a plain greenlet,
    which records no time of creation. ``state`` is "runs", "waits" or "has switched
    away".
    """

    name: str
    state: str
    age: float | None
    wait: Wait | None
    waiting_for: float | None
    stack: list[str]


def _state(target: greenlet, hub: Hub) -> GreenletState:
    now = hub.loop.now()
    wait = wait_of(target)
    name = "main" if target is hub.parent else repr(target)
    age = None
    if isinstance(target, Greenlet):
        name = target.name
        age = now - target.created
    state, stack = "runs", []
    if target.gr_frame is not None:
        state = "has switched away" if wait is None else "waits"
        stack = traceback.format_list(traceback.extract_stack(target.gr_frame))
    waiting_for = None if wait is None else now - wait.since
    return GreenletState(name, state, age, wait, waiting_for, stack)


def snapshot(hub: Hub | None = None) -> list[GreenletState]:
    """Return the state of each greenlet of ``hub`` (default: of this thread's hub).

    The main greenlet comes first.
    """
    own = get_hub() if hub is None else hub
    return [_state(target, own) for target in greenlets_of(own)]


def dump(file: TextIO | None = None, hub: Hub | None = None) -> None:
    """Print every greenlet to ``file`` (default: standard error).

    Each with its name, age, state, what it waits for and since when, and its stack.
    """
    own = get_hub() if hub is None else hub
    lines = [f"{own!r}: {statistics(own)}"]
    for each in snapshot(own):
        age = "" if each.age is None else f", {each.age:.3f} s old"
        lines.append(f"+- {each.name}{age}: {each.state}")
        if each.wait is not None:
            lines.append(f"|    {each.wait}, for {each.waiting_for:.3f} s")
        lines += [f"|    {line}" for entry in each.stack for line in entry.splitlines()]
    print("\n".join(lines), file=sys.stderr if file is None else file)


def dump_on_signal(
    signum: int = signal.SIGUSR1, file: TextIO | None = None
) -> SignalHandler:
    """Call `dump` whenever ``signum`` arrives, until the result is cancelled."""
    return signal_handler(signum, dump, file)


@dataclass(frozen=True)
class Statistics:
    """How many greenlets, ready callbacks and timers a hub has.

    ``external`` counts tasks in native threads and active watchers, see
    `Loop.external`.
    """

    greenlets: int
    callbacks: int
    timers: int
    external: int


def statistics(hub: Hub | None = None) -> Statistics:
    """Return the `Statistics` of ``hub`` (default: this thread's)."""
    own = get_hub() if hub is None else hub
    loop = own.loop
    return Statistics(
        greenlets=len(greenlets_of(own)),
        callbacks=len(loop.ready),
        timers=len(loop.timers),
        external=loop.external,
    )


def _print_blocked(text: str) -> None:
    print(text, file=sys.stderr)


class Watchdog:
    """A thread that reports when the loop has not polled for ``threshold`` seconds.

    ``report`` is called in the watchdog's thread, once for each such time, with a text
    that names the call that blocks, says which `hub.patched` would make it cooperative,
    and holds the stack of the running code. A loop that sleeps raises no alarm.
    """

    def __init__(
        self, threshold: float = 0.1, report: Callable[[str], object] = _print_blocked
    ) -> None:
        self.threshold = threshold
        self.reports = 0
        self._report = report
        self._hub = get_hub()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the watchdog's thread."""
        self._stopped.clear()
        with blocking():  # a native thread, also while `threading` is patched
            self._thread = threading.Thread(
                target=self._watch, name="hub-watchdog", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Stop the watchdog's thread and wait for its end."""
        self._stopped.set()
        if self._thread is not None:
            with blocking():
                self._thread.join()
            self._thread = None

    def _watch(self) -> None:
        reported = None
        loop = self._hub.loop
        awake_since = loop.now()
        while not self._stopped.wait(self.threshold / 4):
            stamp, now = loop.time, loop.now()
            # A loop that is woken clears `asleep` first, and reads the clock later.
            awake_since = now if loop.asleep else max(awake_since, stamp)
            blocked = now - awake_since
            if blocked > self.threshold and stamp != reported:
                frame = sys._current_frames().get(self._hub.thread_ident)
                if loop.time == stamp:  # the same turn still, so the stack is its own
                    reported = stamp
                    self.reports += 1
                    stack = "".join(traceback.format_stack(frame))
                    self._report(
                        f"the loop has not polled for {blocked:.3f} s: "
                        f"{describe_call(frame)} The stack:\n{stack}"
                    )

    def __enter__(self) -> "Watchdog":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
