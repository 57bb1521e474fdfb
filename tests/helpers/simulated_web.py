"""A web on the hub's simulated network: many hosts, their name server, and what goes
wrong.

Every page can be reached in several ways, so that one lost for good loses no other.
Which host has which trouble follows from its number. What loss and resets strike is
drawn by the network.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import hub
from hub import socket
from hub.testing.network import Host, SimulatedNetwork
from tests.site.name_server import A, records, respond

NAME_SERVER = "10.255.0.53"
CYCLE = 20
"""Hosts whose numbers are the same modulo this have the same troubles."""
LOSSY, RESETTING, CUT_OFF, SLOW, BUSY, BROKEN, SHORT, NAMELESS = (
    3,
    5,
    7,
    9,
    11,
    13,
    15,
    17,
)
CUT_AT, HEALED_AT = 15.0, 75.0
"""When the partition begins and ends, seconds after the start."""
STUCK = 8.0
"""Seconds that a slow answer takes."""
NO_SUCH, FAILING, SILENT = 3, 2, 0
"""How the name server answers: NXDOMAIN, SERVFAIL, not at all."""
DEAD_NAMES = {
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
DARK = ("dark.example", "10.254.0.1")
"""A host that has a name and never answers."""


class SimulatedWeb:
    """`hosts` sites of `pages` pages each. Start it inside
    `hub.testing.simulated_network`."""

    def __init__(
        self, network: SimulatedNetwork, hosts: int, pages: int, picture: bytes = b""
    ) -> None:
        self._network = network
        self._hosts = hosts
        self._pages = pages
        self._picture = picture
        self.hits: dict[str, list[tuple[float, str]]] = {}
        """By host: when each request came, and its path."""
        self.questions: Counter[str] = Counter()
        """By name: how often the name server was asked."""
        self._asked: Counter[tuple[int, str]] = Counter()  # by host and path
        self._addresses: dict[str, str] = {}
        self._greenlets = [hub.spawn(self._serve_names), hub.spawn(self._cut_and_heal)]
        network.host(DARK[0], DARK[1], unreachable=True)
        self._addresses[DARK[0]] = DARK[1]
        for number in range(hosts):
            self._place(number)

    def stop(self) -> None:
        """End the servers."""
        hub.killall(self._greenlets)

    @property
    def seed(self) -> str:
        """The URL from which every page can be reached."""
        return f"http://{name_of(0)}/0"

    def _place(self, number: int) -> None:
        name, address = name_of(number), address_of(number)
        host = self._network.host(name, address, latency=0.005 + number % 7 * 0.02)
        _trouble(host, number % CYCLE)
        self._addresses[name] = address
        self.hits[name] = []
        listener = socket.create_server((address, 80))
        self._greenlets.append(hub.spawn(self._serve, number, listener))

    def _cut_and_heal(self) -> None:
        addresses = [
            address_of(number) for number in range(CUT_OFF, self._hosts, CYCLE)
        ]
        hub.sleep(CUT_AT)
        for address in addresses:
            self._network.partition(address)
        hub.sleep(HEALED_AT - CUT_AT)
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
        self.questions[name] += 1
        if name in DEAD_NAMES:
            rcode = DEAD_NAMES[name]
            return records(rcode=rcode) if rcode else None
        nameless = (
            name[0] == "h" and int(name[1:].partition(".")[0]) % CYCLE == NAMELESS
        )
        if nameless and self.questions[name] <= 2:
            return None if self.questions[name] == 1 else records(rcode=FAILING)
        return records(self._addresses[name]) if kind == A else records()

    # -- pages -------------------------------------------------------------------------

    def _serve(self, number: int, listener: socket.socket) -> None:
        with listener:
            while True:
                hub.spawn(self._converse, number, listener.accept()[0])

    def _converse(self, number: int, connection: socket.socket) -> None:
        pending = b""
        with connection, suppress(OSError):
            while data := connection.recv(65536):
                pending += data
                while b"\r\n\r\n" in pending:
                    head, _, pending = pending.partition(b"\r\n\r\n")
                    path = head.split(b" ", 2)[1].decode()
                    self.hits[name_of(number)].append((self._network.loop.now(), path))
                    self._asked[number, path] += 1
                    answer = self._answer(number, path)
                    connection.sendall(answer)
                    if number % CYCLE == SHORT and _strikes(path, 10):
                        return

    def _answer(self, number: int, path: str) -> bytes:
        if path == "/robots.txt":
            return _response(b"User-agent: *\nDisallow: /private\n", kind="text/plain")
        if path == "/picture":
            return _response(self._picture, kind="image/png")
        if path == "/moved":
            return _response(b"", "301 Moved Permanently", more="Location: /1\r\n")
        page = int(path[1:])
        if page >= self._pages:
            return _response(b"", "404 Not Found")
        return self._troubled(number, path) or _response(self._page(number, page))

    def _troubled(self, number: int, path: str) -> bytes | None:
        """What comes instead of the page, the first time or always."""
        trouble = number % CYCLE
        first = self._asked[number, path] == 1
        if trouble == SLOW and first and _strikes(path, 12):
            hub.sleep(STUCK)
        if trouble == BUSY and first and _strikes(path, 8):
            return _response(b"", "503 Service Unavailable", more="Retry-After: 3\r\n")
        if trouble == BROKEN and _strikes(path, 12):
            return _response(b"", "500 Internal Server Error")
        if trouble == SHORT and first and _strikes(path, 10):
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
            targets += ["/moved", "/private", f"/{self._pages}", f"http://{DARK[0]}/"]
            targets += [f"http://{name}/" for name in DEAD_NAMES]
        body = "".join(
            f'<a href="{target}">a link to {target}</a>\n' for target in targets
        )
        picture = '<img src="/picture" alt="a picture">' if page % 10 == 0 else ""
        title = f"<!doctype html><title>Page {page} of {name_of(number)}</title>"
        return f"{title}<h1>{page}</h1>{_sentence(page)}{picture}{body}".encode()


def name_of(number: int) -> str:
    """A host's name."""
    return f"h{number}.example"


def address_of(number: int) -> str:
    """A host's address."""
    return f"10.0.{number // 250}.{number % 250 + 1}"


def _sentence(page: int) -> str:
    """What only this page says: without it a host would be a trap, and its crawl be cut
    short."""
    return f"<p>Here it is about {' '.join(_DIGITS[int(digit)] for digit in str(page))}.</p>"


def _trouble(host: Host, kind: int) -> None:
    if kind == LOSSY:
        host.loss = 0.05
    elif kind == RESETTING:
        host.reset = 0.01
    elif kind == SLOW:
        host.bandwidth = 20_000


def _strikes(path: str, every: int) -> bool:
    """Whether a trouble is for this page; never for the first ones, from which all
    hang."""
    return path[1:].isdigit() and int(path[1:]) % every == every - 1


def _response(
    body: bytes,
    status: str = "200 OK",
    kind: str = "text/html; charset=utf-8",
    more: str = "",
) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body
