"""A network in memory, for tests in virtual time.

It simulates hosts, latency, bandwidth, loss, resets and names. Its sockets have the
calls of a non-blocking socket of the operating system, so the hub's sockets and TLS run
on them unchanged. Everything that happens in transit is a timer of the loop, and every
choice comes from one random generator: the same seed gives the same run.

The model is TCP as its users see it: bytes arrive in order and none is lost. A lost
segment arrives later, by the time that retransmissions take (from 0.2 s on, doubling).
While two hosts are partitioned nothing arrives, and delivery is tried again every
second. A sender may be 64 KiB ahead of the reader. A lost datagram stays lost.
"""

import errno
import random
import socket as _standard
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hub.hub import sleep
from hub.loop import Loop
from hub.resolver import AddressInfo, NameResolver, is_numeric
from hub.testing.clock import VirtualPoller
from hub.testing.socket import CLIENT, SimulatedSocket

__all__ = ["Host", "SimulatedNetwork"]

T = TypeVar("T")

_RETRANSMIT = 0.2  # seconds, doubling


@dataclass
class Host:
    """One machine: how far away it is, and what may fail in transit.

    ``latency`` is one way (s), ``bandwidth`` of each connection (bytes/s); ``loss`` and
    ``reset`` are probabilities for each segment. All may be changed at any time.
    """

    address: str
    latency: float = 0.0
    bandwidth: float | None = None
    loss: float = 0.0
    reset: float = 0.0
    unreachable: bool = False


@dataclass
class _SimulatedResolver:
    """The simulated resolver. ``latency`` of each query (s)."""

    network: "SimulatedNetwork"
    latency: float = 0.0
    table: dict[str, list[str] | OSError] = field(default_factory=dict)

    def getaddrinfo(
        self,
        host: str | bytes | None,
        port: str | bytes | int | None,
        family: int = 0,
        type: int = 0,
        proto: int = 0,
        flags: int = 0,
    ) -> list[AddressInfo]:
        """Return addresses from the table, after ``latency``.

        Gaierror for unknown names.
        """
        name = host.decode() if isinstance(host, bytes) else host or "127.0.0.1"
        found: list[str] | OSError | None = [name]
        if not is_numeric(name):
            if self.latency:
                sleep(self.latency)
            found = self.table.get(name)
        if isinstance(found, OSError):
            raise found.__class__(*found.args)
        if not found:
            raise _standard.gaierror(_standard.EAI_NONAME, "Name or service not known")
        number = int(port or 0)
        kind = type or _standard.SOCK_STREAM
        infos: list[AddressInfo] = []
        for address in found:
            if ":" in address and family in (0, _standard.AF_INET6):
                infos.append(
                    (_standard.AF_INET6, kind, proto, "", (address, number, 0, 0))
                )
            elif ":" not in address and family in (0, _standard.AF_INET):
                infos.append((_standard.AF_INET, kind, proto, "", (address, number)))
        return infos

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Raise gaierror: the other look-ups are not simulated."""
        raise _standard.gaierror(
            _standard.EAI_FAIL, f"{function.__name__} is not simulated"
        )


class SimulatedNetwork:
    """The hosts, and the network between them."""

    def __init__(self, loop: Loop, poller: VirtualPoller, seed: int = 0) -> None:
        self.loop = loop
        self.poller = poller
        self.random = random.Random(seed)
        self.hosts: dict[str, Host] = {}
        self.names = _SimulatedResolver(self)
        self.resolver: NameResolver = self.names
        self.bound: dict[tuple[int, str, int], SimulatedSocket] = {}
        self._partitions: set[frozenset[str]] = set()
        self._next_port = 32768

    def host(self, name: str, *addresses: str, **qualities: Any) -> Host:
        """Add a host called ``name``; several addresses are the same machine.

        The keyword arguments are the fields of `Host`.
        """
        machine = Host(addresses[0], **qualities)
        for address in addresses:
            self.hosts[address] = machine
        self.names.table[name] = list(addresses)
        return machine

    def partition(self, one: str, other: str | None = None) -> None:
        """Let nothing pass between two addresses (``other`` None: the clients')."""
        self._partitions.add(frozenset((one, other or CLIENT)))

    def heal(self, one: str, other: str | None = None) -> None:
        """Let traffic pass again."""
        self._partitions.discard(frozenset((one, other or CLIENT)))

    def socket(
        self, family: int, type: int, proto: int, fileno: int | None
    ) -> "SimulatedSocket":
        """Make a simulated socket; OSError for a real descriptor."""
        if fileno is not None:
            raise OSError(errno.EBADF, "a simulated network has no real descriptors")
        return SimulatedSocket(self, family, type, proto)

    # -- for the sockets ---------------------------------------------------------------

    def path(self, one: str, other: str) -> tuple[Host, Host]:
        """The hosts at both ends."""
        return self.hosts.get(one) or Host(one), self.hosts.get(other) or Host(other)

    def delay(self, one: str, other: str) -> float:
        """How long a segment that is sent now takes, retransmissions included (s)."""
        ends = self.path(one, other)
        time = sum(end.latency for end in ends)
        wait = _RETRANSMIT
        while any(end.loss and self.random.random() < end.loss for end in ends):
            time, wait = time + wait, wait * 2
        return time

    def cut(self, one: str, other: str) -> bool:
        """Whether the two are partitioned."""
        return frozenset((one, other)) in self._partitions

    def reachable(self, one: str, other: str) -> bool:
        """Whether a connection request from ``one`` arrives at ``other``."""
        known = other in self.hosts or any(key[1] == other for key in self.bound)
        return known and not any(end.unreachable for end in self.path(one, other))

    def free_port(self) -> int:
        """Return a port that is not in use."""
        self._next_port = self._next_port + 1 if self._next_port < 60999 else 32768
        return self._next_port

    def listener(self, kind: int, address: tuple[str, int]) -> "SimulatedSocket | None":
        """Return the socket bound to ``address``, or to its port on all addresses."""
        host, port = address
        for bound_to in (host, "0.0.0.0", "::"):
            found = self.bound.get((kind, bound_to, port))
            if found is not None:
                return found
        return None
