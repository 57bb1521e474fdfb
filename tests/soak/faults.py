"""`python -m tests.soak.faults SEED`: a site behind a proxy that injects faults.

It prints the port of the proxy. The faults are latency, slices, resets, early ends,
black holes and corrupted bytes, each for a share of the connections. It is a process of
its own, so that its descriptors and threads don't count among the crawler's.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import sys
import threading
import time

from tests.site.images import GIF, JPEG, PNG
from tests.site.page import reply
from tests.site.server import Exchange, Site

PAGES, IMAGES = 60, (("png", PNG), ("gif", GIF), ("jpg", JPEG))
FAULTS = ("none",) * 8 + ("late", "slices", "reset", "end", "hole", "corrupt")


def page(exchange: Exchange) -> None:
    written = exchange.arg("0")
    number = int(written) if written.isdecimal() else 0  # links are corrupted too
    links = "".join(
        f"<a href='/page/{(number * 3 + n) % PAGES}'>on</a>" for n in range(1, 6)
    )
    images = "".join(f"<img src='/{name}?{number}'>" for name, _ in IMAGES)
    exchange.reply(f"<title>Page {number}</title>{links}{images}" + "<p>text " * 500)


class Faults:
    """A TCP proxy to `port` that disturbs some of the connections."""

    def __init__(self, port: int, seed: int) -> None:
        self._target = port
        self._chance = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]

    def run(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            fault, seed = self._chance.choice(FAULTS), self._chance.random()
            job = threading.Thread(
                target=self._serve, args=(sock, fault, seed), daemon=True
            )
            job.start()

    def _serve(self, sock: socket.socket, fault: str, seed: float) -> None:
        chance = random.Random(seed)
        with contextlib.suppress(OSError), sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if fault == "hole":
                while sock.recv(65536):
                    pass
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                threading.Thread(
                    target=_forward, args=(sock, server), daemon=True
                ).start()
                left = chance.randrange(20_000)
                while data := server.recv(4096):
                    left -= len(data)
                    if left < 0 and fault in ("reset", "end"):
                        _break_off(sock, fault)
                        return
                    _relay(sock, data, fault, chance)


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def _relay(sock: socket.socket, data: bytes, fault: str, chance: random.Random) -> None:
    if fault == "late":
        time.sleep(chance.random() * 0.05)
    elif fault == "slices":
        for start in range(0, len(data), 97):
            sock.sendall(data[start : start + 97])
        return
    elif fault == "corrupt" and chance.random() < 0.5:
        at = chance.randrange(len(data))
        data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
    sock.sendall(data)


def _break_off(sock: socket.socket, fault: str) -> None:
    if fault == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def main(seed: int) -> None:
    images = {name: reply(data, f"image/{name}") for name, data in IMAGES}
    site = Site({"page": page, **images})
    faults = Faults(site.port, seed)
    print(faults.port, flush=True)
    faults.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
