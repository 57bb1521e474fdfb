"""Certificates for the TLS fixture site: a valid one, and one for each fault."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from datetime import UTC, datetime, timedelta

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

GOOD = ("127.0.0.1", "::1", "localhost", "good.test")
DAY = timedelta(days=1)


def authority() -> trustme.CA:
    return trustme.CA()


def contexts(trusted: trustme.CA) -> dict[str, ssl.SSLContext]:
    """Server contexts by server name; "" is the valid one."""
    unknown = trustme.CA()
    now = datetime.now(UTC)
    certificates = {
        "": trusted.issue_cert(*GOOD),
        "expired.test": trusted.issue_cert("expired.test", not_before=now - 9 * DAY,
                                           not_after=now - DAY),
        "early.test": trusted.issue_cert("early.test", not_before=now + DAY),
        "wrong-host.test": trusted.issue_cert("somebody-else.test"),
        "unknown-issuer.test": unknown.issue_cert("unknown-issuer.test"),
    }  # fmt: skip
    made = {name: _context(certificate) for name, certificate in certificates.items()}
    made["self-signed.test"] = _self_signed("self-signed.test")
    return made


def strict(trusted: trustme.CA) -> ssl.SSLContext:
    """The context of a server that requires a client certificate of `trusted`."""
    context = _context(trusted.issue_cert(*GOOD))
    context.verify_mode = ssl.CERT_REQUIRED
    trusted.configure_trust(context)
    return context


def one_suite(trusted: trustme.CA, suite: str) -> ssl.SSLContext:
    """The context of a server that speaks TLS 1.2 with this cipher suite alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    key_type = trustme.KeyType.RSA
    trusted.issue_cert(*GOOD, key_type=key_type).configure_cert(context)
    return context


def ancient(trusted: trustme.CA) -> ssl.SSLContext:
    """The context of a server that speaks nothing newer than TLS 1.1."""
    context = _context(trusted.issue_cert(*GOOD))
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def _self_signed(name: str) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        subject, subject, key.public_key(), 1, now, now + DAY
    )
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    certificate = builder.add_extension(names, critical=False).sign(
        key, hashes.SHA256()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(Encoding.PEM))
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
