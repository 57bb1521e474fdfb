"""Pages that break the syntax and framing of HTTP/1.1 (RFC 9112)."""

from __future__ import annotations

from tests.site.page import Expect, Page, fails, ok, raw
from tests.site.server import Exchange

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HEAD_FAULT = fails("protocol", "headers")
BODY_FAULT = fails("protocol", "body")

MESSAGES: dict[str, tuple[bytes, Expect]] = {
    "bad-chunk": (CHUNKED + b"3\r\nabc\r\nzz\r\n", BODY_FAULT),
    "bad-chunk-end": (CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n", BODY_FAULT),
    "bad-chunk-negative": (CHUNKED + b"-3\r\nabc\r\n", BODY_FAULT),
    "bad-chunk-0x": (CHUNKED + b"0x3\r\nabc\r\n", BODY_FAULT),
    "bad-chunk-overflow": (CHUNKED + b"1" + b"0" * 20 + b"\r\nabc\r\n", BODY_FAULT),
    "bad-chunk-lf": (CHUNKED + b"3\nabc\n0\n\n", ok(b"abc")),
    "chunks-cut": (CHUNKED + b"3\r\nabc\r\n", fails("reset", "body")),
    "chunk-cut": (CHUNKED + b"ff\r\nabc", fails("reset", "body")),
    "chunk-extension": (CHUNKED + b"3;a=b\r\nabc\r\n0\r\n\r\n", ok(b"abc")),
    "chunk-padded": (CHUNKED + b"3  \r\nabc\r\n0\r\n\r\n", ok(b"abc")),
    "trailers": (CHUNKED + b"3\r\nabc\r\n0\r\nX: y\r\n\r\n", ok(b"abc")),
    "length-and-chunked": (
        OK
        + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"3\r\nabc\r\n0\r\n\r\n",
        ok(b"abc"),
    ),
    "two-lengths": (
        OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        HEAD_FAULT,
    ),
    "equal-lengths": (OK + b"Content-Length: 3\r\n" * 2 + b"\r\nabcde", ok(b"abc")),
    "lone-cr-length": (
        OK + b"X: a\rContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc",
        HEAD_FAULT,
    ),
    "length-list": (OK + b"Content-Length: 3, 5\r\n\r\nabcde", HEAD_FAULT),
    "length-negative": (OK + b"Content-Length: -1\r\n\r\nabc", HEAD_FAULT),
    "length-word": (OK + b"Content-Length: three\r\n\r\nabc", HEAD_FAULT),
    "length-overflow": (
        OK + b"Content-Length: 99999999999999999999\r\n\r\nabc",
        HEAD_FAULT,
    ),
    "longer-than-length": (OK + b"Content-Length: 3\r\n\r\nabcdef", ok(b"abc")),
    "shorter-than-length": (
        OK + b"Content-Length: 6\r\n\r\nabc",
        fails("reset", "body"),
    ),
    "transfer-gzip": (
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD_FAULT,
    ),
    "chunked-twice": (
        OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        ok(b""),
    ),
    "response-twice": ((OK + b"Content-Length: 3\r\n\r\nabc") * 2, ok(b"abc")),
    "100-first": (
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 3\r\n\r\nabc",
        ok(b"abc"),
    ),
    "103-first": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        + OK
        + b"Content-Length: 3\r\n\r\nabc",
        ok(b"abc"),
    ),
    "101": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", HEAD_FAULT),
    "204-with-body": (
        b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
        ok(b"", 204),
    ),
    "no-status": (b"HTTP/1.1 OK\r\n\r\n", HEAD_FAULT),
    "status-99": (b"HTTP/1.1 99 Low\r\n\r\n", HEAD_FAULT),
    "status-1000": (b"HTTP/1.1 1000 High\r\n\r\n", HEAD_FAULT),
    "no-reason": (b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", ok(b"abc")),
    "not-http": (b"SSH-2.0-OpenSSH_9.2\r\n", HEAD_FAULT),
    "http-0.9": (b"<html>only a body", HEAD_FAULT),
    "http-2": (b"HTTP/2 200\r\n\r\n", ok(b"")),
    "lone-lf": (b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc", ok(b"abc")),
    "lone-cr": (OK + b"X: a\rb\r\n\r\n", ok(b"")),
    "nul-in-header": (OK + b"X: a\0b\r\n\r\n", HEAD_FAULT),
    "no-colon": (OK + b"just words\r\n\r\n", ok(b"")),
    "space-before-colon": (OK + b"Content-Length : 3\r\n\r\nabc", ok(b"abc")),
    "folded": (OK + b"X: a\r\n b\r\nContent-Length: 3\r\n\r\nabc", ok(b"abc")),
    "latin1-header": (OK + b"X: caf\xe9\r\nContent-Length: 3\r\n\r\nabc", ok(b"abc")),
    "utf8-reason": (
        "HTTP/1.1 200 Žluťoučký\r\nContent-Length: 3\r\n\r\nabc".encode(),
        ok(b"abc"),
    ),
    "empty-line-first": (b"\r\n" + OK + b"\r\n", ok(b"")),
    "random": (bytes(range(128, 256)) * 4, HEAD_FAULT),
}


def left_open(exchange: Exchange) -> None:
    """Send the message that the path names, and keep the connection open.

    A client that takes a bad message for a good one misreads the next response.
    """
    exchange.raw(MESSAGES[exchange.arg("")][0])


PAGES = [
    Page("/" + name, raw(message), expect)
    for name, (message, expect) in MESSAGES.items()
]
PAGES += [
    Page("/left-open/" + name, left_open, MESSAGES[name][1])
    for name in (
        "longer-than-length",
        "response-twice",
        "length-and-chunked",
        "204-with-body",
        "bad-chunk",
        "two-lengths",
        "equal-lengths",
        "space-before-colon",
        "bad-chunk-lf",
        "lone-lf",
        "chunk-extension",
        "trailers",
    )
]
