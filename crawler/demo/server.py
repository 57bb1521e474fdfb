"""The demo's web server: blocking sockets and native threads, a stranger to the hub.

Most of the site is files. A few addresses misbehave on purpose, each in one way that a
crawler meets every day.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zlib import crc32

SITE = Path(__file__).parent / "site"

SLOW_S = 2.0

MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".txt": "text/plain; charset=utf-8",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}


class Handler(BaseHTTPRequestHandler):
    """Answers one connection, several requests long."""

    protocol_version = "HTTP/1.1"
    server: DemoServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/visit":
            self._answer(301, b"", Location="/visit.html")
            return
        if path == "/busy.html" and self.server.is_first_visit():
            self._answer(503, b"Come back in a second.", **{"Retry-After": "1"})
            return
        if path == "/slow.html":
            time.sleep(SLOW_S)
        self._send_file("/index.html" if path == "/" else path)

    def _send_file(self, path: str) -> None:
        file = self.server.files.get(path)
        if file is None:
            self._answer(404, b"There is no such room.")
            return
        body = file.read_bytes()
        etag = f'"{crc32(body):08x}"'
        if self.headers.get("If-None-Match") == etag:
            self._answer(304, b"", ETag=etag)
        else:
            self._answer(
                200, body, ETag=etag, **{"Content-Type": MEDIA_TYPES[file.suffix]}
            )

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the terminal belongs to the crawl."""


class DemoServer(ThreadingHTTPServer):
    """Serves the site on a port of 127.0.0.1 that the system chooses."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        # Only what was there at the start can be asked for, whatever a path says.
        self.files = {
            "/" + file.relative_to(SITE).as_posix(): file
            for file in SITE.rglob("*")
            if file.is_file()
        }
        self._visited = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def is_first_visit(self) -> bool:
        """True once: for whoever knocks at the ticket office first."""
        first = not self._visited.is_set()
        self._visited.set()
        return first

    def handle_error(self, request: object, client_address: object) -> None:
        """A crawl that is stopped breaks connections off; that is no error of the
        server's."""


@contextmanager
def serving() -> Iterator[DemoServer]:
    """The site, up and running inside the `with`."""
    with DemoServer() as server:
        thread = threading.Thread(
            target=server.serve_forever, args=(0.05,), daemon=True
        )
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
