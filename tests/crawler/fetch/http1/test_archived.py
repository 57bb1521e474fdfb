"""Responses as archives have them, whatever the archiving program made of them."""

from __future__ import annotations

import gzip

import brotli
import pytest

from crawler.fetch.http1.archived import read_archived
from crawler.model.errors import DecodeFailure, ProtocolFailure
from crawler.model.http import Response

HTML = b"<!doctype html><p>a page"


def read(message: bytes, limit: int = 1000, truncated: object = None) -> Response:
    return read_archived("http://a/", message, 500, limit, truncated)  # type: ignore[arg-type]


def message(body: bytes, *lines: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    return "\r\n".join([status, *lines, "", ""]).encode() + body


CHUNKED = "Transfer-Encoding: chunked"
CHUNKS = b"5\r\n%s\r\n13\r\n%s\r\n0\r\n\r\n" % (HTML[:5], HTML[5:])
ZIPPED = "Content-Encoding: gzip"


@pytest.mark.parametrize(
    "archived",
    [
        message(HTML),
        message(HTML, f"Content-Length: {len(HTML)}"),
        message(CHUNKS, CHUNKED),
        message(HTML, CHUNKED),  # pywb and others take the chunks off
        message(gzip.compress(HTML), ZIPPED),
        message(HTML, ZIPPED, "Content-Length: 9"),  # it was decoded
        message(HTML, "Content-Encoding: br"),
        message(brotli.compress(HTML), "Content-Encoding: br", "Content-Length: 3"),
        message(HTML, "Content-Length: 3"),  # of another form of the body
        message(HTML, status="HTTP/2 200"),
        b"HTTP/1.1 100 Continue\r\n\r\n" + message(HTML),
        b"HTTP/1.0 200 OK\n\n" + HTML,
    ],
)
def test_the_body_is_what_was_archived(archived: bytes) -> None:
    response = read(archived)
    assert (response.status, response.body, response.truncated) == (200, HTML, None)


def test_a_body_that_is_not_whole() -> None:
    assert read(message(HTML[:9], f"Content-Length: {len(HTML)}")).truncated == (
        "disconnect"
    )
    cut = read(message(CHUNKS[:-9], CHUNKED))
    assert (cut.truncated, HTML.startswith(cut.body)) == ("disconnect", True)
    zipped = read(message(gzip.compress(HTML * 9)[:30], ZIPPED), truncated="length")
    assert (zipped.truncated, zipped.body[:3]) == ("length", HTML[:3])
    assert read(message(HTML), 9).body == HTML[:9]
    bomb = read(message(gzip.compress(bytes(10**6)), ZIPPED), 2000)
    assert (bomb.truncated, len(bomb.body)) == ("length", 2000)


def test_what_no_client_reads() -> None:
    for head in (b"", b"<html>", b"HTTP/1.1 200 OK\r\nX: y", b"HTTP/1.1 200\r\n" * 99):
        with pytest.raises(ProtocolFailure):
            read(head)
    damaged = gzip.compress(HTML * 99)
    with pytest.raises(DecodeFailure):
        read(message(damaged[:-8] + b"########", ZIPPED), 9999)
    missing = message(damaged[:-8], ZIPPED, status="HTTP/1.1 404 No")
    assert read(missing, 9999).body == b""
