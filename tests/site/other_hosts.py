"""More hosts, whose names, addresses, ports or certificates are wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import trustme
from msgspec.structs import replace

from crawler.model.http_config import HttpConfig
from tests.site import certificates
from tests.site.fixtures import LIMITS
from tests.site.name_server import NameServer, records
from tests.site.pages import handlers
from tests.site.server import Site, refusing

NAMES = {
    "gone.example": records(rcode=3),
    "bare.example": records(),
    "broken.example": records(rcode=2),
    "refused.example": records(rcode=5),
    "silent.example": None,
    "private.example": records("10.0.0.1"),
    "inside.example": records("127.0.0.1"),
    "metadata.example": records("169.254.169.254"),
    "mixed.example": records("192.168.1.1", "10.0.0.1"),
}
TLS_FAULTS = ("expired", "early", "wrong-host", "unknown-issuer", "self-signed")


class OtherHosts(NamedTuple):
    http: HttpConfig
    """Settings with the name server, the mapped hosts and the authority."""
    expected: dict[str, tuple[str, str]]
    """For each URL the type of its record, and the error_code of an error."""


@contextmanager
def other_hosts(
    site: Site, tls_site: Site, authority: trustme.CA, ca_file: Path
) -> Iterator[OtherHosts]:
    """Start hosts on the ports of `site` and `tls_site`, and on ports of their own."""
    names = NameServer(lambda name, kind: NAMES[name])
    strict = Site(handlers(), tls={"": certificates.strict(authority)})
    ancient = Site(handlers(), tls={"": certificates.ancient(authority)})
    hosts = (*TLS_FAULTS, "good")
    http = replace(
        LIMITS,
        dns_servers=(names.address,),
        resolve=tuple(f"{name}.test:{tls_site.port}:127.0.0.1" for name in hosts),
        ca_file=str(ca_file),
    )
    with refusing() as closed:
        yield OtherHosts(http, _expected(site, tls_site, ancient, strict, closed))
    for server in (ancient, strict):
        server.stop()
    names.stop()


def _expected(
    site: Site, tls_site: Site, ancient: Site, strict: Site, closed: int
) -> dict[str, tuple[str, str]]:
    faults = {
        tls_site.url("/arrived", f"{name}.test"): "tls_verify" for name in TLS_FAULTS
    }
    faults |= {
        "http://gone.example/": "dns_nxdomain",
        "http://bare.example/": "dns_nxdomain",
        "http://none.invalid/": "dns_nxdomain",
        "http://broken.example/": "dns_servfail",
        "http://refused.example/": "dns_servfail",
        "http://silent.example/": "dns_timeout",
        "http://private.example/": "blocked_address",
        f"http://inside.example:{site.port}/": "blocked_address",
        "http://metadata.example/": "blocked_address",
        "http://mixed.example/": "blocked_address",
        "http://169.254.169.254/latest/meta-data/": "blocked_address",
        "http://10.255.255.1/": "blocked_address",
        "http://[::ffff:a00:1]/": "blocked_address",
        "http://127.0.0.1:25/": "blocked_address",
        f"http://127.0.0.1:{closed}/": "connect_refused",
        f"https://127.0.0.1:{ancient.port}/": "tls_handshake",
        f"https://127.0.0.1:{strict.port}/": "tls_handshake",
    }
    good = {tls_site.url("/arrived", "good.test"): ("page", "")}
    return {url: ("error", code) for url, code in faults.items()} | good
