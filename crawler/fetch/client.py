"""The HTTP client: from a Request to its final Response, within one deadline.

    client = Client(config.http, named_hosts={"example.com"})
    response = client.fetch(Request("https://example.com/"))

A request's Timeout is owned here and nowhere else: the limits for the name, the
connection, silence and the whole become failures of `crawler.model.errors`, each with a
code and a stage. A Timeout of a caller passes through. Redirects are not followed: they
are links, and pass through the frontier. The exception is a redirect back to a URL of
its own chain after a cookie was set: that URL is known and done, and only here it is
known that the answer will be another.

A connection that breaks in the middle of a large body is not the end of it: the rest is
requested at once, where the server has given a strong validator, a few times and within
the same deadline. What had come lives as long as the fetch and nowhere else; whatever
does not fit to the byte is dropped, and the whole is requested instead
(`conditional.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from secrets import token_hex

from msgspec.structs import replace

from crawler.fetch.auth.session_auth import SessionAuth
from crawler.fetch.body_memory import BodyMemoryLimit
from crawler.fetch.conditional import (
    PartialResponse,
    extend,
    merge,
    resumable,
    resume_range,
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
from crawler.model.config import HttpConfig
from crawler.model.errors import (
    ConnectionReset,
    Failure,
    ReadTimeout,
    TotalTimeout,
)
from crawler.model.http import Header, Hop, Request, Response

MAX_EXCHANGES = 5
"""Exchanges of one fetch: logins, and redirects back after a cookie."""
MAX_RESUMES = 3
"""Requests for the rest of one body; each must have brought a part of it."""


class Client:
    """Fetches URLs with the limits of `config`. For the greenlets of one hub.

    `named_hosts`: hosts that the user named (the seeds'): the address guard lets them
    pass. `identity`: cookies and credentials, and the origins that may see secrets;
    without one there are none but the cookies that servers set. `proxies`: which proxy
    for which URL. `secret_headers`: names (lower case) of headers of the configuration
    that are secret beside those that look so. `clock`: seconds, monotonic.
    """

    def __init__(
        self,
        config: HttpConfig,
        *,
        named_hosts: Collection[str] = (),
        identity: SessionAuth | None = None,
        proxies: Proxies | None = None,
        secret_headers: Collection[str] = (),
        resolver: Resolver | None = None,
        body_memory: BodyMemoryLimit | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._clock = clock
        self._identity = identity or SessionAuth(
            CookieJar(), (), None, {}, time.time, token_hex
        )
        mapped = Mapped(config.resolve)
        trusted = self._identity.trusted
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
        self, listener: ExchangeListener, *, transferred: bool = False
    ) -> None:
        """Tell `listener` each exchange from now on, when it has ended.

        With `transferred` exchanges hold their bodies as transferred, too.
        """
        self._transport.on_exchange(listener, transferred=transferred)

    def fetch(self, request: Request) -> Response:
        """The final response to `request`, decoded. Raises Failure."""
        target = parse_target(request.url)
        timeline = RequestTimeline(self._clock())
        try:
            with Deadline(self._config.timeout, lambda: self._timeout_error(timeline)):
                return self._exchange(request, target, timeline)
        except Failure as failure:
            failure.wire_bytes = timeline.wire_bytes
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
        """One exchange; more where the server wants a login, or sets a cookie and
        redirects back."""
        identity = self._identity
        hops: tuple[Hop, ...] = ()
        for left in reversed(range(MAX_EXCHANGES)):
            auth_headers = identity.headers(request, target)
            response = self._fetch_whole(request, target, auth_headers, timeline)
            if response.status == 407:
                raise self._transport.proxy_refused(target, response)
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
            timeline.restart()
        return replace(response, redirects=hops) if hops else response

    def _fetch_whole(
        self,
        request: Request,
        target: Target,
        auth_headers: list[Header],
        timeline: RequestTimeline,
    ) -> Response:
        """One exchange; more where its body breaks off and the rest can be had."""
        try:
            return self._transport.send(request, target, auth_headers, timeline)
        except (ConnectionReset, ReadTimeout) as failure:
            part = None if timeline.broken is None else resumable(timeline.broken)
            if part is None:
                raise
            return self._resume(request, target, timeline, part, failure)

    def _resume(
        self,
        request: Request,
        target: Target,
        timeline: RequestTimeline,
        part: PartialResponse,
        failure: Failure,
    ) -> Response:
        """The whole that begins with `part`, or that the server has now instead."""
        for _ in range(MAX_RESUMES):
            rest = replace(request, headers=resume_range(part, request.headers))
            timeline.held = len(part.head.body)
            try:
                answer = self._send_again(rest, target, timeline)
            except (ConnectionReset, ReadTimeout) as again:
                more = (
                    None if timeline.broken is None else extend(part, timeline.broken)
                )
                if more is None:
                    raise
                part, failure = more, again
                continue
            if answer.status == 200:
                return answer
            max_body = self._transport.max_body(request)
            if (whole := merge(part, answer, max_body)) is not None:
                return whole
            if answer.status not in (206, 416):
                break
            timeline.held = 0
            return self._send_again(request, target, timeline)
        raise failure

    def _send_again(
        self, request: Request, target: Target, timeline: RequestTimeline
    ) -> Response:
        timeline.restart()
        auth_headers = self._identity.headers(request, target)
        return self._transport.send(request, target, auth_headers, timeline)
