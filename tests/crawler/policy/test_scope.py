"""crawler/policy/scope.py: each rule, its exact words, and hostile URLs."""

from __future__ import annotations

from typing import Any

import pytest

from crawler.model.crawl import Destination, Skip
from crawler.model.documents import LinkKind
from crawler.model.errors import UsageError
from crawler.model.policy_config import ScopeConfig
from crawler.policy.chain import scope_checks
from crawler.policy.check import Candidate, Chain
from crawler.policy.scope import Scope

SEED = "http://www.site.example/docs/index.html"


def chain(seeds: tuple[str, ...] = (SEED,), **config: Any) -> Chain:
    """The checks of the scope: surroundings, URL filters, depth."""
    settings = ScopeConfig(**config)
    return Chain(scope_checks(settings, Scope(settings, seeds)))


def skipped(
    url: str,
    destination: Destination = "page",
    depth: int = 1,
    seeds: tuple[str, ...] = (SEED,),
    **config: Any,
) -> str | None:
    skip = chain(seeds, **config).check(found(url, destination, depth))
    return None if skip is None else f"{skip.reason} | {skip.rule}"


def found(url: str, destination: Destination = "page", depth: int = 1) -> Candidate:
    return Candidate(url, "a", destination, depth)


@pytest.mark.parametrize(
    ("within", "url", "inside"),
    [
        ("host", "http://www.site.example/x", True),
        ("host", "https://www.site.example/x", True),
        ("host", "http://www.site.example:8080/x", False),
        ("host", "http://site.example/x", False),
        ("domain", "https://site.example:8080/x", True),
        ("domain", "http://img.site.example/x", True),
        ("domain", "http://notsite.example/x", False),
        ("domain", "http://127.0.0.1/x", False),
        ("prefix", "https://www.site.example/docs/a/b", True),
        ("prefix", "http://www.site.example/docs/", True),
        ("prefix", "http://www.site.example/docsx", False),
        ("prefix", "http://www.site.example.evil.example/docs/", False),
        ("page", SEED, True),
        ("page", "http://www.site.example/docs/", False),
        ("page", f"{SEED}/below", False),
        ("page", f"{SEED}?page=2", False),
        ("any", "http://elsewhere.example/", True),
    ],
)
def test_within(within: str, url: str, inside: bool) -> None:
    assert skipped(url, within=within) == (
        None if inside else f"scope | scope.within: {within}"
    )


def test_a_domain_is_what_can_be_registered() -> None:
    """The public suffix list has `co.uk`."""
    seeds = ("https://www.shop.co.uk/",)
    assert skipped("https://img.shop.co.uk/x", seeds=seeds, within="domain") is None
    assert skipped("https://other.co.uk/x", seeds=seeds, within="domain") is not None


def test_domain_of_an_address_is_the_address() -> None:
    seeds = ("http://127.0.0.1:8000/",)
    assert skipped("http://127.0.0.1:9000/", seeds=seeds, within="domain") is None
    assert skipped("http://127.0.0.2:8000/", seeds=seeds, within="domain") is not None


@pytest.mark.parametrize("within", ["host", "domain", "prefix", "page"])
@pytest.mark.parametrize("entry", ["cdn.example", ".cdn.example", "*.CDN.example"])
def test_domains(within: str, entry: str) -> None:
    config: dict[str, Any] = {"within": within, "domains": (entry,)}
    assert skipped("http://a.cdn.example/x", **config) is None
    assert skipped("http://cdn.example:81/x", **config) is None
    assert (
        skipped("http://xcdn.example/", **config) == f"scope | scope.within: {within}"
    )


def test_images_have_their_own_surroundings() -> None:
    image = "http://pictures.example/a.png"
    assert chain(within="page", depth=2).check(found(image, "image", 9)) is None
    refused = "scope | scope.images_within: host"
    assert skipped(image, "image", images_within="host", within="any") == refused
    assert skipped("http://i.site.example/a", "image", images_within="domain") is None
    assert skipped("http://www.site.example/a", "image", images_within="host") is None


def test_scheme() -> None:
    assert skipped("ftp://www.site.example/x") == "scheme | scheme: ftp"
    assert skipped("ws://www.site.example/x", within="any") == "scheme | scheme: ws"


def test_depth_is_of_pages() -> None:
    scope = chain(depth=3)
    assert scope.check(found(SEED, "page", 3)) is None
    skip = scope.check(found(SEED, "page", 4))
    assert skip is not None
    assert (skip.reason, skip.rule) == ("depth", "scope.depth: 3")
    assert scope.check(found(SEED, "image", 4)) is None


SITE = "http://www.site.example"


@pytest.mark.parametrize(
    ("rules", "path", "rule"),
    [
        ((r"-\/calendar\/",), "/calendar/1", r"scope.rules[0]: -\/calendar\/"),
        ((r"-\/calendar\/",), "/other", None),
        (("-/calendar/", "+/calendar/2024"), "/calendar/2024/1", None),
        (
            ("-/calendar/", "+/calendar/2024"),
            "/calendar/2025/1",
            "scope.rules[0]: -/calendar/",
        ),
        (("+/docs/",), "/docs/x", None),
        (("+/docs/",), "/other", "scope.rules: matches no + rule"),
        (("+/docs/", r"-\.pdf$"), "/docs/x.pdf", r"scope.rules[1]: -\.pdf$"),
        ((r"-\.pdf$", "+/docs/"), "/docs/x.pdf", None),
        ((r"-\.pdf$", "+/docs/"), "/other", None),
        (("-glob:*/private/*",), "/a/private/b", "scope.rules[0]: -glob:*/private/*"),
        (("-glob:*/private",), "/private/b", None),
        (("-glob:private/*",), "/private/b", None),
        (("-glob:*.p?f",), "/x.pdf", "scope.rules[0]: -glob:*.p?f"),
        (("-glob:*[x](*",), "/a[x](b", "scope.rules[0]: -glob:*[x](*"),
        (("-(?i)/CaL/",), "/cal/", "scope.rules[0]: -(?i)/CaL/"),
    ],
)
def test_rules(rules: tuple[str, ...], path: str, rule: str | None) -> None:
    assert skipped(SITE + path, rules=rules) == (rule and f"scope | {rule}")


def test_rules_do_not_let_in_what_is_outside() -> None:
    outside = skipped("http://elsewhere.example/docs/", rules=("+/docs/",))
    assert outside == "scope | scope.within: host"


def test_a_list_of_wants_spares_seeds_and_images() -> None:
    rules = ("+/docs/", r"-\.gif$")
    assert skipped(SITE + "/", depth=0, rules=rules) is None
    assert skipped(SITE + "/logo.png", "image", rules=rules) is None
    assert (
        skipped(SITE + "/logo.gif", "image", rules=rules)
        == r"scope | scope.rules[1]: -\.gif$"
    )
    assert (
        skipped(SITE + "/x.gif", depth=0, rules=rules)
        == r"scope | scope.rules[1]: -\.gif$"
    )


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (
            {"rules": ("-ok", "-(")},
            r"scope.rules\[1\]: '-\(' is not a valid RE2 expression: missing \)",
        ),
        ({"rules": ("+(?!x)",)}, "no lookaround"),
        ({"rules": ("docs",)}, r"scope.rules\[0\]: 'docs' must be \+"),
        ({"rules": ("-",)}, "must be"),
        ({"rules": ("",)}, "must be"),
        ({"domains": ("a b",)}, "scope.domains: 'a b' is not a valid domain"),
        ({"domains": ("http://a/",)}, "is not a valid domain"),
    ],
)
def test_refused_configuration(config: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        chain((), **config)


def test_a_redirected_seed_widens_the_scope() -> None:
    scope = Scope(ScopeConfig(), ["http://site.example/"])
    url = "http://www.site.example/x"
    assert scope.check(found(url, "page", 1)) is not None
    scope.add_seed("https://www.site.example/")
    assert scope.check(found(url, "page", 1)) is None
    assert scope.check(found("http://site.example/x", "page", 1)) is None


@pytest.mark.parametrize(
    ("seed", "end", "same"),
    [
        ("http://site.example/", "https://www.site.example/x", True),
        ("http://www.site.example/", "https://site.example:8443/", True),
        ("http://a.site.example/", "http://b.c.site.example/", True),
        ("http://site.co.uk/", "http://other.co.uk/", False),
        ("http://a.github.io/", "http://b.github.io/", False),
        ("http://a.github.io/", "http://github.io/", False),
        ("http://github.io/", "http://www.github.io/", True),
        ("http://intranet/", "http://www.intranet/", True),
        ("http://intranet/", "http://extranet/", False),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:9000/", True),
        ("http://127.0.0.1/", "http://127.0.0.2/", False),
        ("http://[::1]/", "http://[::2]/", False),
        ("http://site.example./", "http://www.site.example/", True),
        ("http://site.example/", "http://site.example.evil.test/", False),
    ],
)
@pytest.mark.parametrize("choice", ["any", "same-domain", "never"])
def test_where_a_redirected_seed_widens_the_scope(
    choice: Any, seed: str, end: str, same: bool
) -> None:
    config = ScopeConfig(follow_redirect=choice)
    scope = Scope(config, [seed], [(end, seed.encode())])
    follows = {"any": True, "same-domain": same, "never": False}[choice]
    assert scope.follows(seed, end) is follows
    below = found(f"{end.rpartition('/')[0]}/below")
    inside = follows or Scope(config, [seed]).check(below) is None
    assert (scope.check(below) is None) is inside


def test_all_that_a_seed_redirects_to_is_in_scope() -> None:
    """Only as its redirect, however, and with its depth: other links are refused."""
    scope = Scope(ScopeConfig(), [SEED])
    url = "http://elsewhere.example/"

    def check(kind: LinkKind, depth: int, seed: str | None) -> Skip | None:
        return scope.check(Candidate(url, kind, "page", depth, SEED, seed))

    assert check("redirect", 0, SEED) is None
    assert check("meta_refresh", 0, SEED) is None
    refused = [("a", 0, SEED), ("redirect", 1, SEED), ("redirect", 0, None)]
    for kind, depth, seed in refused:
        assert check(kind, depth, seed) is not None  # type: ignore[arg-type]


def test_no_url_can_hang_a_rule() -> None:
    # Python's own matcher would need 2**4000 steps.
    scope = chain(rules=("-(a+)+$", "-(.*a){12}x"))
    assert scope.check(found(SITE + "/" + "a" * 4000 + "!", "page", 1)) is None


def test_the_memory_of_hosts_is_bounded() -> None:
    scope = Scope(ScopeConfig(), [SEED])
    for n in range(10_050):
        assert scope.check(found(f"http://{n}.example/", "page", 1)) is not None
    assert scope.check(found(SEED, "page", 1)) is None


class CountedText(str):
    """A text that counts how often it, or a part of it, is hashed or compared."""

    work = 0

    def __hash__(self) -> int:
        CountedText.work += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        CountedText.work += 1
        return super().__eq__(other)

    def __getitem__(self, key: Any) -> CountedText:
        return CountedText(super().__getitem__(key))

    def startswith(self, prefix: Any, *bounds: Any) -> bool:
        CountedText.work += len(prefix) if isinstance(prefix, tuple) else 1
        return super().startswith(prefix, *bounds)

    def partition(self, sep: str) -> tuple[str, str, str]:
        before, found, after = super().partition(sep)
        return CountedText(before), found, CountedText(after)

    def rpartition(self, sep: str) -> tuple[str, str, str]:
        before, found, after = super().rpartition(sep)
        return CountedText(before), found, CountedText(after)

    def __add__(self, other: str) -> CountedText:
        return CountedText(super().__add__(other))


@pytest.mark.parametrize("within", ["page", "prefix", "host", "domain", "any"])
def test_the_work_is_linear_in_the_seeds(within: Any) -> None:
    def work(count: int) -> int:
        """The work for so many seeds, and for a link inside and outside of each."""
        CountedText.work = 0
        scope = Scope(ScopeConfig(within=within))
        urls = [CountedText(f"http://a.example/{n:05}/x") for n in range(count)]
        for url in urls:
            scope.add_seed(url)
        assert scope.check(found(urls[-1])) is None
        for url in urls:
            scope.check(found(url))
            scope.check(found(CountedText(f"{url.replace('/a.', '/b.')}/y")))
        return CountedText.work

    assert work(800) <= 2.1 * work(400)


def test_a_domain_is_found_among_many() -> None:
    domains = tuple(f"d{n}.example" for n in range(20_000))
    many = chain(within="page", domains=domains)
    assert many.check(found("http://a.b.d19999.example:8080/x")) is None
    assert many.check(found("http://d7.example/x")) is None
    for outside in ("http://xd7.example/", "http://example/", "http://127.0.0.1/"):
        assert many.check(found(outside)) is not None
