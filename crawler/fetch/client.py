"""The HTTP client: from a Request to its final Response, within one deadline.

    client = Client(config.http, named_hosts={"example.com"})
    response = client.fetch(Request("https://example.com/"))

Only this module sets the deadline of a request. Timeouts (DNS, connecting, silence, the
whole request) become failures of `crawler.model.errors`, each with a code and a stage.
A Timeout of a caller passes through unchanged.

Redirects are not followed, because they are links and pass through the frontier. The
exception is a redirect back into its own chain after a cookie was set: the frontier has
seen that URL already, and only the client knows that the response will be different.

If a connection breaks in the middle of a large body and the server has sent a strong
validator, the rest is requested at once, a few times and within the same deadline. If
the rest does not fit exactly, it is dropped and the whole is requested again
(`conditional.py`). A body that is streamed can also go on where an earlier request, of
another attempt or another process, has left it (`Request.resume`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection

from msgspec.structs import replace

from crawler.fetch.auth.session_auth import SessionAuth
from crawler.fetch.body_memory import LARGE, BodyMemoryLimit
from crawler.fetch.conditional import (
    UnfitRange,
    extend,
    merge,
    resumable,
    resume_range,
    sink_of_rest,
    streamed,
)
from crawler.fetch.connect.connector import Connector
from crawler.fetch.connect.guard import AddressGuard
from crawler.fetch.connect.proxy import Proxies
from crawler.fetch.cookies.jar import CookieJar
from crawler.fetch.deadline import Deadline
from crawler.fetch.dns.resolver import open_resolver
from crawler.fetch.dns.system import Mapped, Resolver
from crawler.fetch.http1.request import RequestWriter
from crawler.fetch.target import Target, parse_target
from crawler.fetch.timeline import RequestTimeline
from crawler.fetch.transport import ClientStatistics, ExchangeListener, Transport
from crawler.model.errors import (
    ConnectionReset,
    DecodeFailure,
    Failure,
    ReadTimeout,
    TotalTimeout,
)
from crawler.model.http import (
    Header,
    Hop,
    OpenSpool,
    PartialResponse,
    Request,
    Response,
)
from crawler.model.http_config import HttpConfig

MAX_EXCHANGES = 5
"""Exchanges of one fetch: challenges, and redirects after a cookie."""
MAX_RESUMES = 3
"""Range requests for one body; each must extend it."""


class Client:
    """Fetches URLs with the limits of `config`, for the greenlets of one hub.

    `named_hosts`: hosts that the user named, which the address guard allows. `auth`:
    cookies, credentials and the trusted origins; without it there are only the cookies
    that servers set. `proxies`: which proxy a URL goes through. `secret_headers`: names
    (lower case) of configured headers that are secret although their names do not tell.
    `clock` returns monotonic time (seconds).
    """

    def __init__(
        self,
        config: HttpConfig,
        *,
        named_hosts: Collection[str] = (),
        auth: SessionAuth | None = None,
        proxies: Proxies | None = None,
        secret_headers: Collection[str] = (),
        resolver: Resolver | None = None,
        body_memory: BodyMemoryLimit | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._clock = clock
        self._auth = auth or SessionAuth(
            CookieJar(), (), None, {}, time.time, lambda: os.urandom(16).hex()
        )
        mapped = Mapped(config.resolve)
        trusted = self._auth.trusted
        allowed = (*config.allow_net, *mapped.wildcard_addresses)
        guard = AddressGuard(allowed, mapped.hosts.union(named_hosts), trusted)
        connector = Connector(
            config, resolver or open_resolver(config, clock), guard, trusted, clock
        )
        writer = RequestWriter(config, trusted, secret_headers)
        self._body_memory = body_memory or BodyMemoryLimit(config.max_in_flight)
        self._transport = Transport(
            config,
            connector,
            writer,
            proxies,
            secret_headers,
            self._body_memory,
            clock,
        )

    def on_exchange(
        self, listener: ExchangeListener, *, transferred: bool | OpenSpool = False
    ) -> None:
        """Call `listener` after each exchange from now on.

        `transferred`: exchanges also contain the body as it was transferred; where a
        spool can be opened, a large one is in such a spool.
        """
        self._transport.on_exchange(listener, transferred)

    def fetch(self, request: Request) -> Response:
        """Return the final response to `request`, decoded. Raises Failure. Switches."""
        target = parse_target(request.url)
        timeline = RequestTimeline(self._clock())
        try:
            with Deadline(self._config.timeout, lambda: self._timeout_error(timeline)):
                return self._exchange(request, target, timeline)
        except Failure as failure:
            failure.wire_bytes = timeline.wire_bytes
            if timeline.broken is not None and timeline.broken.body:
                failure.partial = timeline.broken
            raise
        finally:
            self._body_memory.release(timeline)

    def close_idle(self, url: str) -> None:
        """Close the idle connections to the origin of `url`, which is backing off."""
        self._transport.close_idle(url)

    def close(self) -> None:
        """Close the idle connections; the others are closed after their response."""
        self._transport.close()

    def statistics(self) -> ClientStatistics:
        return self._transport.statistics()

    def _timeout_error(self, timeline: RequestTimeline) -> TotalTimeout:
        seconds = self._config.timeout
        return TotalTimeout(f"not complete within {seconds:g} s", stage=timeline.stage)

    def _exchange(
        self, request: Request, target: Target, timeline: RequestTimeline
    ) -> Response:
        """Exchange until no challenge or redirect after a cookie is left to answer."""
        auth = self._auth
        hops: tuple[Hop, ...] = ()
        for left in reversed(range(MAX_EXCHANGES)):
            auth_headers = auth.headers(request, target)
            response = self._fetch_whole(request, target, auth_headers, timeline)
            if response.status == 407:
                raise self._transport.proxy_refused(target, response)
            auth.store_cookies(request, target, response)
            if response.status < 300 or not left:
                break
            if 300 <= response.status < 400:
                if request.method == "POST":
                    break
                url = auth.redirect_after_cookie(request, response, auth_headers)
                if url is None:
                    break
                hops = (*hops, Hop(request.url, response.status))
                chain = (*request.chain, request.url)
                request = replace(request, url=url, chain=chain, resume=None)
                target = parse_target(url)
            elif response.status != 401 or not auth.handle_challenge(
                target, response, auth_headers
            ):
                break
            timeline.restart()
        return replace(response, redirects=hops) if hops else response

    def _fetch_whole(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        timeline: RequestTimeline,
    ) -> Response:
        """Send the request; if the body breaks off, resume it where possible."""
        if request.resume is not None:
            return self._resume(request, target, timeline, request.resume, None)
        try:
            return self._transport.send(request, target, auth_headers, timeline)
        except (ConnectionReset, ReadTimeout) as failure:
            part = None if timeline.broken is None else resumable(timeline.broken)
            if part is None or request.method == "POST":
                raise
            if part.length is None or part.length >= LARGE:
                part = streamed(part, request.open_sink)
            return self._resume(request, target, timeline, part, failure)

    def _resume(
        self,
        request: Request,
        target: Target,
        timeline: RequestTimeline,
        part: PartialResponse,
        failure: Failure | None,
    ) -> Response:
        """Return the body that begins with `part`, or the one that has replaced it.

        `failure`: by which this request broke off; None if it was an earlier one.
        """
        max_body = self._transport.max_body(request)
        for _ in range(MAX_RESUMES):
            rest = replace(
                request,
                headers=resume_range(part, request.headers),
                open_sink=sink_of_rest(part, request.open_sink, max_body),
            )
            timeline.held = 0 if part.head.streamed else len(part.head.body)
            try:
                answer = self._send_again(rest, target, timeline)
            except (UnfitRange, DecodeFailure):  # the latter: of the coded form
                return self._send_again(request, target, timeline)
            except (ConnectionReset, ReadTimeout) as again:
                broken = timeline.broken
                more = None if broken is None else extend(part, broken)
                if broken is None or broken.status != 200 or not part.head.streamed:
                    timeline.broken = (more or part).head
                if more is None:
                    raise
                part, failure = more, again
                continue
            if answer.status == 200:
                return answer
            if (whole := merge(part, answer, max_body)) is not None:
                return whole
            if answer.status not in (206, 416):
                if failure is None:
                    return answer
                break
            timeline.held = 0
            return self._send_again(request, target, timeline)
        timeline.broken = part.head
        assert failure is not None
        raise failure

    def _send_again(
        self, request: Request, target: Target, timeline: RequestTimeline
    ) -> Response:
        timeline.restart()
        auth_headers = self._auth.headers(request, target)
        return self._transport.send(request, target, auth_headers, timeline)
