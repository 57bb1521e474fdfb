"""url: the data of web-platform-tests and of the public suffix list."""

from __future__ import annotations

import json
import re

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.model import url as urls
from crawler.model.errors import UsageError
from crawler.model.http import Hop
from crawler.model.seed import parse_seed
from tests.helpers.corpora import corpus

NETWORK = ("http:", "https:", "ftp:", "ws:", "wss:")


def expected(row: dict[str, str]) -> str | None:
    """The canonical form of a row's href: no other schemes, fragments, credentials."""
    if row.get("failure") or row["protocol"] not in NETWORK:
        return None
    href = row["href"].partition("#")[0]
    user = row["username"] + (":" + row["password"] if row["password"] else "")
    return href.replace(f"//{user}@", "//", 1) if user else href


def test_web_platform_tests() -> None:
    rows = json.loads(corpus("url", "urltestdata.json").read_text())
    wrong, ran = [], 0
    for row in rows:
        if isinstance(row, str):
            continue
        base = row.get("base")
        if base and urls.canonical(base) is None:
            continue  # no crawled document has such a base
        ran += 1
        got = urls.join(urls.canonical(base) or "", row["input"]) if base else None
        got = got if base else urls.canonical(row["input"])
        if got != expected(row):
            wrong.append((row["input"], base, expected(row), got))
    assert ran > 700
    assert wrong == []


def test_public_suffix_list() -> None:
    text = corpus("psl", "test_psl.txt").read_text(encoding="utf-8")
    rows = re.findall(
        r"^checkPublicSuffix\('([^']+)', (?:'([^']+)'|null)\);", text, re.M
    )
    assert len(rows) > 70
    wrong = []
    for name, domain in rows:
        url = urls.canonical(f"http://{name}/")
        destination = urls.canonical(f"http://{domain}/") if domain else None
        if url is None or name.startswith("."):
            continue  # a host has no empty label
        got = urls.registrable_domain(urls.host_key(url))
        if got != (destination and urls.host_key(destination)):
            wrong.append((name, domain, got))
    assert wrong == []


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("127.0.0.1", None),
        ("127.0.0.1:8080", None),
        ("[::1]", None),
        ("[::1]:8080", None),
        ("localhost", None),
        ("www.example.co.uk:8443", "example.co.uk"),
        ("a.github.io", "a.github.io"),
        ("www.example.com.", "example.com"),
    ],
)
def test_registrable_domain(host: str, domain: str | None) -> None:
    assert urls.registrable_domain(host) == domain


PARTS = st.text(alphabet="ab/.?#%:@\\ \t\n[]é中~^|\ud800&=;0", max_size=30)


@given(
    PARTS | st.text(max_size=30),
    st.sampled_from(["http://", "HTTPS://u:p@", "ftp://", "", "http://h/"]),
)
def test_canonical_is_idempotent(text: str, start: str) -> None:
    url = urls.canonical(start + text)
    if url is not None:
        assert urls.canonical(url) == url
        assert "#" not in url
        assert urls.join("http://elsewhere/x/y?z", url) == url
        assert url.startswith(urls.origin(url) + "/")
        assert urls.hostname(urls.host_key(url))


@given(
    st.lists(PARTS, max_size=5), st.sampled_from(["d/p", "d/q?r", "d/", "?x/y", "%zz/"])
)
def test_a_cached_join_is_the_join(hrefs: list[str], path: str) -> None:
    base = urls.Base("http://h/" + path)
    for href in (href.replace("\ud800", "") for href in hrefs * 2):
        fresh = base._parse(href)
        assert base.join(href) == fresh


STEPS = [
    "..",
    ".",
    "",
    "a",
    "B.html",
    ".x",
    "%2e",
    "~u",
    "a:b",
    "-",
    "con",
    "a.",
    "...",
]


@given(
    st.lists(st.sampled_from(STEPS), min_size=1, max_size=7).map("/".join),
    st.sampled_from(["", "p", "d/", "d/e/p", "d//e//p", "d/e/p?q/r", "d/p/?/"]),
)
def test_a_plain_link_is_what_the_parser_makes_of_it(href: str, path: str) -> None:
    base = f"http://h:8080/{path}"
    try:
        parsed = ada_url.join_url(base, href)
    except ValueError:
        parsed = None
    if href:
        assert urls.join(base, href) == (
            parsed if parsed and parsed.startswith("http:") else None
        )


HOSTS = [
    "a.example",
    "A.example",
    "www.a-b.org",
    "-.org",
    "1.2.3.4",
    "1.2.com",
    "0x7f.a",
    "a.0x7f",
]
HOSTS += [
    "xn--bcher-kva.example",
    "xn--a.org",
    "b.xn--x",
    "a..b",
    ".org",
    "a.b.",
    "h",
    "l" * 70 + ".a",
]


@given(
    st.sampled_from(["http://", "https://", "HTTP://", "ftp://"]),
    st.sampled_from(
        [*HOSTS, "a.example:80", "a.example:81", "u@a.example", "a_b.example"]
    ),
    st.lists(st.sampled_from(STEPS), max_size=5).map("/".join),
)
def test_a_plain_url_is_what_the_parser_makes_of_it(
    start: str, host: str, path: str
) -> None:
    for href in (f"{start}{host}/{path}", f"{start}{host}{path}"):
        assert urls.join("http://h/a", href) == urls.canonical(href)


@pytest.mark.parametrize(
    ("href", "joined"),
    [
        ("", "http://h/a/b?c"),
        ("#x", "http://h/a/b?c"),
        ("?d", "http://h/a/b?d"),
        (" ?d\n", "http://h/a/b?d"),
        ("e", "http://h/a/e"),
        ("../e#f", "http://h/e"),
        ("//k/e", "http://k/e"),
        ("http://user:secret@k/@e", "http://k/@e"),
        ("HTTP://K:80/%7e", "http://k/%7e"),
        ("ftp://k/e", "ftp://k/e"),
        ("mailto:a@b", None),
        ("javascript:void(0)", None),
        ("data:,x", None),
        ("file:///etc/passwd", None),
        ("http://[", None),
        ("x" * 9000, None),
        ("é" * 3000, None),
    ],
)
def test_join(href: str, joined: str | None) -> None:
    base = urls.Base("http://h/a/b?c")
    assert base.join(href) == joined
    assert base.join(href) == joined  # from the cache


@pytest.mark.parametrize(
    ("encoding", "href", "joined"),
    [
        ("windows-1252", "é?q=é", "http://h/%C3%A9?q=%E9"),
        ("latin1", "?q=\u20ac \"'<>#é", "http://h/d/p?q=%80%20%22%27%3C%3E"),
        ("shift_jis", "?q=\u8868", "http://h/d/p?q=%95\\"),
        ("iso-2022-jp", "?\u8868", "http://h/d/p?%1B$BI=%1B(B"),
        # web-platform-tests: encoding/, the encoders of href
        ("iso-2022-jp", "?é|\u8868a", "http://h/d/p?%26%23233%3B|%1B$BI=%1B(Ba"),
        ("iso-2022-jp", "?\u8868é", "http://h/d/p?%1B$BI=%1B(B%26%23233%3B"),
        ("iso-2022-jp", "?\x0eA", "http://h/d/p?%26%2365533%3BA"),
        ("iso-2022-jp", "?\u8868\x1bA", "http://h/d/p?%1B$BI=%1B(B%26%2365533%3BA"),
        ("iso-2022-jp", "?\xa5x\\", "http://h/d/p?%1B(J\\x%1B(B\\"),
        ("iso-2022-jp", "?\u203e\uff71", "http://h/d/p?%1B(J~%1B$B%%22%1B(B"),
        ("iso-2022-jp", "?\u2460\u2212", "http://h/d/p?%1B$B-!!]%1B(B"),
        ("gb18030", "?\ue5e5\u20ac", "http://h/d/p?%26%2358853%3B%A2%E3"),
        ("gb18030", "?\ue7c7\u1e3f", "http://h/d/p?%815%F47%A8%BC"),
        ("gb18030", "?\u9fb4\ue81e\ufe10", "http://h/d/p?%FEY%FEY%A6%D9"),
        ("gb18030", "?\U0001f600", "http://h/d/p?%949%FC6"),
        ("gbk", "?\u20ac\u4e2d", "http://h/d/p?%80%D6%D0"),
        ("gbk", "?\U0001f600", "http://h/d/p?%26%23128512%3B"),
        ("euc-jp", "?\u2460\uff5e\uff71", "http://h/d/p?%AD%A1%A1%C1%8E%B1"),
        ("euc-jp", "?\xa5\u2212\u7e8a", "http://h/d/p?\\%A1%DD%F9%A1"),
        ("euc-jp", "?\ud55c", "http://h/d/p?%26%2354620%3B"),
        ("shift_jis", "?\u2460\xa5\u2212\u7e8a", "http://h/d/p?%87@\\%81|%FA\\"),
        ("shift_jis", "?\ud55c", "http://h/d/p?%26%2354620%3B"),
        ("big5", "?\u4e2d\u43f0", "http://h/d/p?%A4%A4%26%2317392%3B"),
        ("windows-1252", "?q=é #x", "http://h/d/p?q=%E9%20"),
        ("windows-1252", "?q=\u4e2d&\n=\u00e9 ", "http://h/d/p?q=%26%2320013%3B&=%E9"),
        ("utf-16", "?é", "http://h/d/p?%C3%A9"),
        ("hz-gb-2312", "?é", "http://h/d/p?%C3%A9"),
        ("base64", "?é", "http://h/d/p?%C3%A9"),
        (None, "?é", "http://h/d/p?%C3%A9"),
        ("x-user-defined", "?é", "http://h/d/p?%26%23233%3B"),
    ],
)
def test_queries_are_encoded_as_the_document(
    encoding: str | None, href: str, joined: str | None
) -> None:
    base = "http://h/d/p" if href.startswith("?") else "http://h/"
    assert urls.join(base, href, encoding) == joined


@pytest.mark.parametrize(
    ("value", "joined"),
    [
        ("/x y", "http://h/x%20y"),
        ("/\u00c3\u00a9", "http://h/%C3%A9"),
        ("/caf\u00e9?q=\u00e9#\u00e9", "http://h/caf%E9?q=%E9"),
        ("/s?q=\xc4\xe3\xba\xc3", "http://h/s?q=%C4%E3%BA%C3"),
        ("/%e9\u00e9", "http://h/%e9%E9"),
        ("/\u00c3\u00a9/\u00e9", "http://h/%C3%A9/%E9"),
        ("/a b.html#x", "http://h/a%20b.html"),
        (" \t/x\t y \t", "http://h/x%20y"),
        ("/\u20ac", "http://h/%E2%82%AC"),
        ("mailto:x", None),
        ("http://b\u00fccher.test/", None),
    ],
)
def test_headers_are_joined_as_utf_8_or_byte_by_byte(
    value: str, joined: str | None
) -> None:
    assert urls.join_header("http://h/d/p", value) == joined


def test_the_cache_of_joins_is_bounded() -> None:
    joins = urls.JoinCache(max_entries=100)
    for directory in range(200):
        base = urls.Base(f"http://h/{directory}/", joins=joins)
        for page in range(7):
            assert base.join(str(page)) == f"http://h/{directory}/{page}"
        base.join("x" * 2000)
        assert len(joins) <= 107


@pytest.mark.parametrize(
    ("url", "key", "name", "origin"),
    [
        ("http://h/", "h", "h", "http://h"),
        ("https://h/x?y//z", "h", "h", "https://h"),
        ("http://h:443/", "h", "h", "http://h:443"),
        ("http://h:8080/", "h:8080", "h", "http://h:8080"),
        ("http://127.0.0.1/", "127.0.0.1", "127.0.0.1", "http://127.0.0.1"),
        ("http://[::80]/", "[::80]", "[::80]", "http://[::80]"),
        ("http://[::1]:81/", "[::1]:81", "[::1]", "http://[::1]:81"),
        ("http://host1/", "host1", "host1", "http://host1"),
    ],
)
def test_keys(url: str, key: str, name: str, origin: str) -> None:
    assert urls.canonical(url) == url
    assert (urls.host_key(url), urls.origin(url)) == (key, origin)
    assert urls.hostname(key) == name


def test_identity() -> None:
    # The values are fixed, because the state on disk depends on them.
    assert urls.url_id("http://example.com/") == int.from_bytes(
        bytes.fromhex(urls.url_id_hex("http://example.com/")), "big", signed=True
    )
    assert urls.url_id_hex("http://example.com/") == "fb2241160c9dad06"
    for url in ("http://a/", "http://b/", "http://c/", "http://d/"):
        assert urls.id_to_hex(urls.url_id(url)) == urls.url_id_hex(url)
        assert urls.id_from_hex(urls.url_id_hex(url)) == urls.url_id(url)
    assert urls.id_from_hex("no digits") is None


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://h/%7ex", "http://h/~x"),
        ("http://h/%7Ex", "http://h/~x"),
        ("http://h/%c3%a9", "http://h/%C3%A9"),
        ("http://h/a%2eb%2Dc%5f?%61=%30", "http://h/a.b-c_?a=0"),
        # reserved and other characters stay as they are
        ("http://h/a%2fb%3F?x=%26+%20", "http://h/a%2Fb%3F?x=%26+%20"),
        ("http://h/%257ex", "http://h/%257ex"),
        ("http://h/%%37ex", "http://h/%7ex"),
        ("http://h/100%?%zz", "http://h/100%?%zz"),
        ("http://h/~x", "http://h/~x"),
    ],
)
def test_equivalent_urls_have_one_key(url: str, key: str) -> None:
    """RFC 3986, sections 6.2.2.1 and 6.2.2.2."""
    assert urls.url_key(url) == key
    assert urls.url_id(url) == urls.key_id(key)
    assert urls.url_id_hex(url) == urls.id_to_hex(urls.key_id(key))


def test_a_redirect_to_an_equivalent_url_has_a_key_of_its_own() -> None:
    url, key = "http://h/~x", urls.redirected_key("http://h/~x")
    assert urls.url_key(url, [Hop("http://h/%7ex", 301)]) == key
    assert urls.url_key(url, [Hop("http://h/%7ex", 301), Hop("http://h/b", 302)]) == key
    assert urls.url_key(url, [Hop("http://h/%7ey", 301)]) == url
    assert urls.url_key(url, [Hop(url, 401)]) == url
    assert urls.url_id(url, [Hop("http://h/%7ex", 301)]) == urls.key_id(key)
    assert urls.url_id_hex(url, [Hop("http://h/%7ex", 301)]) == urls.id_to_hex(
        urls.key_id(key)
    )


@pytest.mark.parametrize(
    ("text", "url", "assumed"),
    [
        ("https://example.com", "https://example.com/", False),
        ("HTTP://example.com/a#b", "http://example.com/a", False),
        ("example.com/x", "https://example.com/x", True),
        (" //example.com/x ", "https://example.com/x", True),
        ("localhost:8000", "https://localhost:8000/", True),
        ("localhost:8000/x", "https://localhost:8000/x", True),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
    ],
)
def test_seed(text: str, url: str, assumed: bool) -> None:
    assert parse_seed(text) == (url, assumed)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ftp://example.com/", "the scheme ftp is not supported"),
        ("mailto:a@b", "the scheme mailto is not supported"),
        (
            "example.com:notaport",
            "'notaport' is not a port; .*https://example.com:8080/",
        ),
        ("localhost:80a/x?y", "'80a' is not a port"),
        ("example.com:/x", "'' is not a port"),
        ("web.x://h/", "the scheme web.x is not supported"),
        ("./site", "'./site' is a path, not a URL"),
        ("../site", "is a path"),
        ("..", "is a path"),
        ("/srv/site", "is a path"),
        ("~/site", "is a path"),
        ("", "is not a valid URL"),
        ("   ", "is not a valid URL"),
        ("http://", "is not a valid URL"),
        ("https://[::", "is not a valid URL"),
        ("exa mple.com", "is not a valid URL"),
        ("h\udcff.example", "is not a valid URL"),
        ("http://me:secret@example.com/", "with a user name"),
        ("x" * 9000, "is not a valid URL"),
    ],
)
def test_refused_seed(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_seed(text)
    assert "secret" not in str(caught.value)
    assert len(str(caught.value)) < 400
