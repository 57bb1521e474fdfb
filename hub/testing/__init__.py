"""For tests of programs on the hub: virtual and steady time, a simulated network,
checks.

with virtual_time() as clock:
    hub.sleep(3600)             # takes no time
    assert clock.time == 3600

with steady_time():             # real time, but a stopped process trips no time-out
    ...

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

from hub.current import get_hub, get_hub_if_any, set_hub
from hub.errors import NoSwitchError
from hub.hub import Hub
from hub.introspect import greenlets_of
from hub.loop import Loop
from hub.resolver import use_network
from hub.scope import no_switch
from hub.testing.clock import SteadyClock, SteadyPoller, VirtualClock, VirtualPoller
from hub.testing.network import Host, SimulatedNetwork

__all__ = [
    "Census",
    "Host",
    "SimulatedNetwork",
    "SteadyClock",
    "VirtualClock",
    "assert_no_switch",
    "census",
    "fresh_hub",
    "no_leaks",
    "simulated_network",
    "steady_time",
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


@contextmanager
def steady_time() -> Iterator[SteadyClock]:
    """A hub on real descriptors whose clock leaves out the times in which the process
    stood still.

    For tests against servers in threads of this process: however busy the machine,
    time-outs tell who was silent, not who got no CPU. What runs for long without
    looking at the clock counts for next to nothing, too.
    """
    clock = SteadyClock()
    with fresh_hub(Hub(Loop(clock, SteadyPoller()))):
        yield clock


@contextmanager
def simulated_network(seed: int = 0, start: float = 0.0) -> Iterator[SimulatedNetwork]:
    """Virtual time and a network in memory; the same ``seed`` gives the same run.

    Inside, ``hub.socket`` makes simulated sockets: declare hosts with ``network.host``,
    start servers on their addresses as greenlets, connect by name.
    """
    with virtual_time(start):
        hub = get_hub()
        poller = hub.loop.poller
        assert isinstance(poller, VirtualPoller)
        network = SimulatedNetwork(hub.loop, poller, seed)
        use_network(hub, network)
        yield network


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
