"""proxy, tunnel: which proxy a URL goes through, and requests through one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.fetch.client import Client
from crawler.fetch.connect.proxy import Proxies, parse_proxy
from crawler.fetch.target import parse_target
from crawler.model.errors import (
    BlockedAddress,
    Failure,
    NameNotFound,
    ProxyFailure,
    UsageError,
)
from crawler.model.http import Request
from crawler.model.http_config import HttpConfig
from tests.site.fixtures import LIMITS
from tests.site.proxies import Proxy
from tests.site.server import Site, refusing

# -- the choice of a proxy


@pytest.mark.parametrize(
    ("text", "key", "tunnels_http"),
    [
        ("http://p.example:8080", "http://p.example:8080", False),
        ("http://p.example:8080/", "http://p.example:8080", False),
        ("p.example:8080", "http://p.example:8080", False),
        ("HTTP://P.example", "http://p.example:3128", False),
        ("http://ann:s3cr3t@p.example", "http://ann@p.example:3128", False),
        ("socks5://127.0.0.1", "socks5://127.0.0.1:1080", True),
        ("socks5h://[::1]:9050", "socks5h://::1:9050", True),
        ("socks://p.example", "socks5h://p.example:1080", True),
    ],
)
def test_valid_proxies(text: str, key: str, tunnels_http: bool) -> None:
    proxy = parse_proxy(text, "x")
    assert proxy.key == key
    assert proxy.tunnels(parse_target("http://a.example/")) == tunnels_http
    assert proxy.tunnels(parse_target("https://a.example/"))
    assert "s3cr3t" not in repr(proxy)


@pytest.mark.parametrize(
    "text",
    ["ftp://p.example", "https://p.example", "http://s3cr3t@p@q", "http://p:99999", "http://p:0",
     "http://", "http://p/s3cr3t", "socks5://u:" + "s3cr3t" * 50 + "@p"],
)  # fmt: skip
def test_an_invalid_proxy_is_not_shown(text: str) -> None:
    with pytest.raises(UsageError, match=r"^x: ") as caught:
        parse_proxy(text, "x")
    assert "s3cr3t" not in str(caught.value)


def chosen(
    url: str, environ: Mapping[str, str], setting: str = "", *but: str
) -> str | None:
    proxy = Proxies(setting, but, environ).choose(parse_target(url))
    return proxy and proxy.host


A, SECURE = "http://a.example/", "https://a.example/"
ENVIRONMENTS: list[tuple[dict[str, str], str, str | None]] = [
    ({}, A, None),
    ({"http_proxy": "p"}, A, "p"),
    ({"http_proxy": "p"}, SECURE, None),
    ({"HTTP_PROXY": "p"}, A, None),
    ({"https_proxy": "p"}, SECURE, "p"),
    ({"HTTPS_PROXY": "p"}, SECURE, "p"),
    ({"all_proxy": "p"}, A, "p"),
    ({"ALL_PROXY": "p", "https_proxy": "q"}, SECURE, "q"),
    ({"http_proxy": ""}, A, None),
    ({"http_proxy": "p"}, "http://localhost/", None),
    ({"http_proxy": "p"}, "http://127.1.2.3/", None),
    ({"http_proxy": "p"}, "http://[::1]/", None),
    ({"http_proxy": "p"}, "http://10.0.0.1/", "p"),
]


@pytest.mark.parametrize(("environ", "url", "proxy"), ENVIRONMENTS)
def test_the_environment(environ: dict[str, str], url: str, proxy: str | None) -> None:
    assert chosen(url, environ) == proxy


@pytest.mark.parametrize(
    ("exceptions", "url", "direct"),
    [
        ("a.example", A, True),
        (".a.example", A, True),
        ("*.a.example", A, True),
        ("example", A, True),
        ("EXAMPLE", A, True),
        ("le", A, False),
        ("x.a.example", A, False),
        ("b.example,a.example", A, True),
        ("b.example a.example", A, True),
        ("b.example, ,", A, False),
        ("*", A, True),
        ("a.example:80", A, True),
        ("a.example:81", A, False),
        ("a.example:443", SECURE, True),
        ("10.0.0.0/8", "http://10.1.2.3/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("10.1.2.3", "http://10.1.2.3/", True),
        ("10.1.2.3:80", "http://10.1.2.3/", True),
        ("fd00::/8", "http://[fd00::1]/", True),
        ("[fd00::1]", "http://[fd00::1]/", True),
        ("[fd00::1]:80", "http://[fd00::1]/", True),
        ("fd00::1", "http://[fd00::2]/", False),
        ("", A, False),
    ],
)
def test_no_proxy(exceptions: str, url: str, direct: bool) -> None:
    environ = {"all_proxy": "p", "no_proxy": exceptions}
    assert (chosen(url, environ) is None) == direct
    if exceptions and not set(", ") & set(exceptions):
        assert (chosen(url, {}, "p", exceptions) is None) == direct


def test_the_setting_takes_precedence_over_the_environment() -> None:
    environ = {"all_proxy": "p", "no_proxy": "a.example"}
    assert chosen("http://b.example/", environ, "q") == "q"
    assert chosen(A, environ, "q") is None
    assert chosen(A, environ, "q", "c.example") == "q"
    assert chosen("http://b.example/", environ, "direct") is None
    assert chosen("http://localhost/", environ, "q") == "q"


# -- requests through a proxy


made: list[Client] = []


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    while made:
        made.pop().close()


def client_by(
    proxy: Proxy | int, scheme: str, config: HttpConfig = LIMITS, credentials: str = ""
) -> Client:
    port = proxy if isinstance(proxy, int) else proxy.port
    url = f"{scheme}://{credentials}127.0.0.1:{port}"
    made.append(Client(config, named_hosts={"127.0.0.1"}, proxies=Proxies(url, (), {})))
    return made[-1]


WAYS = ("http", "socks5h")


@pytest.mark.parametrize("scheme", WAYS)
def test_names_are_resolved_by_the_proxy(scheme: str, site: Site) -> None:
    with Proxy() as proxy:
        client = client_by(proxy, scheme)
        url = f"http://far.test:{site.port}/echo"
        for _ in range(2):
            response = client.fetch(Request(url))
            assert f"host: far.test:{site.port}".encode() in response.body
            assert response.remote_ip is None
    asked = f"SOCKS far.test:{site.port}" if scheme == "socks5h" else f"GET {url}"
    assert proxy.log[0] == asked
    assert "proxy-authorization" not in site.log[0].headers


def test_socks5_resolves_here(site: Site) -> None:
    config = replace(LIMITS, resolve=(f"near.test:{site.port}:127.0.0.1",))
    with Proxy() as proxy:
        client = client_by(proxy, "socks5", config)
        assert (
            client.fetch(Request(f"http://near.test:{site.port}/arrived")).status == 200
        )
        assert proxy.log == [f"SOCKS 127.0.0.1:{site.port}"]
        with pytest.raises(NameNotFound):
            client.fetch(Request("http://unknown.invalid/"))


@pytest.mark.parametrize("scheme", WAYS)
def test_tls_goes_through_a_tunnel(scheme: str, tls_site: Site, ca_file: Path) -> None:
    with Proxy() as proxy:
        client = client_by(proxy, scheme, replace(LIMITS, ca_file=str(ca_file)))
        for path in ("/arrived", "/echo"):
            response = client.fetch(Request(tls_site.url(path, "good.test")))
        assert response.reused_connection
        assert len(proxy.log) == 1
        assert "proxy-authorization" not in tls_site.log[-1].headers


@pytest.mark.parametrize("scheme", WAYS)
def test_credentials_for_the_proxy(
    scheme: str, site: Site, tls_site: Site, ca_file: Path
) -> None:
    config = replace(LIMITS, ca_file=str(ca_file))
    urls = [site.url("/echo", "far.test"), tls_site.url("/echo", "good.test")]
    with Proxy(require_credentials=True) as proxy:
        right = client_by(proxy, scheme, config, "user:pr0xy@")
        for url in urls:
            assert b"authorization" not in right.fetch(Request(url)).body
        for credentials in ("", "user:wr0ng@"):
            client = client_by(proxy, scheme, config, credentials)
            for url in urls:
                with pytest.raises(ProxyFailure, match="credentials") as caught:
                    client.fetch(Request(url))
                assert caught.value.at_stage == "proxy"
                assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h"])
def test_private_addresses_stay_refused(scheme: str) -> None:
    with Proxy() as proxy, pytest.raises(BlockedAddress):
        client_by(proxy, scheme).fetch(Request("http://169.254.169.254/"))
    assert proxy.log == []


MISCHIEF: list[tuple[str, str, bytes, str]] = [
    ("http", "https://a.test/", b"", "closed the connection"),
    ("http", "https://a.test/", b"HTTP/1.1 20", "closed the connection"),
    (
        "http",
        "https://a.test/",
        b"HTTP/1.1 502 Bad Gateway\r\n\r\n",
        "answered 502 Bad Gateway",
    ),
    (
        "http",
        "https://a.test/",
        b"HTTP/1.0 407 Authentication\n\n",
        "requires credentials",
    ),
    ("http", "https://a.test/", b"nonsense\r\n\r\n", "not an HTTP/1 response"),
    (
        "http",
        "https://a.test/",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000,
        "without end",
    ),
    ("socks5h", "http://a.test/", b"", "closed the connection"),
    (
        "socks5h",
        "http://a.test/",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        "does not speak SOCKS5",
    ),
    ("socks5h", "http://a.test/", b"\x05\xff", "requires credentials"),
    ("socks5h", "http://a.test/", b"\x05\x02", "requires credentials"),
    ("socks5h", "http://a.test/", b"\x05\x00\x05\x03\x00\x01", "network unreachable"),
    ("socks5h", "http://a.test/", b"\x05\x00\x05\x00\x00\x03", "closed the connection"),
]


@pytest.mark.parametrize(("scheme", "url", "answer", "why"), MISCHIEF)
def test_an_invalid_proxy(scheme: str, url: str, answer: bytes, why: str) -> None:
    with (
        Proxy(garbage=answer) as proxy,
        pytest.raises(ProxyFailure, match=why) as caught,
    ):
        client_by(proxy, scheme).fetch(Request(url))
    assert (caught.value.code, caught.value.at_stage) == ("proxy", "proxy")
    assert str(proxy.port) in caught.value.message


@pytest.mark.parametrize(("scheme", "connections"), [("http", 1), ("socks5h", 2)])
def test_pool_keys(scheme: str, connections: int, site: Site) -> None:
    """A tunnel is for one origin; a connection to a proxy itself is for all."""
    with Proxy() as proxy:
        client = client_by(proxy, scheme)
        for host in ("a.test", "b.test", "a.test", "b.test"):
            assert (
                f"host: {host}:".encode()
                in client.fetch(Request(site.url("/echo", host))).body
            )
        assert proxy.connections == connections


def test_which_requests_share_a_connection_through_a_proxy(site: Site) -> None:
    target = parse_target(site.base + "/")
    ways = (
        "http://a.test:1",
        "http://a.test:2",
        "http://u:p@a.test:1",
        "socks5h://a.test:1",
    )
    keys = [parse_proxy(way, "x").pool_key(target) for way in ways]
    assert len({*keys, target.origin}) == 5
    assert not any("u:p" in key for key in keys)


def test_a_target_that_the_proxy_cannot_reach() -> None:
    with Proxy() as proxy, pytest.raises(ProxyFailure, match="connection refused"):
        client_by(proxy, "socks5h").fetch(Request("http://refused.test/"))


def test_a_proxy_that_is_not_there() -> None:
    with refusing() as port:
        client = client_by(port, "http")
        for url in ("http://a.test/", "https://a.test/"):
            with pytest.raises(ProxyFailure, match="refused"):
                client.fetch(Request(url))


def test_a_server_that_answers_like_a_proxy(site: Site) -> None:
    made.append(Client(LIMITS, named_hosts={"127.0.0.1"}))
    with pytest.raises(Failure) as caught:
        made[0].fetch(Request(site.base + "/status/407"))
    assert caught.value.code == "protocol"
