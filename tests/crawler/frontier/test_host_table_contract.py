"""The contract of `HostTable`, checked for each store."""

from __future__ import annotations

from crawler.frontier.store import HostDue, Store
from crawler.frontier.throttle import HostThrottle
from crawler.model.host import NO_USAGE, HostUsage
from tests.helpers.frontier import FAR, found, lease_all


def test_hosts_are_claimed_longest_waiting_first_and_once(store: Store) -> None:
    for n, host in enumerate("cab"):
        store.add([found("1", host=host)], float(n))
    assert [host.name for host in store.claim(2, 5.0)] == ["c.example", "a.example"]
    assert [host.name for host in store.claim(2, 5.0)] == ["b.example"]
    store.unclaim("a.example", 6.0)
    store.unclaim("c.example", 7.0)
    assert store.next_due() == 6.0
    assert store.claim(9, 5.9) == []
    assert [host.name for host in store.claim(9, 7.0)] == ["a.example", "c.example"]
    assert store.next_due() is None


def test_a_host_that_had_no_work_queues_up_behind_the_others(store: Store) -> None:
    store.add([found("1")], 0.0)
    store.finish(lease_all(store, 0.0)[0], "page")
    store.unclaim("a.example", 0.0)
    assert store.claim(9, 1.0) == []
    store.add([found("1", host="b")], 2.0)
    store.add([found("2")], 3.0)
    assert [host.name for host in store.claim(9, 3.0)] == ["b.example", "a.example"]


def test_a_claimed_host_to_which_urls_come_is_named_once(store: Store) -> None:
    store.add([found("1"), found("1", host="b"), found("2", host="b", skip=FAR)], 0.0)
    assert store.refilled() == set()
    store.claim(1, 0.0)
    store.add([found("1", depth=0), found("2"), found("3", host="b")], 0.0)
    assert store.refilled() == {"a.example"}
    assert store.refilled() == set()
    (lease, *_) = store.lease("a.example", "page", 9, 0.0)
    store.retry(lease, 5.0)
    assert store.refilled() == set()
    store.claim(0, 5.0)
    assert store.refilled() == {"a.example"}
    store.claim(1, 5.0)
    store.add([found("2", host="b")], 6.0)
    assert store.refilled() == {"b.example"}


def test_a_blocked_host_is_not_claimed_before_its_time(store: Store) -> None:
    store.add([found("1"), found("1", host="b")], 0.0)
    store.block("a.example", 30.0)
    store.block("a.example", 10.0)
    store.set_throttle("a.example", HostThrottle(crawl_delay=2.5))
    assert store.claim(9, 29.0) == [HostDue("b.example", 0.0)]
    assert store.next_due() == 30.0
    assert store.claim(9, 30.0) == [
        HostDue("a.example", 30.0, HostThrottle(crawl_delay=2.5))
    ]


def test_a_host_may_be_blocked_before_anything_of_it_is_known(store: Store) -> None:
    store.block("a.example", 30.0)
    store.set_throttle("a.example", HostThrottle(crawl_delay=2.0))
    store.add([found("1")], 0.0)
    assert store.next_due() == 30.0
    assert store.claim(9, 30.0) == [
        HostDue("a.example", 30.0, HostThrottle(crawl_delay=2.0))
    ]


def test_only_images(store: Store) -> None:
    store.add([found("1"), found("1", host="b"), found("i", "image", host="b")], 0.0)
    store.block("b.example", 4.0)
    assert store.next_due(images_only=True) == 4.0
    assert store.claim(9, 3.0, images_only=True) == []
    assert [host.name for host in store.claim(9, 4.0, images_only=True)] == [
        "b.example"
    ]
    assert [host.name for host in store.claim(9, 4.0)] == ["a.example"]


def test_a_host_has_a_usage(store: Store) -> None:
    store.add([found("1"), found("2", host="b")], 0.0)
    assert (store.usage("a.example"), store.received_bytes()) == (NO_USAGE, 0)
    store.set_usage("a.example", HostUsage(1, 100, 2.5, 9.0))
    assert store.usage("a.example") == HostUsage(1, 100, 2.5, 9.0)
    store.commit()
    store.set_usage("a.example", HostUsage(2, 150, 3.5, 10.0))
    store.set_usage("b.example", HostUsage(0, 7, 0.5, 10.0))
    assert (store.usage("a.example"), store.received_bytes()) == (
        HostUsage(2, 150, 3.5, 10.0),
        157,
    )
