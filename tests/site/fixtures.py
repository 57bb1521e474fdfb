"""pytest fixtures: the running site, over HTTP and over TLS."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from crawler.model.http_config import HttpConfig
from tests.site import certificates
from tests.site.pages import handlers
from tests.site.server import Site

LIMITS = HttpConfig(
    timeout=1.5,
    connect_timeout=1.0,
    read_timeout=0.7,
    dns_timeout=1.0,
    max_body=2 * 2**20,
)
"""The limits that the expectations of the pages assume."""


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


needs_ipv6 = pytest.mark.skipif(
    not _has_ipv6(), reason="this machine has no IPv6, not even ::1"
)

_LOOPBACK = ("127.0.0.1", "127.0.0.2")


@pytest.fixture(scope="session")
def running_site() -> Iterator[Site]:
    site = Site(handlers(), addresses=_LOOPBACK)
    yield site
    site.stop()


@pytest.fixture
def site(running_site: Site) -> Iterator[Site]:
    """The fixture site, with an empty log and no connections."""
    running_site.forget()
    yield running_site
    running_site.forget()


@pytest.fixture(scope="session")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the authority that signs the TLS site's certificates."""
    return tmp_path_factory.mktemp("tls") / "ca.pem"


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return certificates.authority()


@pytest.fixture(scope="session")
def running_tls_site(authority: trustme.CA, ca_file: Path) -> Iterator[Site]:
    authority.cert_pem.write_to_path(str(ca_file))
    site = Site(handlers(), tls=certificates.contexts(authority))
    yield site
    site.stop()


@pytest.fixture
def tls_site(running_tls_site: Site) -> Iterator[Site]:
    """The same site over TLS; a client has to trust `ca_file`."""
    running_tls_site.forget()
    yield running_tls_site
    running_tls_site.forget()
