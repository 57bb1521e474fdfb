"""Pages that misbehave below HTTP: silence, slowness, resets, stale connections."""

from __future__ import annotations

import threading

from tests.site.page import Page, endless, fails, keep_open, ok, raw
from tests.site.server import Exchange

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
TEN = OK + b"Content-Length: 10\r\n\r\n"
LATE_RESPONSE_SENT = threading.Event()
"""Set when the late response has been sent."""


def slow(exchange: Exchange) -> None:
    """Send nothing for as many seconds as the path says, then a page."""
    exchange.sleep(float(exchange.arg("0.3")))
    exchange.reply("<p>slow")


def silent(exchange: Exchange) -> None:
    exchange.sleep(60)


def drip(exchange: Exchange) -> None:
    """Send as many bytes as the path says, each within the read timeout."""
    count = int(exchange.arg("20"))
    exchange.raw(OK + b"Content-Length: %d\r\n\r\n" % count)
    exchange.raw(*[b"x"] * count, pause=0.02)


def slices(exchange: Exchange) -> None:
    """A whole response, one byte at a time."""
    message = (
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n, site\r\n0\r\n\r\n"
    )
    exchange.raw(*(message[i : i + 1] for i in range(len(message))), pause=0.001)


def reset(exchange: Exchange) -> None:
    exchange.reset()


def reset_in_body(exchange: Exchange) -> None:
    exchange.raw(TEN + b"half")
    exchange.sleep(0.05)
    exchange.reset()


def stale(exchange: Exchange) -> None:
    """Answers, promises to keep the connection, and closes it at the next request."""
    earlier = [
        hit
        for hit in exchange.site.log[:-1]
        if hit.connection == exchange.hit.connection
    ]
    if earlier:
        exchange.close()
    exchange.reply("<p>once per connection")


def closes_after(exchange: Exchange) -> None:
    """Answers, and closes without announcing it."""
    exchange.reply("<p>and goes")
    exchange.close()


def late_response(exchange: Exchange) -> None:
    """Answers, and a little later sends a response that no request belongs to.

    A client that has sent its next request by then can't tell, so the index does not
    list this page.
    """
    exchange.reply("<p>first")
    exchange.sleep(0.05)
    exchange.raw(OK + b"Content-Length: 6\r\n\r\npoison")
    LATE_RESPONSE_SENT.set()


def echo(exchange: Exchange) -> None:
    """The request's header fields in order, one on each line."""
    lines = [f"{name}: {value}" for name, value in exchange.hit.headers.items()]
    exchange.reply("\n".join([f"{exchange.hit.method} {exchange.hit.target}", *lines]),
                   "text/plain")  # fmt: skip


PAGES = [
    Page("/slow/0.3", slow, ok(b"<p>slow")),
    Page("/silent", silent, fails("read_timeout", "headers")),
    Page("/silent-after-head", endless(TEN, b"", 60), fails("read_timeout", "body")),
    Page(
        "/silent-in-head",
        endless(b"HTTP/1.1 200", b"", 60),
        fails("read_timeout", "headers"),
    ),
    Page("/drip/20", drip, ok(b"x" * 20)),
    Page(
        "/drip-endless",
        endless(OK + b"\r\n", b"x", 0.05),
        fails("total_timeout", "body", 4),
    ),
    Page(
        "/drip-headers",
        endless(OK, b"X: y\r\n", 0.05),
        fails("total_timeout", "headers", 4),
    ),
    Page("/slices", slices, ok(b"hello, site")),
    Page("/drop", raw(), fails("reset", "headers")),
    Page("/drop-in-status", raw(b"HTTP/1.1 20"), fails("reset", "headers")),
    Page("/drop-in-head", raw(OK + b"X-Half: "), fails("reset", "headers")),
    Page("/drop-in-body", raw(TEN + b"half"), fails("reset", "body")),
    Page(
        "/drop-after-100",
        raw(b"HTTP/1.1 100 Continue\r\n\r\n"),
        fails("reset", "headers"),
    ),
    Page("/reset", reset, fails("reset", "headers")),
    Page("/reset-in-body", reset_in_body, fails("reset", "body")),
    Page("/stale", stale, ok(b"<p>once per connection")),
    Page("/closes-after", closes_after, ok(b"<p>and goes")),
    Page("/late-response", late_response, listed=False),
    Page("/until-close", raw(OK + b"\r\n<p>until the end"), ok(b"<p>until the end")),
    Page(
        "/keep-alive-1.0",
        keep_open(
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"
        ),
        ok(b"hi"),
    ),
    Page("/http-1.0", raw(b"HTTP/1.0 200 OK\r\n\r\nold"), ok(b"old")),
    Page("/echo", echo, ok()),
]
