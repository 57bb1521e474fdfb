"""What a TLS connection has agreed on: certificates, cipher, session, protocol.

The part of a TLS socket that never waits. Each name is defined here, because a class
with a ``__getattr__`` makes every attribute access several times as slow.
"""

import ssl as _standard
import sys
from ssl import SSLObject
from typing import Any

from hub.socketobject import socket

__all__ = ["SSLState"]


class SSLState(socket):
    """A socket with a TLS object; without one before TLS begins and after its end."""

    __slots__ = ("_context", "_session", "_tls")

    _context: _standard.SSLContext
    _session: Any
    _tls: SSLObject | None

    @property
    def _object(self) -> SSLObject:
        if self._tls is None:
            raise ValueError(
                "no TLS on this socket: it was unwrapped, or TLS has not begun"
            )
        return self._tls

    def _check_connected(self) -> None:
        if self._tls is None:
            self.getpeername()  # which raises ENOTCONN

    @property
    def context(self) -> _standard.SSLContext:
        """The context; a server-name callback may set another one."""
        return self._context

    @context.setter
    def context(self, value: _standard.SSLContext) -> None:
        self._context = value
        self._object.context = value

    @property
    def session(self) -> Any:
        """The session, which `SSLContext.wrap_socket` takes for a later connection."""
        return self._session if self._tls is None else self._tls.session

    @session.setter
    def session(self, value: Any) -> None:
        if self._tls is None:
            self._session = value
        else:
            self._tls.session = value

    @property
    def session_reused(self) -> bool | None:
        """Whether the handshake was shortened by a session."""
        return None if self._tls is None else self._tls.session_reused

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the peer's certificate, as a dict or in DER."""
        self._check_connected()
        return self._object.getpeercert(binary_form)

    if sys.version_info >= (3, 13):

        def get_verified_chain(self) -> list[bytes]:
            """Return the verified chain of the peer's certificate, in DER."""
            return [] if self._tls is None else self._tls.get_verified_chain()

        def get_unverified_chain(self) -> list[bytes]:
            """Return the certificates that the peer has sent, in DER."""
            return [] if self._tls is None else self._tls.get_unverified_chain()

    def cipher(self) -> tuple[str, str, int] | None:
        """Return (name, protocol, secret bits) of the cipher; None without TLS."""
        return None if self._tls is None else self._tls.cipher()

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """Return the ciphers that both sides know, on the server's side."""
        return None if self._tls is None else self._tls.shared_ciphers()

    def version(self) -> str | None:
        """Return "TLSv1.3" or the like; None without TLS."""
        return None if self._tls is None else self._tls.version()

    def compression(self) -> str | None:
        """Return the compression of TLS 1.2 and older; None if there is none."""
        return None if self._tls is None else self._tls.compression()

    def selected_alpn_protocol(self) -> str | None:
        """Return the protocol that was agreed on by ALPN, such as "h2"."""
        return None if self._tls is None else self._tls.selected_alpn_protocol()

    def selected_npn_protocol(self) -> None:
        """Return None: OpenSSL has no NPN, the draft before ALPN, any more."""

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """Return the bytes that bind an authentication to this connection (RFC 5929).

        Raises ValueError for a ``cb_type`` that OpenSSL does not know.
        """
        if self._tls is not None:
            return self._tls.get_channel_binding(cb_type)
        if cb_type not in _standard.CHANNEL_BINDING_TYPES:
            raise ValueError(f"{cb_type} channel binding type not implemented")
        return None

    def verify_client_post_handshake(self) -> None:
        """Ask a client of TLS 1.3 for its certificate, with the next write."""
        self._object.verify_client_post_handshake()

    def pending(self) -> int:
        """How many decrypted bytes can be read without the network."""
        return 0 if self._tls is None else self._tls.pending()
