"""json_cookies: what extensions, Playwright, Puppeteer and Selenium export."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crawler.fetch.cookies.cookie import Cookie
from crawler.fetch.cookies.json_cookies import read_json_cookies
from crawler.model.errors import UsageError

EDIT_THIS_COOKIE = [
    {
        "domain": ".a.example", "expirationDate": 1893456000.5, "hostOnly": False,
        "httpOnly": True, "name": "sid", "path": "/", "sameSite": "no_restriction",
        "secure": True, "session": False, "storeId": "0", "value": "s3cr3t", "id": 1,
    },
    {
        "domain": "b.example", "hostOnly": True, "httpOnly": False, "name": "lang",
        "path": "/x", "sameSite": "unspecified", "secure": False, "session": True,
        "storeId": "0", "value": "de", "id": 2,
    },
]  # fmt: skip
PLAYWRIGHT = {
    "cookies": [
        {
            "name": "sid", "value": "s3cr3t", "domain": ".a.example", "path": "/",
            "expires": 1893456000.5, "httpOnly": True, "secure": True,
            "sameSite": "None",
        },
        {
            "name": "lang", "value": "de", "domain": "b.example", "path": "/x",
            "expires": -1, "httpOnly": False, "secure": False, "sameSite": "Lax",
        },
    ],
    "origins": [{"origin": "https://a.example", "localStorage": []}],
}  # fmt: skip
SELENIUM = [
    {
        "domain": ".a.example", "expiry": 1893456000, "httpOnly": True, "name": "sid",
        "path": "/", "sameSite": "Strict", "secure": True, "value": "s3cr3t",
    },
]  # fmt: skip


def read(tree: Any) -> list[Cookie]:
    return read_json_cookies(json.dumps(tree).encode(), "jar.json")


def sid(expires: float, same_site: Any) -> Cookie:
    return Cookie(
        "sid", "s3cr3t", "a.example", "/", expires, host_only=False, secure=True,
        http_only=True, same_site=same_site,
    )  # fmt: skip


def test_the_export_of_an_extension() -> None:
    lang = Cookie("lang", "de", "b.example", "/x")
    assert read(EDIT_THIS_COOKIE) == [sid(1893456000.5, "none"), lang]


def test_the_storage_state_of_playwright() -> None:
    lang = Cookie("lang", "de", "b.example", "/x", same_site="lax")
    assert read(PLAYWRIGHT) == [sid(1893456000.5, "none"), lang]


def test_selenium_and_values_beyond_ascii() -> None:
    assert read(SELENIUM) == [sid(1893456000.0, "strict")]
    (cookie,) = read([{"name": "n", "value": "caf\xe9", "domain": "[::1]"}])
    assert (cookie.value, cookie.domain) == ("caf\xc3\xa9", "::1")  # UTF-8, as latin-1


@pytest.mark.parametrize(
    "change",
    [{"value": 7}, {"domain": ""}, {"domain": None}, {"expirationDate": "soon"},
     {"expires": [1]}, {"value": "s3cr3t\r\nX: y"}, {"value": "s3cr3t" + "x" * 5000},
     {"name": "a;b"}],
)  # fmt: skip
def test_an_error_names_the_cookie_and_never_shows_it(change: dict[str, Any]) -> None:
    whole = {"name": "sid", "value": "s3cr3t", "domain": "a.example"}
    with pytest.raises(UsageError) as caught:
        read([whole, whole | change])
    assert str(caught.value).startswith("jar.json: cookie 2: ")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["[s3cr3t", '{"s3cr3t": 1}', '["s3cr3t"]', "[" * 100_000, '{"cookies": 1}']
)
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_json_cookies(text.encode(), "jar.json")
    assert str(caught.value).startswith("jar.json: ")
    assert "s3cr3t" not in str(caught.value)
