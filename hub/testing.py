"""For tests of programs on the hub: virtual time, a simulated network, checks.

with virtual_time() as clock:
    hub.sleep(3600)             # takes no time
    assert clock.time == 3600

with assert_no_switch():        # the block must not have waited
    queue.put(1)

with no_leaks():                # greenlets, timers, descriptors: as many as before
    ...
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from greenlet import getcurrent

from hub.current import get_hub, get_hub_if_any, set_hub
from hub.errors import NoSwitchError
from hub.hub import Hub
from hub.loop import Loop
from hub.report import greenlets_of
from hub.virtual import VirtualClock, VirtualPoller
from hub.waiter import Gate, Waiter, gate, use_gates

__all__ = [
    "Census",
    "VirtualClock",
    "assert_no_switch",
    "census",
    "fresh_hub",
    "no_leaks",
    "no_switch",
    "virtual_time",
]


@contextmanager
def fresh_hub(hub: Hub | None = None) -> Iterator[Hub]:
    """Another hub for this thread during the block, destroyed afterwards.

    Nothing that belongs to the former hub may be used meanwhile.
    """
    former = get_hub_if_any()
    new = Hub() if hub is None else hub
    set_hub(new)
    try:
        yield new
    finally:
        new.destroy()
        set_hub(former)


@contextmanager
def virtual_time(start: float = 0.0) -> Iterator[VirtualClock]:
    """A hub whose clock jumps to the next deadline whenever everybody waits."""
    clock = VirtualClock(start)
    poller = VirtualPoller(clock)
    loop = poller.loop = Loop(clock, poller)
    with fresh_hub(Hub(loop)):
        yield clock


class _NoSwitch:
    """A gate that lets its own greenlet wait for nothing; others go on to the gate outside."""

    def __init__(self, outer: Gate | None) -> None:
        self._owner = getcurrent()
        self._outer = outer

    def enter(self, waiter: Waiter) -> None:
        if getcurrent() is self._owner:
            raise NoSwitchError("a call that waits was made where no_switch() forbids it")
        if self._outer is not None:
            self._outer.enter(waiter)

    def leave(self, waiter: Waiter) -> None:
        if self._outer is not None:
            self._outer.leave(waiter)


@contextmanager
def no_switch() -> Iterator[None]:
    """Inside, a call that would wait raises NoSwitchError instead: for critical parts.

    Greenlets that are spawned inside may wait.
    """
    use_gates()
    token = gate.set(_NoSwitch(gate.get()))
    try:
        yield
    finally:
        gate.reset(token)


@contextmanager
def assert_no_switch() -> Iterator[None]:
    """As `no_switch`, failing a test: AssertionError."""
    try:
        with no_switch():
            yield
    except NoSwitchError as error:
        raise AssertionError("the block waited, and others may have run") from error


@dataclass(frozen=True)
class Census:
    """How much of each kind there is, in this thread's hub and process."""

    greenlets: int
    timers: int
    callbacks: int
    descriptors: int


def census() -> Census:
    """Count now, after a garbage collection."""
    gc.collect()
    hub = get_hub()
    loop = hub.loop
    return Census(
        greenlets=len(greenlets_of(hub)),
        timers=len(loop.timers),
        callbacks=len(loop.ready),
        descriptors=len(os.listdir("/proc/self/fd")),
    )


@contextmanager
def no_leaks() -> Iterator[None]:
    """AssertionError if greenlets, timers, callbacks or descriptors are left over.

    What has been told to end is given one turn to do so.
    """
    before = census()
    yield
    get_hub().join(timeout=0)
    after = census()
    assert after == before, f"left over: before {before}, after {after}"
