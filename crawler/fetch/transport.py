"""The transport: one exchange, on an idle or a new connection, and its listeners.

The server may close an idle connection while a request is on its way. If no byte of a
response has arrived, the request is sent once more on a new connection, at once; this
does not count as an attempt.

Redirects and errors need no body: one that breaks off, or does not end in time, counts
as empty or short. It is read at all because a new connection costs more.

The listeners are called after each exchange. Without any listener nothing is kept for
them, neither the raw head nor the facts about the connection. A listener that requested
raw bodies gets them whole: then each body is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from crawler.fetch.body_memory import LARGE, BodyMemoryLimit
from crawler.fetch.connect.connection import Connection
from crawler.fetch.connect.connector import Connector
from crawler.fetch.connect.pool import Pool, PoolStatistics
from crawler.fetch.connect.proxy import Proxies, Proxy, proxy_authorization
from crawler.fetch.deadline import Deadline
from crawler.fetch.http1.body import Body
from crawler.fetch.http1.parser import ResponseReader
from crawler.fetch.http1.request import RequestWriter
from crawler.fetch.target import Target, parse_target
from crawler.fetch.timeline import RequestTimeline
from crawler.model.errors import (
    ConnectionReset,
    Failure,
    ProtocolFailure,
    ReadTimeout,
)
from crawler.model.http import Exchange, Header, OpenSpool, Request, Response
from crawler.model.http_config import HttpConfig
from crawler.model.redact import headers_without_userinfo

if TYPE_CHECKING:
    from crawler.fetch.bandwidth import BandwidthLimiter

ExchangeListener = Callable[[Exchange], None]

MAX_OPTIONAL_S = 5.0
"""Seconds for the rest of a body that is not needed, as in Chromium."""
_BUFFER = 64 * 2**10


class ClientStatistics(Struct, frozen=True):
    """Counts since the start."""

    requests: int
    connections: int
    """Connections opened."""
    retried: int
    """Requests sent again because their idle connection was dead."""
    wire_bytes: int
    """Body bytes received, before decoding."""
    pool: PoolStatistics


class Transport:
    """Sends requests and receives their responses, with the limits of `config`.

    `secret_headers`: names (lower case) of configured headers that are secret although
    their names do not tell. `clock` returns monotonic time (seconds).
    """

    def __init__(
        self,
        config: HttpConfig,
        connector: Connector,
        writer: RequestWriter,
        proxies: Proxies | None,
        secret_headers: Collection[str],
        body_memory: BodyMemoryLimit,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._connector = connector
        self._writer = writer
        self._proxies = proxies or None  # most crawls have none
        self._secret_headers = secret_headers
        self._clock = clock
        self._listeners: list[ExchangeListener] = []
        self._transferred: bool | OpenSpool = False
        self._pool: Pool[Connection] = Pool(
            config.max_idle_per_host, config.max_idle, config.idle_timeout, clock
        )
        self._body_memory = body_memory
        self._bandwidth: BandwidthLimiter | None = None
        if config.max_rate is not None:
            from crawler.fetch.bandwidth import BandwidthLimiter  # few have a limit

            self._bandwidth = BandwidthLimiter(config.max_rate, clock)
        # All connections share one buffer, because nothing switches between receiving
        # bytes and parsing them.
        self._buffer = bytearray(
            _BUFFER if self._bandwidth is None else self._bandwidth.piece
        )
        self._view = memoryview(self._buffer)
        self._requests = self._connections = self._retried = self._wire_bytes = 0

    def on_exchange(
        self, listener: ExchangeListener, transferred: bool | OpenSpool
    ) -> None:
        """As `Client.on_exchange`."""
        self._listeners.append(listener)
        if transferred and self._transferred is not True:
            self._transferred = transferred

    def max_body(self, request: Request) -> int:
        """The size limit for the body of the response to `request` (bytes)."""
        return request.max_body or self._config.max_body

    def close_idle(self, url: str) -> None:
        """Close the idle connections that a request for `url` would use."""
        target = parse_target(url)
        self._pool.close_idle(_pool_key(target, self._choose_proxy(target)))

    def close(self) -> None:
        """Close the idle connections; the others are closed after their response."""
        self._pool.close()

    def statistics(self) -> ClientStatistics:
        return ClientStatistics(
            self._requests, self._connections, self._retried, self._wire_bytes,
            self._pool.statistics(),
        )  # fmt: skip

    def proxy_refused(self, target: Target, response: Response) -> Failure:
        """The failure for a 407, of a proxy or of a server that is not a proxy."""
        proxy = self._choose_proxy(target)
        if proxy is None:
            return ProtocolFailure("the server answered like a proxy (407)")
        from crawler.fetch.connect.tunnel import proxy_error

        return proxy_error(proxy, response.status, response.reason)

    def _choose_proxy(self, target: Target) -> Proxy | None:
        return None if self._proxies is None else self._proxies.choose(target)

    def send(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        timeline: RequestTimeline,
    ) -> Response:
        """Send `request` and return its response, decoded. Raises Failure. Switches."""
        if not self._listeners:
            return self._send(request, target, auth_headers, timeline)
        return self._send_and_notify(request, target, auth_headers, timeline)

    def _send_and_notify(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        timeline: RequestTimeline,
    ) -> Response:
        response: Response | None = None
        failure: Failure | None = None
        try:
            response = self._send(request, target, auth_headers, timeline)
            return response
        except Failure as error:
            failure = error
            raise
        finally:
            if timeline.head:
                self._notify(target, timeline, response, failure)

    def _notify(
        self,
        target: Target,
        timeline: RequestTimeline,
        response: Response | None,
        failure: Failure | None,
    ) -> None:
        exchange = Exchange(
            target.origin + target.path,
            timeline.head,
            timeline.peer,
            timeline.timings(self._clock()),
            response,
            failure,
            timeline.response_head,
            timeline.transferred,
            self._secret_headers,
            timeline.spooled,
        )
        for listener in self._listeners:
            listener(exchange)

    def _send(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        timeline: RequestTimeline,
    ) -> Response:
        proxy = self._choose_proxy(target)
        timeline.head = head = self._head(request, target, auth_headers, proxy)
        self._requests += 1
        key = _pool_key(target, proxy)
        # A POST is not sent twice (RFC 9110 section 9.2.2): it gets a new connection.
        connection = None if request.method == "POST" else self._pool.acquire(key)
        if connection is not None:
            try:
                return self._exchange(connection, request, head, timeline, proxy, True)
            except ConnectionReset:
                if timeline.first_byte is not None:
                    raise
            self._retried += 1
        connection = self._connector.connect(target, proxy, timeline)
        self._connections += 1
        return self._exchange(connection, request, head, timeline, proxy, False)

    def _head(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        proxy: Proxy | None,
    ) -> bytes:
        if proxy is None or proxy.tunnels(target):
            return self._writer.write(request, target, auth_headers)
        credentials = proxy_authorization(proxy)
        if credentials is not None:
            auth_headers = [*auth_headers, ("Proxy-Authorization", credentials)]
        return self._writer.write(request, target, auth_headers, absolute=True)

    def _exchange(
        self,
        connection: Connection,
        request: Request,
        head: bytes,
        timeline: RequestTimeline,
        proxy: Proxy | None,
        reused: bool,
    ) -> Response:
        has_listeners = bool(self._listeners)
        if has_listeners:
            timeline.peer = connection.peer(proxy, reused)
        max_body = self.max_body(request)
        reader = ResponseReader(
            request.method, self._config.max_header, max_body, has_listeners
        )
        wants = None if self._transferred else request.wants
        open_sink = request.open_sink
        body = Body(max_body, self._transferred, wants, open_sink and LARGE)
        respond = partial(
            self._response, request, reader, body, connection, timeline, reused
        )
        try:
            self._send_head(connection, head + request.content, timeline)
            while self._receive(connection, reader, body, timeline):
                assert open_sink is not None
                body.stream(open_sink(respond(body.so_far())))
            content = body.finish(reader)
        except BaseException as failure:
            connection.close()
            body_began = ("body", "decode")
            if not isinstance(failure, Failure) or failure.at_stage not in body_began:
                raise
            broken = replace(respond(body.so_far()), truncated="disconnect")
            if reader.body_is_optional:
                return broken
            if failure.retry:  # the server broke off
                timeline.broken = broken
            raise
        finally:
            body.close()
            self._wire_bytes += reader.wire_bytes
            timeline.wire_bytes += reader.wire_bytes
            if has_listeners:
                timeline.response_head = reader.raw_head
                timeline.transferred = body.transferred()
                timeline.spooled = body.spool
        if reader.reusable:
            self._pool.release(connection)
        else:
            connection.close()
        return respond(content)

    def _response(
        self,
        request: Request,
        reader: ResponseReader,
        body: Body,
        connection: Connection,
        timeline: RequestTimeline,
        reused: bool,
        content: bytes,
    ) -> Response:
        return Response(
            url=request.url,
            status=reader.status,
            reason=reader.reason,
            http_version=reader.version,
            headers=headers_without_userinfo(reader.headers),
            body=content,
            wire_bytes=reader.wire_bytes,
            timings=timeline.timings(self._clock()),
            remote_ip=connection.remote_ip,
            reused_connection=reused,
            content_encoding=body.coding,
            tolerated=reader.tolerated,
            weak_cipher=connection.weak_cipher,
            until_close=reader.until_close,
            truncated=body.truncated_by(reader),
            streamed=body.sink,
        )

    def _send_head(
        self, connection: Connection, head: bytes, timeline: RequestTimeline
    ) -> None:
        timeline.stage = "request"
        try:
            connection.send(head)
        except OSError as error:
            raise self._broken(
                connection, connection.pending_alert(error), "request"
            ) from None
        timeline.sent = self._clock()
        timeline.stage = "headers"

    def _receive(
        self,
        connection: Connection,
        reader: ResponseReader,
        body: Body,
        timeline: RequestTimeline,
        optional: bool = False,
    ) -> bool:
        """Receive the response, or its beginning: True, if a sink may take its body.

        `optional`: the rest of its body has a time limit.
        """
        receive_into, buffer, view = connection.receive_into, self._buffer, self._view
        while not reader.done and not body.truncated:
            try:
                count = receive_into(buffer)
            except OSError as error:
                raise self._broken(connection, error, timeline.stage) from None
            if not count:
                reader.feed_eof()
                return False
            if timeline.first_byte is None:
                timeline.first_byte = self._clock()
            reader.feed(view[:count])
            if reader.status:
                timeline.stage = "body"
                body.add(reader)
            if self._bandwidth is not None:
                self._bandwidth.acquire(count)
            if body.size >= body.ask_at and not body.truncated:
                return True
            if not reader.done and (body.size >= LARGE or timeline.held):
                self._body_memory.acquire(timeline, timeline.held + body.size)
            if reader.status >= 300 and not (optional or reader.done):
                optional = True
                if reader.body_is_optional:
                    with self._optional_deadline(timeline):
                        self._receive(connection, reader, body, timeline, optional)
        return False

    def _optional_deadline(self, timeline: RequestTimeline) -> Deadline:
        """The deadline for a body that is not needed; it ends before the request's."""
        seconds = MAX_OPTIONAL_S
        if self._config.timeout:
            left = self._config.timeout - (self._clock() - timeline.started)
            seconds = min(seconds, max(left / 2, 0.001))
        return Deadline(
            seconds,
            lambda: ReadTimeout(f"no end within {seconds:g} s", stage="body"),
        )

    def _broken(self, connection: Connection, error: OSError, stage: str) -> Failure:
        if isinstance(error, TimeoutError):
            return ReadTimeout(
                f"no data from the server for {self._config.read_timeout:g} s",
                stage=stage,
            )
        broken = ConnectionReset(
            f"the connection broke: {error.strerror or error}", stage=stage
        )
        return connection.connection_error(error) or broken


def _pool_key(target: Target, proxy: Proxy | None) -> str:
    return target.origin if proxy is None else proxy.pool_key(target)
