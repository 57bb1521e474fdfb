"""Opens connections: DNS, address guard, TCP, proxy and TLS, each step timed."""

from __future__ import annotations

import errno
import socket as standard
from collections.abc import Callable, Collection
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from crawler.fetch.connect.connection import Connection
from crawler.fetch.connect.guard import AddressGuard
from crawler.fetch.connect.happy_eyeballs import happy_eyeballs
from crawler.fetch.connect.proxy import Proxy
from crawler.fetch.deadline import Deadline
from crawler.fetch.dns.system import Resolver
from crawler.fetch.http1.request import user_agent
from crawler.fetch.target import Target
from crawler.fetch.timeline import RequestTimeline
from crawler.model.errors import (
    BlockedAddress,
    ConnectionReset,
    ConnectRefused,
    ConnectTimeout,
    ConnectUnreachable,
    Failure,
    NameFailure,
    ProxyFailure,
)
from crawler.model.http_config import HttpConfig
from hub import socket
from hub.resolver import is_numeric

if TYPE_CHECKING:
    from crawler.fetch.connect.tls import Tls


class Route(Struct, frozen=True):
    """Where to connect: to the target itself, or to a proxy in front of it."""

    addresses: list[str]
    port: int
    key: str
    """The key of the connection in the pool."""
    proxy: Proxy | None = None
    proxied_host: str = ""
    """The target's name or IP address, as the proxy is told it."""


class Connector:
    """Opens connections. `clock` returns monotonic time (seconds).

    `trusted`: origins to which the client certificate is shown. Raises UsageError if
    the certificate files of `config` cannot be used.
    """

    def __init__(
        self,
        config: HttpConfig,
        resolver: Resolver,
        guard: AddressGuard,
        trusted: Collection[str],
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._resolver = resolver
        self._guard = guard
        self._clock = clock
        self._trusted = trusted
        if config.client_cert or config.ca_file:
            assert self._tls  # report unusable files before anything is fetched

    @cached_property
    def _tls(self) -> Tls:
        # Imported with the first https URL, because it loads OpenSSL.
        from crawler.fetch.connect.tls import Tls

        return Tls(self._config, self._trusted)

    def connect(
        self, target: Target, proxy: Proxy | None, timeline: RequestTimeline
    ) -> Connection:
        """Open a connection to `target`, through `proxy` if there is one.

        Raises NameFailure, ConnectFailure, TlsFailure or ProxyFailure.
        """
        reason = self._guard.port_deny_reason(target.origin, target.port)
        if reason is not None:
            raise BlockedAddress(f"{target.authority}: {reason}")
        route = (
            self._direct_route(target, timeline)
            if proxy is None
            else self._proxy_route(target, proxy)
        )
        timeline.stage = "connect" if proxy is None else "proxy"
        seconds = self._config.connect_timeout
        with Deadline(seconds, lambda: self._timeout_error(target, proxy, timeline)):
            return self._open(target, route, timeline)

    def _timeout_error(
        self, target: Target, proxy: Proxy | None, timeline: RequestTimeline
    ) -> Failure:
        seconds = self._config.connect_timeout
        if proxy is not None and timeline.stage == "proxy":
            return ProxyFailure(
                f"proxy {proxy.key}: no connection to {target.authority} "
                f"within {seconds:g} s"
            )
        return ConnectTimeout(
            f"no connection to {target.authority} within {seconds:g} s",
            stage=timeline.stage,
        )

    def _direct_route(self, target: Target, timeline: RequestTimeline) -> Route:
        return Route(self._resolve(target, timeline), target.port, target.origin)

    def _proxy_route(self, target: Target, proxy: Proxy) -> Route:
        host = target.host
        if not proxy.resolves:
            host = self._resolve(target, RequestTimeline(self._clock()))[0]
        elif (
            is_numeric(host)
            and (reason := self._guard.deny_reason(host, host)) is not None
        ):
            raise _blocked(host, reason)
        try:
            addresses = self._resolver.resolve(proxy.host, proxy.port)
        except NameFailure as failure:
            raise ProxyFailure(f"proxy {proxy.key}: {failure.message}") from None
        return Route(addresses, proxy.port, proxy.pool_key(target), proxy, host)

    def _resolve(self, target: Target, timeline: RequestTimeline) -> list[str]:
        """The addresses of the target that the guard allows, at least one."""
        timeline.stage = "dns"
        began = self._clock()
        addresses = self._resolver.resolve(target.host, target.port)
        timeline.dns_ms = _ms(self._clock() - began)
        reasons = [
            self._guard.deny_reason(target.host, address) for address in addresses
        ]
        if allowed := [
            address
            for address, reason in zip(addresses, reasons, strict=True)
            if reason is None
        ]:
            return allowed
        raise _blocked(target.host, reasons[0])

    def _open(
        self, target: Target, route: Route, timeline: RequestTimeline
    ) -> Connection:
        began = self._clock()
        proxy = route.proxy
        try:
            sock, address = happy_eyeballs(
                route.addresses, lambda address: _dial(address, route.port)
            )
        except OSError as error:
            if proxy is not None:
                reason = error.strerror or error
                raise ProxyFailure(f"proxy {proxy.key}: {reason}") from None
            raise connect_failure(target.authority, error) from None
        if proxy is not None and proxy.tunnels(target):
            self._tunnel(sock, target, route)
        timeline.connect_ms = _ms(self._clock() - began)
        remote_ip = address if proxy is None else None
        read_timeout = self._config.read_timeout or None
        if not target.secure:
            return Connection(sock, route.key, remote_ip, read_timeout)
        timeline.stage = "tls"
        began = self._clock()
        connection = self._tls.connect(sock, target, route.key, remote_ip, read_timeout)
        timeline.tls_ms = _ms(self._clock() - began)
        return connection

    def _tunnel(self, sock: socket.socket, target: Target, route: Route) -> None:
        from crawler.fetch.connect.tunnel import open_tunnel

        assert route.proxy is not None
        try:
            agent = user_agent(self._config)
            open_tunnel(sock, route.proxy, route.proxied_host, target.port, agent)
        except BaseException:
            sock.close()
            raise


def _dial(address: str, port: int) -> socket.socket:
    family = standard.AF_INET6 if ":" in address else standard.AF_INET
    sock = socket.socket(family, standard.SOCK_STREAM)
    try:
        # A request fits one segment, and nothing should wait for its acknowledgement.
        sock.setsockopt(standard.IPPROTO_TCP, standard.TCP_NODELAY, 1)
        sock.connect((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _blocked(host: str, reason: str | None) -> BlockedAddress:
    return BlockedAddress(f"{host}: {reason}; --allow-net allows a network")


_RESET = frozenset({errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE, errno.EPROTO})
"""The connection was made, and broken before it could be used."""


def connect_failure(authority: str, error: OSError) -> Failure:
    """The failure that `error` of connect(2) means. `authority`: host and port."""
    text = f"{authority}: {error.strerror or error}"
    if isinstance(error, ConnectionRefusedError):
        return ConnectRefused(text)
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return ConnectTimeout(text)
    if error.errno in _RESET:
        return ConnectionReset(text, stage="connect")
    return ConnectUnreachable(text)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
