"""TLS: trust, the client certificate, session resumption, and errors in words.

This module and OpenSSL are loaded with the first https URL (see `connector.py`).

Server certificates are verified against the system's store, TLS 1.2 is the lowest
version, and the server name is always sent (SNI). The cipher suites are OpenSSL's own
and not Python's, which leave out all that old servers offer; a suite that is weak is
named in the record (`weak_cipher`). A client certificate is a credential:
it is only shown to the origins that the user named. So there are two contexts, one with
the certificate and one without it.

A session is stored for its origin when the connection is closed, because by then the
server's tickets have arrived (TLS 1.3 sends them after the handshake).
"""

from __future__ import annotations

import re
import ssl as standard
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path
from typing import Any

from crawler.fetch.connect.connection import Connection
from crawler.fetch.target import Target
from crawler.model.errors import (
    Failure,
    TlsFailure,
    TlsHandshakeFailure,
    TlsVerifyFailure,
    UsageError,
)
from crawler.model.http import TlsInfo
from crawler.model.http_config import HttpConfig
from hub import socket, ssl

MAX_SESSIONS = 1024


class TlsConnection(Connection):
    """A connection over TLS; closing it stores its session for the next one."""

    __slots__ = ("_origin", "_read_timeout", "_tls")

    _sock: ssl.SSLSocket

    def __init__(
        self,
        sock: ssl.SSLSocket,
        key: str,
        remote_ip: str | None,
        read_timeout: float | None,
        tls: Tls,
        origin: str,
    ) -> None:
        super().__init__(sock, key, remote_ip, read_timeout)
        self._read_timeout = read_timeout
        self._tls = tls
        self._origin = origin
        self.weak_cipher = weak_cipher(sock.cipher())

    def is_stale(self) -> bool:
        self._sock.settimeout(0.0)
        try:
            self._sock.recv(1)
        except standard.SSLWantReadError:
            self._sock.settimeout(self._read_timeout)
            return False
        except OSError:
            return True
        return True

    def pending_alert(self, error: OSError) -> OSError:
        self._sock.settimeout(0.0)
        try:
            self._sock.recv(1)
        except standard.SSLWantReadError:
            pass
        except standard.SSLError as alert:
            return alert
        except OSError:
            pass
        return error

    def connection_error(self, error: OSError) -> Failure | None:
        # A server with TLS 1.3 demands a certificate only after the handshake.
        reason = error.reason if isinstance(error, standard.SSLError) else None
        return (
            TlsHandshakeFailure(explain(error))
            if "CERTIFICATE_REQUIRED" in (reason or "")
            else None
        )

    def _tls_info(self) -> TlsInfo:
        sock = self._sock
        cipher = sock.cipher()
        return TlsInfo(
            sock.version() or "",
            cipher[0] if cipher else "",
            bool(sock.session_reused),
            self.weak_cipher is not None,
            sock.getpeercert() or {},
        )

    def close(self) -> None:
        self._tls.store_session(self._sock, self._origin)
        self._sock.close()


# The suites with forward secrecy and authenticated encryption.
_STRONG = re.compile(r"(?:TLS_|ECDHE-|DHE-).*(?:GCM|CCM|CHACHA20)").match


def weak_cipher(cipher: tuple[str, str, int] | None) -> str | None:
    """The name of a cipher suite that is weak; None for one that is not.

    A suite is weak without forward secrecy or without authenticated encryption: RFC
    9325 section 4 recommends no such suite, and RFC 9113 appendix A prohibits them.
    """
    return cipher[0] if cipher is not None and not _STRONG(cipher[0]) else None


class Tls:
    """Opens TLS connections.

    `trusted`: origins to which the client certificate is shown. Raises UsageError if
    the certificate files or the cipher suites of `config` cannot be used.
    """

    def __init__(self, config: HttpConfig, trusted: Collection[str]) -> None:
        self._config = config
        self._trusted = trusted
        self._contexts: dict[bool, ssl.SSLContext] = {}
        self._sessions: OrderedDict[str, Any] = OrderedDict()
        if config.client_cert or config.ca_file:
            self._context(False), self._context(True)

    def connect(
        self,
        sock: socket.socket,
        target: Target,
        key: str,
        remote_ip: str | None,
        read_timeout: float | None,
    ) -> TlsConnection:
        """A TLS connection over `sock`.

        Raises TlsFailure; closes `sock` whenever it raises.
        """
        wire = self._wrap(sock, target)
        return TlsConnection(wire, key, remote_ip, read_timeout, self, target.origin)

    def _wrap(self, sock: socket.socket, target: Target) -> ssl.SSLSocket:
        """Perform the handshake."""
        try:
            context = self._context(target.origin in self._trusted)
            session = self._sessions.get(target.origin)
            return context.wrap_socket(
                sock, server_hostname=target.host.rstrip("."), session=session
            )
        except (OSError, ValueError) as error:  # ValueError: not a valid server name
            sock.close()
            raise _failure(target, error) from None
        except BaseException:
            sock.close()
            raise

    def store_session(self, wire: ssl.SSLSocket, origin: str) -> None:
        """Store the session of a connection that is about to be closed."""
        session = wire.session
        if session is None or not session.has_ticket:
            return
        self._sessions[origin] = session
        self._sessions.move_to_end(origin)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)

    def _context(self, trusted: bool) -> ssl.SSLContext:
        """The context with or without the client certificate.

        It is created when it is first needed, because reading the system's store takes
        tens of milliseconds.
        """
        trusted = trusted and bool(self._config.client_cert)
        if trusted not in self._contexts:
            self._contexts[trusted] = _context(self._config, with_certificate=trusted)
        return self._contexts[trusted]


def _context(config: HttpConfig, *, with_certificate: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=_path(config.ca_file))
    except OSError as error:
        raise UsageError(f"http.ca_file: {config.ca_file}: {_reason(error)}") from error
    context.minimum_version = standard.TLSVersion.TLSv1_2
    try:
        context.set_ciphers(config.tls_ciphers)
    except standard.SSLError as error:
        raise UsageError(
            f"http.tls_ciphers: {config.tls_ciphers!r} names no cipher suite of OpenSSL"
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    if not config.verify_tls:
        context.check_hostname = False
        context.verify_mode = standard.CERT_NONE
    if with_certificate:
        try:
            context.load_cert_chain(
                str(_path(config.client_cert)),
                _path(config.client_key),
                password=_no_password,
            )
        except OSError as error:
            raise UsageError(
                f"http.client_cert: {config.client_cert}: {_reason(error)}"
            ) from error
    return context


def _path(file: str | None) -> str | None:
    return str(Path(file).expanduser()) if file else None


def _no_password() -> str:
    """Refuse an encrypted key: OpenSSL would ask for its password on the terminal."""
    raise OSError("the key is encrypted; decrypt it first (openssl pkey -in KEY)")


def _reason(error: OSError) -> str:
    if isinstance(error, standard.SSLError):
        return (
            "not a PEM file with a certificate, or the key does not match it "
            f"({error.reason})"
        )
    return error.strerror or str(error)


# -- failures

# Continues "the certificate of HOST ...", by X509_V_ERR_... (openssl/x509_vfy.h).
_VERIFY = {
    9: "is not yet valid",
    10: "has expired",
    18: "is self-signed",
    19: "was issued by an authority that is unknown and self-signed",
    20: "was issued by an unknown authority",
    21: "was issued by an unknown authority",
    23: "was revoked",
    26: "is not meant for servers",
    62: "is for another host",
    64: "is for another address",
    66: "has too short a key",
    68: "is signed with too weak an algorithm",
}
# Continues "the server ...", by the reason that OpenSSL gives.
_HANDSHAKE = {
    "WRONG_VERSION_NUMBER": "does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "supports nothing newer than TLS 1.1",
    "TLSV1_ALERT_PROTOCOL_VERSION": "supports nothing newer than TLS 1.1",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "shares no TLS version or cipher with the client",
    "TLSV1_UNRECOGNIZED_NAME": "does not know this name",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "requires a client certificate (--cert)",
    "SSLV3_ALERT_BAD_CERTIFICATE": "rejected the client certificate",
    "TLSV1_ALERT_UNKNOWN_CA": "does not trust the issuer of the client certificate",
    "UNEXPECTED_EOF_WHILE_READING": "closed the connection",
}


def _failure(target: Target, error: OSError | ValueError) -> TlsFailure:
    if isinstance(error, standard.SSLCertVerificationError):
        problem = _VERIFY.get(error.verify_code, "is not valid")
        detail = error.verify_message.strip()
        return TlsVerifyFailure(
            f"the certificate of {target.host} {problem} ({detail})"
        )
    return TlsHandshakeFailure(f"TLS with {target.authority}: {explain(error)}")


def explain(error: Exception) -> str:
    """Describe a TLS error in words, followed by OpenSSL's own name for it."""
    if isinstance(error, standard.SSLError) and error.reason:
        known = _HANDSHAKE.get(error.reason)
        return f"the server {known} ({error.reason})" if known else error.reason
    return getattr(error, "strerror", None) or str(error)
