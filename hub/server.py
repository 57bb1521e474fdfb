"""A server for stream sockets: a greenlet for each connection.

    with StreamServer(("127.0.0.1", 8000), handle) as server:   # or serve_forever()
        ...

    def handle(connection, address):
        ...                     # the server closes the connection afterwards

What `accept` may fail with falls into three kinds (accept(2)). An error of the
connection that has just come (it was aborted, or the network says no) is passed over.
When the process or the system has no resource left (EMFILE, ENFILE, ENOBUFS, ENOMEM)
the server waits, 10 ms at first and up to a second, and tries again: connections wait
in the kernel's queue meanwhile. Any other error ends the server.
"""

import errno
import socket as _standard
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit

from hub.current import get_hub
from hub.greenlet import AnyGreenlet, Greenlet
from hub.hub import sleep
from hub.pool import Pool
from hub.socket import create_server
from hub.socketobject import Address, socket, wrap_socket
from hub.timeout import Timeout, check_seconds

if TYPE_CHECKING:
    from hub.ssl import SSLContext

__all__ = ["StreamServer"]

Handle = Callable[[Any, Address], object]

_ONE_CONNECTION = {
    errno.ECONNABORTED,
    errno.EPROTO,
    errno.ENOPROTOOPT,
    errno.EPERM,  # a firewall forbids it
    errno.EHOSTDOWN,
    errno.ENONET,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EOPNOTSUPP,
}
_NO_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_FIRST_WAIT, _MAX_WAIT = 0.01, 1.0  # seconds


class StreamServer:
    """Accepts connections and calls ``handle(connection, address)`` for each.

    ``listener``: an address to listen on (host and port), or a listening socket, of the
    hub or of the standard library, which the server takes over. ``backlog``: of an
    address. ``spawn``: how many connections at once (None: no bound), or a Pool; those
    above the bound wait in the kernel's queue. ``ssl_context``: every connection begins
    with a TLS handshake, in its own greenlet, of at most ``handshake_timeout`` seconds.

    An error of ``handle`` is reported, and ends its own connection; a connection that
    the peer has broken, and a failed handshake, are only counted.
    """

    def __init__(
        self,
        listener: Any,
        handle: Handle,
        backlog: int | None = None,
        spawn: int | Pool | None = None,
        *,
        ssl_context: "SSLContext | None" = None,
        handshake_timeout: float = 30.0,
    ) -> None:
        if isinstance(spawn, int) and spawn < 1:
            raise ValueError(f"a server needs at least one connection, not {spawn}")
        self._handle = handle
        self._ssl_context = ssl_context
        self._handshake_timeout = check_seconds(handshake_timeout)
        self._pool = spawn if isinstance(spawn, Pool) else Pool(spawn)
        self._connections: set[AnyGreenlet] = set()
        self._acceptor: Greenlet[[], None] | None = None
        self._accepted = self._failed = 0
        self.closed = False
        """Whether it has been stopped."""
        self._listener = _listener(listener, backlog)
        self.address: Address = self._listener.getsockname()
        """Where it listens, with the port that the system has chosen."""

    # -- running -----------------------------------------------------------------------

    @property
    def started(self) -> bool:
        """Whether it accepts connections."""
        return self._acceptor is not None and not self._acceptor.dead

    def start(self) -> None:
        """Accept connections from now on; RuntimeError after `stop`."""
        if self.closed:
            raise RuntimeError("a stopped server can't be started again")
        if self._acceptor is None:
            self._acceptor = Greenlet(self._accept_all)
            self._acceptor.name = f"StreamServer {self.address}"
            self._acceptor.start()

    def serve_forever(self, stop_timeout: float | None = None) -> None:
        """Start, and wait until another greenlet calls `stop`.

        Raises the OSError that ended the listener. At its end, `stop` is called with
        ``stop_timeout``.
        """
        self.start()
        assert self._acceptor is not None
        try:
            self._acceptor.get()
        finally:
            self.stop(stop_timeout)

    def _accept_all(self) -> None:
        wait = _FIRST_WAIT
        while True:
            self._pool.wait_available()
            try:
                connection, address = self._listener.accept()
            except OSError as error:
                if self.closed:
                    return
                if error.errno in _NO_RESOURCES:
                    sleep(wait)
                    wait = min(2 * wait, _MAX_WAIT)
                elif error.errno not in _ONE_CONNECTION:
                    raise
            else:
                wait = _FIRST_WAIT
                self._accepted += 1
                self._begin(connection, address)
                del connection  # or it would live until the next one

    def _begin(self, connection: socket, address: Address) -> None:
        """Start the greenlet of a connection."""
        try:
            # It waits only if another user of the pool has taken the slot.
            serving = self._pool.spawn(self._serve, connection, address)
        except BaseException:
            connection.close()
            raise
        self._connections.add(serving)
        serving.rawlink(self._connection_ended)

    def _connection_ended(self, serving: AnyGreenlet) -> None:
        """Runs in the hub."""
        self._connections.discard(serving)

    def _serve(self, connection: Any, address: Address) -> None:
        try:
            if self._ssl_context is not None:
                connection = self._secured(connection)
            self._handle(connection, address)
        except (ConnectionError, _HandshakeError):
            self._failed += 1
        except Exception as error:
            self._failed += 1
            trace = error.__traceback__
            get_hub().handle_error(self, type(error), error, trace and trace.tb_next)
        finally:
            connection.close()

    def _secured(self, connection: socket) -> Any:
        assert self._ssl_context is not None
        limit = Timeout(self._handshake_timeout)
        try:
            with limit:
                return self._ssl_context.wrap_socket(connection, server_side=True)
        except Timeout as error:
            if error is not limit:
                raise
            raise _HandshakeError from error
        except OSError as error:
            raise _HandshakeError from error

    # -- the end -----------------------------------------------------------------------

    def stop(self, timeout: float | None = None) -> None:
        """Close the listener, and wait ``timeout`` seconds for open connections.

        None waits for as long as they take. What is open then is killed. Idempotent.
        """
        self.closed = True
        self._listener.close()
        if self._acceptor is not None:
            self._acceptor.kill()
        serving = list(self._connections)
        try:
            with Timeout(timeout, False):
                for each in serving:
                    each.join()
        finally:
            for each in serving:
                each.kill(GreenletExit, block=False)
        for each in serving:
            each.join()

    def __enter__(self) -> "StreamServer":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop; if the block has failed, without a wait for the connections."""
        self.stop(None if value is None else 0)

    def statistics(self) -> dict[str, int]:
        """How many connections are open, were accepted, and have failed."""
        return {
            "connections": len(self._connections),
            "accepted": self._accepted,
            "failed": self._failed,
        }

    def __repr__(self) -> str:
        state = "closed" if self.closed else "started" if self.started else "new"
        return f"<StreamServer {self.address} {state} {len(self._connections)} open>"


class _HandshakeError(Exception):
    """The TLS handshake of a connection has failed, or took too long."""


def _listener(listener: Any, backlog: int | None) -> Any:
    if isinstance(listener, tuple):
        family = _standard.AF_INET6 if ":" in listener[0] else _standard.AF_INET
        return create_server(listener, family=family, backlog=backlog)
    if isinstance(listener, _standard.socket):
        return wrap_socket(listener)
    return listener
