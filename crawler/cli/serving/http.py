"""A small server side of HTTP/1.1 (RFC 9112): GET and HEAD, one for each connection.

Whatever a client sends is bounded: the head in bytes, the connection in seconds, and by
the server the number of connections. A body is not read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from contextlib import suppress
from email.utils import formatdate
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httptools
from msgspec import Struct

import hub
from hub import socket

MAX_HEAD = 16 * 2**10
"""Bytes of a request line with its header section."""
HEAD_S = 10.0
"""A head has to be complete after so long (seconds)."""
RESPONSE_S = 60.0
"""A response has to be taken after so long (seconds)."""
LINGER_S = 1.0
"""What a client sends behind its head is discarded for so long (seconds).

A connection that is closed with unread data is reset, and its client might lose the
response.
"""
_BLOCK = 4096

TEXT = "text/plain; charset=utf-8"


class Request(Struct, frozen=True):
    """The head of a request. `headers` have lower-case names."""

    method: str
    path: str
    """As it was sent, without the query."""
    headers: dict[str, str] = {}


class Response(Struct, frozen=True):
    """What is answered."""

    status: int
    content_type: str
    body: bytes
    headers: dict[str, str] = {}


def text_response(status: int, text: str = "", **headers: str) -> Response:
    """A line of text: the reason phrase, if there is no other."""
    line = text or HTTPStatus(status).phrase.lower()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, TEXT, f"{line}\n".encode(), named)


Handle = Callable[[Request], Response]


class HostNames:
    """The names that a server answers to.

    A page on the web can give its own name the address 127.0.0.1, and a browser then
    takes what is served there for that page's (DNS rebinding). So a server on a
    loopback address answers only to names of the machine itself. `names` are further
    ones; on another address all names are right if there are none.
    """

    def __init__(self, address: str, names: Collection[str] = ()) -> None:
        self._names = {_bare(name) for name in names}
        self._checks = bool(names) or ip_address(address).is_loopback

    def __contains__(self, host: str) -> bool:
        """Whether the value of a Host field is right."""
        name = _bare(host)
        return not self._checks or name in self._names or _is_own(name)


def _bare(host: str) -> str:
    """The name in a Host field: without its port, in lower case."""
    return re.sub(r":\d*$", "", host.strip()).lower().rstrip(".")


def _is_own(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761 section 6.3
        return True
    try:
        return ip_address(name.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


class _Refused(Exception):
    def __init__(self, status: int, text: str = "", **headers: str) -> None:
        super().__init__(status)
        self.response = text_response(status, text, **headers)


class Connection:
    """Answers the request of each connection with `handle`."""

    def __init__(self, handle: Handle, hosts: HostNames) -> None:
        self._handle = handle
        self._hosts = hosts

    def serve(self, connection: Any, _address: object) -> None:
        """Read a request and answer it; the caller closes the connection.

        An error of `handle` is answered with 500, and raised.
        """
        head = _Head()
        failure: Exception | None = None
        try:
            response = self._handle(self._request(connection, head))
        except _Refused as refused:
            response = refused.response
        except ConnectionError:
            return
        except Exception as error:
            failure, response = error, text_response(500)
        _send(connection, response, with_body=head.method != "HEAD")
        if failure is not None:
            raise failure

    def _request(self, connection: Any, head: _Head) -> Request:
        try:
            with hub.fail_after(HEAD_S):
                head.read(connection)
        except TimeoutError:
            raise _Refused(408) from None
        if head.method not in ("GET", "HEAD"):
            raise _Refused(405, Allow="GET, HEAD")
        hosts = [value for name, value in head.headers if name == "host"]
        if len(hosts) > 1 or not (hosts or head.version == "1.0"):
            raise _Refused(400, "bad request: one Host field is needed")
        authority, path = _split(head.target.decode("latin-1"))
        if authority:  # RFC 9112 section 3.2.2: it takes the place of Host
            hosts = [authority]
        if any(host not in self._hosts for host in hosts):
            text = f"misdirected request: {hosts[0]!r} is no name of this server"
            raise _Refused(421, f"{text} (orbweb serve --allow-host NAME)")
        return Request(head.method, path, dict(head.headers))


def _split(target: str) -> tuple[str, str]:
    """The authority of a request target, if it is absolute, and its path."""
    if target.startswith("/"):
        return "", target.partition("?")[0]
    try:
        parts = urlsplit(target)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc:
        raise _Refused(400)
    return parts.netloc.rpartition("@")[2], parts.path or "/"


class _Head:
    """The head of a request, filled by the callbacks of llhttp."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._complete = False
        self.target = b""
        self.method = ""
        self.version = ""
        self.headers: list[tuple[str, str]] = []

    def on_url(self, url: bytes) -> None:
        if not self._complete:
            self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._complete:
            pair = name.decode("latin-1").lower(), value.decode("latin-1")
            self.headers.append(pair)

    def on_headers_complete(self) -> None:
        if not self._complete:
            self.method = self._parser.get_method().decode("ascii")
            self.version = self._parser.get_http_version()
        self._complete = True

    def read(self, connection: Any) -> None:
        """Receive a whole head. Raises _Refused, ConnectionError."""
        received = 0
        while not self._complete:
            data = connection.recv(_BLOCK)
            if not data:
                raise ConnectionAbortedError("the client has closed the connection")
            received += len(data)
            if received > MAX_HEAD:
                raise _Refused(431)
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # the client goes on in HTTP/1.1 if it is not upgraded
        except httptools.HttpParserError:
            if not self._complete:
                raise _Refused(400) from None


def _send(connection: Any, response: Response, *, with_body: bool) -> None:
    fields = {
        "Date": formatdate(usegmt=True),
        "Content-Type": response.content_type,
        "Content-Length": str(len(response.body)),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Connection": "close",
        **response.headers,
    }
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    head = "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")
    with suppress(ConnectionError, TimeoutError), hub.fail_after(RESPONSE_S):
        connection.sendall(head + response.body if with_body else head)
        connection.shutdown(socket.SHUT_WR)
        _discard(connection)


def _discard(connection: Any) -> None:
    """Take what the client still sends, for a moment."""
    left = MAX_HEAD
    with hub.move_on_after(LINGER_S):
        while left > 0 and (data := connection.recv(_BLOCK)):
            left -= len(data)
