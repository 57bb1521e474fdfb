"""One connection: how it is made (name, guard, TCP, proxy, TLS; each timed), used and
judged."""

from __future__ import annotations

import errno
import socket as standard
from collections.abc import Callable, Collection
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from crawler.fetch.connect.guard import AddressGuard
from crawler.fetch.connect.happy_eyeballs import happy_eyeballs
from crawler.fetch.connect.proxy import Proxy
from crawler.fetch.connect.tunnel import open_tunnel
from crawler.fetch.deadline import Deadline
from crawler.fetch.dns.system import Resolver
from crawler.fetch.http1.request import USER_AGENT
from crawler.fetch.target import Target
from crawler.fetch.timeline import RequestTimeline
from crawler.fetch.trace import Peer
from crawler.model.config import HttpConfig
from crawler.model.errors import (
    BlockedAddress,
    ConnectFailure,
    ConnectRefused,
    ConnectTimeout,
    ConnectUnreachable,
    Failure,
    NameFailure,
    ProxyFailure,
)
from hub import socket
from hub.resolver import is_numeric

if TYPE_CHECKING:
    from crawler.fetch.connect.tls import Tls
    from hub.ssl import SSLSocket

_DONT_WAIT = int(
    standard.MSG_DONTWAIT
)  # a plain number: an enum costs more than the call


class Connection:
    """A connected socket, plain or TLS. `key` says for whom it may be used again."""

    __slots__ = ("_sock", "key", "receive_into", "remote_ip", "send")

    def __init__(
        self,
        sock: socket.socket | SSLSocket,
        key: str,
        remote_ip: str | None,
        read_timeout: float | None,
    ) -> None:
        self._sock = sock
        self.key = key
        self.remote_ip = remote_ip
        sock.settimeout(read_timeout)
        self.send = sock.sendall
        self.receive_into = sock.recv_into

    def is_stale(self) -> bool:
        """Whether a byte, an end of stream or an error arrived while it was idle.

        Does not switch. If this returns True, the connection must be closed: the check
        may have consumed a byte, and unsolicited bytes would be taken for the beginning
        of the next response.
        """
        try:
            self._sock.recv(1, _DONT_WAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def pending_alert(self, error: OSError) -> OSError:
        """Return the TLS alert that explains a failed send, or else `error`.

        Does not switch.
        """
        return error

    def connection_error(self, error: OSError) -> Failure | None:
        """Return the failure that `error` stands for; None: a plain broken connection."""
        return None

    def peer(self, proxy: Proxy | None, reused: bool) -> Peer:
        """Who is at the other end, for a trace."""
        host, port = self._sock.getpeername()[:2]
        return Peer(
            f"{host} port {port}",
            proxy.key if proxy else None,
            reused,
            self._tls_facts(),
        )

    def _tls_facts(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        self._sock.close()


class Route(Struct, frozen=True):
    """Where to connect: to the target, or to a proxy, which leads to `where`."""

    addresses: list[str]
    port: int
    key: str
    proxy: Proxy | None = None
    where: str = ""


class Connector:
    """Makes connections. `clock` gives seconds, monotonic.

    `trusted`: origins that are shown the client certificate. Raises UsageError if the
    files of `config` are of no use.
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
            assert (
                self._tls
            )  # that they are of no use is said before anything is fetched

    @cached_property
    def _tls(self) -> Tls:
        from crawler.fetch.connect.tls import (
            Tls,  # with OpenSSL: not before the first https URL
        )

        return Tls(self._config, self._trusted)

    def connect(
        self, target: Target, proxy: Proxy | None, progress: RequestTimeline
    ) -> Connection:
        """A new connection to `target`. Raises NameFailure, ConnectFailure, TlsFailure,
        ProxyFailure."""
        if (
            why := self._guard.port_deny_reason(target.origin, target.port)
        ) is not None:
            raise BlockedAddress(f"{target.authority}: {why}")
        route = (
            self._direct(target, progress)
            if proxy is None
            else self._proxied(target, proxy)
        )
        progress.stage = "connect" if proxy is None else "proxy"
        seconds = self._config.connect_timeout
        with Deadline(seconds, lambda: self._timeout_error(target, proxy, progress)):
            return self._open(target, route, progress)

    def _timeout_error(
        self, target: Target, proxy: Proxy | None, progress: RequestTimeline
    ) -> Failure:
        seconds = self._config.connect_timeout
        if proxy is not None and progress.stage == "proxy":
            return ProxyFailure(
                f"{proxy.key}: no way to {target.authority} within {seconds:g} s"
            )
        return ConnectTimeout(
            f"no connection to {target.authority} within {seconds:g} s",
            stage=progress.stage,
        )

    def _direct(self, target: Target, progress: RequestTimeline) -> Route:
        return Route(self._resolve(target, progress), target.port, target.origin)

    def _proxied(self, target: Target, proxy: Proxy) -> Route:
        """By way of the proxy: its addresses, and the target as the proxy is told of
        it."""
        where = target.host
        if not proxy.resolves:
            where = self._resolve(target, RequestTimeline(self._clock()))[0]
        elif (
            is_numeric(where)
            and (why := self._guard.deny_reason(where, where)) is not None
        ):
            raise BlockedAddress(f"{where}: {why}; --allow-net lets a network pass")
        try:
            addresses = self._resolver.resolve(proxy.host, proxy.port)
        except NameFailure as failure:
            raise ProxyFailure(f"{proxy.key}: {failure.message}") from None
        return Route(addresses, proxy.port, proxy.pool_key(target), proxy, where)

    def _resolve(self, target: Target, progress: RequestTimeline) -> list[str]:
        progress.stage = "dns"
        began = self._clock()
        addresses = self._resolver.resolve(target.host, target.port)
        progress.dns_ms = _ms(self._clock() - began)
        reasons = [
            self._guard.deny_reason(target.host, address) for address in addresses
        ]
        if allowed := [
            a for a, why in zip(addresses, reasons, strict=True) if why is None
        ]:
            return allowed
        raise BlockedAddress(
            f"{target.host}: {reasons[0]}; --allow-net lets a network pass"
        )

    def _open(
        self, target: Target, route: Route, progress: RequestTimeline
    ) -> Connection:
        began = self._clock()
        proxy = route.proxy
        try:
            sock, address = happy_eyeballs(
                route.addresses, lambda one: _dial(one, route.port)
            )
        except OSError as error:
            if proxy is not None:
                raise ProxyFailure(f"{proxy.key}: {error.strerror or error}") from None
            raise _connect_failure(target, error) from None
        if proxy is not None and proxy.tunnels(target):
            self._tunnel(sock, target, route)
        progress.connect_ms = _ms(self._clock() - began)
        remote_ip = address if proxy is None else None
        read_timeout = self._config.read_timeout or None
        if not target.secure:
            return Connection(sock, route.key, remote_ip, read_timeout)
        progress.stage = "tls"
        began = self._clock()
        connection = self._tls.connect(sock, target, route.key, remote_ip, read_timeout)
        progress.tls_ms = _ms(self._clock() - began)
        return connection

    def _tunnel(self, sock: socket.socket, target: Target, route: Route) -> None:
        assert route.proxy is not None
        try:
            agent = self._config.user_agent or USER_AGENT
            open_tunnel(sock, route.proxy, route.where, target.port, agent)
        except BaseException:
            sock.close()
            raise


def _dial(address: str, port: int) -> socket.socket:
    family = standard.AF_INET6 if ":" in address else standard.AF_INET
    sock = socket.socket(family, standard.SOCK_STREAM)
    try:
        # A request is one segment, and nothing shall wait for its acknowledgement.
        sock.setsockopt(standard.IPPROTO_TCP, standard.TCP_NODELAY, 1)
        sock.connect((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _connect_failure(target: Target, error: OSError) -> ConnectFailure:
    text = f"{target.authority}: {error.strerror or error}"
    if isinstance(error, ConnectionRefusedError):
        return ConnectRefused(text)
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return ConnectTimeout(text)
    return ConnectUnreachable(text)


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
