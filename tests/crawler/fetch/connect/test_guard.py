"""guard: which addresses and ports a crawl may connect to."""

from __future__ import annotations

import pytest

from crawler.fetch.client import Client
from crawler.fetch.connect.guard import DENIED_NETWORKS, AddressGuard
from crawler.model.errors import BlockedAddress
from crawler.model.http import Request
from tests.site.fixtures import LIMITS
from tests.site.server import Site

PUBLIC = ["93.184.216.34", "8.8.8.8", "172.32.0.1", "192.169.0.1", "100.128.0.1",
          "2606:4700::1", "2a00:1450::200e", "64:ff9b::808:808", "2002:808:808::1",
          "::ffff:8.8.8.8"]  # fmt: skip
PRIVATE = ["127.0.0.1", "127.9.9.9", "10.1.2.3", "172.16.0.1", "172.31.255.255",
           "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255",
           "224.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254",
           "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
           "::7f00:1", "ff02::1", "2001:db8::1"]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert AddressGuard((), ()).deny_reason("a.example", address) is None


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_denied_with_the_reason(address: str) -> None:
    deny_reason = AddressGuard((), ()).deny_reason("a.example", address)
    assert deny_reason is not None
    assert "is not a public address" in deny_reason
    assert any(f", {network})" in deny_reason for network in DENIED_NETWORKS)


def test_a_named_host_passes_and_no_other() -> None:
    guard = AddressGuard((), {"intranet.example"})
    assert guard.deny_reason("intranet.example", "10.0.0.1") is None
    assert guard.deny_reason("a.example", "10.0.0.1") is not None


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("127.0.0.0/8", "127.1.1.1"),
        ("127.0.0.1/8", "127.1.1.1"),
        ("127.0.0.0/8", "::ffff:127.0.0.1"),
        ("fd00::/8", "fd00::7"),
        ("10.0.0.7", "10.0.0.7"),
        ("0.0.0.0/0", "192.168.1.1"),
    ],
)
def test_an_allowed_network_passes_and_no_other(network: str, address: str) -> None:
    guard = AddressGuard([network], ())
    assert guard.deny_reason("a.example", address) is None
    assert guard.deny_reason("a.example", "fe80::1") is not None


def test_the_answer_is_the_same_when_asked_again() -> None:
    guard = AddressGuard((), ())
    asked = [guard.deny_reason("a.example", address) for address in PUBLIC + PRIVATE]
    assert [
        guard.deny_reason("a.example", address) for address in PUBLIC + PRIVATE
    ] == asked


@pytest.mark.parametrize("port", [22, 25, 110, 6667, 10080])
def test_ports_of_other_protocols(port: int, site: Site) -> None:
    guard = AddressGuard((), (), {f"http://a.example:{port}"})
    assert guard.port_deny_reason(f"http://a.example:{port}", port) is None
    assert str(port) in (
        guard.port_deny_reason(f"https://a.example:{port}", port) or ""
    )
    assert AddressGuard((), ()).port_deny_reason("http://a.example:8080", 8080) is None
    client = Client(LIMITS, named_hosts={"127.0.0.1"})
    with pytest.raises(BlockedAddress, match=f"port {port} "):
        client.fetch(Request(f"http://127.0.0.1:{port}/"))
