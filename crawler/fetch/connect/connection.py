"""One open connection: sending, receiving, and whether it can be used again."""

from __future__ import annotations

import socket as standard
from select import POLLIN, POLLNVAL, poll
from typing import TYPE_CHECKING

from crawler.fetch.connect.proxy import Proxy
from crawler.model.errors import Failure
from crawler.model.http import Peer, TlsInfo
from hub import socket

if TYPE_CHECKING:
    from hub.ssl import SSLSocket

_DONT_WAIT = int(standard.MSG_DONTWAIT)


class Connection:
    """A connected socket, plain or TLS.

    `key` says which requests may use it again (see `Pool`). `remote_ip` is None if the
    socket leads to a proxy. `read_timeout`: seconds, None for no limit.
    """

    __slots__ = (
        "_poll", "_sock", "key", "receive_into", "remote_ip", "send", "weak_cipher"
    )  # fmt: skip

    weak_cipher: str | None
    """Name of the TLS cipher suite, if it is weak."""

    def __init__(
        self,
        sock: socket.socket | SSLSocket,
        key: str,
        remote_ip: str | None,
        read_timeout: float | None,
    ) -> None:
        self._sock = sock
        self._poll: poll | None = None
        self.key = key
        self.remote_ip = remote_ip
        sock.settimeout(read_timeout)
        self.send = sock.sendall
        self.receive_into = sock.recv_into
        self.weak_cipher = None

    def is_stale(self) -> bool:
        """Whether a byte, an end of stream or an error arrived while it was idle.

        Does not switch. If this returns True, the connection must be closed, since
        unsolicited bytes would be taken for the beginning of the next response; over
        TLS the check may have consumed one.
        """
        if self._poll is None:
            self._poll = poll()
            self._poll.register(self._sock.fileno(), POLLIN)
        events = self._poll.poll(0)  # to receive would raise an error most often
        return bool(events) and (events[0][1] != POLLNVAL or self._has_received())

    def _has_received(self) -> bool:
        """As `is_stale`, of a simulated socket, which no kernel knows."""
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
        """Return the failure that `error` stands for; None: a broken connection."""
        return None

    def peer(self, proxy: Proxy | None, reused: bool) -> Peer:
        """The other end, for listeners of exchanges."""
        ip, port = self._sock.getpeername()[:2]
        key = proxy.key if proxy else None
        return Peer(ip, port, key, reused, self._tls_info())

    def _tls_info(self) -> TlsInfo | None:
        return None

    def close(self) -> None:
        self._sock.close()
