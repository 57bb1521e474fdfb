"""The contract of `HostTable`, checked for each store."""

from __future__ import annotations

from crawler.frontier.store import HostDue, Store
from crawler.frontier.throttle import HostThrottle
from crawler.frontier.waits import UNLIMITED, HostGroup, RetryCount
from crawler.model.host import NO_USAGE, HostUsage
from crawler.model.policy_config import PolitenessConfig
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


def test_all_due_times_move_together(store: Store) -> None:
    store.add([found("1"), found("1", host="b"), found("1", host="c")], 100.0)
    (lease,) = store.lease("c.example", "page", 1, 100.0)
    store.retry(lease, 170.0)
    store.block("a.example", 130.0)
    store.park("b.example", 200.0)
    store.set_usage("a.example", HostUsage(until=140.0))
    store.move_due_times(-50.0)
    assert store.next_due() == 80.0
    assert (store.next_parked() or 0) <= 150.0
    assert store.usage("a.example").until == 90.0
    assert [host.name for host in store.claim(9, 119.0)] == ["a.example"]
    assert store.next_due() == 120.0
    assert [host.name for host in store.claim(9, 120.0)] == ["c.example"]
    store.move_due_times(1000.0)
    assert store.claim(9, 1149.0) == []
    assert [host.name for host in store.claim(9, 1150.0)] == ["b.example"]


def test_no_due_time_is_later_than_the_longest_wait(store: Store) -> None:
    store.add([found("1", host=host) for host in "abcd"], 100.0)
    (lease,) = store.lease("c.example", "page", 1, 100.0)
    store.retry(lease, 90_000.0)
    store.block("a.example", 90_000.0)
    store.block("b.example", 105.0)
    store.block("d.example", 90_000.0)
    store.set_throttle("d.example", HostThrottle(crawl_delay=40.0))
    store.limit_due_times(110.0, 120.0)
    moments = []
    while (moment := store.next_due()) is not None:
        moments += [(moment, host.name) for host in store.claim(9, moment)]
    assert moments == [
        (105.0, "b.example"),
        (110.0, "a.example"),
        (120.0, "c.example"),
        (150.0, "d.example"),
    ]


def test_a_parked_host_that_is_released_is_due_at_once(store: Store) -> None:
    store.add([found("1"), found("1", host="b")], 0.0)
    store.park("a.example", 500.0)
    store.block("b.example", 400.0)
    store.release_parked(20.0)
    assert store.parked() == []
    assert store.next_parked() is None
    assert [host.name for host in store.claim(9, 20.0)] == ["a.example"]
    assert store.next_due() == 400.0


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


def test_a_request_is_charged_to_what_its_host_has_used(store: Store) -> None:
    store.add([found("1")], 0.0)
    store.charge("a.example", 1.0, 3.0, 100)
    store.commit()
    store.charge("a.example", 2.0, 4.0, 50)
    assert store.usage("a.example") == HostUsage(0, 150, 3.0, 4.0)
    store.charge("b.example", 0.0, 1.0, 7)
    assert store.received_bytes() == 157


def test_waiting_hosts_are_counted_by_what_they_wait_for(store: Store) -> None:
    store.add([found(str(n), host=host) for host in "abcde" for n in (1, 2)], 0.0)
    refused = HostThrottle(slowdown=4.0, failures=2, failure_code="rate_limited")
    for host, until in (("a", 30.0), ("b", 20.0)):
        store.set_throttle(f"{host}.example", refused)
        store.block(f"{host}.example", until)
    silent = HostThrottle(failures=3, parkings=1, failure_code="read_timeout")
    store.set_throttle("c.example", silent)
    store.park("c.example", 90.0)
    store.set_throttle("d.example", HostThrottle(crawl_delay=30.0))
    store.block("d.example", 25.0)
    expected = [
        HostGroup("", False, False, True, 1, 2, 25.0),
        HostGroup("rate_limited", False, True, False, 2, 4, 20.0),
        HostGroup("read_timeout", True, False, False, 1, 2, 90.0),
    ]
    assert store.host_groups(10.0) == expected
    assert [group.hosts for group in store.host_groups(25.0)] == [1, 1]
    assert store.host_groups(90.0) == []


def test_waiting_hosts_have_names_also_with_a_url_to_try_again_only(
    store: Store,
) -> None:
    store.add([found(str(n), host="a") for n in range(3)], 0.0)
    store.add([found("1", host=host) for host in "bcd"], 0.0)
    leases = {lease.host: lease for lease in lease_all(store, 0.0)}
    store.retry(leases["b.example"], 9.0, "reset", "gone")
    for host in "acd":
        store.set_throttle(
            f"{host}.example", HostThrottle(failures=3, failure_code="read_timeout")
        )
    store.park("a.example", 90.0)
    store.block("c.example", 5.0)
    waiting = [("a.example", 3), ("b.example", 1), ("c.example", 1)]
    assert store.waiting_hosts(1.0, 9) == waiting
    assert store.waiting_hosts(1.0, 1) == waiting[:1]
    assert store.waiting_hosts(5.0, 9) == waiting[:2]
    assert store.waiting_hosts(9.0, 9) == waiting[:1]


def test_retries_are_counted_by_what_failed(store: Store) -> None:
    store.add([found(str(n)) for n in range(4)], 0.0)
    one, two, three, _ = lease_all(store, 0.0)
    store.retry(one, 9.0, "reset", "gone")
    store.retry(two, 7.0, "rate_limited", "429")
    store.retry(three, 5.0, "rate_limited", "429")
    assert store.retry_counts(1.0) == [
        RetryCount("rate_limited", 2, 5.0),
        RetryCount("reset", 1, 9.0),
    ]
    assert store.retry_counts(7.0) == [RetryCount("reset", 1, 9.0)]


def test_the_slowest_host_is_that_with_the_most_time_to_wait(store: Store) -> None:
    numbers = {"a": 9, "b": 4, "c": 2, "d": 8}
    store.add([found(str(n), host=h) for h in numbers for n in range(numbers[h])], 0.0)
    store.set_throttle("b.example", HostThrottle(crawl_delay=3.0))
    store.set_throttle("c.example", HostThrottle(slowdown=99.0, latency=2.0))
    store.set_throttle("d.example", HostThrottle(slowdown=50.0))
    store.park("d.example", 100.0)

    def names(pages_left: int = UNLIMITED, **politeness: float | bool) -> str:
        config = PolitenessConfig(**politeness)  # type: ignore[arg-type]
        found = store.slowest_hosts(config, pages_left, 3)
        return " ".join(host.name[0] for host in found)

    assert names(wait=1.0, max_adaptive_wait=5.0) == "b c a"
    assert names(wait=1.0, max_adaptive_wait=7.0) == "c b a"
    assert names(wait=1.0, adaptive=False) == "b a c"
    assert names(1, wait=1.0, max_adaptive_wait=5.0) == "c b a"
    assert names(wait=0.0, adaptive=False).startswith("b")
    store.set_throttle("c.example", HostThrottle(slowdown=99.0, parkings=9))
    assert names(wait=1.0, max_parkings=8) == "b a"
