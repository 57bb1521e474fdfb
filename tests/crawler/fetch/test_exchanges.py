"""Exchanges as listeners get them: what was sent and received, to the byte."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from msgspec.structs import replace

from crawler.fetch.client import Client
from crawler.fetch.http1.body import Body
from crawler.fetch.http1.parser import ResponseReader
from crawler.model.errors import Failure
from crawler.model.http import Exchange, Request
from crawler.model.http_config import HttpConfig
from tests.helpers.clients import session_auth_for
from tests.site.fixtures import LIMITS
from tests.site.server import Site


class Listening:
    """A client with one listener."""

    def __init__(self, site: Site, config: HttpConfig = LIMITS) -> None:
        self.exchanges: list[Exchange] = []
        self.client = Client(
            config, named_hosts={"127.0.0.1"}, auth=session_auth_for(site.base)
        )
        self.client.on_exchange(self.exchanges.append, transferred=True)

    def fetch(self, url: str) -> list[Exchange]:
        self.exchanges.clear()
        with suppress(Failure):
            self.client.fetch(Request(url))
        return self.exchanges


@pytest.fixture
def listening(site: Site) -> Iterator[Listening]:
    listening = Listening(site)
    yield listening
    listening.client.close()


def test_heads_are_as_sent_and_received(listening: Listening, site: Site) -> None:
    (exchange,) = listening.fetch(site.base + "/gzip")
    assert exchange.url == site.base + "/gzip"
    assert exchange.method == "GET"
    assert exchange.request_head.startswith(b"GET /gzip HTTP/1.1\r\nHost: 127.0.0.1")
    assert exchange.request_head.endswith(b"\r\n\r\n")
    assert exchange.response_head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert exchange.response_head.endswith(b"\r\n\r\n")
    assert exchange.peer is not None
    assert (exchange.peer.ip, exchange.peer.port) == ("127.0.0.1", site.port)
    assert (exchange.peer.tls, exchange.peer.reused) == (None, False)


def test_a_body_is_there_decoded_and_as_transferred(
    listening: Listening, site: Site
) -> None:
    (exchange,) = listening.fetch(site.base + "/gzip")
    assert exchange.response is not None
    assert exchange.transferred is not None
    assert len(exchange.transferred) == exchange.response.wire_bytes
    assert gzip.decompress(exchange.transferred) == exchange.response.body
    (exchange,) = listening.fetch(site.base + "/chunked")
    assert exchange.response is not None
    assert exchange.transferred == exchange.response.body != b""


def test_each_hop_is_an_exchange(listening: Listening, site: Site) -> None:
    told = listening.fetch(site.base + "/basic")
    assert [one.response.status for one in told if one.response] == [401, 200]
    assert b"Authorization" not in told[0].request_head
    assert b"Authorization: Basic " in told[1].request_head


def test_a_redirect_and_an_error_are_exchanges(
    listening: Listening, site: Site
) -> None:
    for path, status in (("/redirect/2", 302), ("/status/404", 404)):
        (exchange,) = listening.fetch(site.base + path)
        assert exchange.response is not None
        assert exchange.response.status == status
        assert exchange.response_head.startswith(b"HTTP/1.1 %d" % status)


def test_a_failure_is_traced(listening: Listening, site: Site) -> None:
    (exchange,) = listening.fetch(site.base + "/drop")
    assert exchange.response is None
    assert exchange.response_head == b""
    assert exchange.failure is not None
    assert exchange.failure.code == "reset"
    (exchange,) = listening.fetch("http://169.254.169.254/")
    assert exchange.peer is None
    assert exchange.failure is not None
    assert exchange.failure.code == "blocked_address"


def test_tls_is_traced(tls_site: Site, ca_file: Path) -> None:
    listening = Listening(tls_site, replace(LIMITS, ca_file=str(ca_file)))
    (exchange,) = listening.fetch(tls_site.url("/arrived", "127.0.0.1"))
    listening.client.close()
    assert exchange.peer is not None
    assert exchange.peer.tls is not None
    assert exchange.peer.tls.version == "TLSv1.3"
    assert exchange.peer.tls.cipher.startswith("TLS_")
    assert exchange.peer.tls.certificate["subjectAltName"]


def test_any_number_of_listeners(listening: Listening, site: Site) -> None:
    second: list[Exchange] = []
    listening.client.on_exchange(second.append)
    assert listening.fetch(site.base + "/arrived") == second != []


def test_nothing_is_kept_without_a_listener() -> None:
    reader, body = ResponseReader("GET", 1000, 1000), Body(1000)
    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    body.add(reader)
    assert reader.raw_head == b""
    assert body.transferred() is None
