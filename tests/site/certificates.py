"""Certificates for the TLS fixture site: a right one, and one for each way to be wrong."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import trustme

GOOD = ("127.0.0.1", "::1", "localhost", "good.test")


def authority() -> trustme.CA:
    return trustme.CA()


def contexts(trusted: trustme.CA) -> dict[str, ssl.SSLContext]:
    """Server contexts by server name; "" is the right one."""
    stranger = trustme.CA()
    now = datetime.now(UTC)
    day = timedelta(days=1)
    certificates = {
        "": trusted.issue_cert(*GOOD),
        "expired.test": trusted.issue_cert("expired.test", not_before=now - 9 * day,
                                           not_after=now - day),
        "early.test": trusted.issue_cert("early.test", not_before=now + day),
        "wrong-host.test": trusted.issue_cert("somebody-else.test"),
        "unknown-issuer.test": stranger.issue_cert("unknown-issuer.test"),
    }  # fmt: skip
    made = {name: _context(certificate) for name, certificate in certificates.items()}
    made["old-tls.test"] = old = _context(trusted.issue_cert("old-tls.test"))
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    return made


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
