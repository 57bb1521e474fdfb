"""A proxy for tests: HTTP (absolute form and CONNECT) and SOCKS5 on one port.

The first byte says which. For any name that a client requests, the proxy connects to
127.0.0.1. No resolver knows these names, so a test sees where a name is resolved.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from base64 import b64encode

from tests.site.server import close_gracefully

USER, PASSWORD = b"user", b"pr0xy"
_BASIC = b"Basic " + b64encode(USER + b":" + PASSWORD)


class Proxy:
    """`log` holds the requests: "CONNECT good.test:443", "GET http://...", "SOCKS ...".

    `garbage`: send these bytes to every client instead of an answer.
    """

    def __init__(
        self, *, require_credentials: bool = False, garbage: bytes | None = None
    ) -> None:
        self.log: list[str] = []
        self.connections = 0
        self._require_credentials = require_credentials
        self._garbage = garbage
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):
            first = sock.recv(1, socket.MSG_PEEK)
            if self._garbage is not None:
                sock.sendall(self._garbage)
            elif first == b"\x05":
                self._socks(sock)
            else:
                self._http(sock)
        close_gracefully(sock)

    def _http(self, sock: socket.socket) -> None:
        reader = sock.makefile("rb", buffering=0)
        while line := reader.readline():
            head = [line]
            while head[-1] != b"\r\n":
                head.append(reader.readline())
            method, target, _ = line.decode().split(" ")
            self.log.append(f"{method} {target}")
            fields = dict(field.rstrip(b"\r\n").split(b": ", 1) for field in head[1:-1])
            if (
                self._require_credentials
                and fields.get(b"Proxy-Authorization") != _BASIC
            ):
                sock.sendall(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                    b"Proxy-Authenticate: Basic realm=proxy\r\n"
                    b"Content-Length: 0\r\n\r\n"
                )
            elif method == "CONNECT":
                self._tunnel(
                    sock,
                    int(target.rpartition(":")[2]),
                    b"HTTP/1.0 200 Connection established\r\n\r\n",
                )
                return
            else:
                self._forward(sock, target, head)

    def _forward(self, sock: socket.socket, target: str, head: list[bytes]) -> None:
        authority, _, path = target.removeprefix("http://").partition("/")
        head[0] = b" ".join(
            [head[0].split(b" ")[0], b"/" + path.encode(), b"HTTP/1.1\r\n"]
        )
        kept = [line for line in head[:-1] if not line.lower().startswith(b"proxy-")]
        port = int(authority.partition(":")[2] or 80)
        with socket.create_connection(("127.0.0.1", port)) as server:
            server.sendall(b"".join([*kept, b"Connection: close\r\n\r\n"]))
            server.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: server.recv(65536), b""))
        sock.sendall(answer)

    def _socks(self, sock: socket.socket) -> None:
        reader = sock.makefile("rb", buffering=0)
        methods = (reader.read(2) or b"")[1]
        offered = reader.read(methods) or b""
        if self._require_credentials:
            if 2 not in offered:
                sock.sendall(b"\x05\xff")
                return
            sock.sendall(b"\x05\x02")
            user = reader.read((reader.read(2) or b"\0\0")[1])
            password = reader.read((reader.read(1) or b"\0")[0])
            right = (user, password) == (USER, PASSWORD)
            sock.sendall(b"\x01\x00" if right else b"\x01\x01")
            if not right:
                return
        else:
            sock.sendall(b"\x05\x00")
        kind = (reader.read(4) or b"")[3]
        size = {1: 4, 4: 16}.get(kind) or (reader.read(1) or b"\0")[0]
        where = reader.read(size) or b""
        host = where.decode() if kind == 3 else ".".join(map(str, where))
        port = int.from_bytes(reader.read(2) or b"", "big")
        self.log.append(f"SOCKS {host}:{port}")
        if host == "refused.test":
            sock.sendall(b"\x05\x05\x00\x01" + bytes(6))
            return
        self._tunnel(sock, port, b"\x05\x00\x00\x01" + bytes(6))

    def _tunnel(self, sock: socket.socket, port: int, ready: bytes) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            sock.sendall(ready)
            back = threading.Thread(target=_pump, args=(server, sock), daemon=True)
            back.start()
            _pump(sock, server)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
