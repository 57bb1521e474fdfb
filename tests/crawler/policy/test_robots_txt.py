"""crawler/policy/robots_txt.py: Google's cases, RFC 9309's examples, hostile files."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.model.url import canonical
from crawler.policy.robots_txt import parse
from tests.helpers.corpora import ROOT, corpus
from tests.helpers.cpu import cpu_within

# The cases of Google that this parser fails, by their number in the file, and why.
ESCAPED = (
    "its URL is not percent-encoded; ours always are, and then it is the case before it"
)
FAILED = {
    63: ESCAPED,
    65: ESCAPED,
    66: "RFC 9309 section 2.2.2: /%62%61%7A and /baz are one path; not so for Google",
    78: "Google's own rule, not the standard's: Allow: /x/index.html allows /x/ too",
}
GOOGLE = ROOT / "robots" / "google.json"
CASES = json.loads(GOOGLE.read_text(encoding="utf-8")) if GOOGLE.exists() else []


def test_google_is_there() -> None:
    assert corpus("robots", "google.json")
    assert len(CASES) == 140


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(
            n,
            marks=pytest.mark.xfail(strict=True, reason=FAILED[n])
            if n in FAILED
            else (),
        )
        for n in range(len(CASES))
    ],
)
def test_google(number: int) -> None:
    case = CASES[number]
    url = canonical(case["url"])
    if url is None or not case["agent"]:
        pytest.skip("no URL or no agent: such a question is never asked")
    robots = parse(case["robots"].encode("latin-1"), case["agent"])
    assert robots.allowed(url)[0] == case["allowed"]


def allowed(rules: str, path: str, agent: str = "orbweb") -> bool:
    return parse(rules.encode(), agent).allowed("http://h" + path)[0]


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/fish", "/fish.html", True),
        ("/fish", "/Fish", False),
        ("/fish*", "/fishheads/yummy.html", True),
        ("/fish/", "/fish", False),
        ("/*.php", "/folder/filename.php?parameters", True),
        ("/*.php$", "/filename.php?parameters", False),
        ("/*.php$", "/x.php.php", True),
        ("/a*b*c$", "/abcbc", True),
        ("/a*b*c$", "/acb", False),
        ("/a*a$", "/a", False),
        ("/a$", "/a", True),
        ("/a$", "/ab", False),
        ("/a$b", "/a$b", True),
        ("/a$b", "/a", False),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html", True),
        ("/path/file-with-a-%2A.html", "/path/file-with-a-x.html", False),
        ("/path/foo-%24", "/path/foo-$", True),
        ("/foo/bar?baz=http://foo.bar", "/foo/bar?baz=http://foo.bar", True),
        ("/foo/bar/%E3%83%84", "/foo/bar/%E3%83%84", True),
        ("/foo/bar/ツ", "/foo/bar/%e3%83%84", True),
        ("/foo/bar/%62%61%7A", "/foo/bar/baz", True),
        ("/a%2Fb", "/a/b", False),
        ("/a b", "/a%20b", True),
        ("/|", "/%7C", True),
        ("/[x]", "/[x]", True),
        ("*", "/anything", True),
        ("*.gif$", "/x.gif", True),
        ("/", "/", True),
        ("x", "/x", False),
        ("/**x", "/yx", True),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert allowed(f"user-agent: *\ndisallow: {pattern}", path) is not matches


def test_the_rule_that_decided() -> None:
    robots = parse(
        b"# us\nUser-Agent: *\n\ndisallow: /private # note\nALLOW: /private/x\n",
        "orbweb",
    )
    assert robots.allowed("http://h/private") == (
        False,
        "robots.txt:4 Disallow: /private",
    )
    assert robots.allowed("http://h/private/x") == (
        True,
        "robots.txt:5 Allow: /private/x",
    )
    assert robots.allowed("http://h/") == (True, "robots.txt: no rule matches")
    assert (robots.agent_matched, robots.rules_count) == ("*", 2)


def test_of_equal_rules_allow_wins() -> None:
    assert allowed("user-agent: *\ndisallow: /x\nallow: /x", "/x")
    assert not allowed("user-agent: *\ndisallow: /x/\nallow: /x", "/x/")


@pytest.mark.parametrize(
    ("rules", "agent", "matched"),
    [
        ("User-agent: OrbWeb\nDisallow: /", "orbweb", "OrbWeb"),
        ("User-agent: orbweb/1.0 (x)\nDisallow: /", "orbweb", "orbweb"),
        (
            "User-agent: *\nDisallow: /\nUser-agent: orbweb\nDisallow: /",
            "orbweb",
            "orbweb",
        ),
        ("User-agent: orbweb-image\nDisallow: /", "orbweb", None),
        ("User-agent: orb\nDisallow: /", "orbweb", None),
        ("Disallow: /", "orbweb", None),
        ("User-agent:\nDisallow: /", "orbweb", None),
        ("User-agent: * x\nDisallow: /", "orbweb", "*"),
        ("User-agent: *x\nDisallow: /", "orbweb", None),
        ("\ufeffUser-agent: orbweb\r\rDisallow /", "orbweb", "orbweb"),
        (
            "user agent: a\nuseragent: orbweb\nSitemap: x\nnonsense\ndissalow: /",
            "orbweb",
            "orbweb",
        ),
    ],
)
def test_groups(rules: str, agent: str, matched: str | None) -> None:
    robots = parse(rules.encode(), agent)
    assert robots.agent_matched == matched
    assert robots.allowed("http://h/x")[0] is (matched is None)


def test_groups_of_one_agent_count_together() -> None:
    rules = (
        "user-agent: a\ndisallow: /1\n"
        "user-agent: b\ndisallow: /2\n"
        "user-agent: a\ndisallow: /3"
    )
    assert [allowed(rules, path, "a") for path in ("/1", "/2", "/3")] == [
        False,
        True,
        False,
    ]


def test_an_empty_group_of_ours_allows_all() -> None:
    assert allowed("user-agent: *\ndisallow: /\nuser-agent: orbweb\ndisallow:\n", "/x")


def test_robots_txt_itself_is_always_allowed() -> None:
    assert allowed("user-agent: *\ndisallow: /", "/robots.txt")
    assert not allowed("user-agent: *\ndisallow: /", "/robots.txt?x")


@pytest.mark.parametrize(
    ("rules", "delay"),
    [
        ("user-agent: *\ncrawl-delay: 2.5\ndisallow: /x", 2.5),
        ("user-agent: *\ncrawl-delay: 2\nuser-agent: orbweb\ndisallow: /x", None),
        ("user-agent: *\nuser-agent: orbweb\ncrawl-delay: 2\ndisallow: /x", 2.0),
        (
            "user-agent: *\ncrawl-delay: 2\ndisallow:\n"
            "user-agent: orbweb\ndisallow: /x",
            None,
        ),
        ("user-agent: *\ncrawl-delay: soon", None),
        ("user-agent: *\ncrawl-delay: -1", None),
        ("user-agent: *\ncrawl-delay: nan", None),
        ("user-agent: *\ncrawl-delay: inf", None),
        ("crawl-delay: 3", None),
        (  # crawler-commons #430: what Slurp is asked, the others are not
            "user-agent: *\ncrawl-delay: 0\n\nuser-agent: slurp\ncrawl-delay: 20",
            0.0,
        ),
        (
            "user-agent: *\ncrawl-delay: 5\nuser-agent: slurp\ncrawl-delay: 20",
            5.0,
        ),
        (
            "user-agent: slurp\ncrawl-delay: 20\nuser-agent: *\ncrawl-delay: 0",
            0.0,
        ),
        ("user-agent: slurp\ncrawl-delay: 20\nuser-agent: *\ndisallow: /x", None),
        (
            "user-agent: *\nuser-agent: slurp\nsitemap: /s\ncrawl-delay: 0\n"
            "user-agent: slurp\ncrawl-delay: 20",
            0.0,
        ),
        ("user-agent: *\ncrawl-delay: soon\ncrawl-delay: 3\ncrawl-delay: 4", 3.0),
        ("user-agent: *\ncrawl-delay: 0\ncrawl-delay: 3", 0.0),
    ],
)
def test_crawl_delay(rules: str, delay: float | None) -> None:
    assert parse(rules.encode(), "orbweb").crawl_delay == delay


def test_a_crawl_delay_ends_no_group() -> None:
    rules = "user-agent: orbweb\ncrawl-delay: 5\nuser-agent: other\ndisallow: /x"
    assert not allowed(rules, "/x")  # RFC 9309 section 2.2.4


def test_sitemaps() -> None:
    rules = (
        b"Sitemap: http://h/s.xml\nsite-map: HTTP://H/s.xml \n"
        b"sitemap: /rel\nsitemap:https://x"
    )
    assert parse(rules, "orbweb").sitemaps == ("http://h/s.xml", "https://x/")


def test_sitemaps_relative_to_the_site() -> None:
    rules = (
        b"\xef\xbb\xbfSitemap: /a.xml\nsitemap: b.xml?x\nSITEMAP: //other/c\nsitemap:"
    )
    assert parse(rules, "orbweb", "http://h").sitemaps == (
        "http://h/a.xml",
        "http://h/b.xml?x",
        "http://other/c",
    )


def test_500_kib_count_and_no_byte_more() -> None:
    """RFC 9309 section 2.5."""
    head, rule = b"user-agent: *\n", b"\ndisallow: /x\n"
    room = 500 * 1024 - len(head) - len(rule)
    for comment, allowed in (
        (room, False),
        (room + 1, True),
        (room + 2, True),
        (room + 9, True),
    ):
        body = head + b"#" * comment + rule
        assert parse(body, "orbweb").allowed("http://h/x") == (
            allowed,
            "robots.txt: no rule matches" if allowed else "robots.txt:3 Disallow: /x",
        )  # fmt: skip
    assert parse(b"", "orbweb").allowed("http://h/x") == (
        True,
        "robots.txt: no rule matches",
    )


def matches_naively(pattern: str, path: str) -> bool:
    """Every way to read the wildcards, tried in turn."""
    if not pattern:
        return True
    if pattern == "$":
        return not path
    if pattern[0] == "*":
        return any(
            matches_naively(pattern[1:], path[at:]) for at in range(len(path) + 1)
        )
    return path[:1] == pattern[0] and matches_naively(pattern[1:], path[1:])


@given(
    st.text(alphabet="ab*", max_size=7),
    st.sampled_from(["", "$"]),
    st.text(alphabet="ab", max_size=8),
)
def test_first_places_are_as_good_as_all(pattern: str, end: str, path: str) -> None:
    rules = f"user-agent: *\ndisallow: /{pattern}{end}"
    assert allowed(rules, "/" + path) is not matches_naively(
        f"/{pattern}{end}", "/" + path
    )


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes(body: bytes) -> None:
    robots = parse(b"user-agent: *\ndisallow: /" + body, "orbweb")
    robots.allowed("http://h/x%zz?y=%e3")


@pytest.mark.parametrize(
    "rules",
    [
        "disallow: /" + "*a" * 8000 + "b",
        "disallow: /" + "a*" * 7000 + "b$",
        "allow: /a*b\n" * 40_000,
    ],
)
def test_hostile_rules_cost_linear_time(rules: str) -> None:
    robots = parse(b"user-agent: *\n" + rules.encode(), "orbweb")
    with cpu_within(1):
        robots.allowed("http://h/" + "a" * 8000)


SIMPLE = b"""User-Agent: *
Disallow: *.gif$
Disallow: /example/
Allow: /publications/

User-Agent: foobot
Disallow:/
Allow:/example/page.html
Allow:/example/allowed.gif

User-Agent: barbot
User-Agent: bazbot
Disallow: /example/page.html

User-Agent: quxbot
"""
"""RFC 9309 section 5.1."""


@pytest.mark.parametrize(
    ("agent", "path", "allowed"),
    [
        ("otherbot", "/publications/", True),
        ("otherbot", "/example/page.html", False),
        ("otherbot", "/anywhere/picture.gif", False),
        ("otherbot", "/anywhere/picture.gif?x", True),
        ("foobot", "/example/page.html", True),
        ("foobot", "/example/allowed.gif", True),
        ("foobot", "/publications/", False),
        ("barbot", "/example/page.html", False),
        ("bazbot", "/example/page.html", False),
        ("bazbot", "/example/other.html", True),
        ("quxbot", "/example/page.html", True),
    ],
)
def test_the_simple_example_of_the_standard(
    agent: str, path: str, allowed: bool
) -> None:
    assert parse(SIMPLE, agent).allowed(f"http://example.com{path}")[0] is allowed


def test_the_longest_match_of_the_standard() -> None:
    """RFC 9309 section 5.2."""
    rules = (
        b"User-Agent: foobot\nAllow: /example/page/\n"
        b"Disallow: /example/page/disallowed.gif\n"
    )
    robots = parse(rules, "foobot")
    assert robots.allowed("http://example.com/example/page/")[0]
    assert not robots.allowed("http://example.com/example/page/disallowed.gif")[0]
