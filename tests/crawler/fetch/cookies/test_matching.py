"""matching: which host may set a cookie, and which requests it is sent with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.fetch.cookies.cookie import RequestContext
from crawler.fetch.cookies.jar import CookieJar
from crawler.fetch.cookies.matching import default_path, path_matches
from tests.helpers.cookies import NOW, jar_of, request, sent

# -- 5.1.3, 5.6.3 domains

DOMAINS: list[tuple[str, str, str, bool]] = [  # set by, Domain, requested host, sent
    ("a.example", "", "a.example", True),
    ("a.example", "", "x.a.example", False),
    ("a.example", "", "example", False),
    ("a.example", "a.example", "a.example", True),
    ("a.example", "a.example", "x.a.example", True),
    ("a.example", "a.example", "y.x.a.example", True),
    ("a.example", "a.example", "xa.example", False),
    ("a.example", ".a.example", "x.a.example", True),
    ("a.example", "..a.example", "a.example", False),
    ("a.example", "A.EXAMPLE", "x.a.example", True),
    ("a.example", " a.example ", "x.a.example", True),
    ("a.example", "a.example.", "a.example", False),
    ("a.example", ".", "a.example", True),
    ("a.example", ".", "x.a.example", False),
    ("x.a.example", "a.example", "a.example", True),
    ("x.a.example", "a.example", "y.a.example", True),
    ("x.a.example", "y.a.example", "y.a.example", False),
    ("a.example", "x.a.example", "x.a.example", False),
    ("a.example", "b.example", "b.example", False),
    ("a.example", "example", "a.example", False),
    ("a.example", "example", "b.example", False),
    ("a.co.uk", "co.uk", "b.co.uk", False),
    ("a.co.uk", "a.co.uk", "x.a.co.uk", True),
    ("a.github.io", "github.io", "b.github.io", False),
    ("github.io", "github.io", "github.io", True),
    ("github.io", "github.io", "a.github.io", False),
    ("localhost", "localhost", "localhost", True),
    ("localhost", "localhost", "x.localhost", False),
    ("127.0.0.1", "", "127.0.0.1", True),
    ("127.0.0.1", "127.0.0.1", "127.0.0.1", True),
    ("127.0.0.1", "0.0.1", "127.0.0.1", False),
    ("127.0.0.1", "1", "127.0.0.1", False),
    ("127.0.0.1", "", "127.0.0.2", False),
    ("[::1]", "", "[::1]", True),
    ("[::1]", "::1", "[::1]", True),
    ("[::1]", "", "[::2]", False),
    ("a.example", "\xe9.example", "a.example", False),
    ("xn--caf-dma.example", "xn--caf-dma.example", "x.xn--caf-dma.example", True),
    ("a.example", "a.example; Domain=", "x.a.example", False),
    ("a.example", "b.example; Domain=a.example", "x.a.example", True),
    ("a.example", "a.example; Domain=b.example", "a.example", False),
    ("a.example", "x" * 1025, "a.example", True),
]


@pytest.mark.parametrize(("host", "domain", "asked", "expected"), DOMAINS)
def test_domains(host: str, domain: str, asked: str, expected: bool) -> None:
    jar = jar_of(f"a=b; Domain={domain}" if domain else "a=b", url=f"https://{host}/")
    assert sent(jar, f"https://{asked}/") == ("a=b" if expected else None)


# -- 5.1.4, 5.6.4 paths

PATHS: list[tuple[str, str | None, str, bool]] = [  # set at, Path, requested path, sent
    ("/", None, "/", True),
    ("/", None, "/x/y", True),
    ("/x", None, "/", True),
    ("/x/", None, "/x", True),
    ("/x/y", None, "/x", True),
    ("/x/y", None, "/x/", True),
    ("/x/y", None, "/x/z", True),
    ("/x/y", None, "/", False),
    ("/x/y", None, "/xy", False),
    ("/x/y/z", None, "/x/y", True),
    ("/x/y/z", None, "/x/z", False),
    ("/x/y", "/", "/", True),
    ("/x/y", "/z", "/z", True),
    ("/x/y", "/z", "/z/", True),
    ("/x/y", "/z", "/z/q", True),
    ("/x/y", "/z", "/zq", False),
    ("/x/y", "/z/", "/z", False),
    ("/x/y", "/z/", "/z/q", True),
    ("/x/y", "z", "/x/z", True),
    ("/x/y", "z", "/z", False),
    ("/x/y", "", "/x", True),
    ("/x/y", "", "/", False),
    ("/x/y", "/Z", "/z", False),
    ("/x/y", "/%7A", "/z", False),
    ("/x/y", '"/z"', "/x", True),
    ("/x/y", "/z; Path=/q", "/q", True),
    ("/x/y", "/z; Path=/q", "/z", False),
    ("/x/y", "/z; Path=", "/x", True),
    ("/x/y", "/" + "z" * 1024, "/x", True),
]


@pytest.mark.parametrize(("place", "path", "asked", "expected"), PATHS)
def test_paths(place: str, path: str | None, asked: str, expected: bool) -> None:
    value = "a=b" if path is None else f"a=b; Path={path}"
    jar = jar_of(value, url=f"https://a.example{place}")
    assert sent(jar, f"https://a.example{asked}") == ("a=b" if expected else None)


@pytest.mark.parametrize(
    ("path", "folder"),
    [("/", "/"), ("/a", "/"), ("/a/", "/a"), ("/a/b", "/a"), ("", "/"), ("a", "/"),
     ("/a?b/c", "/"), ("/a/b?/c/d", "/a"), ("//", "/"), ("//a", "/")],
)  # fmt: skip
def test_default_paths(path: str, folder: str) -> None:
    assert default_path(path) == folder


def test_a_query_is_not_part_of_the_path() -> None:
    jar = jar_of("a=b; Path=/x")
    assert jar.header(RequestContext("a.example", "/x?y", True), NOW) == "a=b"
    assert jar.header(RequestContext("a.example", "/?/x", True), NOW) is None


# -- 5.7 Secure, prefixes

SECURITY: list[tuple[str, str, str, bool]] = [  # set at, value, requested URL, sent
    ("https://a.example/", "a=b; Secure", "https://a.example/", True),
    ("https://a.example/", "a=b; Secure", "http://a.example/", False),
    ("https://a.example/", "a=b; secure=no", "http://a.example/", False),
    ("https://a.example/", "a=b", "http://a.example/", True),
    ("http://a.example/", "a=b; Secure", "https://a.example/", False),
    ("http://a.example/", "a=b", "https://a.example/", True),
    ("http://a.example/", "a=b", "https://a.example:8443/", True),
    ("https://a.example/", "a=b; HttpOnly", "https://a.example/", True),
    ("https://a.example/", "__Secure-a=b; Secure", "https://a.example/", True),
    ("https://a.example/", "__Secure-a=b", "https://a.example/", False),
    ("https://a.example/", "__secure-a=b", "https://a.example/", False),
    ("https://a.example/", "__SECURE-a=b; Secure", "https://a.example/", True),
    ("http://a.example/", "__Secure-a=b; Secure", "https://a.example/", False),
    ("https://x.a.example/", "__Secure-a=b; Secure; Domain=a.example",
     "https://a.example/", True),
    ("https://a.example/", "__Host-a=b; Secure; Path=/", "https://a.example/", True),
    ("https://a.example/", "__Host-a=b; Secure", "https://a.example/", False),
    ("https://a.example/", "__Host-a=b; Path=/", "https://a.example/", False),
    ("https://a.example/", "__host-a=b; Path=/", "https://a.example/", False),
    ("https://a.example/x/", "__Host-a=b; Secure; Path=/x",
     "https://a.example/x", False),
    ("https://a.example/", "__Host-a=b; Secure; Path=/; Domain=a.example",
     "https://a.example/", False),
    ("https://a.example/", "__Host-a=b; Secure; Path=/; Domain=",
     "https://a.example/", True),
    ("https://a.example/", "=__Host-a=b; Secure; Path=/", "https://a.example/", False),
    ("https://a.example/", "__Secure-a; Secure", "https://a.example/", False),
    ("https://a.example/", "__Hosta=b", "https://a.example/", True),
    ("https://a.example/", "a=__Host-b", "https://a.example/", True),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "asked", "expected"), SECURITY)
def test_security(place: str, value: str, asked: str, expected: bool) -> None:
    assert (sent(jar_of(value, url=place), asked) is not None) == expected


@pytest.mark.parametrize(
    ("value", "rejected"),
    [
        ("a=evil", True),
        ("a=evil; Path=/x", True),
        ("a=evil; Domain=a.example", True),
        ("b=good", False),
    ],
)
def test_a_secure_cookie_is_not_hidden_by_one_set_without_tls(
    value: str, rejected: bool
) -> None:
    jar = jar_of("a=b; Secure; Path=/")
    jar.receive([value], request("http://a.example/x/"), NOW)
    assert ("good" not in (sent(jar, "https://a.example/x/") or "")) == rejected
    assert "evil" not in (sent(jar, "https://a.example/x/") or "")


def test_a_secure_cookie_of_another_path_is_not_hidden() -> None:
    jar = jar_of("a=b; Secure; Path=/login")
    jar.receive(["a=c; Path=/"], request("http://a.example/"), NOW)
    assert sent(jar, "https://a.example/") == "a=c"


# -- 5.2, 5.7 SameSite

OTHER, SAME = "https://b.example/p", "https://x.a.example/p"
# SameSite, page with the link, image, sent
SAME_SITE: list[tuple[str, str | None, bool, bool]] = [
    ("", None, False, True),
    ("", SAME, False, True),
    ("", OTHER, False, True),
    ("", SAME, True, True),
    ("", OTHER, True, False),
    ("Lax", OTHER, False, True),
    ("Lax", OTHER, True, False),
    ("lax", SAME, True, True),
    ("Strict", None, False, True),
    ("Strict", SAME, False, True),
    ("Strict", OTHER, False, False),
    ("STRICT", OTHER, True, False),
    ("Strict", SAME, True, True),
    ("None", OTHER, False, True),
    ("None", OTHER, True, True),
    ("Strange", OTHER, False, True),
    ("Strange", OTHER, True, False),
    ("", "http://a.example/", True, False),  # another scheme is another site
    ("Strict", "http://a.example/", False, False),
]


@pytest.mark.parametrize(("same_site", "by", "image", "expected"), SAME_SITE)
def test_same_site(same_site: str, by: str | None, image: bool, expected: bool) -> None:
    jar = jar_of(f"a=b; Secure; SameSite={same_site}" if same_site else "a=b; Secure")
    assert jar.header(request("https://a.example/", by, image), NOW) == (
        "a=b" if expected else None
    )


@pytest.mark.parametrize(
    ("value", "by", "image", "kept"),
    [
        ("a=b", OTHER, False, True),
        ("a=b", OTHER, True, False),
        ("a=b; SameSite=Lax", OTHER, True, False),
        ("a=b; SameSite=Strict", OTHER, False, True),
        ("a=b; SameSite=None; Secure", OTHER, True, True),
        ("a=b; SameSite=None", OTHER, False, False),
        ("a=b; SameSite=None", None, False, False),
        ("a=b", SAME, True, True),
    ],
)
def test_which_requests_may_set_cookies(
    value: str, by: str | None, image: bool, kept: bool
) -> None:
    jar = CookieJar()
    jar.receive([value], request("https://a.example/", by, image), NOW)
    assert len(jar) == kept


@given(st.text("/ab", max_size=6), st.text("/ab", max_size=6))
def test_a_path_matches_below_itself_only(path: str, below: str) -> None:
    assert path_matches(f"/{path}", f"/{path}")
    assert path_matches(f"/{path}/{below}", f"/{path}")
    assert (
        path_matches(f"/{path}x{below}", f"/{path}") == path.endswith("/") or path == ""
    )
