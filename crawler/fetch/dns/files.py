"""resolv.conf and the hosts file: which servers to ask, and which names not to ask
them. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from msgspec import Struct

MAX_SERVERS = 3  # resolv.conf(5): MAXNS
PORT = 53


class Server(Struct, frozen=True):
    """A name server's address."""

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
        raise ValueError(f"{text!r} is no name server; write ADDRESS or ADDRESS:PORT")
    return Server(address.strip("[]"), number)


def read_resolv_conf(text: str) -> list[Server]:
    """The name servers, at most three; lines that make no sense are passed over."""
    found = []
    for words in _lines(text, ";#"):
        if words[0] == "nameserver" and len(words) > 1:
            try:
                found.append(parse_server(words[1]))
            except ValueError:
                continue
    return found[:MAX_SERVERS]


def read_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Addresses by lower-case name; of several lines for a name all count."""
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
