"""Host -> addresses.

The hub's resolver does the work (numeric addresses at once, the system's resolver in
threads, a cache, one flight a name). Here its answers get the crawl's meaning: a
budget, the failures told apart, and the hosts that the user mapped by hand (`--resolve
HOST:PORT:ADDRESS`).
"""

from __future__ import annotations

import socket as standard
from collections.abc import Iterable
from typing import Protocol

from crawler.fetch.deadline import Deadline
from crawler.model.config import HttpConfig
from crawler.model.errors import (
    NameFailure,
    NameNotFound,
    NameServerFailure,
    NameTimeout,
)
from hub import socket
from hub.resolver import is_numeric

_FAMILIES = {
    "any": standard.AF_UNSPEC,
    "ipv4": standard.AF_INET,
    "ipv6": standard.AF_INET6,
}
# EAI_NODATA is not in every C library's headers.
_NOT_FOUND = {standard.EAI_NONAME, getattr(standard, "EAI_NODATA", standard.EAI_NONAME),
              getattr(standard, "EAI_ADDRFAMILY", standard.EAI_NONAME)}  # fmt: skip


class Resolver(Protocol):
    """What the client needs of a resolver."""

    def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, the preferred one first; at least one. Raises
        NameFailure."""


class SystemResolver:
    """Names as the system resolves them, hosts file included."""

    def __init__(self, config: HttpConfig) -> None:
        self._family = _FAMILIES[config.address_family]
        self._timeout = config.dns_timeout
        self._mapped = Mapped(config.resolve)

    def resolve(self, host: str, port: int) -> list[str]:
        if (mapped := self._mapped.find(host, port)) is not None:
            return mapped
        try:
            with Deadline(self._timeout, lambda: self._timeout_error(host)):
                found = socket.getaddrinfo(
                    host, port, self._family, standard.SOCK_STREAM
                )
        except standard.gaierror as error:
            raise _failure(host, error) from None
        except UnicodeError:  # a label that is empty or too long
            raise NameNotFound(f"{host} is no name that the DNS can hold") from None
        return list(dict.fromkeys(str(info[4][0]) for info in found))

    def _timeout_error(self, host: str) -> NameTimeout:
        return NameTimeout(f"no address for {host} within {self._timeout:g} s")


class Mapped:
    """The hosts that the user mapped by hand, as curl has it:
    `HOST:PORT:ADDRESS[,ADDRESS]...`.

    `*` stands for every name that is not there itself. The entries were checked by the
    configuration.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self._addresses: dict[tuple[str, int], list[str]] = {}
        for entry in entries:
            host, port, addresses = entry.split(":", 2)
            found = self._addresses.setdefault((host.lower(), int(port)), [])
            found += [address.strip("[]") for address in addresses.split(",")]

    def find(self, host: str, port: int) -> list[str] | None:
        """The addresses of `host` for connections to `port`, the preferred one
        first."""
        if not self._addresses:
            return None
        found = self._addresses.get((host, port))
        if found is None and not is_numeric(host):
            found = self._addresses.get(("*", port))
        return None if found is None else list(found)

    @property
    def hosts(self) -> frozenset[str]:
        """Those that are named."""
        return frozenset(host for host, _ in self._addresses if host != "*")

    @property
    def of_all(self) -> tuple[str, ...]:
        """The addresses to which any host may lead."""
        everywhere = [
            found for (host, _), found in self._addresses.items() if host == "*"
        ]
        return tuple(address for found in everywhere for address in found)


def _failure(host: str, error: standard.gaierror) -> NameFailure:
    if error.errno in _NOT_FOUND:
        return NameNotFound(f"there is no address for {host}")
    return NameServerFailure(
        f"the name servers could not say the address of {host}: {error}"
    )
