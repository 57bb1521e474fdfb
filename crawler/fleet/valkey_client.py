"""The client of Valkey or Redis, over sockets of the hub.

valkey-py makes its connections by a function of ours, so that a call waits and nothing
is blocked.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hub
import hub.ssl
from crawler.fleet.address import Address, Node
from crawler.fleet.exchange_server import ExchangeDown
from crawler.model.errors import UsageError

try:
    import valkey
    from valkey.connection import Connection, ConnectionPool
    from valkey.exceptions import AuthorizationError, NoPermissionError
except ImportError as error:  # pragma: no cover
    raise UsageError(
        "--exchange needs the extra `fleet`: pip install 'orbweb[fleet]'"
    ) from error

TIMEOUT_S = 10.0
"""How long the server may take to answer (seconds)."""


class HubConnection(Connection):
    """A connection of valkey-py over a socket of the hub."""

    tls = False

    def _connect(self) -> Any:
        sock = hub.socket.create_connection((self.host, self.port), TIMEOUT_S)
        sock.setsockopt(hub.socket.IPPROTO_TCP, hub.socket.TCP_NODELAY, 1)
        if not self.tls:
            return sock
        try:
            context = hub.ssl.create_default_context()
            return context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise


class TlsConnection(HubConnection):
    """The same over TLS; the server's certificate is verified, as a browser does.

    `SSL_CERT_FILE` of the environment names the file of another authority (OpenSSL).
    """

    tls = True


def pool_of(address: Address, node: Node) -> ConnectionPool:
    """The connections to one node of the exchange at `address`."""
    return ConnectionPool(
        connection_class=TlsConnection if address.tls else HubConnection,
        host=node.host,
        port=node.port,
        username=address.user or None,
        password=address.password or None,
        db=address.db,
        socket_timeout=TIMEOUT_S,
    )


@contextmanager
def asking(where: str, failed: Callable[[], None]) -> Iterator[None]:
    """Raise ExchangeDown where the server does not answer as it should.

    `failed` is called before that.
    """
    try:
        yield
    except valkey.ValkeyError as error:
        failed()
        raise _explained(where, error) from error


def _explained(where: str, error: valkey.ValkeyError) -> ExchangeDown:
    cause = error.__context__
    match error:
        case valkey.AuthenticationError():
            return down(where, f"wants another password ({error})", 6)
        case NoPermissionError() | AuthorizationError():
            return down(where, f"refuses a command ({error})", 6)
        case valkey.ConnectionError() | valkey.TimeoutError():
            if isinstance(cause, ssl.SSLError):
                return down(where, f"can't be reached over TLS ({cause})", 5)
            why = getattr(cause, "strerror", None) or cause or error
            return down(where, f"can't be reached ({why})", 4)
        case valkey.ResponseError() if is_of_cluster(error):
            return down(where, f"has no node for it just now ({error}); try again", 4)
        case valkey.ResponseError():
            return down(where, f"refuses to work ({error})", 4)
    return down(where, f"is no Valkey or Redis ({error})", 4)


def is_of_cluster(error: Exception) -> bool:
    """Whether a node says that another one has the keys, or that none has them now."""
    kind = str(error).partition(" ")[0]
    return kind in ("MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN")


def down(where: str, what: str, exit_code: int) -> ExchangeDown:
    """What is raised where the server can't be used."""
    return ExchangeDown(f"the exchange at {where} {what}", exit_code)
