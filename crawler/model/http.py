"""Requests to a server, and its responses (RFC 9110)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Literal, Protocol

from msgspec import Struct

from crawler.model.errors import Failure
from crawler.model.reasons import Tolerated

Header = tuple[str, str]
"""Name and value."""


class Hop(Struct, frozen=True):
    """One redirect in the chain to a URL: the URL that answered, and its status."""

    url: str
    status: int


class Validators(Struct, frozen=True):
    """The validators of a response (RFC 9110 section 8.8), as the server sent them.

    A malformed one counts as not sent.
    """

    etag: str | None = None
    last_modified: str | None = None
    date: str | None = None
    """The Date of the response; shows whether `last_modified` is a strong validator."""


Wants = Callable[[list[str], bytes, int | None], bool | None]
"""Whether a body is wanted, by Content-Type, its first bytes, and its declared size.

The bytes are decoded; the size is known of bodies without a content coding. None: it
takes more bytes to decide.
"""


Truncated = Literal["length", "disconnect", "unread"]
"""Why a body is not whole (`Response.truncated`)."""


class BodySink(Protocol):
    """Takes a large body piece by piece, so that it is not held in memory.

    Each method may raise OutputError.
    """

    @property
    def path(self) -> str | None:
        """The file of the body; None: only its hash and its size are kept."""
        ...

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        ...

    def write(self, piece: bytes) -> None:
        """Append `piece`, also after a `close`."""
        ...

    def tail(self, size: int) -> bytes:
        """The last `size` bytes, or as many of them as are still known."""
        ...

    def digest(self) -> str:
        """SHA-256 of what was taken, hexadecimal."""
        ...

    def close(self) -> None:
        """Release what is open."""
        ...


class Spool(Protocol):
    """Holds a large body as it was transferred, until it is archived."""

    def __len__(self) -> int:
        """Its size (bytes)."""
        ...

    def __iter__(self) -> Iterator[bytes]:
        """Its bytes, in pieces. Raises OutputError."""
        ...

    def write(self, piece: bytes) -> None:
        """Append `piece`. Raises OutputError."""
        ...


OpenSpool = Callable[[], Spool]
"""Opens an empty spool. Raises OutputError."""

OpenSink = Callable[["Response"], BodySink | None]
"""The sink for a large body; None: the body stays in memory.

It is given the response as far as it came. Raises Failure for a body that is of no use.
"""


class Request(Struct, frozen=True):
    """A request for the client.

    Its headers are added to the client's own, with their names as given.
    """

    url: str
    method: Literal["GET", "HEAD", "POST"] = "GET"
    content: bytes = b""
    """The body of a POST. It is in no `Exchange`, so that no listener sees a secret."""
    headers: tuple[tuple[str, str], ...] = ()
    accept: str = "*/*"
    referer: str | None = None
    """The page that led here."""
    subresource: bool = False
    """A picture in that page, not a page of its own."""
    chain: tuple[str, ...] = ()
    """The URLs that redirected here, the first one first."""
    max_body: int | None = None
    """The maximum size of the body (bytes), if it differs from the client's own."""
    wants: Wants | None = None
    """Asked once about a large body; the rest of an unwanted one is not received."""
    open_sink: OpenSink | None = None
    """Asked once about a body of more than a megabyte; without it, none is streamed."""
    resume: PartialResponse | None = None
    """What an earlier request for the same URL brought; only the rest is requested."""


class Timings(Struct, frozen=True):
    """Milliseconds of each phase of one exchange; None for a phase that was skipped."""

    fetch_ms: int
    dns_ms: int | None = None
    connect_ms: int | None = None
    tls_ms: int | None = None
    ttfb_ms: int | None = None
    download_ms: int | None = None


class Response(Struct, frozen=True, dict=True):
    """One final (non-1xx) response, its content codings undone.

    Example:
        >>> from crawler import fetch
        >>> response = fetch("https://example.com/").response
        >>> print(response.status, response.header("content-type"))
        200 text/html
    """

    url: str
    status: int
    reason: str
    http_version: str
    """"1.0" or "1.1"."""
    headers: tuple[tuple[str, str], ...]
    """Header fields in order of arrival: names in lower case, values read as latin-1.

    See RFC 9110 section 5.5.
    """
    body: bytes
    """The whole body; only its beginning if it is `streamed`."""
    wire_bytes: int
    """Body bytes received, before decoding."""
    timings: Timings
    remote_ip: str | None
    reused_connection: bool
    content_encoding: str | None = None
    tolerated: tuple[Tolerated, ...] = ()
    """Faults of the response that were read over."""
    weak_cipher: str | None = None
    """Name of the TLS cipher suite, if it is weak."""
    truncated: Truncated | None = None
    """Why the body is not whole.

    "length": it went on beyond the size limit, and was cut there; "disconnect": the
    server broke off; "unread": it was not wanted.
    """
    until_close: bool = False
    """The body ended where the server closed the connection: it may not be whole."""
    resumed: bool = False
    """The connection broke, and the rest was requested on another."""
    redirects: tuple[Hop, ...] = ()
    """Redirects that the client followed itself: back to the same URL to set a cookie.

    Then `url` is where they led.
    """
    streamed: BodySink | None = None
    """Where the body is, if it was not held in memory."""

    @property
    def size(self) -> int:
        """Size of the body (bytes, decoded)."""
        return len(self.body) if self.streamed is None else self.streamed.size

    def header(self, name: str) -> str | None:
        """The first value of the header `name` (lower case), or None."""
        first: str | None = self.__dict__["first"].get(name)
        return first

    def values(self, name: str) -> list[str]:
        """All values of the header `name`, in order."""
        first: dict[str, str] = self.__dict__["first"]
        if name not in first:
            return []
        if len(first) == len(self.headers):  # most often: no name is there twice
            return [first[name]]
        return [v for n, v in self.headers if n == name]

    def __post_init__(self) -> None:
        # A dozen headers are looked up in each response; most are not there.
        self.__dict__["first"] = dict(reversed(self.headers))


class PartialResponse(Struct, frozen=True):
    """A response whose connection broke in the body, as far as that came."""

    head: Response
    validator: str
    """A strong validator: ETag or Last-Modified."""
    length: int | None
    """Size of the whole body (bytes), if it was announced."""


class TlsInfo(Struct, frozen=True):
    """What was agreed on a TLS connection."""

    version: str
    cipher: str
    resumed: bool
    """The session of an earlier connection was resumed."""
    weak: bool = False
    """The cipher suite lacks forward secrecy or authenticated encryption."""
    certificate: Mapping[str, Any] = {}
    """The server's, as `SSLSocket.getpeercert` gives it; empty if not verified."""


class Peer(Struct, frozen=True):
    """The other end of a connection: the server, or the proxy that leads to it."""

    ip: str
    port: int
    proxy: str | None = None
    """Key of the proxy whose address this is."""
    reused: bool = False
    tls: TlsInfo | None = None

    @property
    def address(self) -> str:
        return f"{self.ip} port {self.port}"


class Exchange(Struct, frozen=True):
    """One request and its response, as they were sent and received.

    Each hop is an exchange of its own: robots.txt, a redirect, an answer of 401 and the
    login after it, a part of a body. It holds the secrets that were sent; what shows an
    exchange redacts them (`crawler.fetch.exchange_text`).

    Example:
        >>> from crawler import fetch
        >>> exchange = fetch("https://example.com/").exchange
        >>> print(exchange.method, exchange.url, exchange.response.status)
        GET https://example.com/ 200
    """

    url: str
    request_head: bytes
    """Request line and headers as they were sent, or were to be sent."""
    peer: Peer | None
    """None if no connection was made."""
    timings: Timings
    response: Response | None = None
    """None if none came, or not all of it; `failure` tells why."""
    failure: Failure | None = None
    """None with no response either: the request was given up before its end."""
    response_head: bytes = b""
    """Status line and headers as they were received, empty line included."""
    transferred: bytes | None = None
    """The body with its content codings, but without transfer coding.

    None unless a listener requested raw bodies.
    """
    secret_headers: Collection[str] = ()
    """Names (lower case) of headers that hold a secret beside those that look so."""
    spooled: Spool | None = None
    """What `transferred` would be, of a body that is too large for memory."""

    @property
    def method(self) -> str:
        return self.request_head.partition(b" ")[0].decode("latin-1")
