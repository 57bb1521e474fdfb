"""The system's resolver, the hosts that the user mapped, and the resolver protocol.

The hub does the work: it calls the system's resolver in threads and caches its answers.
This file adds what a crawl needs: a timeout, distinct failures, and hosts that the user
mapped to addresses (`--resolve HOST:PORT:ADDRESS`).
"""

from __future__ import annotations

import socket as standard
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from crawler.fetch.deadline import Deadline
from crawler.model.errors import (
    NameFailure,
    NameNotFound,
    NameServerFailure,
    NameTimeout,
)
from crawler.model.http_config import HttpConfig
from hub import socket
from hub.resolver import is_numeric

_FAMILIES = {
    "any": standard.AF_UNSPEC,
    "ipv4": standard.AF_INET,
    "ipv6": standard.AF_INET6,
}
# Not every C library defines the last two.
_NOT_FOUND = {
    standard.EAI_NONAME,
    getattr(standard, "EAI_NODATA", standard.EAI_NONAME),
    getattr(standard, "EAI_ADDRFAMILY", standard.EAI_NONAME),
}


class Resolver(Protocol):
    """Resolves host names for the client."""

    def resolve(self, host: str, port: int) -> list[str]:
        """The IP addresses of `host`, at least one, the preferred one first.

        Raises NameFailure. May switch.
        """


class SystemResolver:
    """Resolves names as the system does, hosts file included.

    `getaddrinfo` has the interface of `socket.getaddrinfo`.
    """

    def __init__(
        self,
        config: HttpConfig,
        getaddrinfo: Callable[..., list[Any]] = socket.getaddrinfo,
    ) -> None:
        self._getaddrinfo = getaddrinfo
        self._family = _FAMILIES[config.address_family]
        self._timeout = config.dns_timeout
        self._mapped = Mapped(config.resolve)

    def resolve(self, host: str, port: int) -> list[str]:
        """See `Resolver`."""
        if (mapped := self._mapped.find(host, port)) is not None:
            return mapped
        try:
            with Deadline(self._timeout, lambda: self._timeout_error(host)):
                found = self._getaddrinfo(
                    host, port, self._family, standard.SOCK_STREAM
                )
        except standard.gaierror as error:
            raise _failure(host, error) from None
        except UnicodeError:  # a label is empty or too long
            raise NameNotFound(f"{host} is not a valid DNS name") from None
        return list(dict.fromkeys(str(info[4][0]) for info in found))

    def _timeout_error(self, host: str) -> NameTimeout:
        return NameTimeout(f"no address for {host} within {self._timeout:g} s")


class Mapped:
    """Hosts that the user mapped to addresses: `HOST:PORT:ADDRESS[,ADDRESS]...`.

    The syntax is curl's. `*` as the host stands for every name without an entry of its
    own. The configuration has checked the syntax of the entries.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._addresses: dict[tuple[str, int], list[str]] = {}
        for entry in entries:
            host, port, addresses = entry.split(":", 2)
            found = self._addresses.setdefault((host.lower(), int(port)), [])
            found += [address.strip("[]") for address in addresses.split(",")]

    def find(self, host: str, port: int) -> list[str] | None:
        """The addresses of `host` for `port`, the preferred first; None: not mapped."""
        if not self._addresses:
            return None
        found = self._addresses.get((host, port))
        if found is None and not is_numeric(host):
            found = self._addresses.get(("*", port))
        return None if found is None else list(found)

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts with an entry of their own."""
        return frozenset(host for host, _ in self._addresses if host != "*")

    @property
    def wildcard_addresses(self) -> tuple[str, ...]:
        """The addresses of the entries for `*`."""
        everywhere = [
            found for (host, _), found in self._addresses.items() if host == "*"
        ]
        return tuple(address for found in everywhere for address in found)


def _failure(host: str, error: standard.gaierror) -> NameFailure:
    if error.errno in _NOT_FOUND:
        return NameNotFound(f"there is no address for {host}")
    return NameServerFailure(f"the name servers failed to resolve {host}: {error}")
