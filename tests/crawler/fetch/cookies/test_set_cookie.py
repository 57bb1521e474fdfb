"""set_cookie: syntax and lifetime (RFC 6265bis section 5.6)."""

from __future__ import annotations

import pytest

from crawler.fetch.cookies.cookie import MAX_COOKIE
from crawler.fetch.cookies.set_cookie import MAX_AGE_S
from tests.helpers.cookies import NOW, jar_of, sent

# -- 5.6 the syntax of Set-Cookie

SYNTAX: list[tuple[str, str | None]] = [
    ("a=b", "a=b"),
    ("a=b;", "a=b"),
    ("a=b; ; ;", "a=b"),
    (" a = b ", "a=b"),
    ("\ta\t=\tb\t", "a=b"),
    ("a=b c", "a=b c"),
    ("a b=c", "a b=c"),
    ("a=b=c", "a=b=c"),
    ("a==b", "a==b"),
    ("a=", "a="),
    ("a", "a"),
    ("=b", "b"),
    ("= b", "b"),
    ("=", None),
    ("", None),
    (" ; ", None),
    ("; Path=/", None),
    ('a="b"', 'a="b"'),
    ('a="b;c"', 'a="b'),
    ("a=b, c=d", "a=b, c=d"),
    ("a=caf\xe9", "a=caf\xe9"),
    ("caf\xe9=b", "caf\xe9=b"),
    ("a=b\tc", "a=b\tc"),
    ("a=\0b", None),
    ("a=b\x1f", None),
    ("a=b\x7f", None),
    ("a=b; x=\0", None),
    ("a=b; unknown; attributes=here", "a=b"),
    ("a=b; =", "a=b"),
    ("a=b; =x", "a=b"),
    ("$Version=1", "$Version=1"),
    ("a=" + "b" * (MAX_COOKIE - 1), "a=" + "b" * (MAX_COOKIE - 1)),
    ("a=" + "b" * MAX_COOKIE, None),
    ("b" * MAX_COOKIE, "b" * MAX_COOKIE),
    ("b" * (MAX_COOKIE + 1), None),
]


@pytest.mark.parametrize(("value", "expected"), SYNTAX)
def test_syntax(value: str, expected: str | None) -> None:
    assert sent(jar_of(value), "https://a.example/") == expected


# -- 5.6.1, 5.6.2 Expires and Max-Age

# Lifetime (seconds); None: to the end of the crawl, 0: not stored.
LIFETIMES: list[tuple[str, float | None]] = [
    ("a=b", None),
    ("a=b; Max-Age=60", 60),
    ("a=b; max-age=60", 60),
    ("a=b; MAX-AGE = 60 ", 60),
    ("a=b; Max-Age=060", 60),
    ("a=b; Max-Age=1; Max-Age=60", 60),
    ("a=b; Max-Age=60; Max-Age=soon", 60),
    ("a=b; Max-Age=0", 0),
    ("a=b; Max-Age=-0", 0),
    ("a=b; Max-Age=-1", 0),
    ("a=b; Max-Age=", None),
    ("a=b; Max-Age", None),
    ("a=b; Max-Age=+60", None),
    ("a=b; Max-Age=6e1", None),
    ("a=b; Max-Age=60.0", None),
    ("a=b; Max-Age=6 0", None),
    ("a=b; Max-Age=-", None),
    ("a=b; Max-Age=٦", None),
    ("a=b; Max-Age=" + "9" * 1000, MAX_AGE_S),
    ("a=b; Max-Age=99999999999", MAX_AGE_S),
    ("a=b; Expires=Tue, 14 Nov 2023 22:14:20 GMT", 60),
    ("a=b; expires=14 nov 23 22:14:20", 60),
    ("a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("a=b; Expires=1 Jan 1601 00:00:00", 0),
    ("a=b; Expires=1 Jan 9999 00:00:00", MAX_AGE_S),
    ("a=b; Expires=never", None),
    ("a=b; Expires=14 Nov 23 22:14:20; Expires=never", 60),
    ("a=b; Expires=1 Jan 1970 00:00:00; Max-Age=60", 60),
    ("a=b; Max-Age=60; Expires=1 Jan 1970 00:00:00", 60),
    ("a=b; Max-Age=soon; Expires=14 Nov 23 22:14:20", 60),
    ("a=b; Max-Age=60; x=" + "y" * 2000, 60),
]


@pytest.mark.parametrize(("value", "lifetime"), LIFETIMES)
def test_lifetime(value: str, lifetime: float | None) -> None:
    jar = jar_of(value)
    if lifetime == 0:
        assert len(jar) == 0
        return
    (cookie,) = jar
    assert cookie.expires == (None if lifetime is None else NOW + lifetime)
    end = 10_000 * 86_400 if lifetime is None else lifetime
    assert sent(jar, "https://a.example/", end - 1) == "a=b"
    if lifetime is not None:
        assert sent(jar, "https://a.example/", end) is None
        assert len(jar) == 0
