"""The cached rules of robots.txt: what they decide, and how long."""

from __future__ import annotations

import pytest

from crawler.frontier.memory import MemoryStore
from crawler.model.crawl import Decision, Skip
from crawler.model.errors import NameNotFound
from crawler.model.policy_config import RobotsConfig
from crawler.policy.check import Candidate
from crawler.policy.robots_cache import RobotsCache

SITE = "http://a.example"
URL = f"{SITE}/private/x"
RULES = b"User-agent: *\nDisallow: /private\n"
REFUSED = Skip("robots", "robots.txt:2 Disallow: /private")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def cache(store: MemoryStore, clock: Clock) -> RobotsCache:
    return RobotsCache(RobotsConfig(max_age=60.0), store, clock)


def due(url: str = URL) -> Candidate:
    return Candidate(url, "a", "page", 1, due=True)


def test_what_is_not_cached_passes_and_has_no_decision(cache: RobotsCache) -> None:
    assert not cache.is_cached(URL)
    assert cache.check(due()) is None
    assert (cache.decision(URL), cache.expires_at(URL)) == (None, None)


def test_cached_rules_decide_for_their_origin_only(cache: RobotsCache) -> None:
    rules, expires_at = cache.add(SITE, RULES)
    assert (rules.rules_count, expires_at) == (1, Clock.now + 60)
    assert cache.is_cached(URL)
    assert cache.check(due()) == REFUSED
    assert cache.check(due(f"{SITE}/open")) is None
    assert not cache.is_cached("https://a.example/private/x")
    assert cache.check(due("http://a.example:81/private/x")) is None


def test_expired_rules_decide_nothing_and_are_still_shown(
    cache: RobotsCache, clock: Clock
) -> None:
    cache.add(SITE, RULES)
    clock.now += 60
    assert not cache.is_cached(URL)
    assert cache.check(due()) is None
    assert cache.decision(URL) == Decision(False, REFUSED.rule)
    assert cache.expires_at(URL) == Clock.now + 60


def test_stored_rules_expire_within_a_day_whatever_the_clock_was(
    cache: RobotsCache, store: MemoryStore, clock: Clock
) -> None:
    cache.add(SITE, RULES)
    clock.now -= 10 * 86400
    resumed = RobotsCache(RobotsConfig(), store, clock)
    assert resumed.expires_at(URL) == clock.now + 86400
    assert resumed.check(due()) == REFUSED
    clock.now += 86400
    assert not resumed.is_cached(URL)


def test_where_there_is_none_nothing_is_forbidden(cache: RobotsCache) -> None:
    cache.add(SITE, None)
    assert cache.is_cached(URL)
    assert cache.check(due()) is None
    assert cache.decision(URL) == Decision(True, "robots.txt: there is none")


def test_a_failure_is_raised_anew_for_each_url(cache: RobotsCache) -> None:
    cache.add_failure(SITE, (NameNotFound, "robots.txt: no such name", "dns"))
    assert cache.is_cached(URL)
    raised = []
    for _ in range(2):
        with pytest.raises(NameNotFound, match="no such name") as info:
            cache.check(due())
        raised.append(info.value)
    assert raised[0] is not raised[1]
    assert cache.decision(URL) is None


def test_the_store_keeps_rules_and_no_failures(
    cache: RobotsCache, store: MemoryStore, clock: Clock
) -> None:
    cache.add(SITE, RULES)
    cache.add_failure("http://b.example", (NameNotFound, "no such name", "dns"))
    resumed = RobotsCache(RobotsConfig(max_age=1.0), store, clock)
    assert resumed.check(due()) == REFUSED
    assert resumed.expires_at(URL) == Clock.now + 60
    assert not resumed.is_cached("http://b.example/")


def test_rules_that_are_not_obeyed_need_not_be_cached(
    store: MemoryStore, clock: Clock
) -> None:
    cache = RobotsCache(RobotsConfig(obey=False), store, clock)
    assert cache.is_cached(URL)
