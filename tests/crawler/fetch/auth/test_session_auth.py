"""session_auth: which origins are trusted, and the origin of a page."""

from __future__ import annotations

import pytest

from crawler.fetch.auth.session_auth import (
    SessionAuth,
    page_origin,
    trusted_origins,
)
from crawler.fetch.cookies.cookie import RequestContext
from crawler.fetch.cookies.jar import CookieJar
from crawler.fetch.target import parse_target
from crawler.model.http import Header, Request


def test_trusted_origins() -> None:
    named = [
        "http://a.example",
        "http://b.example:81",
        "https://c.example",
        "http://[::1]",
    ]
    assert trusted_origins(named) == {*named, "https://a.example", "https://[::1]"}


def test_given_cookies_go_to_the_seeds_origins_only() -> None:
    """A cookie that the server sets under the same name replaces the given one."""
    home = "http://a.example"
    auth = SessionAuth(
        CookieJar(), trusted_origins([home]), None, {}, lambda: 0.0, str,
        {"sid": "given", "name": "caf\xe9"},
    )  # fmt: skip

    def sent(url: str) -> list[Header]:
        return auth.headers(Request(url), parse_target(url))

    both = [("Cookie", "sid=given; name=caf\xc3\xa9")]
    assert sent(f"{home}/x") == sent("https://a.example/") == both
    for other in (
        "http://a.example:81/",
        "http://www.a.example/",
        "https://b.example/",
    ):
        assert sent(other) == []
    context = RequestContext("a.example", "/", False)
    auth.jar.receive(["sid=new", "other=1"], context, 0.0)
    assert sent(f"{home}/") == [("Cookie", "name=caf\xc3\xa9; sid=new; other=1")]


@pytest.mark.parametrize(
    ("page", "origin"),
    [("http://a.example:81/x", "http://a.example"), ("https://[::1]/", "https://::1"),
     ("file:///etc/passwd", ""), ("nonsense", "")],
)  # fmt: skip
def test_the_origin_of_a_page(page: str, origin: str) -> None:
    assert page_origin(page) == origin
