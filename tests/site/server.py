"""The fixture site's server: blocking sockets and threads, with control of every byte.

It shares no code with the hub or the client, so it can't share their bugs. Each
connection has a thread, which reads a whole request, logs it and calls the handler of
the page that the first segment of the path names: `/redirect/3?x=1` is for the page
`redirect` with the arguments ["3"].
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import unquote

Headers = Sequence[tuple[str, str]]

STOP_TIMEOUT = 60.0
"""How long the threads of the site may take to end (s)."""


class Hit(NamedTuple):
    """One request, as it arrived."""

    at: float
    """When it arrived, by `time.monotonic()` (s)."""
    connection: int
    """Number of the connection, from 1."""
    method: str
    host: str
    target: str
    headers: dict[str, str]
    """Header fields, names in lower case."""
    content: bytes = b""
    """The body, by its Content-Length."""


class Closed(Exception):
    """Raised by a handler to close the connection without a further byte."""


class Reset(Closed):
    """The same, but with a TCP reset."""


def close_gracefully(sock: socket.socket) -> None:
    """Close a connection without a TCP reset.

    A close() with unread data would send a reset, and the peer would lose what it has
    not read yet.
    """
    with contextlib.suppress(OSError), sock:
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


class Exchange:
    """One request, and the ways to answer it."""

    def __init__(
        self, site: Site, sock: socket.socket, hit: Hit, over: threading.Event
    ) -> None:
        self.site = site
        self.sock = sock
        self.hit = hit
        self._over = over
        path, _, self.query = hit.target.partition("?")
        self.name, *self.args = unquote(path).lstrip("/").split("/")

    def arg(self, default: str) -> str:
        """The first argument in the path."""
        return self.args[0] if self.args and self.args[0] else default

    def raw(self, *parts: bytes, pause: float = 0.0) -> None:
        """Send each part by itself, with a pause in between (s)."""
        for number, part in enumerate(parts):
            if number and pause:
                self.sleep(pause)
            self.sock.sendall(part)

    def reply(
        self,
        body: bytes | str = b"",
        content_type: str = "text/html",
        *,
        status: int = 200,
        headers: Headers = (),
    ) -> None:
        """Send a well-formed response; the connection stays open."""
        data = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}"]
        lines += [f"Content-Type: {content_type}", f"Content-Length: {len(data)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        self.raw(head if self.hit.method == "HEAD" else head + data)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`, or until the site ends this connection."""
        if self._over.wait(seconds):
            raise Closed

    def close(self) -> None:
        """Close the connection without a reset."""
        raise Closed

    def reset(self) -> None:
        """Close the connection with a TCP reset."""
        self.sock.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        raise Reset


Handler = Callable[[Exchange], None]

REASONS = {
    200: "OK",
    204: "No Content",
    206: "Partial Content",
    301: "Moved Permanently",
    302: "Found",
    303: "See Other",
    304: "Not Modified",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    404: "Not Found",
    410: "Gone",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Site:
    """A running server on loopback. `base` is its URL without a slash at the end.

    `addresses`: several of 127.0.0.0/8 share one port, and are several hosts to a
    crawler. `tls`: contexts by server name; "" is the context of all other names.
    """

    def __init__(
        self,
        pages: Mapping[str, Handler],
        *,
        addresses: Sequence[str] = ("127.0.0.1",),
        port: int = 0,
        tls: Mapping[str, ssl.SSLContext] | None = None,
    ) -> None:
        self.pages = pages
        self.log: list[Hit] = []
        self.stopping = threading.Event()
        self.connections = 0
        self.resumed = 0
        """How many TLS connections resumed an earlier session."""
        self.protocols: list[str | None] = []
        """The ALPN protocol of each connection."""
        self._tls = _server_context(tls) if tls else None
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        """Set when the present connections have to end."""
        self._mark: object = None
        self._reached = threading.Event()
        self._listeners = _listeners(addresses, port)
        port = self._listeners[0].getsockname()[1]
        self.address = f"[{addresses[0]}]" if ":" in addresses[0] else addresses[0]
        self.port = port
        scheme = "https" if tls else "http"
        self.base = f"{scheme}://{self.address}:{self.port}"
        self._acceptors = [
            threading.Thread(target=self._accept, args=(listener,), daemon=True)
            for listener in self._listeners
        ]
        for acceptor in self._acceptors:
            acceptor.start()

    def url(self, path: str, host: str | None = None) -> str:
        """The URL of `path`, on another host name or address if given."""
        return self.base.replace(self.address, host or self.address) + path

    def hits(self, path: str = "") -> list[Hit]:
        """The requests so far whose target begins with `path`."""
        return [hit for hit in list(self.log) if hit.target.startswith(path)]

    def forget(self) -> None:
        """End all connections and empty the log, so that the next test starts anew.

        Requests that are still in progress are awaited, and do not count for the next
        test.
        """
        for listener in self._listeners:
            self._accept_pending(listener)
        self._end_connections()
        self.log.clear()
        self.connections = self.resumed = 0

    def stop(self) -> None:
        self.stopping.set()
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for acceptor in self._acceptors:
            acceptor.join(STOP_TIMEOUT)
        self._end_connections()

    def _accept_pending(self, listener: socket.socket) -> None:
        """Accept every connection in the backlog, by connecting as the last one."""
        self._reached.clear()
        with socket.socket(listener.family) as last:
            last.bind((listener.getsockname()[0], 0))
            self._mark = last.getsockname()
            last.connect(listener.getsockname())
            if not self._reached.wait(STOP_TIMEOUT):
                raise RuntimeError("the site does not accept connections")

    def _end_connections(self) -> None:
        with self._lock:
            ending, self._open = self._open, {}
            over, self._over = self._over, threading.Event()
        over.set()
        for sock in ending.values():
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in ending:
            thread.join(STOP_TIMEOUT)

    def _accept(self, listener: socket.socket) -> None:
        while not self.stopping.is_set():
            try:
                sock, peer = listener.accept()
            except OSError:
                return
            if peer == self._mark:
                self._mark = None
                sock.close()
                self._reached.set()
                continue
            self.connections += 1
            self._begin(sock, self.connections)

    def _begin(self, sock: socket.socket, number: int) -> None:
        with self._lock:
            job = threading.Thread(
                target=self._serve, args=(sock, number, self._over), daemon=True
            )
            self._open[job] = sock
        job.start()

    def _serve(self, sock: socket.socket, number: int, over: threading.Event) -> None:
        end = close_gracefully
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._wrapped(sock.dup()) as wire:
                self._serve_requests(wire, number, over)
        except Reset:
            end = socket.socket.close
        except (OSError, Closed):
            pass
        finally:
            end(sock)
            with self._lock:
                self._open.pop(threading.current_thread(), None)

    def _wrapped(self, sock: socket.socket) -> socket.socket:
        if self._tls is None:
            return sock
        wire = self._tls.wrap_socket(sock, server_side=True)
        self.resumed += bool(wire.session_reused)
        self.protocols.append(wire.selected_alpn_protocol())
        return wire

    def _serve_requests(
        self, sock: socket.socket, number: int, over: threading.Event
    ) -> None:
        reader = sock.makefile("rb")
        while (hit := _read_request(reader, number)) is not None:
            self.log.append(hit)
            exchange = Exchange(self, sock, hit, over)
            handler = self.pages.get(exchange.name)
            if handler is None:
                exchange.reply("<p>no such page", status=404)
            else:
                handler(exchange)


def _listeners(addresses: Sequence[str], port: int) -> list[socket.socket]:
    """A listener for each address, all on the same port (0: a free one)."""
    while True:
        made: list[socket.socket] = []
        try:
            for address in addresses:
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                chosen = made[0].getsockname()[1] if made else port
                made.append(
                    socket.create_server((address, chosen), backlog=512, family=family)
                )
            return made
        except OSError:
            for listener in made:
                listener.close()
            if port or not made:  # else it is taken at another address
                raise


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections, and that no other process gets."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def _read_request(reader: object, number: int) -> Hit | None:
    lines = []
    while True:
        line: bytes = reader.readline()  # type: ignore[attr-defined]
        if not line:
            return None
        if line == b"\r\n":
            break
        lines.append(line.decode("latin-1").rstrip("\r\n"))
    method, target, _ = lines[0].split(" ")
    fields = [line.partition(":") for line in lines[1:]]
    headers = {name.lower(): value.strip() for name, _, value in fields}
    length = int(headers.get("content-length", "0"))
    content: bytes = reader.read(length) if length else b""  # type: ignore[attr-defined]
    host = headers.get("host", "")
    return Hit(time.monotonic(), number, method, host, target, headers, content)


def _server_context(contexts: Mapping[str, ssl.SSLContext]) -> ssl.SSLContext:
    """The default context, which changes to the one of the client's server name."""
    default = contexts[""]

    def choose(sock: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        sock.context = contexts.get(name or "", default)

    default.sni_callback = choose  # type: ignore[assignment]
    return default
