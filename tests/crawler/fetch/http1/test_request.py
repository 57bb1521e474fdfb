"""target and request: parsing URLs, and which headers are sent to which origin."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from crawler import __version__
from crawler.fetch.http1.request import USER_AGENT, RequestWriter
from crawler.fetch.target import parse_target
from crawler.model.errors import ProtocolFailure
from crawler.model.http import Request
from crawler.model.http_config import HttpConfig


def headers(
    request: Request, config: HttpConfig | None = None, named: tuple[str, ...] = ()
) -> dict[str, str]:
    """The headers sent, by lower-case name; "" is the request line."""
    head = RequestWriter(config or HttpConfig(), named).write(
        request, parse_target(request.url)
    )
    lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    fields = [line.partition(": ") for line in lines[1:]]
    assert len({name.lower() for name, _, _ in fields}) == len(fields)
    return {"": lines[0]} | {name.lower(): value for name, _, value in fields}


@pytest.mark.parametrize(
    ("url", "origin", "host", "port", "path"),
    [
        ("http://a.example/", "http://a.example", "a.example", 80, "/"),
        ("https://a.example/x?y=1", "https://a.example", "a.example", 443, "/x?y=1"),
        ("http://a.example:8080/", "http://a.example:8080", "a.example", 8080, "/"),
        ("http://127.0.0.1:81/", "http://127.0.0.1:81", "127.0.0.1", 81, "/"),
        ("https://[::1]:8443/", "https://[::1]:8443", "::1", 8443, "/"),
        (
            "http://a_b.example/a@b:c//",
            "http://a_b.example",
            "a_b.example",
            80,
            "/a@b:c//",
        ),
        ("http://a.example/x#y", "http://a.example", "a.example", 80, "/x"),
        ("https://u:p@a.example/", "https://a.example", "a.example", 443, "/"),
        ("http://a.example/?q='\"|", "http://a.example", "a.example", 80, "/?q='\"|"),
    ],
)
def test_targets(url: str, origin: str, host: str, port: int, path: str) -> None:
    target = parse_target(url)
    assert (target.origin, target.host, target.port, target.path) == (
        origin,
        host,
        port,
        path,
    )
    assert target.secure == url.startswith("https")


@pytest.mark.parametrize(
    "url",
    ["http://a.example", "http://a.example/a b", "http://a.example/\r\nX: y",
     "http://a\r\n/", "ftp://a.example/", "HTTP://a.example/", "http:///x",
     "http://a.example:x/", "//a.example/", "http://a.example:99999/",
     "http://é.example/", "http://a.example/é", "http://a@b@c/", "http://a.example/\0",
     "http://a.example/\t", "javascript:alert(1)", ""],
)  # fmt: skip
def test_an_invalid_target_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ProtocolFailure) as caught:
        parse_target(url)
    assert caught.value.at_stage == "request"
    assert "example" not in str(caught.value)


def test_a_plain_request() -> None:
    sent = headers(Request("http://a.example:8080/x?y", accept="text/html"))
    assert sent[""] == "GET /x?y HTTP/1.1"
    assert sent["host"] == "a.example:8080"
    assert sent["user-agent"] == f"orbweb/{__version__}"
    assert sent["accept"] == "text/html"
    assert sent["accept-encoding"] == "gzip, deflate, br, zstd"
    assert set(sent) == {"", "host", "user-agent", "accept", "accept-encoding"}


def test_the_user_agent_and_its_contact() -> None:
    def agent(**config: str) -> str:
        sent = headers(Request("http://a.example/"), HttpConfig(**config))
        return sent["user-agent"]

    assert agent() == USER_AGENT
    contact = "https://example.org/bot"
    assert agent(contact=contact) == f"{USER_AGENT} (+{contact})"
    assert agent(contact=contact, user_agent="mine/1") == "mine/1"


def test_a_request_with_content() -> None:
    """The content goes behind the head, which is what listeners see."""
    form = Request("http://a.example/", method="POST", content=b"a=1&b=2")
    sent = headers(form, HttpConfig())
    assert sent[""] == "POST / HTTP/1.1"
    assert sent["content-length"] == "7"
    empty = headers(Request("http://a.example/", method="POST"), HttpConfig())
    assert empty["content-length"] == "0"
    assert "content-length" not in headers(Request("http://a.example/"), HttpConfig())


def test_precedence_of_headers() -> None:
    config = HttpConfig(
        user_agent="x/1", headers={"Accept": "b", "accept-language": "de"}
    )
    assert headers(Request("http://a.example/", accept="a"), config)["accept"] == "b"
    extra = (("ACCEPT", "c"), ("Range", "bytes=0-1"), ("Accept-Encoding", "identity"))
    sent = headers(Request("http://a.example/", method="HEAD", headers=extra), config)
    assert (sent["accept"], sent["range"], sent["accept-encoding"]) == (
        "c", "bytes=0-1", "identity",
    )  # fmt: skip
    assert (sent["user-agent"], sent["accept-language"]) == ("x/1", "de")
    assert sent[""] == "HEAD / HTTP/1.1"


@pytest.mark.parametrize(
    "header",
    [
        ("X", "a\r\nY: b"),
        ("X", "a\nb"),
        ("X", "\0"),
        ("X Y", "a"),
        ("", "a"),
        ("X", "Ā"),
    ],
)
def test_a_header_cannot_smuggle_another(header: tuple[str, str]) -> None:
    with pytest.raises(ProtocolFailure) as caught:
        headers(Request("http://a.example/", headers=(header,)))
    assert caught.value.at_stage == "request"


def test_secrets_go_to_trusted_origins_only() -> None:
    secrets = {
        "Authorization": "Bearer t",
        "cookie": "a=b",
        "X-Api-Key": "k",
        "X-Auth-Token": "t",
    }
    config = HttpConfig(headers=secrets | {"X-Note": "hi"})
    trusted = ("http://a.example:8080", "https://a.example")
    for origin in trusted:
        named = headers(Request(origin + "/"), config, trusted)
        assert {
            name.lower(): value for name, value in secrets.items()
        }.items() <= named.items()
    for origin in ("http://b.example", "http://a.example", "https://a.example:8080"):
        other = headers(Request(origin + "/"), config, trusted)
        assert set(other) == {
            "",
            "host",
            "user-agent",
            "accept",
            "accept-encoding",
            "x-note",
        }


def test_cached_heads_are_the_same() -> None:
    writer = RequestWriter(HttpConfig(headers={"X-Note": "hi"}), ())
    page = Request("http://a.example/x", referer="http://b.example/y")
    target = parse_target(page.url)
    once = writer.write(page, target)
    assert once == writer.write(page, target)
    assert set(once.split(b"\r\n")) == set(
        writer.write(replace(page, headers=(("X-Note", "hi"),)), target).split(b"\r\n")
    )
    image = replace(page, accept="image/*", referer=None)
    assert b"Accept: image/*\r\n" in writer.write(image, target)
    assert b"Referer" not in writer.write(image, target)
    assert b"Host: c.example\r\n" in writer.write(
        page, parse_target("http://c.example/")
    )


def test_proofs_go_behind_the_request_and_cookies_are_added() -> None:
    config = HttpConfig(headers={"Cookie": "mine=1", "Authorization": "Bearer t"})
    writer = RequestWriter(config, ("http://a.example",))
    target = parse_target("http://a.example/")
    auth_headers = [("Cookie", "theirs=2"), ("Authorization", "Basic x")]
    head = writer.write(Request("http://a.example/"), target, auth_headers)
    assert b"Cookie: mine=1; theirs=2\r\n" in head
    assert b"Authorization: Basic x\r\n" in head
    own = Request("http://a.example/", headers=(("Cookie", "own=3"),))
    assert b"Cookie: own=3\r\n" in writer.write(own, target, auth_headers)


def test_credentials_of_the_url_become_basic_authentication() -> None:
    sent = headers(Request("http://Al%20ad:open%3Asesame@a.example/"))
    assert sent["authorization"] == "Basic QWwgYWQ6b3BlbjpzZXNhbWU="
    assert sent["host"] == "a.example"
    assert headers(Request("http://u@a.example/"))["authorization"] == "Basic dTo="


@pytest.mark.parametrize(
    ("page", "url", "referer"),
    [
        ("http://a.example/p?q", "http://a.example/", "http://a.example/p?q"),
        ("http://a.example/p?q", "http://b.example/", "http://a.example/"),
        ("http://a.example/p", "http://a.example:81/", "http://a.example/"),
        ("http://a.example/p", "https://a.example/", "http://a.example/"),
        ("https://a.example/p", "https://a.example/", "https://a.example/p"),
        ("https://a.example/p", "http://a.example/", None),
        ("http://u:p@a.example/p#f", "http://a.example/", "http://a.example/p"),
        ("file:///etc/passwd", "http://a.example/", None),
    ],
)
def test_referer(page: str, url: str, referer: str | None) -> None:
    assert headers(Request(url, referer=page)).get("referer") == referer


def test_a_configured_referer_is_sent_where_there_is_no_referring_page() -> None:
    config = HttpConfig(headers={"referer": "http://start.example/"})
    assert (
        headers(Request("http://a.example/"), config)["referer"]
        == "http://start.example/"
    )
    led = Request("http://a.example/x", referer="http://a.example/")
    assert headers(led, config)["referer"] == "http://a.example/"
