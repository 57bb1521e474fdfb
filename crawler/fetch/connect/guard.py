"""The address guard: which IP addresses and ports a crawl may connect to. No I/O.

A page on the public web may link to http://169.254.169.254/ or to a name that resolves
to 10.0.0.1, and a crawler inside a private network would fetch it (server-side request
forgery). So IP addresses that are not part of the public Internet are denied. The guard
checks the resolved address, for each new connection. The user can allow a host by
naming it (as a seed, or with `--resolve`) and a network with `--allow-net`.

The table below contains IANA's two special-purpose registries. It is written out
because `ipaddress.is_global` differs between the supported Python versions.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DENIED_NETWORKS: dict[str, str] = {
    "0.0.0.0/8": "this network",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by a provider",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "protocol assignments",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
    "::1/128": "loopback",
    "::/96": "unspecified, or IPv4-compatible",
    "64:ff9b:1::/48": "private translation",
    "100::/64": "discard only",
    "2001::/23": "protocol assignments",
    "2001:db8::/32": "documentation",
    "3fff::/20": "documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
_NAT64 = ip_network("64:ff9b::/96")
_MAX_CACHED = 4096

BAD_PORTS = frozenset({
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87,
    95, 101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143,
    161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556,
    563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190,
    5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
})  # fmt: skip
"""Ports of other protocols, whose servers might obey the text of an HTTP request.

This is the list of the Fetch Standard (section 2.9, "bad port").
"""


class AddressGuard:
    """Decides by host name and resolved address (see the module for the rule).

    `allow_net`: networks that are allowed. `named_hosts`: hosts that the user named,
    which are always allowed. `named_origins`: origins that the user named, whose port
    is always allowed.
    """

    def __init__(
        self,
        allow_net: Iterable[str],
        named_hosts: Collection[str],
        named_origins: Collection[str] = (),
    ) -> None:
        self._named_origins = named_origins
        self._allowed = [ip_network(network, strict=False) for network in allow_net]
        self._named_hosts = named_hosts
        self._cache: dict[str, str | None] = {}

    def port_deny_reason(self, origin: str, port: int) -> str | None:
        """Why no request may go to `port` of `origin`; None if it is allowed."""
        if port not in BAD_PORTS or origin in self._named_origins:
            return None
        return f"port {port} belongs to another protocol; links to it are not followed"

    def deny_reason(self, host: str, address: str) -> str | None:
        """Why no connection to `host` at `address` is allowed; None if one is."""
        if host in self._named_hosts:
            return None
        if address not in self._cache:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            self._cache[address] = self._check(ip_address(address.partition("%")[0]))
        return self._cache[address]

    def _check(self, address: Address) -> str | None:
        effective = _effective(address)
        if any(_contains(network, effective) for network in self._allowed):
            return None
        for network, purpose in _denied_networks():
            if _contains(network, effective):
                return f"{address} is not a public address ({purpose}, {network})"
        return None


@cache
def _denied_networks() -> list[tuple[Network, str]]:
    return [
        (ip_network(network), purpose) for network, purpose in DENIED_NETWORKS.items()
    ]


def _effective(address: Address) -> Address:
    """The address itself, or the IPv4 address that it is translated to on the way."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and _contains(_NAT64, address):
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        return inner or address
    return address


def _contains(network: Network, address: Address) -> bool:
    return address.version == network.version and address in network
