"""Parses resolv.conf, the hosts file and the addresses of name servers. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

RESOLV_CONF, HOSTS = Path("/etc/resolv.conf"), Path("/etc/hosts")
MAX_SERVERS = 3  # MAXNS of resolv.conf(5)
PORT = 53


class Server(Struct, frozen=True):
    """The IP address and port of a name server."""

    address: str
    port: int = PORT

    def __str__(self) -> str:
        address = f"[{self.address}]" if ":" in self.address else self.address
        return address if self.port == PORT else f"{address}:{self.port}"


def parse_server(text: str) -> Server:
    """`ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. Raises ValueError."""
    address, port = text, str(PORT)
    if text.startswith("[") or text.count(":") == 1:
        address, colon, port = text.rpartition(":")
        if not colon or text.endswith("]"):
            address, port = text, str(PORT)
    number = int(port) if port.isascii() and port.isdigit() else 0
    try:
        ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        number = 0
    if not 0 < number < 65536:
        raise ValueError(
            f"{text!r} is not a name server; write ADDRESS or ADDRESS:PORT"
        )
    return Server(address.strip("[]"), number)


def read_resolv_conf(text: str) -> list[Server]:
    """The name servers in resolv.conf, at most three; malformed lines are ignored."""
    found = []
    for words in _lines(text, ";#"):
        if words[0] == "nameserver" and len(words) > 1:
            try:
                found.append(parse_server(words[1]))
            except ValueError:
                continue
    return found[:MAX_SERVERS]


def read_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """The addresses in a hosts file by lower-case name; lines for one name add up."""
    found: dict[str, tuple[str, ...]] = {}
    for address, *names in _lines(text, "#"):
        try:
            ip_address(address.partition("%")[0])
        except ValueError:
            continue
        for name in names:
            key = name.lower().rstrip(".")
            if address not in found.get(key, ()):
                found[key] = (*found.get(key, ()), address)
    return found


def _lines(text: str, comments: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        for mark in comments:
            line = line.partition(mark)[0]
        if words := line.split():
            yield words
