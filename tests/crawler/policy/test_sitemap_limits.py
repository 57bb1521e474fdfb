"""The number of sitemaps on a host, and the levels of their indexes."""

from __future__ import annotations

from msgspec.structs import replace

from crawler.frontier.memory import MemoryStore
from crawler.model.content_config import ImagesConfig
from crawler.model.crawl import Lease, Skip
from crawler.model.documents import LinkKind
from crawler.model.policy_config import LimitsConfig
from crawler.policy.check import Candidate
from crawler.policy.quotas import Quotas


def quotas(number: int | None) -> Quotas:
    config = LimitsConfig(max_sitemaps_per_host=number)
    return Quotas(config, ImagesConfig(), MemoryStore(), started=0.0, pages=0)


def sitemap(url: str, kind: LinkKind = "sitemap_index", parent: str = "") -> Lease:
    return Lease(url, 1, "h", kind, "page", 1, 0, 0, parent or None)


def refused(subject: Quotas, lease: Lease) -> Skip | None:
    """The skip of a lease; it is requested if there is none."""
    skip = subject.check(Candidate.of_lease(lease))
    if skip is None:
        subject.sitemaps.count(lease)
    return skip


def test_the_hosts_of_a_domain_count_together() -> None:
    subject = quotas(2)
    skip = Skip("limit_host", "limits.max_sitemaps_per_host: 2")
    first = sitemap("http://a.site.example/1")
    assert refused(subject, first) is None
    assert refused(subject, replace(first, attempts=1)) is None  # it counts once
    assert (
        refused(subject, sitemap("http://b.site.example/2", "robots_sitemap")) is None
    )
    assert refused(subject, sitemap("http://c.site.example/3")) == skip
    assert (
        refused(subject, sitemap("http://c.site.example/4", "robots_sitemap")) == skip
    )
    listed = sitemap("http://c.site.example/5", "sitemap")
    assert subject.check(Candidate.of_lease(listed)) is None
    assert refused(subject, sitemap("http://other.example/1")) is None
    local = [refused(subject, sitemap(f"http://127.0.0.1/{n}")) for n in range(3)]
    assert local == [None, None, skip]


def test_without_a_limit_all_may_be_fetched() -> None:
    subject = quotas(None)
    found = {refused(subject, sitemap(f"http://h/{number}")) for number in range(100)}
    assert found == {None}


def test_an_index_of_indexes_is_the_last_level() -> None:
    subject = quotas(None)
    first = sitemap("http://h/1", "robots_sitemap")
    second, third, fourth = (
        sitemap(f"http://h/{number}", parent=f"http://h/{number - 1}")
        for number in (2, 3, 4)
    )
    for lease in (first, second, third):
        assert refused(subject, lease) is None
        subject.sitemaps.add_index(lease)
    assert refused(subject, fourth) == Skip(
        "depth", "sitemap index: more than 2 levels"
    )
    assert refused(subject, sitemap("http://h/5", parent="http://h/2")) is None
