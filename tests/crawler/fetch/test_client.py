"""The client and the fixture site: connections, timeouts, failures, secrets."""

from __future__ import annotations

from contextlib import suppress

import pytest
from msgspec.structs import replace

import hub
from crawler.fetch.auth.credentials import Credentials
from crawler.fetch.client import MAX_EXCHANGES, Client
from crawler.model.errors import Failure, ProtocolFailure, ReadTimeout, TotalTimeout
from crawler.model.http import Request, Response
from tests.helpers.clients import (
    Make,
    failing,
    server,
    session_auth_for,
)
from tests.site.fixtures import LIMITS
from tests.site.server import Site
from tests.site.transport import LATE_RESPONSE_SENT

# -- a response


def test_the_fields_of_a_response(client: Client, site: Site) -> None:
    response = client.fetch(Request(site.base + "/gzip"))
    assert response.url == site.base + "/gzip"
    assert (response.status, response.reason, response.http_version) == (
        200,
        "OK",
        "1.1",
    )
    assert response.header("content-type") == "text/html"
    assert response.body.startswith(b"<p>All the world")
    assert (
        response.wire_bytes
        == int(response.header("content-length") or 0)
        < len(response.body)
    )
    assert (response.content_encoding, response.truncated) == ("gzip", None)
    assert (response.remote_ip, response.reused_connection) == ("127.0.0.1", False)


def test_timings_name_the_phases(client: Client, site: Site, tls_site: Site) -> None:
    first = client.fetch(Request(site.base + "/slow/0.1")).timings
    assert first.fetch_ms >= 100
    assert first.ttfb_ms is not None
    # The server may begin to sleep before the client records the time of sending.
    assert 50 <= first.ttfb_ms <= first.fetch_ms
    assert first.dns_ms is not None
    assert first.connect_ms is not None
    assert first.tls_ms is None
    second = client.fetch(Request(site.base + "/slices")).timings
    assert (second.dns_ms, second.connect_ms) == (None, None)
    assert second.download_ms is not None
    assert second.download_ms > 0


def test_head_has_no_body_and_keeps_the_connection(client: Client, site: Site) -> None:
    head = client.fetch(Request(site.base + "/bytes/1000", method="HEAD"))
    assert (head.status, head.body, head.header("content-length")) == (200, b"", "1000")
    assert client.fetch(Request(site.base + "/arrived")).body == b"<p>arrived"
    assert [hit.method for hit in site.hits()] == ["HEAD", "GET"]


def test_what_the_server_sees(client: Client, site: Site) -> None:
    request = Request(
        site.base + "/echo?a=b",
        headers=(("If-None-Match", '"x"'),),
        accept="text/html",
        referer=site.base + "/links",
    )
    lines = client.fetch(request).body.decode().split("\n")
    assert lines[0] == "GET /echo?a=b"
    assert f"host: 127.0.0.1:{site.port}" in lines
    assert 'if-none-match: "x"' in lines
    assert "accept: text/html" in lines
    assert f"referer: {site.base}/links" in lines
    assert "accept-encoding: gzip, deflate, br, zstd" in lines


# -- connections


def test_one_connection_serves_many_requests(client: Client, site: Site) -> None:
    reused = [
        client.fetch(Request(site.base + "/arrived")).reused_connection
        for _ in range(5)
    ]
    assert reused == [False, True, True, True, True]
    assert site.connections == 1
    assert client.statistics().connections == 1


def test_origins_do_not_share_connections(client: Client, site: Site) -> None:
    for host in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
        assert client.fetch(Request(site.url("/arrived", host))).remote_ip == host
    assert site.connections == 2


@pytest.mark.parametrize(
    "path",
    ["/longer-than-length", "/response-twice", "/length-and-chunked", "/http-1.0",
     "/until-close", "/too-long/100000000", "/gzip-bomb/gzip", "/204-with-body",
     "/left-open/longer-than-length", "/left-open/response-twice",
     "/left-open/length-and-chunked", "/left-open/204-with-body",
     "/left-open/bad-chunk", "/left-open/two-lengths"],
)  # fmt: skip
def test_a_doubtful_connection_is_not_used_again(
    client: Client, site: Site, path: str
) -> None:
    with suppress(ProtocolFailure):
        client.fetch(Request(site.base + path))
    assert client.fetch(Request(site.base + "/arrived")).body == b"<p>arrived"
    assert [hit.connection for hit in site.hits()] == [1, 2]


@pytest.mark.parametrize("name", ["lone-lf", "chunk-extension", "trailers"])
def test_an_unambiguous_irregularity_does_not_close_the_connection(
    client: Client, site: Site, name: str
) -> None:
    for path in (f"/left-open/{name}", "/arrived"):
        client.fetch(Request(site.base + path))
    assert [hit.connection for hit in site.hits()] == [1, 1]


def test_a_dead_idle_connection_is_replaced_silently(
    client: Client, site: Site
) -> None:
    for _ in range(3):
        response = client.fetch(Request(site.base + "/stale"))
        assert response.body == b"<p>once per connection"
    # Each connection but the last received a second request and closed.
    assert [hit.connection for hit in site.hits()] == [1, 1, 2, 2, 3]
    assert client.statistics().retried == 2
    assert not response.reused_connection


def test_a_drop_on_a_new_connection_is_not_retried(client: Client, site: Site) -> None:
    failing(client, site.base + "/drop", Failure)
    assert len(site.hits("/drop")) == 1


def test_a_drop_after_the_first_byte_is_not_retried(client: Client, site: Site) -> None:
    client.fetch(Request(site.base + "/arrived"))
    failing(client, site.base + "/drop-in-status", Failure)
    assert [hit.connection for hit in site.hits()] == [1, 1]


def test_bytes_received_while_idle_are_not_taken_for_a_response(
    client: Client, site: Site
) -> None:
    LATE_RESPONSE_SENT.clear()
    client.fetch(Request(site.base + "/late-response"))
    assert LATE_RESPONSE_SENT.wait(60)
    assert client.fetch(Request(site.base + "/arrived")).body == b"<p>arrived"
    assert client.statistics().pool.stale == 1


def test_the_idle_connections_of_a_host_are_closed(client: Client, site: Site) -> None:
    for path in ("/arrived", "/arrived"):
        client.fetch(Request(site.url(path)))
    client.close_idle(site.url("/any"))
    assert client.statistics().pool.idle == 0
    client.fetch(Request(site.url("/arrived")))
    assert site.connections == 2


def test_a_request_may_want_another_size_than_the_client(
    make: Make, site: Site
) -> None:
    client = make(replace(LIMITS, max_body=3))
    whole = client.fetch(Request(site.url("/arrived"), max_body=10_000))
    cut = client.fetch(Request(site.url("/arrived")))
    assert (len(whole.body) > 3, whole.truncated) == (True, None)
    assert (len(cut.body), cut.truncated) == (3, "length")


def test_idle_connections_are_closed_in_the_end(make: Make, site: Site) -> None:
    client = make()
    client.fetch(Request(site.base + "/arrived"))
    assert client.statistics().pool.idle == 1
    client.close()
    assert client.statistics().pool.idle == 0


def test_many_greenlets_share_a_client(client: Client, site: Site) -> None:
    def fetch(number: int) -> Response:
        return client.fetch(Request(f"{site.base}/archive/{number}"))

    jobs = [hub.spawn(fetch, number) for number in range(50)]
    hub.joinall(jobs)
    for number, job in enumerate(jobs):
        assert f"<h1>Entry {number}</h1>" in job.get().body.decode()
    assert client.statistics().pool.idle <= LIMITS.max_idle_per_host


# -- time


def test_the_total_timeout_names_the_stage(make: Make, site: Site) -> None:
    client = make(replace(LIMITS, timeout=0.15))
    assert failing(client, site.base + "/silent", TotalTimeout).at_stage == "headers"
    assert failing(client, site.base + "/drip/1000", TotalTimeout).at_stage == "body"


def test_zero_means_no_limit(make: Make, site: Site) -> None:
    config = replace(
        LIMITS, timeout=0.0, read_timeout=0.0, connect_timeout=0.0, dns_timeout=0.0
    )
    client = make(config)
    assert client.fetch(Request(site.base + "/slow/0.1")).status == 200


def test_a_timeout_of_the_caller_passes_through(client: Client, site: Site) -> None:
    with pytest.raises(hub.Timeout) as caught, hub.Timeout(0.1) as outer:
        client.fetch(Request(site.base + "/silent"))
    assert caught.value is outer
    assert client.fetch(Request(site.base + "/arrived")).body == b"<p>arrived"
    assert site.connections == 2


def test_a_killed_fetch_closes_its_connection(client: Client, site: Site) -> None:
    job = hub.spawn(client.fetch, Request(site.base + "/silent"))
    hub.sleep(0.1)
    job.kill()
    assert job.dead
    assert client.statistics().pool.idle == 0


def test_silence_after_accept(make: Make) -> None:
    client = make(replace(LIMITS, read_timeout=0.1))
    with server(None) as port:
        failure = failing(client, f"http://127.0.0.1:{port}/", ReadTimeout)
    assert failure.at_stage == "headers"
    assert failure.message == "no data from the server for 0.1 s"


# -- secrets


def test_credentials_in_the_url_are_sent_and_never_shown(
    client: Client, site: Site
) -> None:
    url = site.base.replace("//", "//user:secret@") + "/basic"
    assert client.fetch(Request(url)).body == b"<p>welcome"
    assert client.fetch(Request(site.base + "/basic")).status == 401
    assert "authorization" not in site.hits()[1].headers


def test_configured_secrets_go_to_trusted_origins_only(make: Make, site: Site) -> None:
    config = replace(LIMITS, headers={"Cookie": "a=b", "X-Note": "hi", "X-Mine": "k"})
    client = make(config, auth=session_auth_for(site.base), secret_headers={"x-mine"})
    for host in ("127.0.0.1", "127.0.0.2"):
        client.fetch(Request(site.url("/echo", host)))
    assert [hit.headers.get("cookie") for hit in site.hits()] == ["a=b", None]
    assert [hit.headers.get("x-mine") for hit in site.hits()] == ["k", None]
    assert [hit.headers.get("x-note") for hit in site.hits()] == ["hi", "hi"]


@pytest.mark.parametrize("path", ["/drop", "/silent", "/no-status", "/gzip-cut"])
def test_no_failure_shows_a_password(client: Client, site: Site, path: str) -> None:
    url = site.base.replace("//", "//user:s3cr3t@") + path
    assert "s3cr3t" not in str(failing(client, url, Failure))


# -- cookies and credentials


def test_cookies_come_back_to_the_host_that_set_them(
    client: Client, site: Site
) -> None:
    client.fetch(Request(site.base + "/set-cookie"))
    for host in ("127.0.0.1", "127.0.0.2"):
        client.fetch(Request(site.url("/echo", host)))
    assert [hit.headers.get("cookie") for hit in site.hits("/echo")] == [
        "visit=1",
        None,
    ]


def test_a_redirect_to_itself_with_a_cookie_is_followed_in_place(
    client: Client, site: Site
) -> None:
    response = client.fetch(Request(site.base + "/cookie-gate"))
    assert (response.status, response.body) == (200, b"<p>welcome")
    assert [(hop.url, hop.status) for hop in response.redirects] == [
        (site.base + "/cookie-gate", 302)
    ]


def test_a_redirect_back_along_its_chain_with_a_cookie_is_followed_in_place(
    client: Client, site: Site
) -> None:
    first = client.fetch(Request(site.base + "/bounce"))
    assert (first.status, first.redirects) == (302, ())
    second = client.fetch(
        Request(site.base + "/bounce-login", chain=(site.base + "/bounce",))
    )
    assert second.url == site.base + "/bounce"
    assert second.body == b"<p>welcome back"
    assert [hop.url for hop in second.redirects] == [site.base + "/bounce-login"]


@pytest.mark.parametrize("path", ["/loop", "/loop-a", "/cookie-loop"])
def test_redirects_in_place_are_bounded(client: Client, site: Site, path: str) -> None:
    assert client.fetch(Request(site.base + path)).status == 302
    assert len(site.log) == (MAX_EXCHANGES if path == "/cookie-loop" else 1)


@pytest.mark.parametrize(
    "path", ["/basic", "/digest/md5", "/digest/sha-256", "/digest/md5-sess",
             "/digest/old", "/digest-or-basic"],
)  # fmt: skip
def test_credentials_are_sent_after_a_challenge(
    make: Make, site: Site, path: str
) -> None:
    client = make(auth=session_auth_for(site.base))
    for _ in range(2):
        assert client.fetch(Request(site.base + path)).body == b"<p>welcome"
    shown = ["authorization" in hit.headers for hit in site.log]
    assert shown == [False, True, True]
    assert ("Digest" in site.log[-1].headers["authorization"]) == path.startswith(
        "/digest"
    )


def test_a_stale_nonce_is_not_a_wrong_password(make: Make, site: Site) -> None:
    client = make(auth=session_auth_for(site.base))
    for _ in range(3):
        assert client.fetch(Request(site.base + "/digest-once")).body == b"<p>welcome"
    assert len(site.log) == 6  # all requests but the first meet a used nonce


@pytest.mark.parametrize("path", ["/basic", "/digest/md5"])
def test_wrong_credentials_are_sent_once(make: Make, site: Site, path: str) -> None:
    client = make(
        auth=session_auth_for(site.base, credentials=Credentials("user", "wrong"))
    )
    assert client.fetch(Request(site.base + path)).status == 401
    assert len(site.log) == 2


def test_credentials_never_cross_an_origin(
    make: Make, site: Site, tls_site: Site
) -> None:
    client = make(auth=session_auth_for(site.base))
    assert client.fetch(Request(site.base + "/basic")).status == 200
    picture = Request(
        site.url("/basic", "127.0.0.2"), referer=site.base + "/", subresource=True
    )
    assert client.fetch(picture).status == 401
    assert client.fetch(Request(site.url("/basic", "localhost"))).status == 401
    others = [hit for hit in site.log if not hit.host.startswith("127.0.0.1")]
    assert len(others) == 2
    assert not any("authorization" in hit.headers for hit in others)


def test_netrc_serves_https_and_trusted_origins(make: Make, site: Site) -> None:
    secret = Credentials("user", "secret")
    someone = {"credentials": None, "netrc": {"127.0.0.1": secret}}
    assert (
        make(auth=session_auth_for(**someone))
        .fetch(Request(site.base + "/basic"))
        .status
        == 401
    )
    trusted = make(auth=session_auth_for(site.base, **someone))
    assert trusted.fetch(Request(site.base + "/basic")).status == 200
    default = make(
        auth=session_auth_for(site.base, credentials=None, netrc={"": secret})
    )
    assert default.fetch(Request(site.base + "/basic")).status == 200
    assert default.fetch(Request(site.url("/basic", "127.0.0.2"))).status == 401
