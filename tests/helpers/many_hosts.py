"""A tree of pages over many hosts, served by one process: 127.1.H.H is host H.

Each page has one inlink, so that a link that is lost loses what is below it, and half
of the links lead to another host. On Linux all of 127.0.0.0/8 is this machine.
"""

from __future__ import annotations

import socket
import threading
from selectors import EVENT_READ, DefaultSelector

from tests.helpers.poison import POISON_TYPE

FANOUT = 4


class ManyHosts:
    """`hosts` hosts with `pages` pages in all; it serves until `stop`.

    `filler`: bytes of text of a page. `pictures`: every so many pages show one. With
    `poison`, the first page links to a body of the type that `poison.py` dies of.
    """

    def __init__(
        self,
        hosts: int,
        pages: int,
        filler: int = 200,
        pictures: int = 0,
        poison: bool = False,
    ) -> None:
        self.hosts = hosts
        self.pages = pages
        self._filler = " ".join(f"w{n}" for n in range(filler // 5))
        self._pictures = pictures
        self._poison = poison
        self._made: dict[str, bytes] = {}
        self.requested: list[str] = []
        """Paths, in the order of the requests; robots.txt left out."""
        self._listener = socket.create_server(("0.0.0.0", 0), backlog=512)
        self.port = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._wake.close()
        self._thread.join()
        self._listener.close()

    def make(self) -> None:
        """Make all pages now, so that serving one costs little."""
        self._made = {
            f"/{n}": _response(self._page(n).encode()) for n in range(self.pages)
        }

    def url(self, number: int) -> str:
        """The URL of a page."""
        host = number * 7 % self.hosts
        return f"http://127.1.{host // 250}.{host % 250 + 1}:{self.port}/{number}"

    def _serve(self) -> None:
        with DefaultSelector() as selector:
            selector.register(self._listener, EVENT_READ)
            selector.register(self._woken, EVENT_READ)
            while True:
                for key, _ in selector.select():
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    if ready is self._woken:
                        for other in list(selector.get_map().values()):
                            if other.fileobj is not self._listener:
                                other.fileobj.close()
                        return
                    if ready is self._listener:
                        selector.register(ready.accept()[0], EVENT_READ)
                        continue
                    try:
                        data = ready.recv(65536)
                        if data:
                            ready.sendall(self._responses(data))
                            continue
                    except OSError:
                        pass
                    selector.unregister(ready)
                    ready.close()

    def _responses(self, data: bytes) -> bytes:
        heads = data.split(b"\r\n\r\n")[:-1]  # a client sends each in one piece
        return b"".join(
            self._response(head.split(b" ", 2)[1].decode()) for head in heads
        )

    def _response(self, path: str) -> bytes:
        if path == "/robots.txt":
            return _response(b"", "404 Not Found")
        self.requested.append(path)
        if path in self._made:
            return self._made[path]
        if path == "/poison":
            return _response(b"poison", kind=POISON_TYPE)
        if path.startswith("/picture"):
            return _response(_picture(path), kind="image/svg+xml")
        return _response(self._page(int(path[1:])).encode())

    def _page(self, number: int) -> str:
        below = range(FANOUT * number + 1, FANOUT * number + FANOUT + 1)
        links = "".join(
            f'<a href="{self.url(n)}">page {n}</a> ' for n in below if n < self.pages
        )
        if self._poison and number == 0:
            links += '<a href="/poison">poison</a>'
        image = ""
        if self._pictures and number % self._pictures == 0:
            image = f'<img src="/picture{number}.svg">'
        return (
            f"<!doctype html><title>Page {number}</title><p>{number} {self._filler}</p>"
            f"{image}{links}"
        )


def _picture(path: str) -> bytes:
    """One of three, each with the bytes of its own."""
    kind = int("".join(filter(str.isdigit, path))) % 3
    return f'<svg xmlns="http://www.w3.org/2000/svg" id="p{kind}"/>'.encode()


def _response(body: bytes, status: str = "200 OK", kind: str = "text/html") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body
