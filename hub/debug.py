"""Seeing: who waits where, who blocks the loop, how much there is of everything.

    hub.debug.dump()            prints the tree of greenlets with their stacks
    hub.debug.dump_on_signal()  does so at every SIGUSR1
    with hub.debug.Watchdog():  reports, once each time, code that keeps the loop from polling

None of it costs anything while greenlets switch. The dump reads stacks (report.py). The
watchdog is a thread that looks at the time stamp which the loop writes anyway when it
comes back from polling: an old stamp on a loop that is not asleep means that something
computes, or blocks.
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

from hub.current import get_hub
from hub.greenlet import Greenlet
from hub.hub import Hub
from hub.introspect import Wait, greenlets_of, wait_of
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
    """One greenlet as `snapshot` found it. ``age`` in seconds, None if nobody noted its
    birth."""

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
    running = target.gr_frame is None
    return GreenletState(
        name=name,
        state="runs"
        if running
        else "waits"
        if wait is not None
        else "has switched away",
        age=age,
        wait=wait,
        waiting_for=None if wait is None else now - wait.since,
        stack=[]
        if running
        else traceback.format_list(traceback.extract_stack(target.gr_frame)),
    )


def snapshot(hub: Hub | None = None) -> list[GreenletState]:
    """The state of every greenlet of this thread's hub (or ``hub``), the main one
    first."""
    own = get_hub() if hub is None else hub
    return [_state(target, own) for target in greenlets_of(own)]


def dump(file: TextIO | None = None, hub: Hub | None = None) -> None:
    """Print every greenlet: name, age, state, what it waits for since when, its
    stack."""
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
    """`dump` whenever ``signum`` arrives, until the result's ``cancel()``."""
    return signal_handler(signum, dump, file)


@dataclass(frozen=True)
class Statistics:
    """How much a hub has to do."""

    greenlets: int
    callbacks: int
    timers: int
    external: int


def statistics(hub: Hub | None = None) -> Statistics:
    """Count the greenlets, ready callbacks, timers, and threads' tasks of this thread's
    hub."""
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
    """A thread that reports, once each time, when the loop has not polled for
    ``threshold`` s.

    ``report`` gets a text with the stack of what runs instead; it is called in the
    watchdog's thread. No alarm while the loop sleeps.
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
        """Begin to look."""
        self._stopped.clear()
        self._thread = threading.Thread(
            target=self._watch, name="hub-watchdog", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _watch(self) -> None:
        reported = None
        loop = self._hub.loop
        awake_since = loop.now()
        while not self._stopped.wait(self.threshold / 4):
            stamp, now = loop.time, loop.now()
            # Woken, it is awake at once, and knows the time only once it has come back.
            awake_since = now if loop.asleep else max(awake_since, stamp)
            blocked = now - awake_since
            if blocked > self.threshold and stamp != reported:
                frame = sys._current_frames().get(self._hub.thread_ident)
                if (
                    loop.time == stamp
                ):  # still the same turn, so the stack belongs to it
                    reported = stamp
                    self.reports += 1
                    stack = "".join(traceback.format_stack(frame))
                    self._report(
                        f"the loop has not polled for {blocked:.3f} s; it runs:\n{stack}"
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
