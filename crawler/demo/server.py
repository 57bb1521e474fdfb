"""The demo's web server: blocking sockets in native threads, independent of the hub.

Most of the site is files. A few paths misbehave on purpose, each in one way that a
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
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server: DemoServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/visit":
            self._respond(301, b"", Location="/visit.html")
            return
        if path == "/busy.html" and self.server.is_first_try():
            self._respond(503, b"Please retry after a second.", **{"Retry-After": "1"})
            return
        if path == "/slow.html":
            time.sleep(self.server.slow_s)
        self._send_file("/index.html" if path == "/" else path)

    def _send_file(self, path: str) -> None:
        file = self.server.files.get(path)
        if file is None:
            self._respond(404, b"There is no such room.")
            return
        body = file.read_bytes()
        etag = f'"{crc32(body):08x}"'
        if self.headers.get("If-None-Match") == etag:
            self._respond(304, b"", ETag=etag)
        else:
            self._respond(
                200, body, ETag=etag, **{"Content-Type": MEDIA_TYPES[file.suffix]}
            )

    def _respond(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the terminal shows the crawl."""


class DemoServer(ThreadingHTTPServer):
    """Serves the site on a free port of 127.0.0.1."""

    daemon_threads = True

    slow_s: float
    """Delay of /slow.html [s]."""

    def __init__(self, slow_s: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.slow_s = slow_s
        # Only files that exist at the start are served, whatever path is requested.
        self.files = {
            "/" + file.relative_to(SITE).as_posix(): file
            for file in SITE.rglob("*")
            if file.is_file()
        }
        self._tried = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def is_first_try(self) -> bool:
        """True once: for the first request for /busy.html."""
        first = not self._tried.is_set()
        self._tried.set()
        return first

    def handle_error(self, request: object, client_address: object) -> None:
        """Do nothing: a stopped crawl closes its connections, which is not an error."""


@contextmanager
def serving(slow_s: float = 2.0) -> Iterator[DemoServer]:
    """The running server of the site; `slow_s` is the delay of its slow page [s]."""
    with DemoServer(slow_s) as server:
        thread = threading.Thread(
            target=server.serve_forever, args=(0.05,), daemon=True
        )
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
