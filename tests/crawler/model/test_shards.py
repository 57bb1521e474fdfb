"""Which shard owns a host."""

from __future__ import annotations

from collections import Counter

import pytest

from crawler.model.errors import StateError
from crawler.model.shards import VERSION, Layout, Owners

FOUR = Owners(Layout(4))


def test_the_function_is_the_same_for_ever():
    """A crawl that has begun would else look for its URLs in other shards."""
    hosts = ["example.com", "example.org", "bbc.co.uk", "a.github.io", "10.0.0.1"]
    assert [Owners(Layout(16)).of_host(host) for host in hosts] == EXPECTED


EXPECTED = [6, 5, 4, 7, 6]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://example.com/a", "http://example.com/b"),
        ("https://example.com/", "https://www.example.com/"),
        ("https://a.example.co.uk/", "https://b.c.example.co.uk/"),
        ("https://example.com/", "https://example.com:8443/"),
        ("http://127.0.0.1:8001/", "http://127.0.0.1:8002/"),
        ("http://localhost:8001/", "http://localhost:8002/"),
    ],
)
def test_a_registrable_domain_has_one_owner(one, other):
    many = Owners(Layout(251))
    assert many.of_url(one) == many.of_url(other)


@pytest.mark.parametrize("domain", ["tumblr.com", "wordpress.com", "github.io"])
def test_the_customers_of_a_provider_are_split(domain):
    owners = {FOUR.of_host(f"customer{n}.{domain}") for n in range(50)}
    assert owners == {0, 1, 2, 3}


def test_hosts_are_spread_evenly():
    counts = Counter(FOUR.of_host(f"site{n}.example") for n in range(4000))
    assert all(900 < counts[shard] < 1100 for shard in range(4))


def test_the_list_of_a_crawl_counts_and_not_that_of_the_program():
    narrow = Owners(Layout(251, wide_domains=()))
    assert narrow.of_host("a.tumblr.com") == narrow.of_host("b.tumblr.com")


def test_one_shard_owns_its_own_urls():
    urls = [f"https://site{n}.example/" for n in range(20)]
    parts = [FOUR.own(urls, shard) for shard in range(4)]
    assert sorted(url for part in parts for url in part) == sorted(urls)


def test_the_version_of_another_program_is_refused():
    with pytest.raises(StateError, match="the orbweb that began the crawl"):
        Owners(Layout(4, version=VERSION + 1))
