"""trace: an exchange as people see it, and what they must not see."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.fetch.client import Client
from crawler.fetch.connect.proxy import Proxies
from crawler.fetch.exchange_text import brief, render
from crawler.model.errors import Failure, ProtocolFailure
from crawler.model.http import Exchange, Request
from crawler.model.http_config import HttpConfig
from crawler.model.redact import redact
from tests.helpers.clients import session_auth_for
from tests.site.fixtures import LIMITS
from tests.site.proxies import Proxy
from tests.site.server import Site


class Traced:
    """A client whose exchanges are kept as lines."""

    def __init__(
        self, site: Site, config: HttpConfig = LIMITS, proxies: Proxies | None = None
    ):
        self.exchanges: list[Exchange] = []
        self.client = Client(
            config,
            named_hosts={"127.0.0.1"},
            auth=session_auth_for(site.base),
            proxies=proxies,
        )
        self.client.on_exchange(self.exchanges.append)

    def lines(self, url: str) -> list[str]:
        """The lines about the exchanges for `url`."""
        self.exchanges.clear()
        with suppress(Failure):
            self.client.fetch(Request(url))
        return [line for exchange in self.exchanges for line in render(exchange)]


@pytest.fixture
def traced(site: Site) -> Iterator[Traced]:
    traced = Traced(site)
    yield traced
    traced.client.close()


def test_an_exchange(traced: Traced, site: Site) -> None:
    lines = traced.lines(site.base + "/gzip")
    assert lines[:4] == [
        f"* {site.base}",
        f"* new connection to 127.0.0.1 port {site.port}",
        "> GET /gzip HTTP/1.1",
        f"> Host: 127.0.0.1:{site.port}",
    ]
    assert "< HTTP/1.1 200 OK" in lines
    assert "< content-encoding: gzip" in lines
    assert any(line.endswith("decoded") for line in lines)
    assert re.match(r"\* dns \d+ ms, connect \d+ ms, ", lines[-1])
    assert "* reused connection" in traced.lines(site.base + "/gzip")[1]


def test_a_login_shows_two_exchanges_and_no_secret(traced: Traced, site: Site) -> None:
    lines = traced.lines(site.base + "/basic")
    assert [line for line in lines if line.startswith("< HTTP")] == [
        "< HTTP/1.1 401 Status", "< HTTP/1.1 200 OK",
    ]  # fmt: skip
    assert "> Authorization: Basic •••" in lines
    assert not any("dXNlcjpzZWNyZXQ" in line for line in lines)


def test_tls(tls_site: Site, ca_file: Path) -> None:
    traced = Traced(tls_site, replace(LIMITS, ca_file=str(ca_file)))
    text = "\n".join(traced.lines(tls_site.url("/arrived", "127.0.0.1")))
    assert "* TLSv1.3, TLS_" in text
    assert "* certificate of " in text
    assert "* valid until " in text
    assert ", tls " in text
    traced.client.close()
    insecure = Traced(tls_site, replace(LIMITS, verify_tls=False))
    assert "* certificate not verified" in insecure.lines(tls_site.base + "/arrived")
    insecure.client.close()


def test_tolerated_faults(traced: Traced, site: Site) -> None:
    lines = traced.lines(site.base + "/space-before-colon")
    assert "* tolerated: space_before_colon" in lines
    assert not [
        line for line in traced.lines(site.base + "/arrived") if "toler" in line
    ]


def test_a_failure_names_the_proxy(site: Site) -> None:
    with Proxy(require_credentials=True) as proxy:
        proxies = Proxies(f"http://user:pr0xy@127.0.0.1:{proxy.port}", (), {})
        traced = Traced(site, proxies=proxies)
        text = "\n".join(traced.lines(site.url("/arrived", "far.test")))
        traced.client.close()
    assert f"through the proxy http://user@127.0.0.1:{proxy.port}" in text
    assert "> Proxy-Authorization: Basic •••" in text
    assert f"> GET http://far.test:{site.port}/arrived HTTP/1.1" in text


@pytest.mark.parametrize(
    ("path", "last"),
    [("/drop", "* failed (reset, headers): "), ("/silent", "* failed (read_timeout")],
)  # fmt: skip
def test_failures(traced: Traced, site: Site, path: str, last: str) -> None:
    assert traced.lines(site.base + path)[-2].startswith(last)


def test_nothing_listens(traced: Traced) -> None:
    lines = traced.lines("http://169.254.169.254/")
    assert len(lines) == 3
    assert "blocked_address, dns" in lines[1] or "blocked_address, connect" in lines[1]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Cookie: sid=s3cr3t; theme=dark", "Cookie: sid=•••; theme=•••"),
        (
            "set-cookie: sid=s3cr3t; Path=/; Secure",
            "set-cookie: sid=•••; Path=/; Secure",
        ),
        ("set-cookie: s3cr3t; Path=/", "set-cookie: •••; Path=/"),
        ("set-cookie: =s3cr3t", "set-cookie: =•••"),
        ("Cookie: s3cr3t; a=b", "Cookie: •••; a=•••"),
        ("Authorization: Bearer s3cr3t", "Authorization: Bearer •••"),
        ("Authorization: s3cr3t", "Authorization: •••"),
        (
            'Authorization: Digest username="a", response="s3cr3t"',
            "Authorization: Digest •••",
        ),
        ("X-API-Key: s3cr3t", "X-API-Key: •••"),
        ("PRIVATE-TOKEN: s3cr3t s3cr3t", "PRIVATE-TOKEN: •••"),
        ("x-csrf-token: s3cr3t", "x-csrf-token: •••"),
        ("X-Mine: s3cr3t", "X-Mine: •••"),
        ("Accept: */*", "Accept: */*"),
        ("X-Author: me", "X-Author: me"),
    ],
)
def test_secrets_are_redacted(line: str, shown: str) -> None:
    name, _, value = line.partition(": ")
    assert f"{name}: {redact(name, value, {'x-mine'})}" == shown


def test_in_brief(traced: Traced, site: Site) -> None:
    for how in (
        "new connection; [0-9]+ ms \\(dns [0-9]+, connect ",
        "reused connection; [0-9]+ ms \\(first",
    ):
        traced.lines(site.base + "/gzip")
        about, sent, received = brief(traced.exchanges[0])
        assert re.match(
            rf"\* GET {site.base}/gzip  200 OK; [0-9,]+ bytes, [0-9,]+ decoded; "
            rf"127.0.0.1 port {site.port}, {how}",
            about,
        ), about
        assert sent.startswith(
            f"> Host: 127.0.0.1:{site.port}  Accept: */*  User-Agent: orbweb/"
        )
        assert received.startswith("< content-type: text/html  content-length: ")
    traced.lines(site.base + "/arrived")
    assert "; 10 bytes; 127.0.0.1" in brief(traced.exchanges[0])[0]


def test_in_brief_without_an_exchange(traced: Traced, site: Site) -> None:
    traced.lines("http://169.254.169.254/x?y")
    (about,) = brief(traced.exchanges[0])
    assert about.startswith(
        "* GET http://169.254.169.254/x?y  failed (blocked_address, "
    )
    traced.lines(site.base + "/drop")
    about, sent = brief(traced.exchanges[0])
    assert f"* GET {site.base}/drop  failed (reset, headers): " in about
    assert sent.startswith("> Host: ")
    traced.lines(site.base + "/drip-endless")
    about, _sent = brief(traced.exchanges[0])
    assert f"* GET {site.base}/drip-endless  cancelled; " in about


def test_in_brief_over_tls(tls_site: Site, ca_file: Path) -> None:
    traced = Traced(tls_site, replace(LIMITS, ca_file=str(ca_file)))
    traced.lines(tls_site.url("/arrived", "127.0.0.1"))
    assert re.search(
        r", new connection; TLSv1.3, TLS_\w+; \d+ ms \(.*tls",
        brief(traced.exchanges[0])[0],
    )
    traced.client.close()


def test_no_exchange_without_a_head(site: Site) -> None:
    traced = Traced(site)
    traced.exchanges.clear()
    with pytest.raises(ProtocolFailure):
        traced.client.fetch(
            Request(site.base + "/arrived", headers=(("X", "line\nbreak"),))
        )
    assert traced.exchanges == []
    traced.client.close()


def test_a_secret_by_reference_is_never_shown(site: Site) -> None:
    """Its name does not matter, because the settings mark it as a secret."""
    exchanges: list[Exchange] = []
    config = replace(LIMITS, headers={"X-Mine": "s3cr3t"})
    client = Client(
        config,
        named_hosts={"127.0.0.1"},
        auth=session_auth_for(site.base),
        secret_headers={"x-mine"},
    )
    client.on_exchange(exchanges.append)
    client.fetch(Request(site.base + "/arrived"))
    client.close()
    text = "\n".join([*render(exchanges[0]), *brief(exchanges[0])])
    assert "X-Mine: •••" in text
    assert "s3cr3t" not in text
