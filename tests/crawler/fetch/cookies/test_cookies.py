"""cookies: tables of ours, written from RFC 6265bis; the sections are in the
headings."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.fetch.cookies import (
    MAX_AGE_S,
    MAX_COOKIE,
    CookieJar,
    Site,
    default_path,
    path_matches,
)
from crawler.fetch.cookies.date import parse_date

NOW = 1_700_000_000.0
DAY = 86400


def at(url: str, by: str | None = None, image: bool = False) -> Site:
    parts = urlsplit(url)
    initiator = by and f"{urlsplit(by).scheme}://{urlsplit(by).hostname}"
    return Site(
        parts.hostname or "",
        parts.path or "/",
        parts.scheme == "https",
        initiator,
        image,
    )


def jar_of(*values: str, url: str = "https://a.example/") -> CookieJar:
    jar = CookieJar()
    jar.receive(values, at(url), NOW)
    return jar


def sent(jar: CookieJar, url: str, later: float = 0.0) -> str | None:
    return jar.header(at(url), NOW + later)


# -- 5.1.1 dates
# ---------------------------------------------------------------------------------

NOVEMBER = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT
DATES: list[tuple[str, int | None]] = [
    ("Sun, 06 Nov 1994 08:49:37 GMT", NOVEMBER),
    ("Sunday, 06-Nov-94 08:49:37 GMT", NOVEMBER),
    ("Sun Nov  6 08:49:37 1994", NOVEMBER),
    ("06 Nov 1994 08:49:37", NOVEMBER),
    ("1994 Nov 6 08:49:37", NOVEMBER),
    ("94 6 Nov 08:49:37", None),
    ("08:49:37 6 Nov 94", NOVEMBER),
    ("Nov 6 94 08:49:37", NOVEMBER),
    ("6 nov 94 8:49:37", NOVEMBER),
    ("6 NOVEMBER 94 08:49:37", NOVEMBER),
    ("6 Novgorod 94 08:49:37", NOVEMBER),
    ("6th Nov 1994 08:49:37", NOVEMBER),
    ("6 Nov 1994AD 08:49:37UTC", NOVEMBER),
    ("6-Nov-1994/08:49:37", NOVEMBER),
    ("6 Nov 1994 08:49:37 +0200", NOVEMBER),
    ("6 Nov 1994 08:49:37 99 Dec 7 9:9:9", NOVEMBER),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
    ("Wed, 31 Dec 1969 23:59:59 GMT", -1),
    ("1 Jan 00 00:00:00", 946684800),
    ("1 Jan 69 00:00:00", 3124224000),
    ("1 Jan 70 00:00:00", 0),
    ("1 Jan 99 00:00:00", 915148800),
    ("1 Jan 100 00:00:00", None),
    ("1 Jan 1600 00:00:00", None),
    ("1 Jan 1601 00:00:00", -11644473600),
    ("1 Jan 9999 00:00:00", 253370764800),
    ("1 Jan 10000 00:00:00", None),
    ("29 Feb 2023 00:00:00", None),
    ("29 Feb 2024 00:00:00", 1709164800),
    ("31 Apr 2024 00:00:00", None),
    ("0 Jan 2024 00:00:00", None),
    ("32 Jan 2024 00:00:00", None),
    ("1 Jan 2024 24:00:00", None),
    ("1 Jan 2024 00:60:00", None),
    ("1 Jan 2024 00:00:60", None),
    ("1 Jan 2024 0:0:0", 1704067200),
    ("1 Jan 2024 000:00:00", None),
    ("1 Jan 2024 00:00", None),
    ("1 Foo 2024 00:00:00", None),
    ("Jan 2024 00:00:00", None),
    ("1 2024 00:00:00", None),
    ("1 Jan 00:00:00", None),
    ("٦ Nov 1994 08:49:37", None),
    ("", None),
    ("tomorrow", None),
]


@pytest.mark.parametrize(("text", "moment"), DATES)
def test_dates(text: str, moment: int | None) -> None:
    assert parse_date(text) == moment


# -- 5.6 the syntax of Set-Cookie
# ----------------------------------------------------------------

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


# -- 5.6.1, 5.6.2 how long
# -----------------------------------------------------------------------

LIVES: list[
    tuple[str, float | None]
] = [  # seconds it lives, None: to the end of the crawl
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


@pytest.mark.parametrize(("value", "lives"), LIVES)
def test_lives(value: str, lives: float | None) -> None:
    jar = jar_of(value)
    if lives == 0:
        assert len(jar) == 0
        return
    (cookie,) = jar
    assert cookie.expires == (None if lives is None else NOW + lives)
    end = 10_000 * DAY if lives is None else lives
    assert sent(jar, "https://a.example/", end - 1) == "a=b"
    if lives is not None:
        assert sent(jar, "https://a.example/", end) is None
        assert len(jar) == 0


# -- 5.1.3, 5.6.3 domains
# ------------------------------------------------------------------------

DOMAINS: list[tuple[str, str, str, bool]] = [  # set by, Domain, asked for, sent
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
# --------------------------------------------------------------------------

PATHS: list[tuple[str, str | None, str, bool]] = [  # set at, Path, asked for, sent
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


def test_a_query_is_no_part_of_the_path() -> None:
    jar = jar_of("a=b; Path=/x")
    assert jar.header(Site("a.example", "/x?y", True), NOW) == "a=b"
    assert jar.header(Site("a.example", "/?/x", True), NOW) is None


# -- 5.7 Secure, prefixes
# ------------------------------------------------------------------------

SECURITY: list[tuple[str, str, str, bool]] = [  # set at, value, asked for, sent
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
    ("https://x.a.example/", "__Secure-a=b; Secure; Domain=a.example", "https://a.example/", True),
    ("https://a.example/", "__Host-a=b; Secure; Path=/", "https://a.example/", True),
    ("https://a.example/", "__Host-a=b; Secure", "https://a.example/", False),
    ("https://a.example/", "__Host-a=b; Path=/", "https://a.example/", False),
    ("https://a.example/", "__host-a=b; Path=/", "https://a.example/", False),
    ("https://a.example/x/", "__Host-a=b; Secure; Path=/x", "https://a.example/x", False),
    ("https://a.example/", "__Host-a=b; Secure; Path=/; Domain=a.example", "https://a.example/",
     False),
    ("https://a.example/", "__Host-a=b; Secure; Path=/; Domain=", "https://a.example/", True),
    ("https://a.example/", "=__Host-a=b; Secure; Path=/", "https://a.example/", False),
    ("https://a.example/", "__Secure-a; Secure", "https://a.example/", False),
    ("https://a.example/", "__Hosta=b", "https://a.example/", True),
    ("https://a.example/", "a=__Host-b", "https://a.example/", True),
]  # fmt: skip


@pytest.mark.parametrize(("place", "value", "asked", "expected"), SECURITY)
def test_security(place: str, value: str, asked: str, expected: bool) -> None:
    assert (sent(jar_of(value, url=place), asked) is not None) == expected


@pytest.mark.parametrize(
    ("value", "left_alone"),
    [
        ("a=evil", True),
        ("a=evil; Path=/x", True),
        ("a=evil; Domain=a.example", True),
        ("b=good", False),
    ],
)
def test_a_cookie_of_tls_is_not_hidden_by_one_without(
    value: str, left_alone: bool
) -> None:
    jar = jar_of("a=b; Secure; Path=/")
    jar.receive([value], at("http://a.example/x/"), NOW)
    assert ("good" not in (sent(jar, "https://a.example/x/") or "")) == left_alone
    assert "evil" not in (sent(jar, "https://a.example/x/") or "")


def test_a_cookie_of_tls_elsewhere_hides_nothing() -> None:
    jar = jar_of("a=b; Secure; Path=/login")
    jar.receive(["a=c; Path=/"], at("http://a.example/"), NOW)
    assert sent(jar, "https://a.example/") == "a=c"


# -- 5.2, 5.7 SameSite: where a crawler is like a browser
# ----------------------------------------

OTHER, SAME = "https://b.example/p", "https://x.a.example/p"
SAME_SITE: list[
    tuple[str, str | None, bool, bool]
] = [  # SameSite, found on, image, sent
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
    assert jar.header(at("https://a.example/", by, image), NOW) == (
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
def test_who_may_set(value: str, by: str | None, image: bool, kept: bool) -> None:
    jar = CookieJar()
    jar.receive([value], at("https://a.example/", by, image), NOW)
    assert len(jar) == kept


# -- 5.7, 5.8.3 the jar
# --------------------------------------------------------------------------


def test_longer_paths_first_and_then_the_older() -> None:
    jar = CookieJar()
    for number, value in enumerate(
        ["a=1; Path=/", "b=2; Path=/x", "c=3; Path=/", "d=4; Path=/x"]
    ):
        jar.receive([value], at("https://a.example/x/"), NOW + number)
    assert sent(jar, "https://a.example/x/", 10) == "b=2; d=4; a=1; c=3"


def test_a_new_value_keeps_the_old_place() -> None:
    jar = jar_of("a=1", "b=2")
    jar.receive(["a=3"], at("https://a.example/"), NOW + 10)
    assert sent(jar, "https://a.example/", 10) == "a=3; b=2"


def test_name_domain_and_path_make_a_cookie() -> None:
    jar = jar_of("a=1", "a=2; Path=/x", "a=3; Domain=a.example", "A=4")
    assert len(jar) == 4
    assert sent(jar, "https://a.example/x") == "a=2; a=1; a=3; A=4"


def test_one_that_has_expired_takes_the_other_away() -> None:
    jar = jar_of("a=1", "b=2", "a=x; Max-Age=0")
    assert sent(jar, "https://a.example/") == "b=2"


def test_every_change_is_told_once() -> None:
    told: list[tuple[str, list[str]]] = []
    jar = CookieJar(
        lambda domain, cookies: told.append((domain, [c.value for c in cookies]))
    )

    def receive(*values: str) -> list[tuple[str, list[str]]]:
        told.clear()
        jar.receive(values, at("https://x.a.example/"), NOW)
        return told

    assert receive("a=1", "b=2; Domain=a.example") == [("a.example", ["1", "2"])]
    assert receive("a=1") == []
    assert receive("a=3") == [("a.example", ["3", "2"])]
    assert receive("c=x; Max-Age=0") == []
    assert receive("a=; Max-Age=0", "b=; Domain=a.example; Max-Age=0") == [
        ("a.example", [])
    ]


def test_the_least_used_of_a_domain_goes_first() -> None:
    jar = CookieJar(per_domain=3)
    jar.receive(
        ["a=1; Path=/a", "b=2; Path=/b", "c=3; Path=/c"], at("https://a.example/"), NOW
    )
    assert sent(jar, "https://a.example/a", 1) == "a=1"
    jar.receive(["d=4; Path=/d"], at("https://a.example/"), NOW + 2)
    assert sorted(cookie.name for cookie in jar) == ["a", "c", "d"]


def test_expired_ones_go_before_others() -> None:
    jar = CookieJar(per_domain=2)
    jar.receive(["a=1", "b=2; Max-Age=5"], at("https://a.example/"), NOW)
    jar.receive(["c=3"], at("https://a.example/"), NOW + 6)
    assert sorted(cookie.name for cookie in jar) == ["a", "c"]


def test_the_domain_that_was_not_asked_for_the_longest_goes_first() -> None:
    jar = CookieJar(total=3)
    for host in "abc":
        jar.receive(["x=1"], at(f"https://{host}.example/"), NOW)
    assert sent(jar, "https://a.example/") == "x=1"
    jar.receive(["x=1"], at("https://d.example/"), NOW)
    assert sorted(cookie.domain for cookie in jar) == [
        "a.example",
        "c.example",
        "d.example",
    ]
    assert len(jar) == 3


def test_a_flood_of_cookies_is_bounded() -> None:
    jar = CookieJar()
    for host in range(30):
        values = [f"c{number}=x" for number in range(5000)]
        jar.receive(values, at(f"https://h{host}.example/"), NOW)
    assert len(jar) == 3000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(
    st.text("ab=; _-/.\t\xe9", max_size=12)
    | st.sampled_from(["a=1", "a=2; Max-Age=0", "b=; Path=/x", "c=3; Domain=a.example"]),
    st.sampled_from(["https://a.example/", "http://x.a.example/x/y", "http://127.0.0.1/"]),
    st.integers(0, 3),
)))  # fmt: skip
def test_the_jar_keeps_its_own_books(events: list[tuple[str, str, int]]) -> None:
    jar = CookieJar(per_domain=3, total=4)
    now = NOW
    for value, url, seconds in events:
        now += seconds
        jar.receive([value], at(url), now)
        header = jar.header(at(url), now)
        assert header is None or "\n" not in header
        kept = list(jar)
        assert len(kept) == len(jar) <= 4
        assert len({(c.name, c.domain, c.host_only, c.path) for c in kept}) == len(kept)


@given(st.text("/ab", max_size=6), st.text("/ab", max_size=6))
def test_a_path_matches_below_itself_only(path: str, below: str) -> None:
    assert path_matches(f"/{path}", f"/{path}")
    assert path_matches(f"/{path}/{below}", f"/{path}")
    assert (
        path_matches(f"/{path}x{below}", f"/{path}") == path.endswith("/") or path == ""
    )
