"""The site that the crawls under `tests/crawler/workspace/states/` were made of.

It is served by a proxy, so that its URLs do not change with the port: a crawl of it
names `http://127.0.0.1:PORT` as the proxy for `http://site.example/`. Blocking I/O and
threads, as all real servers of the tests.
"""

from __future__ import annotations

import base64
import struct
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

SEED = "http://site.example/"
SKIPPED = {"/private/x": "robots", "http://far.example/": "scope"}
BROKEN = "/gone"
BUSY = "/busy"
"""Answered with 500 as long as `StateSite.busy` is set."""
PAGES = ("/", *(f"/p{n}" for n in range(1, 13)), "/late", BUSY)
IMAGES = ("/red.png", "/red-again.png", "/blue.png")


def _png(colour: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" + colour)
    chunks = chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _page(title: str, *parts: str) -> bytes:
    body = "".join(parts)
    return f"<!doctype html><title>{title}</title><body>{body}</body>".encode()


def _link(path: str) -> str:
    return f'<a href="{path}">{path}</a> '


RED, BLUE = _png(b"\xff\0\0"), _png(b"\0\0\xff")
LINKED = ["/old", *SKIPPED, BROKEN, "/busy", *(f"/p{n}" for n in range(1, 13))]
BODIES: dict[str, tuple[str, bytes]] = {
    "/": (
        "text/html",
        _page("Home", *map(_link, LINKED), *(f'<img src="{one}">' for one in IMAGES)),
    ),
    "/robots.txt": ("text/plain", b"User-agent: *\nDisallow: /private/\n"),
    "/red.png": ("image/png", RED),
    "/red-again.png": ("image/png", RED),
    "/blue.png": ("image/png", BLUE),
    "/late": ("text/html", _page("Late")),
    "/busy": ("text/html", _page("Busy", _link("/"))),
    **{
        f"/p{n}": ("text/html", _page(f"Page {n}", _link("/"), _link("/late")))
        for n in range(1, 13)
    },
}


class StateSite:
    """The site, served while the `with` block lasts; `requests` are paths in order."""

    def __init__(self) -> None:
        self.busy = False
        self.requests: list[str] = []
        self.cookies: list[str | None] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.answer(self)

            def log_message(self, format: str, *args: object) -> None:
                """Tests are quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.proxy = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> StateSite:
        self._thread = Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request that came through the proxy."""
        path = request.path.removeprefix(SEED.rstrip("/"))
        self.requests.append(path)
        self.cookies.append(request.headers["Cookie"])
        if path == "/old":
            self._send(request, 301, "text/html", b"", ("Location", "/p2"))
        elif path == BUSY and self.busy:
            self._send(request, 500, "text/html", b"")
        elif path in BODIES:
            kind, body = BODIES[path]
            tag = base64.b16encode(path.encode()).decode()
            cookie = ("Set-Cookie", "id=7; Max-Age=2000000000")
            more = [cookie] if path == "/" else []
            self._send(request, 200, kind, body, ("ETag", f'"{tag}"'), *more)
        else:
            self._send(request, 404, "text/html", b"")

    @staticmethod
    def _send(
        request: BaseHTTPRequestHandler,
        status: int,
        kind: str,
        body: bytes,
        *headers: tuple[str, str],
    ) -> None:
        request.send_response(status)
        for name, value in (("Content-Type", kind), *headers):
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)
