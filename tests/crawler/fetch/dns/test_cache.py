"""cache: its bound, and stale entries."""

from __future__ import annotations

from crawler.fetch.dns.cache import STALE_TTL, NameCache
from crawler.model.errors import NameTimeout


def test_the_cache_is_bounded() -> None:
    cache = NameCache(limit=3)
    for name in "abc":
        cache.put(name, ("192.0.2.1",), 60, 0)
    assert cache.get("a", 1)
    cache.put("d", ("192.0.2.1",), 60, 1)
    assert cache.get("b", 1) is None
    assert cache.get("a", 1)
    assert len(cache) == 3


def test_a_stale_entry_is_used_for_a_while() -> None:
    cache = NameCache()
    cache.put("a", ("192.0.2.1",), 60, 0)
    assert cache.get("a", 60) is None
    assert cache.put_failure("a", NameTimeout("late"), 60).addresses
    assert cache.get("a", 60 + STALE_TTL - 1)
    assert cache.get("a", 60 + STALE_TTL) is None
