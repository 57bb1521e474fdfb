"""The cooperative version of the standard library's ``ssl`` module.

Contexts and functions are here; what happens on a connection is in sslsocket.py. Every
other name is looked up in the standard library when it is first used.
"""

import errno
import ssl as _standard
from socket import SOCK_STREAM
from ssl import Purpose, SSLError, SSLObject
from typing import Any, cast
from weakref import WeakKeyDictionary

from hub.socket import create_connection
from hub.socketobject import socket
from hub.sslsocket import SSLSocket as SSLSocket  # the name is exported


class SSLContext(_standard.SSLContext):
    """The standard library's context, with a `wrap_socket` for our sockets."""

    sslsocket_class: type[SSLSocket] = SSLSocket  # type: ignore[assignment]
    _owners: "WeakKeyDictionary[SSLObject, SSLSocket]"

    def __init__(self, *args: object, **kwargs: object) -> None:
        """The arguments are those of the standard library's class."""
        _report_unexpected_eof(self)

    @property
    def owners(self) -> "WeakKeyDictionary[SSLObject, SSLSocket]":
        """The socket that each TLS object belongs to, for callbacks."""
        try:
            return self._owners
        except AttributeError:
            self._owners = WeakKeyDictionary()
            return self._owners

    def wrap_socket(  # type: ignore[override]
        self,
        sock: socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: Any = None,
    ) -> SSLSocket:
        """Take over and close ``sock``, and do the handshake on its descriptor.

        Raises TypeError if ``sock`` is not a socket of the hub, NotImplementedError if
        it is not a stream, ValueError for arguments that don't fit, SSLError, OSError.
        """
        if not isinstance(sock, socket):
            raise TypeError(
                f"the hub's ssl wraps the hub's sockets, not {type(sock).__name__}"
            )
        return wrap_with(
            self,
            sock,
            server_side,
            do_handshake_on_connect,
            suppress_ragged_eofs,
            server_hostname,
            session,
        )

    @property
    def sni_callback(self) -> Any:
        """Called with (SSLSocket, server name, context) when a client sends a name."""
        return super().sni_callback

    @sni_callback.setter
    def sni_callback(self, value: Any) -> None:
        owners = self.owners

        def translated(tls: SSLObject, name: str | None, context: Any) -> int | None:
            result: int | None = value(owners.get(tls, tls), name, context)
            return result

        callback = translated if callable(value) else value
        cast(Any, _standard.SSLContext).sni_callback.__set__(self, callback)


def _report_unexpected_eof(context: _standard.SSLContext) -> None:
    """Let a connection that is cut off be told from one that ends with close_notify.

    On OpenSSL 3, older versions of Python 3.11 hide the difference, whatever
    ``suppress_ragged_eofs`` says (CPython's issue 95494).
    """
    context.options &= ~_standard.OP_IGNORE_UNEXPECTED_EOF


def wrap_with(
    context: _standard.SSLContext,
    sock: socket,
    server_side: bool = False,
    do_handshake_on_connect: bool = True,
    suppress_ragged_eofs: bool = True,
    server_hostname: str | bytes | None = None,
    session: Any = None,
) -> SSLSocket:
    """`SSLContext.wrap_socket`, for a context of the standard library too."""
    if sock.type != SOCK_STREAM:
        raise NotImplementedError("only stream sockets are supported")
    if server_side and (server_hostname or session is not None):
        raise ValueError("server_hostname and session are for the client's side only")
    if context.check_hostname and not server_side and not server_hostname:
        raise ValueError("check_hostname requires server_hostname")
    # May raise, so before ``sock`` is taken over and has to be closed.
    name = _ascii_name(server_hostname)
    connected = _is_connected(sock)
    if not connected:
        _refuse_early_data(sock)
    kind = context.sslsocket_class if isinstance(context, SSLContext) else SSLSocket
    tls = kind.__new__(kind)
    tls._take_over(sock, context)
    tls.server_side = server_side
    tls.server_hostname = name
    tls.do_handshake_on_connect = do_handshake_on_connect
    tls.suppress_ragged_eofs = suppress_ragged_eofs
    tls._session = session
    tls._wrap = wrap_with
    if connected:
        try:
            tls._begin_tls()
        except BaseException:
            tls.close()
            raise
    return tls


def _is_connected(sock: socket) -> bool:
    try:
        sock.getpeername()
    except OSError as error:
        if error.errno not in (errno.ENOTCONN, errno.EINVAL):
            raise
        return False
    return True


def _refuse_early_data(sock: socket) -> None:
    """Raise SSLError if data came before TLS on a connection that is closed by now.

    A reader of what looks like a TLS socket would take it for authentic
    (CVE-2023-40217).
    """
    try:
        early = sock._sock.recv(1)
    except OSError:
        return  # never connected, or nothing came
    if early:
        sock.close()
        reason = "Closed before TLS handshake with data in recv buffer."
        error = SSLError(errno.ENOTCONN, reason)
        error.reason, error.library = reason, None  # type: ignore[assignment]
        raise error


def _ascii_name(host: str | bytes | None) -> str | None:
    """Return ``host`` as it is sent in the handshake: international names in IDNA form.

    Raises UnicodeError, a ValueError, if there is no such form.
    """
    if isinstance(host, bytes):
        return host.decode("ascii")
    return (
        host if host is None or host.isascii() else host.encode("idna").decode("ascii")
    )


def create_default_context(
    purpose: Purpose = Purpose.SERVER_AUTH,
    *,
    cafile: Any = None,
    capath: Any = None,
    cadata: Any = None,
) -> SSLContext:
    """Make a context that verifies certificates and host names.

    The settings are the standard library's defaults.
    """
    context = _standard.create_default_context(
        purpose, cafile=cafile, capath=capath, cadata=cadata
    )
    # The settings are those of this Python version; only the class is ours.
    context.__class__ = SSLContext
    _report_unexpected_eof(context)
    return cast(SSLContext, context)


_create_default_https_context = create_default_context  # what http.client asks for


def _create_unverified_context(
    protocol: int | None = None,
    *,
    cert_reqs: int = _standard.CERT_NONE,
    check_hostname: bool = False,
    purpose: Purpose = Purpose.SERVER_AUTH,
    certfile: Any = None,
    keyfile: Any = None,
    cafile: Any = None,
    capath: Any = None,
    cadata: Any = None,
) -> SSLContext:
    """As the standard library's unofficial function, for programs that use it."""
    if protocol is None:
        client = purpose is Purpose.SERVER_AUTH
        protocol = (
            _standard.PROTOCOL_TLS_CLIENT if client else _standard.PROTOCOL_TLS_SERVER
        )
    context = SSLContext(protocol)
    context.check_hostname = check_hostname
    context.verify_mode = _standard.VerifyMode(cert_reqs)
    if certfile or keyfile:
        context.load_cert_chain(certfile, keyfile)
    if cafile or capath or cadata:
        context.load_verify_locations(cafile, capath, cadata)
    return context


def wrap_socket(
    sock: socket,
    keyfile: Any = None,
    certfile: Any = None,
    server_side: bool = False,
    cert_reqs: int = _standard.CERT_NONE,
    ssl_version: int = _standard.PROTOCOL_TLS,
    ca_certs: Any = None,
    do_handshake_on_connect: bool = True,
    suppress_ragged_eofs: bool = True,
    ciphers: str | None = None,
) -> SSLSocket:
    """As the standard library's until Python 3.11; new code makes an SSLContext."""
    if server_side and not certfile:
        raise ValueError("certfile must be specified for server-side operations")
    if keyfile and not certfile:
        raise ValueError("certfile must be specified")
    context = SSLContext(ssl_version)
    context.verify_mode = _standard.VerifyMode(cert_reqs)
    if ca_certs:
        context.load_verify_locations(ca_certs)
    if certfile:
        context.load_cert_chain(certfile, keyfile)
    if ciphers:
        context.set_ciphers(ciphers)
    return context.wrap_socket(
        sock,
        server_side,
        do_handshake_on_connect=do_handshake_on_connect,
        suppress_ragged_eofs=suppress_ragged_eofs,
    )


def get_server_certificate(
    addr: tuple[str, int],
    ssl_version: int = _standard.PROTOCOL_TLS_CLIENT,
    ca_certs: str | None = None,
    timeout: float | None = None,
) -> str:
    """Return the certificate of the server at ``addr`` as PEM.

    It is verified only if ``ca_certs`` is given.
    """
    context = SSLContext(ssl_version)
    context.check_hostname = False
    context.verify_mode = _standard.CERT_NONE
    if ca_certs is not None:
        context.verify_mode = _standard.CERT_REQUIRED
        context.load_verify_locations(ca_certs)
    with (
        create_connection(addr, timeout=timeout) as sock,
        context.wrap_socket(sock, server_hostname=addr[0]) as tls,
    ):
        return _standard.DER_cert_to_PEM_cert(tls.getpeercert(True))


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    value = globals()[name] = getattr(_standard, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_standard)})
