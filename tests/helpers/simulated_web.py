"""A web on the hub's simulated network: many hosts, their name server, and faults.

Every page can be reached on several paths, so that one lost page loses no other. A
host's number decides which faults it has; the network draws which segments are lost or
reset.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

import hub
from hub import socket
from hub.testing.network import Host, SimulatedNetwork
from tests.site.name_server import A, records, respond

NAME_SERVER = "10.255.0.53"
CYCLE = 20
"""Hosts whose numbers are equal modulo this have the same faults."""
LOSSY, RESETTING, PARTITIONED, SLOW = 3, 5, 7, 9
BUSY, BROKEN, SHORT, DNS_FAILING = 11, 13, 15, 17
PARTITIONED_AT, HEALED_AT = 15.0, 75.0
"""When the partition begins and ends (s after the start)."""
SLOW_RESPONSE_S = 8.0
"""How long a slow response takes (s)."""
NO_SUCH, FAILING, SILENT = 3, 2, 0
"""How the name server answers: NXDOMAIN, SERVFAIL, not at all."""
FAILING_NAMES = {
    "none.example": NO_SUCH,
    "failing.example": FAILING,
    "silent.example": SILENT,
}
_DIGITS = [
    "nought",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
]
UNREACHABLE = ("dark.example", "10.254.0.1")
"""A host that has a name and never answers."""


def request_heads(connection: socket.socket) -> Iterator[bytes]:
    """The heads of the requests that come, none of which has a body."""
    pending = b""
    while data := connection.recv(65536):
        pending += data
        while b"\r\n\r\n" in pending:
            head, _, pending = pending.partition(b"\r\n\r\n")
            yield head


class SimulatedWeb:
    """`hosts` sites of `pages` pages each.

    Make it inside `hub.testing.simulated_network`.
    """

    def __init__(
        self, network: SimulatedNetwork, hosts: int, pages: int, image: bytes = b""
    ) -> None:
        self._network = network
        self._hosts = hosts
        self._pages = pages
        self._image = image
        self.hits: dict[str, list[tuple[float, str]]] = {}
        """By host: when each request came (s), and its path."""
        self.queries: Counter[str] = Counter()
        """By name: how many queries the name server got."""
        self._requested: Counter[tuple[int, str]] = Counter()  # by host and path
        self._addresses: dict[str, str] = {}
        self._greenlets = [
            hub.spawn(self._serve_names),
            hub.spawn(self._partition_and_heal),
        ]
        network.host(UNREACHABLE[0], UNREACHABLE[1], unreachable=True)
        self._addresses[UNREACHABLE[0]] = UNREACHABLE[1]
        for number in range(hosts):
            self._add_host(number)

    def stop(self) -> None:
        """End the servers."""
        hub.killall(self._greenlets)

    @property
    def seed(self) -> str:
        """The URL from which every page can be reached."""
        return f"http://{name_of(0)}/0"

    def _add_host(self, number: int) -> None:
        name, address = name_of(number), address_of(number)
        host = self._network.host(name, address, latency=0.005 + number % 7 * 0.02)
        _set_fault(host, number % CYCLE)
        self._addresses[name] = address
        self.hits[name] = []
        listener = socket.create_server((address, 80))
        self._greenlets.append(hub.spawn(self._serve, number, listener))

    def _partition_and_heal(self) -> None:
        addresses = [
            address_of(number) for number in range(PARTITIONED, self._hosts, CYCLE)
        ]
        hub.sleep(PARTITIONED_AT)
        for address in addresses:
            self._network.partition(address)
        hub.sleep(HEALED_AT - PARTITIONED_AT)
        for address in addresses:
            self._network.heal(address)

    # -- names -------------------------------------------------------------------------

    def _serve_names(self) -> None:
        self._network.host("names.example", NAME_SERVER, latency=0.01, loss=0.05)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((NAME_SERVER, 53))
            while True:
                query, sender = sock.recvfrom(4096)
                answer = respond(query, self._address)
                if answer is not None:
                    sock.sendto(answer, sender)

    def _address(self, name: str, kind: int) -> bytes | None:
        self.queries[name] += 1
        if name in FAILING_NAMES:
            rcode = FAILING_NAMES[name]
            return records(rcode=rcode) if rcode else None
        dns_failing = (
            name[0] == "h" and int(name[1:].partition(".")[0]) % CYCLE == DNS_FAILING
        )
        if dns_failing and self.queries[name] <= 2:
            return None if self.queries[name] == 1 else records(rcode=FAILING)
        return records(self._addresses[name]) if kind == A else records()

    # -- pages -------------------------------------------------------------------------

    def _serve(self, number: int, listener: socket.socket) -> None:
        with listener:
            while True:
                hub.spawn(self._serve_requests, number, listener.accept()[0])

    def _serve_requests(self, number: int, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            for head in request_heads(connection):
                path = head.split(b" ", 2)[1].decode()
                self.hits[name_of(number)].append((self._network.loop.now(), path))
                self._requested[number, path] += 1
                connection.sendall(self._answer(number, path))
                if number % CYCLE == SHORT and _is_affected(path, 10):
                    return

    def _answer(self, number: int, path: str) -> bytes:
        if path == "/robots.txt":
            return _response(b"User-agent: *\nDisallow: /private\n", kind="text/plain")
        if path == "/picture":
            return _response(self._image, kind="image/png")
        if path == "/moved":
            return _response(b"", "301 Moved Permanently", more="Location: /1\r\n")
        page = int(path[1:])
        if page >= self._pages:
            return _response(b"", "404 Not Found")
        return self._faulty_response(number, path) or _response(
            self._page(number, page)
        )

    def _faulty_response(self, number: int, path: str) -> bytes | None:
        """The response instead of the page, at the first request or at all.

        None: the page.
        """
        fault = number % CYCLE
        first = self._requested[number, path] == 1
        if fault == SLOW and first and _is_affected(path, 12):
            hub.sleep(SLOW_RESPONSE_S)
        if fault == BUSY and first and _is_affected(path, 8):
            return _response(b"", "503 Service Unavailable", more="Retry-After: 3\r\n")
        if fault == BROKEN and _is_affected(path, 12):
            return _response(b"", "500 Internal Server Error")
        if fault == SHORT and first and _is_affected(path, 10):
            return _response(self._page(number, int(path[1:])))[:-20]
        return None

    def _page(self, number: int, page: int) -> bytes:
        links = {page + 1, page + 2, *range(4 * page + 1, 4 * page + 5), 0}
        targets = [f"/{link}" for link in sorted(links) if link < self._pages]
        if page < 2:
            nearest = {2 * number + 1 + page, 2 * number + 2, number + 1 + page}
            targets += [
                f"http://{name_of(near)}/0" for near in nearest if near < self._hosts
            ]
        if page == 0:
            targets += [
                "/moved",
                "/private",
                f"/{self._pages}",
                f"http://{UNREACHABLE[0]}/",
            ]
            targets += [f"http://{name}/" for name in FAILING_NAMES]
        body = "".join(
            f'<a href="{target}">a link to {target}</a>\n' for target in targets
        )
        image = '<img src="/picture" alt="a picture">' if page % 10 == 0 else ""
        title = f"<!doctype html><title>Page {page} of {name_of(number)}</title>"
        return f"{title}<h1>{page}</h1>{_sentence(page)}{image}{body}".encode()


def name_of(number: int) -> str:
    """A host's name."""
    return f"h{number}.example"


def address_of(number: int) -> str:
    """A host's address."""
    return f"10.0.{number // 250}.{number % 250 + 1}"


def _sentence(page: int) -> str:
    """A text that only this page has.

    Without it a host would be a trap, and its crawl would be cut short.
    """
    digits = " ".join(_DIGITS[int(digit)] for digit in str(page))
    return f"<p>Here it is about {digits}.</p>"


def _set_fault(host: Host, kind: int) -> None:
    if kind == LOSSY:
        host.loss = 0.05
    elif kind == RESETTING:
        host.reset = 0.01
    elif kind == SLOW:
        host.bandwidth = 20_000


def _is_affected(path: str, every: int) -> bool:
    """Whether a fault affects this page.

    Never a first one, which leads to all others.
    """
    return path[1:].isdigit() and int(path[1:]) % every == every - 1


def _response(
    body: bytes,
    status: str = "200 OK",
    kind: str = "text/html; charset=utf-8",
    more: str = "",
) -> bytes:
    fields = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
    return f"HTTP/1.1 {status}\r\n{fields}\r\n".encode() + body
