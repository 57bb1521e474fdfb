"""A site of any size, generated from a seed and served by threads on blocking sockets.

Pages form a tree, so that all can be reached, with cross links over it. Each page shows
an image or two; some image URLs have the same bytes as another, a few links redirect
and a few are dead. `expected` is what a crawl must find, `requested` what it requested.
"""

import random
import socket
import struct
import threading
import zlib
from collections.abc import Callable
from types import TracebackType
from typing import Self

_FANOUT = 4
_BLOCK = 64 * 1024


class GeneratedSite:
    """Serves `pages` pages on a free loopback port while it is entered.

    `on_request`, if set, is called with the target of each request before the response,
    in the thread of the connection.
    """

    def __init__(self, pages: int, seed: int) -> None:
        self.requested: list[str] = []
        self.on_request: Callable[[str], object] | None = None
        self._pages = pages
        self._seed = seed
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.answers = self._make_answers()

    def expected(self, media_type: str) -> dict[str, bytes]:
        """URL: body, of all resources with that media type."""
        return {
            self.url + target: body
            for target, (_, kind, body) in self.answers.items()
            if kind == media_type
        }

    def urls(self, status: int) -> set[str]:
        """The URLs that respond with that status."""
        return {
            self.url + target
            for target, answer in self.answers.items()
            if answer[0] == status
        }

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _make_answers(self) -> dict[str, tuple[int, str, bytes]]:
        """Target: status, media type (for a redirect its Location) and body."""
        answers: dict[str, tuple[int, str, bytes]] = {}
        for number in range(self._pages):
            dice = random.Random(f"{self._seed}/{number}")
            links = list(range(_FANOUT * number + 1, _FANOUT * number + _FANOUT + 1))
            links += [dice.randrange(self._pages) for _ in range(6)]
            targets = [_page(n) for n in links if n < self._pages]
            images = [f"/images/{number}.png"]
            answers[images[0]] = (200, "image/png", _png(number))
            if dice.random() < 0.3:
                images.append(f"/images/{number}-again.png")
                answers[images[1]] = (200, "image/png", _png(number // 2))
            if dice.random() < 0.02:
                targets.append(f"/gone/{number}")
                answers[targets[-1]] = (404, "text/html", b"<p>gone</p>")
            if dice.random() < 0.02:
                targets.append(f"/moved/{number}")
                answers[targets[-1]] = (301, dice.choice(targets[:-1]), b"")
            answers[_page(number)] = (200, "text/html", _html(number, targets, images))
        return answers

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(
                target=self._serve, args=(connection,), daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        received = b""
        with connection:
            connection.settimeout(30)
            while True:
                try:
                    while b"\r\n\r\n" not in received:
                        data = connection.recv(_BLOCK)
                        if not data:
                            return
                        received += data
                    request, _, received = received.partition(b"\r\n\r\n")
                    connection.sendall(self._answer(request.decode("latin-1")))
                except OSError:  # the test killed the client
                    return

    def _answer(self, request: str) -> bytes:
        target = request.split(" ", 2)[1]
        self.requested.append(target)
        on_request = self.on_request
        if on_request is not None:
            on_request(target)
        status, kind, body = self.answers.get(target, (404, "text/plain", b"not here"))
        named = "Location" if status == 301 else "Content-Type"
        head = f"{named}: {kind}\r\nContent-Length: {len(body)}\r\n"
        if status == 200:
            etag = f'ETag: "{zlib.crc32(body):x}"\r\n'
            if f"If-None-Match: {etag[6:]}" in request + "\r\n":
                return f"HTTP/1.1 304 X\r\n{etag}\r\n".encode()
            head += etag
        return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


def _page(number: int) -> str:
    return f"/pages/{number % 10}/{number}" if number else "/"


def _html(number: int, targets: list[str], images: list[str]) -> bytes:
    links = "".join(f'<p>To <a href="{target}">{target}</a>.</p>' for target in targets)
    shown = "".join(f'<img src="{image}" alt="{number}">' for image in images)
    filler = "<p>text</p>" * 40
    text = f"<!doctype html><title>Page {number}</title>{links}{shown}{filler}"
    return text.encode()


def _png(number: int) -> bytes:
    """An image of 16 x 16 pixels that encodes the number."""
    rows = b"".join(
        b"\0" + struct.pack(">I", number * 16 + row) * 12 for row in range(16)
    )
    header = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + name
        + data
        + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
