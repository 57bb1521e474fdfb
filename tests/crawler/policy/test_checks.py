"""The chain of checks: what each check promises, their order, and who decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from crawler.frontier.memory import MemoryStore
from crawler.model.config import Config
from crawler.model.crawl import Lease, Skip, StoredResponse
from crawler.model.errors import Failure, HostParked, ParseFailure
from crawler.model.host import HostUsage
from crawler.model.metadata import TRAPS
from crawler.model.policy_config import LimitsConfig, RobotsConfig, ScopeConfig
from crawler.model.url import url_id
from crawler.policy.chain import compose
from crawler.policy.check import Candidate, Chain, Check, Moment
from crawler.policy.poison_url import MAX_DEATHS
from crawler.policy.quotas import Quotas
from crawler.policy.robots_cache import RobotsCache
from crawler.policy.scope import Scope
from crawler.policy.traps import Traps
from crawler.policy.traps.scores import Cut

SITE = "http://a.example"
POISON = f"{SITE}/poison"
CONFIG = Config(
    seeds=(f"{SITE}/",),
    scope=ScopeConfig(rules=("-/filtered/",), depth=3),
    robots=RobotsConfig(nofollow="link"),
    limits=LimitsConfig(max_pages_per_host=1),
)
TRAP = "limits.traps: /month/# gave nothing new, after 41 pages"


def given_up(host: str) -> Skip | None:
    if host == "silent.example":
        raise HostParked("the host was given up")
    if host == "deferred.example":
        return Skip("robots_unavailable", "robots.txt of the host can't be had")
    return None


def chain(config: Config = CONFIG, further: Iterable[Check] = ()) -> Chain:
    """The checks of a crawl that has something recorded for each of them."""
    store = MemoryStore()
    cuts = {"/month/#": Cut(TRAP, 1)}
    store.set(TRAPS, "a.example", msgspec.msgpack.encode(cuts))
    store.set_usage("full.example", HostUsage(pages=1))
    robots = RobotsCache(config.robots, store, lambda: 0.0)
    robots.add(SITE, b"User-agent: *\nDisallow: /private\n")
    return compose(
        config,
        scope=Scope(config.scope, config.seeds),
        robots=robots,
        quotas=Quotas(config.limits, config.images, store, started=0.0, pages=0),
        traps=Traps(config.limits, store),
        given_up=given_up,
        deaths=lambda url: MAX_DEATHS if url == POISON else 0,
        further=further,
    )


def found(url: str, **more: Any) -> Candidate:
    return replace(Candidate(url, "a", "page", 1, f"{SITE}/", f"{SITE}/"), **more)


def due(url: str, **more: Any) -> Candidate:
    return found(url, due=True, **more)


DIRECTIVE = Skip("nofollow", "meta robots: nofollow")
REFUSED: dict[str, list[tuple[Candidate, Skip | Failure]]] = {
    "nofollow": [
        (found(f"{SITE}/x", directive=DIRECTIVE), DIRECTIVE),
        (found(f"{SITE}/x", rel="ugc nofollow", nofollow=True),
         Skip("nofollow", "rel: ugc nofollow")),
    ],
    "scope": [
        (found("ftp://a.example/x"), Skip("scheme", "scheme: ftp")),
        (found("http://b.example/x"), Skip("scope", "scope.within: host")),
    ],
    "url_filters": [
        (found(f"{SITE}/filtered/x"), Skip("scope", "scope.rules[0]: -/filtered/")),
    ],
    "depth": [(found(f"{SITE}/x", depth=4), Skip("depth", "scope.depth: 3"))],
    "given_up_host": [
        (due("http://deferred.example/x"),
         Skip("robots_unavailable", "robots.txt of the host can't be had")),
        (due("http://silent.example/x"), HostParked("the host was given up")),
    ],
    "robots": [
        (due(f"{SITE}/private/x"), Skip("robots", "robots.txt:2 Disallow: /private")),
    ],
    "quotas": [
        (due("http://full.example/x"),
         Skip("limit_host", "limits.max_pages_per_host: 1")),
    ],
    "traps": [
        (found(f"{SITE}/month/9", depth=2, parent_url=f"{SITE}/month/8"),
         Skip("trap", TRAP)),
        (due(f"{SITE}/month/9", depth=2, parent_url=f"{SITE}/month/8"),
         Skip("trap", TRAP)),
    ],
    "poison_url": [
        (due(POISON), ParseFailure("the process died 3 times while it read this")),
    ],
}  # fmt: skip
ORDER = list(REFUSED)


def decision(check: Callable[[Candidate], Skip | None], candidate: Candidate) -> Any:
    """The Skip, or what the Failure says, or None."""
    try:
        return check(candidate)
    except Failure as failure:
        return type(failure), failure.message


@pytest.fixture(params=ORDER)
def subject(request: pytest.FixtureRequest) -> Check:
    (one,) = (c for c in chain().checks if c.name == request.param)
    return one


def test_a_check_lets_an_ordinary_url_pass(subject: Check) -> None:
    for candidate in (found(f"{SITE}/x"), due(f"{SITE}/x"), found(f"{SITE}/x.png",
                      destination="image", kind="img", depth=9)):  # fmt: skip
        assert subject.check(candidate) is None


def test_a_check_refuses_with_its_rule(subject: Check) -> None:
    for candidate, expected in REFUSED[subject.name]:
        if isinstance(expected, Failure):
            expected = type(expected), expected.message
        for _ in range(2):  # to ask changes nothing
            assert decision(subject.check, candidate) == expected


def test_a_check_runs_at_its_moments(subject: Check) -> None:
    composed = chain()
    for candidate, _ in REFUSED[subject.name]:
        moment: Moment = "due" if candidate.due else "found"
        assert moment in subject.moments
        call = composed.check_due if candidate.due else composed.check_found
        assert decision(call, candidate) == decision(subject.check, candidate)


def test_what_decides_is_said_where_the_check_is(subject: Check) -> None:
    assert type(subject).__doc__
    assert type(subject).check.__module__.startswith("crawler.policy.")


def test_the_order_of_the_chain() -> None:
    composed = chain()
    assert [check.name for check in composed.checks] == ORDER
    names = {
        moment: [check.name for check in composed.of_moment(moment)]
        for moment in ("found", "due")
    }
    assert names == {
        "found": ["nofollow", "scope", "url_filters", "depth", "traps"],
        "due": ["given_up_host", "robots", "quotas", "traps", "poison_url"],
    }


def test_the_first_refusal_decides() -> None:
    composed = chain()
    everything = found("ftp://full.example/filtered/", depth=9, directive=DIRECTIVE)
    assert composed.check_found(everything) == DIRECTIVE
    assert composed.check(replace(everything, directive=None)) == Skip(
        "scheme", "scheme: ftp"
    )


def test_what_is_switched_off_is_left_out() -> None:
    config = Config(
        seeds=CONFIG.seeds,
        robots=RobotsConfig(obey=False),
        limits=LimitsConfig(traps=False),
    )
    assert [check.name for check in chain(config).checks] == [
        "nofollow", "scope", "given_up_host", "quotas", "poison_url"
    ]  # fmt: skip


class Listed:
    """URLs of a list: a check as a plug-in would bring it."""

    name = "listed"
    moments: tuple[Moment, ...] = ("found",)

    def check(self, candidate: Candidate) -> Skip | None:
        listed = candidate.url.endswith("/listed")
        return Skip("scope", "listed.txt:1") if listed else None


def test_a_further_check_comes_last() -> None:
    composed = chain(further=[Listed()])
    assert composed.checks[-1].name == "listed"
    assert composed.check_found(found(f"{SITE}/listed")) == Skip(
        "scope", "listed.txt:1"
    )
    assert composed.check_found(found(f"{SITE}/filtered/listed")) == Skip(
        "scope", "scope.rules[0]: -/filtered/"
    )
    assert composed.check_due(due(f"{SITE}/listed")) is None


def test_the_candidate_of_a_lease() -> None:
    url = "http://a.example:8080/x"
    lease = Lease(
        url, url_id(url), "a.example:8080", "img", "image", 2, 1, 0, f"{SITE}/", SITE,
        stored=StoredResponse(b""),
    )  # fmt: skip
    candidate = Candidate.of_lease(lease)
    assert candidate == Candidate(
        url, "img", "image", 2, f"{SITE}/", SITE, due=True, attempts=1, recrawled=True
    )
    assert candidate.host == lease.host
