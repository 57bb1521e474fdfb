"""files: resolv.conf, the hosts file and addresses of name servers."""

from __future__ import annotations

import pytest

from crawler.fetch.dns.files import (
    Server,
    parse_server,
    read_hosts,
    read_resolv_conf,
)


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", Server("192.0.2.1")),
        ("192.0.2.1:5353", Server("192.0.2.1", 5353)),
        ("2001:db8::1", Server("2001:db8::1")),
        ("[2001:db8::1]", Server("2001:db8::1")),
        ("[2001:db8::1]:5353", Server("2001:db8::1", 5353)),
        ("fe80::1%eth0", Server("fe80::1%eth0")),
    ],
)
def test_server_addresses(text: str, server: Server) -> None:
    assert parse_server(text) == server
    assert parse_server(str(server)) == server


@pytest.mark.parametrize(
    "text", ["", "a.example", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:99999", "["]
)
def test_malformed_server_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="is not a name server"):
        parse_server(text)


def test_resolv_conf() -> None:
    text = (
        "; old\nsearch example\nnameserver 192.0.2.1 # ours\n"
        "nameserver nonsense\nnameserver\nnameserver 2001:db8::1\n"
        "options edns0\nnameserver 192.0.2.3\nnameserver 192.0.2.4\n"
    )
    assert [str(server) for server in read_resolv_conf(text)] == [
        "192.0.2.1", "[2001:db8::1]", "192.0.2.3",
    ]  # fmt: skip


def test_malformed_lines_of_a_hosts_file_are_ignored() -> None:
    assert read_hosts("nonsense a\n\n# 10.0.0.1 b\n10.0.0.1\n10.0.0.2 c") == {
        "c": ("10.0.0.2",)
    }
