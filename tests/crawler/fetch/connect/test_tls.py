"""tls: the client against good, bad and old servers, and against curious ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from crawler.fetch.auth.session_auth import SessionAuth
from crawler.fetch.client import Client
from crawler.model.errors import (
    ConnectTimeout,
    Failure,
    TlsHandshakeFailure,
    TlsVerifyFailure,
    UsageError,
)
from crawler.model.http import Request
from crawler.model.http_config import HttpConfig
from tests.helpers.clients import Make, failing, make, server, session_auth_for
from tests.site import certificates
from tests.site.fixtures import LIMITS, needs_ipv6
from tests.site.pages import handlers
from tests.site.server import Site

__all__ = ["make"]


@pytest.fixture
def trusting(ca_file: Path, tls_site: Site) -> HttpConfig:
    names = ("good", "expired", "early", "wrong-host", "unknown-issuer", "self-signed")
    resolve = tuple(f"{name}.test:{tls_site.port}:127.0.0.1" for name in names)
    return replace(LIMITS, ca_file=str(ca_file), resolve=resolve)


def test_tls_by_address_and_by_name(
    make: Make, trusting: HttpConfig, tls_site: Site
) -> None:
    client = make(trusting)
    for host in ("127.0.0.1", "good.test"):
        for reused in (False, True):
            response = client.fetch(Request(tls_site.url("/arrived", host)))
            assert (response.body, response.reused_connection) == (
                b"<p>arrived",
                reused,
            )
            assert (response.timings.tls_ms is None) == reused


def test_a_large_body_over_tls(
    make: Make, trusting: HttpConfig, tls_site: Site
) -> None:
    client = make(trusting)
    assert (
        len(client.fetch(Request(tls_site.base + "/bytes/1500000")).body) == 1_500_000
    )


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("expired", "has expired"),
        ("early", "is not yet valid"),
        ("wrong-host", "is for another host"),
        ("unknown-issuer", "was issued by an unknown authority"),
        ("self-signed", "is self-signed"),
    ],
)
def test_refused_certificates_say_why(
    make: Make, trusting: HttpConfig, tls_site: Site, name: str, why: str
) -> None:
    failure = failing(
        make(trusting), tls_site.url("/", f"{name}.test"), TlsVerifyFailure
    )
    assert failure.at_stage == "tls"
    assert why in failure.message
    assert not tls_site.log


def test_the_system_store_does_not_know_the_test_authority(
    make: Make, tls_site: Site
) -> None:
    client = make()
    failing(client, tls_site.base + "/", TlsVerifyFailure)


def test_insecure_takes_any_certificate(
    make: Make, trusting: HttpConfig, tls_site: Site
) -> None:
    client = make(replace(trusting, verify_tls=False))
    for name in ("expired", "wrong-host", "unknown-issuer", "self-signed"):
        assert (
            client.fetch(Request(tls_site.url("/arrived", f"{name}.test"))).status
            == 200
        )


def test_tls_to_a_plain_server(make: Make) -> None:
    with server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        failure = failing(make(), f"https://127.0.0.1:{port}/", TlsHandshakeFailure)
    assert failure.at_stage == "tls"
    assert "does not speak TLS on this port" in failure.message


@pytest.mark.parametrize("host", ["a..b", ".example", f"{'x' * 64}.example"])
def test_a_host_that_cannot_be_a_server_name(
    make: Make, tls_site: Site, host: str
) -> None:
    port = tls_site.port
    client = make(replace(LIMITS, resolve=(f"{host}:{port}:127.0.0.1",)))
    failure = failing(client, f"https://{host}:{port}/", TlsHandshakeFailure)
    assert "label" in str(failure)


def test_a_handshake_that_stalls(make: Make) -> None:
    client = make(replace(LIMITS, connect_timeout=0.2))
    with server(None) as port:
        failure = failing(client, f"https://127.0.0.1:{port}/", ConnectTimeout)
    assert failure.at_stage == "tls"


@pytest.mark.parametrize("path", ["/drop-in-body", "/until-close", "/reset", "/silent"])
def test_the_end_of_a_body_is_the_same_over_tls(
    make: Make, trusting: HttpConfig, site: Site, tls_site: Site, path: str
) -> None:
    client = make(trusting)
    outcomes = []
    for base in (site.base, tls_site.base):
        try:
            outcomes.append(client.fetch(Request(base + path)).body)
        except Failure as failure:
            outcomes.append(f"{failure.code} {failure.at_stage}".encode())
    assert outcomes[0] == outcomes[1]


def test_sessions_are_resumed(make: Make, trusting: HttpConfig, tls_site: Site) -> None:
    client = make(trusting)
    for path in ("/closes-after", "/http-1.0", "/arrived"):
        assert not client.fetch(
            Request(tls_site.url(path, "good.test"))
        ).reused_connection
    assert tls_site.connections == 3
    assert tls_site.resumed == 2


@pytest.fixture
def strict_site(authority: trustme.CA) -> Iterator[Site]:
    """A server that requires a client certificate."""
    site = Site(handlers(), tls={"": certificates.strict(authority)})
    yield site
    site.stop()


@pytest.fixture
def certified(
    authority: trustme.CA, trusting: HttpConfig, tmp_path: Path
) -> HttpConfig:
    """The settings with a client certificate."""
    ours = authority.issue_cert("crawler@good.test")
    ours.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    ours.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    return replace(
        trusting,
        client_cert=str(tmp_path / "cert.pem"),
        client_key=str(tmp_path / "key.pem"),
    )


def test_a_client_certificate_is_for_trusted_origins(
    make: Make, certified: HttpConfig, strict_site: Site
) -> None:
    trusted: SessionAuth = session_auth_for(strict_site.base)
    assert make(certified, auth=trusted).fetch(Request(strict_site.base + "/arrived"))
    for client in (
        make(certified),
        make(replace(certified, client_cert="", client_key="")),
    ):
        failure = failing(client, strict_site.base + "/arrived", TlsHandshakeFailure)
        assert "requires a client certificate" in failure.message


def test_nothing_older_than_tls_1_2(
    make: Make, trusting: HttpConfig, authority: trustme.CA
) -> None:
    old = Site(handlers(), tls={"": certificates.ancient(authority)})
    failure = failing(make(trusting), old.base + "/", TlsHandshakeFailure)
    assert "nothing newer than TLS 1.1" in failure.message
    old.stop()


OLD_SUITES = (
    "ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES128-SHA256",
    "AES256-GCM-SHA384", "AES128-SHA256", "AES256-SHA", "AES128-SHA",
)  # fmt: skip


@pytest.mark.parametrize("suite", OLD_SUITES)
def test_an_old_cipher_suite_is_accepted_and_named(
    make: Make, trusting: HttpConfig, authority: trustme.CA, suite: str
) -> None:
    old = Site(handlers(), tls={"": certificates.one_suite(authority, suite)})
    client = make(trusting)
    for _ in range(2):  # the second request reuses the connection
        response = client.fetch(Request(old.base + "/arrived"))
        assert (response.status, response.weak_cipher) == (200, suite)
    old.stop()


@pytest.mark.parametrize("suite", ["ECDHE-RSA-AES128-GCM-SHA256", ""])
def test_a_strong_cipher_suite_is_not_named(
    make: Make, trusting: HttpConfig, authority: trustme.CA, suite: str
) -> None:
    context = certificates.one_suite(authority, suite) if suite else None
    context = context or certificates.contexts(authority)[""]  # TLS 1.3
    modern = Site(handlers(), tls={"": context})
    assert make(trusting).fetch(Request(modern.base + "/")).weak_cipher is None
    modern.stop()


def test_the_cipher_suites_are_an_option(
    make: Make, trusting: HttpConfig, authority: trustme.CA
) -> None:
    old = Site(handlers(), tls={"": certificates.one_suite(authority, "AES128-SHA")})
    modern_only = replace(trusting, tls_ciphers="ECDHE+AESGCM")
    failure = failing(make(modern_only), old.base + "/", TlsHandshakeFailure)
    assert "shares no TLS version or cipher with the client" in failure.message
    old.stop()
    with pytest.raises(UsageError, match=r"^http\.tls_ciphers: 'NONSENSE'"):
        failing(make(replace(trusting, tls_ciphers="NONSENSE")), old.base, Failure)


def test_files_that_are_no_certificates(tmp_path: Path, certified: HttpConfig) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("s3cr3t")
    missing = str(tmp_path / "missing")
    for config in (
        HttpConfig(ca_file=str(wrong)),
        HttpConfig(ca_file=missing),
        HttpConfig(client_cert=missing),
        replace(certified, client_key=str(wrong)),
        replace(certified, client_key=""),
    ):
        with pytest.raises(
            UsageError, match=r"^http\.(ca_file|client_cert): "
        ) as caught:
            Client(config)
        assert "s3cr3t" not in str(caught.value)


def test_a_server_that_prefers_http_2(
    make: Make, trusting: HttpConfig, authority: trustme.CA
) -> None:
    """The client offers only HTTP/1.1 in the handshake (ALPN)."""
    context = certificates.contexts(authority)[""]
    context.set_alpn_protocols(["h2", "http/1.1"])
    modern = Site(handlers(), tls={"": context})
    assert make(trusting).fetch(Request(modern.base + "/arrived")).status == 200
    assert modern.protocols == ["http/1.1"]
    modern.stop()


def test_a_name_with_a_dot_at_its_end(
    make: Make, trusting: HttpConfig, tls_site: Site
) -> None:
    """Certificates are issued for the name without the dot."""
    name = "good.test."
    config = replace(trusting, resolve=(f"{name}:{tls_site.port}:127.0.0.1",))
    assert make(config).fetch(Request(tls_site.url("/arrived", name))).status == 200


@needs_ipv6
def test_tls_to_an_ipv6_address(
    make: Make, trusting: HttpConfig, authority: trustme.CA
) -> None:
    six = Site(
        handlers(), addresses=("::1",), tls={"": certificates.contexts(authority)[""]}
    )
    response = make(trusting, named_hosts={"::1"}).fetch(Request(six.base + "/arrived"))
    assert (response.status, response.remote_ip) == (200, "::1")
    six.stop()
