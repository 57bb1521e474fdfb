"""Hubs for tests: fresh ones, in virtual or steady time, on a simulated network."""

from collections.abc import Iterator
from contextlib import contextmanager

from hub.current import get_hub, get_hub_if_any, set_hub
from hub.hub import Hub
from hub.loop import Loop
from hub.resolver import use_network
from hub.testing.clock import SteadyClock, SteadyPoller, VirtualClock, VirtualPoller
from hub.testing.network import SimulatedNetwork

__all__ = ["fresh_hub", "simulated_network", "steady_time", "virtual_time"]


@contextmanager
def fresh_hub(hub: Hub | None = None) -> Iterator[Hub]:
    """Give this thread another hub (``hub``, or a new one) and destroy it at the end.

    Objects that belong to the former hub must not be used inside the block.
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
    """A hub whose clock jumps to the next deadline whenever every greenlet waits.

    ``start``: what the clock shows at first (s).
    """
    clock = VirtualClock(start)
    poller = VirtualPoller(clock)
    loop = poller.loop = Loop(clock, poller)
    with fresh_hub(Hub(loop)):
        yield clock


@contextmanager
def steady_time() -> Iterator[SteadyClock]:
    """A hub on real descriptors whose clock skips the times when the process stalled.

    For tests against servers in threads of the same process: on a busy machine a
    time-out then means that the peer was silent, not that this process got no CPU.
    Code that runs for long without reading the clock counts for next to nothing too.
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
