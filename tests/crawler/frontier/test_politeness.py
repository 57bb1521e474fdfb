"""Which host is due next."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.frontier.concurrency import NEW
from crawler.frontier.politeness import Politeness
from crawler.frontier.throttle import HostFeedback, HostThrottle
from crawler.model.policy_config import PolitenessConfig


def hosts(names: str, wait: float = 1.0, per_host: int = 2) -> Politeness:
    politeness = Politeness(PolitenessConfig(per_host=per_host, wait=wait))
    for name in names:
        politeness.enter(name, 0.0)
        politeness.offer(name)
    return politeness


def test_a_host_is_asked_in_intervals() -> None:
    politeness = hosts("a")
    assert politeness.start_request(0.0) == "a"
    politeness.end_request("a")
    assert politeness.start_request(0.9) is None
    assert politeness.next_due() == 1.0
    assert politeness.start_request(1.0) == "a"


def test_no_more_at_once_than_per_host() -> None:
    politeness = hosts("a", wait=0.0)
    assert [politeness.start_request(0.0) for _ in range(3)] == ["a", "a", None]
    assert politeness.next_due() is None
    politeness.end_request("a")
    assert politeness.start_request(0.0) == "a"
    assert politeness.in_flight("a") == 2


def test_a_host_that_failed_is_asked_one_thing_at_a_time_until_it_answers() -> None:
    politeness = hosts("a", wait=0.0, per_host=3)
    assert politeness.start_request(0.0) == "a"
    politeness.apply("a", HostFeedback(0.0, "failed", failure_code="reset"), 1.0)
    politeness.end_request("a")
    assert [politeness.start_request(50.0) for _ in range(2)] == ["a", None]
    politeness.apply("a", HostFeedback(50.0, "served", 0.1), 51.0)
    politeness.end_request("a")
    assert [politeness.start_request(52.0) for _ in range(4)] == ["a", "a", "a", None]


def test_hosts_take_turns() -> None:
    politeness = hosts("abc", wait=0.0, per_host=100)
    assert (
        "".join(politeness.start_request(float(n)) or "" for n in range(9))
        == "abcabcabc"
    )


def test_a_new_host_waits_for_its_moment() -> None:
    politeness = hosts("a")
    politeness.enter("b", 5.0, HostThrottle(crawl_delay=3.0))
    politeness.offer("b")
    politeness.withdraw("a")
    assert politeness.start_request(4.9) is None
    assert politeness.start_request(5.0) == "b"
    assert politeness.next_due() == 8.0


def test_the_latest_moment_counts() -> None:
    politeness = hosts("a")
    politeness.block("a", 7.0)
    politeness.block("a", 3.0)
    assert politeness.next_due() == 7.0
    politeness.start_request(7.0)
    assert politeness.leave("a") == 8.0


def test_a_crawl_delay_counts_from_the_last_request_and_never_shortens_the_wait() -> (
    None
):
    politeness = hosts("a")
    politeness.start_request(0.0)
    politeness.set_delay("a", 10.0)
    assert politeness.next_due() == 10.0
    politeness.set_delay("a", 0.1)
    politeness.start_request(10.0)
    assert politeness.next_allowed_at("a") == 11.0


def test_a_held_host_is_left_alone() -> None:
    politeness = hosts("a")
    assert politeness.pause("a")
    assert not politeness.pause("a")
    assert politeness.is_paused("a")
    politeness.block("a", 2.0)
    politeness.offer("a")
    assert politeness.start_request(5.0) is None
    politeness.resume("a")
    assert politeness.start_request(5.0) == "a"
    assert politeness.pause("a")


def test_a_withdrawn_host_is_left_alone() -> None:
    politeness = hosts("ab")
    politeness.withdraw("a")
    politeness.withdraw("a")
    assert politeness.with_work == 1
    assert politeness.count_due(0.0) == 1
    assert [politeness.start_request(0.0), politeness.start_request(0.0)] == ["b", None]
    politeness.offer("a")
    assert politeness.start_request(0.0) == "a"


def test_who_left_and_came_back_has_one_place() -> None:
    politeness = hosts("a")
    politeness.leave("a")
    assert politeness.with_work == 0
    politeness.enter("a", 3.0)
    politeness.offer("a")
    assert politeness.start_request(2.0) is None
    assert politeness.start_request(3.0) == "a"
    assert politeness.start_request(3.0) is None


def test_places_out_of_date_do_not_pile_up() -> None:
    politeness = hosts("abc")
    for n in range(10_000):
        politeness.block("a", float(n))
    assert len(politeness._heaps[NEW]) < 100
    assert [politeness.start_request(10_000.0) for _ in range(3)] == ["b", "c", "a"]


steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["take", "take", "take", "ended", "block", "hold", "free", "delay"]
        ),
        st.sampled_from("abcd"),
        st.floats(0, 3),
    ),
    max_size=60,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(steps, st.floats(0, 2), st.integers(1, 3))
def test_no_host_is_ever_asked_too_fast(
    steps: list[tuple[str, str, float]], wait: float, per_host: int
) -> None:
    """Against a plain reading of the rules."""
    politeness = hosts("abcd", wait, per_host)
    now = 0.0
    allowed = dict.fromkeys("abcd", 0.0)
    interval = dict.fromkeys("abcd", wait)
    flying: Counter[str] = Counter()
    paused: set[str] = set()
    for step, name, value in steps:
        now += value
        if step == "take":
            may = [
                host
                for host in "abcd"
                if allowed[host] <= now
                and host not in paused
                and flying[host] < per_host
            ]
            assert politeness.count_due(now) == len(may)
            used = politeness.start_request(now)
            assert (used is not None) == bool(may)
            if used is not None:
                assert allowed[used] == min(allowed[host] for host in may)
                allowed[used] = now + interval[used]
                flying[used] += 1
        elif step == "ended" and flying[name]:
            flying[name] -= 1
            politeness.end_request(name)
        elif step == "block":
            allowed[name] = max(allowed[name], now + value)
            politeness.block(name, now + value)
        elif step == "hold":
            assert politeness.pause(name) == (name not in paused)
            paused.add(name)
        elif step == "free" and name in paused:
            paused.remove(name)
            politeness.resume(name)
        elif step == "delay":
            increase = max(wait, value) - interval[name]
            interval[name] += increase
            allowed[name] += max(0.0, increase)
            politeness.set_delay(name, value)
