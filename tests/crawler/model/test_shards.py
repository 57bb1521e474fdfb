"""Which shard owns a host."""

from __future__ import annotations

from collections import Counter

import pytest

from crawler.model.errors import StateError
from crawler.model.shards import VERSION, Layout, Owners

FOUR = Owners(Layout(4))


def test_the_function_is_the_same_for_ever():
    """A crawl that has begun would else look for its URLs in other shards."""
    for version, expected in EXPECTED.items():
        owners = Owners(Layout(16, version))
        assert [owners.of_host(host) for host in HOSTS] == expected


HOSTS = ["example.com", "bbc.co.uk", "a.github.io", "4chan.org", "10.0.0.1"]
EXPECTED = {1: [6, 4, 7, 6, 6], 2: [6, 4, 7, 3, 2]}


@pytest.mark.parametrize("shards", [2, 3, 8, 64])
@pytest.mark.parametrize("name", ["127.0.0.{}", "site{}.example", "a{}b.example"])
def test_numbered_hosts_are_dealt_in_turn(name, shards):
    owners = Owners(Layout(shards))
    counts = Counter(owners.of_host(name.format(n)) for n in range(1, 193))
    assert set(counts.values()) == {192 // shards}


def test_the_number_of_a_name_is_bounded():
    assert FOUR.of_host("9" * 5000 + ".example") == FOUR.of_host(
        "9" * 5004 + ".example"
    )


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
