"""For tests of programs on the hub: clocks, a simulated network, checks.

    with virtual_time() as clock:       # waiting takes no real time
        hub.sleep(3600)
        assert clock.time == 3600

    with steady_time():                 # real time, without the machine's stalls
        ...

    with simulated_network(seed=1):     # hosts, latency and loss, in virtual time
        ...

    with assert_no_switch():            # fails if the block waits
        queue.put(1)

    with no_leaks():                    # as many greenlets and descriptors as before
        ...

The hubs are in hubs.py, the clocks and their pollers in clock.py, the network in
network.py and socket.py, the checks in checks.py.
"""

from hub.testing.checks import (
    ResourceCounts,
    assert_no_switch,
    count_resources,
    no_leaks,
)
from hub.testing.clock import SteadyClock, VirtualClock
from hub.testing.hubs import fresh_hub, simulated_network, steady_time, virtual_time
from hub.testing.network import Host, SimulatedNetwork

__all__ = [
    "Host",
    "ResourceCounts",
    "SimulatedNetwork",
    "SteadyClock",
    "VirtualClock",
    "assert_no_switch",
    "count_resources",
    "fresh_hub",
    "no_leaks",
    "simulated_network",
    "steady_time",
    "virtual_time",
]
