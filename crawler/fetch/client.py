"""The HTTP client: one exchange at a time, within one budget, and failures with a code
and a stage.

    client = Client(config.http, named_hosts={"example.com"})
    response = client.fetch(Request("https://example.com/"))

Here, and nowhere else, a request's Timeout is owned: the budgets for the name, the
connection, silence and the whole become failures of `crawler.model.errors`. A Timeout
that is not ours (a caller's) passes through. Redirects are not followed: they are
links, and have their own road. The exception is a redirect back to a URL of its own
chain after a cookie was set: that URL is known and done, and only here it is known that
the answer will be another.

A kept connection may have been closed by the server while the request was on its way.
If no byte of an answer came, the request is sent once more, at once, on a new
connection; that is not an attempt.

A connection that breaks in the middle of a large body is not the end of it either: the
rest is asked for at once, where the server has given a strong validator, a few times
and within the same budget. What had come lives as long as the fetch and nowhere else;
whatever does not fit to the byte is thrown away, and the whole is asked for instead
(`conditional.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from secrets import token_hex

from msgspec import Struct
from msgspec.structs import replace

from crawler.fetch.auth.session_auth import SessionAuth
from crawler.fetch.bandwidth import BandwidthLimiter
from crawler.fetch.body_memory import LARGE, BodyMemoryLimit
from crawler.fetch.conditional import (
    PartialResponse,
    extend,
    merge,
    resumable,
    resume_range,
)
from crawler.fetch.connect.connection import Connection
from crawler.fetch.connect.connector import Connector
from crawler.fetch.connect.guard import AddressGuard
from crawler.fetch.connect.pool import Pool, PoolStatistics
from crawler.fetch.connect.proxy import Proxies, Proxy, proxy_authorization
from crawler.fetch.connect.tunnel import proxy_error
from crawler.fetch.cookies.jar import CookieJar
from crawler.fetch.deadline import Deadline
from crawler.fetch.dns.resolver import open_resolver
from crawler.fetch.dns.system import Mapped, Resolver
from crawler.fetch.http1.body import Body
from crawler.fetch.http1.parser import ResponseReader
from crawler.fetch.http1.request import RequestWriter
from crawler.fetch.target import Target, parse_target
from crawler.fetch.timeline import RequestTimeline
from crawler.fetch.trace import Exchange
from crawler.model.config import HttpConfig
from crawler.model.errors import (
    ConnectionReset,
    Failure,
    ProtocolFailure,
    ReadTimeout,
    TotalTimeout,
)
from crawler.model.http import Header, Hop, Request, Response

MAX_EXCHANGES = 5
"""Of one fetch: with credentials, and back along the redirects."""
MAX_RESUMES = 3
"""Of one body, each of which must have brought it on."""
_BUFFER = 64 * 2**10


class ClientStatistics(Struct, frozen=True):
    """Counts since the start."""

    requests: int
    connections: int
    """Connections opened."""
    retried: int
    """Requests sent again because their kept connection was dead."""
    wire_bytes: int
    """Body bytes received, before decoding."""
    pool: PoolStatistics


class Client:
    """Fetches URLs with the limits of `config`. For the greenlets of one hub.

    `named_hosts`: hosts that the user named (the seeds'): the address guard lets them
    pass. `identity`: cookies and credentials, and the origins that may see secrets;
    without one there are none but the cookies that servers set. `proxies`: the ways
    that are not straight. `secret_headers`: of the configuration, in lower case, beside
    those that are secret by name. `trace`: is told of each exchange, may be set later.
    `clock`: seconds, monotonic.
    """

    def __init__(
        self,
        config: HttpConfig,
        *,
        named_hosts: Collection[str] = (),
        identity: SessionAuth | None = None,
        proxies: Proxies | None = None,
        secret_headers: Collection[str] = (),
        trace: Callable[[Exchange], None] | None = None,
        resolver: Resolver | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._clock = clock
        self._identity = identity or SessionAuth(
            CookieJar(), (), None, {}, time.time, token_hex
        )
        self._secret_headers = secret_headers
        self.trace = trace
        self._proxies = proxies or None  # most crawls have none, and never ask
        mapped = Mapped(config.resolve)
        trusted = self._identity.trusted
        allowed = (*config.allow_net, *mapped.of_all)
        guard = AddressGuard(allowed, mapped.hosts.union(named_hosts), trusted)
        self._connector = Connector(
            config, resolver or open_resolver(config, clock), guard, trusted, clock
        )
        self._pool: Pool[Connection] = Pool(
            config.max_idle_per_host, config.max_idle, config.idle_timeout, clock
        )
        self._writer = RequestWriter(config, trusted, secret_headers)
        self._body_memory = BodyMemoryLimit(config.max_in_flight)
        self._bandwidth = (
            None
            if config.max_rate is None
            else BandwidthLimiter(config.max_rate, clock)
        )
        # One buffer for all: nothing switches between a receive and the reading of its
        # bytes.
        self._buffer = bytearray(
            _BUFFER if self._bandwidth is None else self._bandwidth.piece
        )
        self._view = memoryview(self._buffer)
        self._requests = self._connections = self._retried = self._wire_bytes = 0

    def fetch(self, request: Request) -> Response:
        """The final response to `request`, decoded. Raises Failure."""
        target = parse_target(request.url)
        progress = RequestTimeline(self._clock())
        try:
            with Deadline(self._config.timeout, lambda: self._timeout_error(progress)):
                return self._converse(request, target, progress)
        except Failure as failure:
            failure.wire_bytes = progress.wire_bytes
            raise
        finally:
            self._body_memory.release(progress)

    def _timeout_error(self, progress: RequestTimeline) -> TotalTimeout:
        seconds = self._config.timeout
        return TotalTimeout(f"not complete within {seconds:g} s", stage=progress.stage)

    def close_idle(self, url: str) -> None:
        """Close the idle connections to the origin of `url`: it will not be asked for a
        while."""
        target = parse_target(url)
        proxy = self._proxies.choose(target) if self._proxies is not None else None
        self._pool.close_idle(
            target.origin if proxy is None else proxy.pool_key(target)
        )

    def close(self) -> None:
        """Close the idle connections; those in use are closed when their response has
        come."""
        self._pool.close()

    def statistics(self) -> ClientStatistics:
        return ClientStatistics(
            self._requests,
            self._connections,
            self._retried,
            self._wire_bytes,
            self._pool.statistics(),
        )

    def _converse(
        self, request: Request, target: Target, progress: RequestTimeline
    ) -> Response:
        """One exchange; more where the server asks who we are, or sends us back with a
        cookie."""
        identity = self._identity
        hops: tuple[Hop, ...] = ()
        for left in reversed(range(MAX_EXCHANGES)):
            auth_headers = identity.headers(request, target)
            response = self._ask_for_all(request, target, auth_headers, progress)
            if response.status == 407:
                raise self._refused(target, response)
            identity.store_cookies(request, target, response)
            if response.status < 300 or not left:
                break
            if 300 <= response.status < 400:
                goal = identity.redirect_after_cookie(request, response, auth_headers)
                if goal is None:
                    break
                hops = (*hops, Hop(request.url, response.status))
                request = replace(
                    request, url=goal, chain=(*request.chain, request.url)
                )
                target = parse_target(goal)
            elif response.status != 401 or not identity.handle_challenge(
                target, response, auth_headers
            ):
                break
            progress.again()
        return replace(response, redirects=hops) if hops else response

    def _refused(self, target: Target, response: Response) -> Failure:
        proxy = self._proxies.choose(target) if self._proxies is not None else None
        if proxy is None:
            return ProtocolFailure(
                "the server answered like a proxy (407)", stage="headers"
            )
        return proxy_error(proxy, response.status, response.reason)

    def _ask_for_all(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        progress: RequestTimeline,
    ) -> Response:
        """One exchange, and if its body breaks off as many as it takes to get the
        rest."""
        try:
            return self._ask(request, target, auth_headers, progress)
        except (ConnectionReset, ReadTimeout) as failure:
            part = None if progress.broken is None else resumable(progress.broken)
            if part is None:
                raise
            return self._go_on(request, target, progress, part, failure)

    def _go_on(
        self,
        request: Request,
        target: Target,
        progress: RequestTimeline,
        part: PartialResponse,
        failure: Failure,
    ) -> Response:
        """The whole that `part` is the beginning of, or that has taken its place
        since."""
        for _ in range(MAX_RESUMES):
            rest = replace(request, headers=resume_range(part, request.headers))
            progress.held = len(part.head.body)
            try:
                answer = self._ask_again(rest, target, progress)
            except (ConnectionReset, ReadTimeout) as again:
                more = (
                    None if progress.broken is None else extend(part, progress.broken)
                )
                if more is None:
                    raise
                part, failure = more, again
                continue
            if answer.status == 200:
                return answer
            if (whole := merge(part, answer, self._most_of(request))) is not None:
                return whole
            if answer.status not in (206, 416):
                break
            progress.held = 0
            return self._ask_again(request, target, progress)
        raise failure

    def _most_of(self, request: Request) -> int:
        """Bytes that its body may have."""
        return request.max_body or self._config.max_body

    def _ask_again(
        self, request: Request, target: Target, progress: RequestTimeline
    ) -> Response:
        progress.again()
        return self._ask(
            request, target, self._identity.headers(request, target), progress
        )

    def _ask(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        progress: RequestTimeline,
    ) -> Response:
        if self.trace is None:
            return self._ask_once(request, target, auth_headers, progress)
        return self._ask_and_tell(request, target, auth_headers, progress)

    def _ask_and_tell(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        progress: RequestTimeline,
    ) -> Response:
        response: Response | None = None
        failure: Failure | None = None
        try:
            response = self._ask_once(request, target, auth_headers, progress)
            return response
        except Failure as error:
            failure = error
            raise
        finally:
            if self.trace is not None and progress.head:
                times = progress.timings(self._clock())
                head, peer, secret = progress.head, progress.peer, self._secret_headers
                self.trace(
                    Exchange(
                        target.origin, head, peer, times, response, failure, secret
                    )
                )

    def _ask_once(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        progress: RequestTimeline,
    ) -> Response:
        proxy = self._proxies.choose(target) if self._proxies is not None else None
        progress.head = head = self._head(request, target, auth_headers, proxy)
        self._requests += 1
        connection = self._pool.acquire(
            target.origin if proxy is None else proxy.pool_key(target)
        )
        if connection is not None:
            try:
                return self._exchange(
                    connection, request, head, progress, proxy, reused=True
                )
            except ConnectionReset:
                if progress.first_byte is not None:
                    raise
            self._retried += 1
        connection = self._connector.connect(target, proxy, progress)
        self._connections += 1
        return self._exchange(connection, request, head, progress, proxy, reused=False)

    def _head(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        proxy: Proxy | None,
    ) -> bytes:
        if proxy is None or proxy.tunnels(target):
            return self._writer.write(request, target, auth_headers)
        proof = proxy_authorization(proxy)
        if proof is not None:
            auth_headers = [*auth_headers, ("Proxy-Authorization", proof)]
        return self._writer.write(request, target, auth_headers, absolute=True)

    def _exchange(
        self,
        connection: Connection,
        request: Request,
        head: bytes,
        progress: RequestTimeline,
        proxy: Proxy | None,
        reused: bool,
    ) -> Response:
        if self.trace is not None:
            progress.peer = connection.peer(proxy, reused)
        max_body = self._most_of(request)
        reader = ResponseReader(request.method, self._config.max_header, max_body)
        body = Body(max_body)
        try:
            self._send(connection, head, progress)
            self._receive(connection, reader, body, progress)
            content = body.finish(reader)
        except BaseException as error:
            connection.close()
            if isinstance(error, (ConnectionReset, ReadTimeout)) and reader.status:
                progress.broken = self._response(
                    request, reader, body, body.so_far(), connection, progress, reused
                )
            raise
        finally:
            self._wire_bytes += reader.wire_bytes
            progress.wire_bytes += reader.wire_bytes
        if reader.reusable:
            self._pool.release(connection)
        else:
            connection.close()
        return self._response(
            request, reader, body, content, connection, progress, reused
        )

    def _response(
        self,
        request: Request,
        reader: ResponseReader,
        body: Body,
        content: bytes,
        connection: Connection,
        progress: RequestTimeline,
        reused: bool,
    ) -> Response:
        return Response(
            url=request.url,
            status=reader.status,
            reason=reader.reason,
            http_version=reader.version,
            headers=tuple(reader.headers),
            body=content,
            wire_bytes=reader.wire_bytes,
            timings=progress.timings(self._clock()),
            remote_ip=connection.remote_ip,
            reused_connection=reused,
            content_encoding=body.coding,
            truncated="length" if reader.truncated or body.truncated else None,
        )

    def _send(
        self, connection: Connection, head: bytes, progress: RequestTimeline
    ) -> None:
        progress.stage = "request"
        try:
            connection.send(head)
        except OSError as error:
            raise self._broken(
                connection, connection.pending_alert(error), "request"
            ) from None
        progress.sent = self._clock()
        progress.stage = "headers"

    def _receive(
        self,
        connection: Connection,
        reader: ResponseReader,
        body: Body,
        progress: RequestTimeline,
    ) -> None:
        receive_into, buffer, view = connection.receive_into, self._buffer, self._view
        while not reader.done and not body.truncated:
            try:
                count = receive_into(buffer)
            except OSError as error:
                raise self._broken(connection, error, progress.stage) from None
            if not count:
                reader.feed_eof()
                return
            if progress.first_byte is None:
                progress.first_byte = self._clock()
            reader.feed(view[:count])
            if reader.status:
                progress.stage = "body"
                body.add(reader)
                if not reader.done and (body.size >= LARGE or progress.held):
                    self._body_memory.acquire(progress, progress.held + body.size)
            if self._bandwidth is not None:
                self._bandwidth.acquire(count)

    def _broken(self, connection: Connection, error: OSError, stage: str) -> Failure:
        if isinstance(error, TimeoutError):
            return ReadTimeout(
                f"not a byte from the server for {self._config.read_timeout:g} s",
                stage=stage,
            )
        broken = ConnectionReset(
            f"the connection broke: {error.strerror or error}", stage=stage
        )
        return connection.connection_error(error) or broken
