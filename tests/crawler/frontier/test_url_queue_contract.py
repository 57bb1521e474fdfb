"""The contract of `UrlQueue`, checked for each store."""

from __future__ import annotations

import pytest

from crawler.frontier.store import Store
from crawler.model.crawl import Skip
from crawler.model.http import Hop
from crawler.model.url import url_id
from tests.helpers.frontier import FAR, found, lease_all, paths


def test_add_counts_what_is_queued_for_the_first_time(store: Store) -> None:
    assert store.add([found("1"), found("2"), found("1")], 0.0) == 2
    assert store.add([found("2"), found("3")], 1.0) == 1
    assert store.counts()["queued"] == 3
    assert store.hosts() == 1


def test_a_lease_carries_all_that_was_found(store: Store) -> None:
    one = found(
        "x.png",
        "image",
        depth=4,
        parent_url="https://a.example/",
        seed_url="https://a.example/seed",
        alt="a \N{CAT} and \ud800",
        redirects=(
            Hop("https://a.example/old", 301),
            Hop("https://a.example/older", 302),
        ),
    )
    store.add([one], 10.0)
    store.claim(1, 11.5)
    (lease,) = store.lease("a.example", "image", 5, 11.5)
    assert (lease.url, lease.host, lease.kind, lease.destination) == (
        one.url,
        "a.example",
        "img",
        "image",
    )
    assert (lease.depth, lease.attempts, lease.queued_ms) == (4, 0, 1500)
    assert (lease.parent_url, lease.seed_url) == (one.parent_url, one.seed_url)
    assert lease.redirects == one.redirects
    assert lease.alt is not None
    assert lease.alt.startswith("a \N{CAT} and ")
    assert store.counts()["leased"] == 1


def test_pages_by_depth_then_discovery_images_by_discovery(store: Store) -> None:
    store.add(
        [found("deep", depth=3), found("i1", "image", depth=9), found("b", depth=1)],
        0.0,
    )
    store.add(
        [found("c", depth=1), found("i2", "image", depth=2), found("top", depth=0)], 0.0
    )
    store.claim(1, 0.0)
    assert paths(store.lease("a.example", "page", 3, 0.0)) == ["top", "b", "c"]
    assert paths(store.lease("a.example", "page", 3, 0.0)) == ["deep"]
    assert paths(store.lease("a.example", "image", 3, 0.0)) == ["i1", "i2"]
    assert store.lease("a.example", "image", 3, 0.0) == []


def test_finish_is_for_ever(store: Store) -> None:
    store.add([found("1"), found("2")], 0.0)
    one, two = lease_all(store, 0.0)
    store.finish(one, "page")
    store.finish(two, "error", "status_5xx")
    assert store.add([found("1"), found("2", depth=0)], 1.0) == 0
    counts = store.counts()
    assert (counts["queued"], counts["leased"], counts["page"], counts["error"]) == (
        0,
        0,
        1,
        1,
    )
    assert store.lease("a.example", "page", 5, 2.0) == []
    with pytest.raises(ValueError, match="not leased"):
        store.finish(one, "page")


def test_a_released_url_is_as_if_it_had_not_been_leased(store: Store) -> None:
    store.add([found("1"), found("2")], 0.0)
    one, _two = lease_all(store, 0.0)
    store.release(one)
    (again,) = store.lease("a.example", "page", 5, 3.0)
    assert (again.url, again.attempts, again.queued_ms) == (one.url, 0, 3000)


def test_a_released_url_still_takes_the_smaller_depth(store: Store) -> None:
    store.add([found("1", depth=3)], 0.0)
    store.release(lease_all(store, 0.0)[0])
    assert store.add([found("1", depth=1)], 1.0) == 0
    assert [lease.depth for lease in store.lease("a.example", "page", 9, 1.0)] == [1]


def test_a_retry_waits_for_its_moment_and_counts_as_an_attempt(store: Store) -> None:
    store.add([found("1"), found("2")], 0.0)
    one, two = lease_all(store, 0.0)
    store.retry(one, 60.0)
    store.finish(two, "page")
    store.unclaim("a.example", 0.0)
    assert store.claim(5, 59.9) == []
    assert store.next_due() == 60.0
    assert store.counts()["queued"] == 1
    (again,) = lease_all(store, 61.0)
    assert (again.url, again.attempts, again.queued_ms) == (one.url, 1, 1000)
    store.retry(again, 0.0)
    assert store.lease("a.example", "page", 1, 61.0)[0].attempts == 2


def test_a_retry_of_a_claimed_host_can_be_leased_when_due(store: Store) -> None:
    store.add([found("1"), found("2")], 0.0)
    one, _two = lease_all(store, 0.0)
    store.retry(one, 5.0)
    assert store.next_due() == 5.0
    assert store.lease("a.example", "page", 5, 4.0) == []
    assert paths(store.lease("a.example", "page", 5, 5.0)) == ["1"]


def test_a_skip_is_overturned_by_a_better_find(store: Store) -> None:
    assert (
        store.add([found("1", depth=4, skip=FAR), found("2", depth=4, skip=FAR)], 0.0)
        == 0
    )
    assert store.counts()["skip"] == 2
    assert store.claim(1, 0.0) == []
    assert not store.known(found("1").url, 4)
    assert store.add([found("1", depth=4, skip=FAR)], 1.0) == 0
    assert (
        store.add([found("1", depth=3, parent_url="https://a.example/near")], 2.0) == 1
    )
    assert store.counts()["skip"] == 1
    assert store.counts()["queued"] == 1
    (lease,) = lease_all(store, 2.0)
    assert (lease.depth, lease.parent_url) == (3, "https://a.example/near")
    assert [skip.url for skip in store.pending_skips(9)] == [found("2").url]


def test_a_skip_is_overturned_as_an_image(store: Store) -> None:
    store.add([found("1", skip=FAR), found("1", "image"), found("1", skip=FAR)], 0.0)
    store.claim(1, 0.0)
    assert paths(store.lease("a.example", "image", 9, 0.0)) == ["1"]
    assert store.lease("a.example", "page", 9, 0.0) == []


def test_a_skip_does_not_touch_what_is_queued(store: Store) -> None:
    assert store.add([found("1"), found("1", depth=0, skip=FAR)], 0.0) == 1
    assert store.pending_skips(9) == []


def test_written_skips_are_terminal(store: Store) -> None:
    skip = Skip("scope", "scope.within: host")
    parent = "https://a.example/p"
    store.add([found(str(n), skip=skip, parent_url=parent) for n in range(3)], 0.0)
    pending = store.pending_skips(2)
    assert [(one.url, one.skip) for one in pending] == [
        (found(p).url, skip) for p in "01"
    ]
    assert pending[0] == found("0", skip=skip, parent_url=parent)
    store.skips_written(2)
    assert [one.url for one in store.pending_skips(5)] == [found("2").url]
    assert store.add([found("0", depth=0), found("2", depth=0)], 1.0) == 1
    assert store.counts()["skip"] == 2


def test_one_fetch_for_a_url_wanted_as_page_and_as_image(store: Store) -> None:
    assert (
        store.add(
            [found("1"), found("1", "image"), found("2", "image"), found("2")], 0.0
        )
        == 2
    )
    assert sorted(paths(lease_all(store, 0.0))) == ["1", "2"]


def test_what_waits_takes_the_smaller_depth(store: Store) -> None:
    store.add(
        [found("1", depth=5), found("2", depth=4), found("3", "image", depth=5)], 0.0
    )
    assert not store.known(found("1").url, 2)
    assert store.add([found("1", depth=2), found("3", "image", depth=3)], 0.0) == 0
    assert store.known(found("1").url, 2)
    assert store.add([found("2", "image", depth=0)], 0.0) == 0
    leases = lease_all(store, 0.0)
    assert [
        (p, lease.depth) for p, lease in zip(paths(leases), leases, strict=True)
    ] == [
        ("1", 2),
        ("2", 4),
        ("3", 3),
    ]
    store.release(leases[0])
    assert paths(store.lease("a.example", "page", 9, 0.0)) == ["1"]
    assert store.lease("a.example", "page", 9, 0.0) == []


def test_a_retry_keeps_its_place(store: Store) -> None:
    store.add([found("1", depth=5)], 0.0)
    store.retry(lease_all(store, 0.0)[0], 9.0)
    assert store.add([found("1", depth=1)], 1.0) == 0
    assert store.lease("a.example", "page", 9, 8.0) == []
    assert [lease.depth for lease in store.lease("a.example", "page", 9, 9.0)] == [5]


def test_known_says_what_is_sure(store: Store) -> None:
    store.add([found("1", depth=2)], 0.0)
    assert store.known(found("1").url, 2)
    assert store.known(found("1").url, 3)
    assert not store.known(found("1").url, 1)
    assert not store.known(found("2").url, 1)
    store.finish(lease_all(store, 0.0)[0], "page")
    assert store.known(found("1").url, 0)


def test_an_image_takes_the_depth_of_a_nearer_link(store: Store) -> None:
    """It may turn out to be a page. The page that shows it stays its own."""
    page = "https://a.example/shows"
    store.add([found("1", "image", depth=5, parent_url=page, alt="x")], 0.0)
    assert not store.known(found("1").url, 2)
    assert store.add([found("1", depth=2, parent_url="https://a.example/")], 0.0) == 0
    assert store.known(found("1").url, 2)
    assert store.add([found("1", "image", depth=4)], 0.0) == 0
    (lease,) = lease_all(store, 0.0)
    assert (lease.destination, lease.depth) == ("image", 2)
    assert (lease.parent_url, lease.alt, lease.kind) == (page, "x", "img")


def test_what_was_no_image_is_queued_as_a_page(store: Store) -> None:
    store.add([found("1", "image", depth=3), found("2", "image")], 0.0)
    one, _two = lease_all(store, 0.0)
    store.retry(one, 5.0, "image_decode", "text/html", "page")
    assert store.lease("a.example", "page", 9, 4.0) == []
    assert store.next_due(images_only=True) is None
    (again,) = store.lease("a.example", "page", 9, 5.0)
    assert (again.url, again.destination, again.kind) == (one.url, "page", "img")
    assert (again.depth, again.attempts) == (3, 1)
    store.retry(again, 6.0)
    (third,) = store.lease("a.example", "page", 9, 6.0)
    assert third.attempts == 2


def test_equivalent_urls_are_one_and_the_first_is_requested(store: Store) -> None:
    assert store.add([found("%7ex"), found("~x"), found("%7Ex")], 0.0) == 1
    assert store.add([found("~x"), found("%c3%a9"), found("%C3%A9")], 1.0) == 1
    store.claim(1, 1.0)
    leases = store.lease("a.example", "page", 9, 1.0)
    assert paths(leases) == ["%7ex", "%c3%a9"]
    for lease in leases:
        store.finish(lease, "page")
    assert store.add([found("%7Ex"), found("%C3%a9")], 2.0) == 0
    assert store.counts()["page"] == 2


def test_a_nearer_find_keeps_the_first_form(store: Store) -> None:
    store.add([found("%7ex", depth=3)], 0.0)
    store.add([found("~x", depth=1)], 0.0)
    store.claim(1, 0.0)
    (lease,) = store.lease("a.example", "page", 9, 0.0)
    assert (paths([lease]), lease.depth) == (["%7ex"], 1)
    store.finish(lease, "page")


def test_a_find_that_overturns_a_skip_is_requested_as_it_writes_it(
    store: Store,
) -> None:
    """The rule that refused the other form would refuse it again."""
    store.add([found("%7ex", skip=FAR)], 0.0)
    assert store.add([found("~x")], 0.0) == 1
    store.claim(1, 0.0)
    (lease,) = store.lease("a.example", "page", 9, 0.0)
    assert paths([lease]) == ["~x"]
    store.finish(lease, "page")
    assert store.counts()["skip"] == 0


def test_a_redirect_to_an_equivalent_url_is_followed(store: Store) -> None:
    """Servers redirect to the form that they prefer."""
    first = found("%7ex")
    store.add([first, found("~x")], 0.0)
    store.claim(1, 0.0)
    (lease,) = store.lease("a.example", "page", 9, 0.0)
    store.finish(lease, "redirect")
    hops = (Hop(first.url, 301),)
    assert store.add([found("~x", redirects=hops)], 1.0) == 1
    assert store.add([found("~x", redirects=hops)], 1.0) == 0
    (second,) = store.lease("a.example", "page", 9, 1.0)
    assert (paths([second]), second.redirects) == (["~x"], hops)
    assert second.url_id != lease.url_id
    store.finish(second, "page")
    assert store.add([found("~x"), found("%7Ex")], 2.0) == 0
    assert (store.counts()["redirect"], store.counts()["page"]) == (1, 1)


def test_what_waits_is_known_by_its_identity(store: Store) -> None:
    store.add([found("1"), found("2"), found("far", skip=FAR)], 0.0)
    store.commit()
    one, two = lease_all(store, 0.0)
    store.release(one)
    store.finish(two, "page")
    store.commit()
    assert store.waits(one.url_id)
    assert not store.waits(two.url_id)
    assert not store.waits(url_id("https://a.example/far"))
    assert not store.waits(7)
