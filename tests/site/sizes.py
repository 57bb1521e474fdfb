"""Pages that are too large, in every part that can be."""

from __future__ import annotations

from tests.site.page import Page, endless, fails, keep_open, ok, truncated_at_limit
from tests.site.server import Exchange

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BLOCK = b"x" * 16384


def bytes_(exchange: Exchange) -> None:
    """As many bytes as the path says, with a Content-Length."""
    left = int(exchange.arg("1000"))
    exchange.raw(OK + b"Content-Length: %d\r\n\r\n" % left)
    while left and exchange.hit.method != "HEAD":
        part = BLOCK[: min(left, len(BLOCK))]
        exchange.raw(part)
        left -= len(part)


PAGES = [
    Page("/bytes/100000", bytes_, ok(b"x" * 100_000)),
    Page("/too-long/100000000", bytes_, truncated_at_limit()),
    Page("/endless-body", endless(OK + b"\r\n", BLOCK), truncated_at_limit()),
    Page(
        "/endless-chunks",
        endless(CHUNKED, b"4000\r\n" + BLOCK + b"\r\n"),
        truncated_at_limit(),
    ),
    Page(
        "/endless-headers",
        endless(OK, b"X-Filler: " + b"y" * 500 + b"\r\n"),
        fails("protocol", "headers"),
    ),
    Page("/endless-header", endless(OK + b"X: ", BLOCK), fails("protocol", "headers")),
    Page(
        "/endless-status",
        endless(b"HTTP/1.1 200 ", BLOCK),
        fails("protocol", "headers"),
    ),
    Page(
        "/endless-100",
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
        fails("protocol", "headers"),
    ),
    Page(
        "/endless-extension", endless(CHUNKED + b"1;", BLOCK), fails("protocol", "body")
    ),
    Page(
        "/endless-trailers",
        endless(CHUNKED + b"0\r\n", b"X: y\r\n" * 500),
        fails("protocol", "body"),
    ),
    Page(
        "/many-headers",
        keep_open(OK + b"X-Many: y\r\n" * 1000 + b"Content-Length: 2\r\n\r\nhi"),
        ok(b"hi"),
    ),
    Page(
        "/tiny-chunks",
        keep_open(CHUNKED + b"1\r\nx\r\n" * 2000 + b"0\r\n\r\n"),
        ok(b"x" * 2000),
    ),
]
