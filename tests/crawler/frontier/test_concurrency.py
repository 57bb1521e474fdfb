"""Which hosts may use the slots: slow hosts do not starve fast ones."""

from __future__ import annotations

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.frontier.concurrency import NEW_SLOW_S, SLOW_S, Slots
from crawler.frontier.politeness import Politeness
from crawler.frontier.throttle import UNTRIED, HostThrottle
from crawler.model.policy_config import PolitenessConfig

EAGER = PolitenessConfig(per_host=2, wait=0.0)


def crowd(
    names: str, concurrency: int, slow: int, throttle: HostThrottle = UNTRIED
) -> Politeness:
    politeness = Politeness(EAGER, slots=Slots(concurrency, slow))
    for name in names:
        politeness.enter(name, 0.0, throttle)
        politeness.offer(name)
    return politeness


def takes(politeness: Politeness, now: float) -> str:
    return "".join(iter(lambda: politeness.start_request(now) or "", ""))


def answer(politeness: Politeness, names: str, after: float, now: float) -> None:
    for name in names:
        politeness.end_request(name, now, now - after)


def test_there_are_no_more_slots_than_these() -> None:
    politeness = crowd("abc", 4, 0, HostThrottle(latency=0.1))
    assert takes(politeness, 0.0) == "abca"
    assert not politeness.due(0.0)
    answer(politeness, "b", 0.1, 0.1)
    assert politeness.due(0.1)
    assert takes(politeness, 0.1) == "b"


def test_a_silent_host_returns_its_slot() -> None:
    politeness = crowd("abcd", 2, 2)
    assert takes(politeness, 0.0) == "ab"
    politeness.borrow(NEW_SLOW_S - 0.1)
    assert (politeness.borrowed, takes(politeness, 0.4)) == (0, "")
    politeness.borrow(NEW_SLOW_S)
    assert (politeness.borrowed, takes(politeness, NEW_SLOW_S)) == (2, "cd")
    politeness.borrow(9.0)  # no slot is left to borrow
    assert (politeness.borrowed, takes(politeness, 9.0)) == (2, "")
    answer(politeness, "a", 10.0, 10.0)
    politeness.borrow(10.0)  # the slot of c is borrowed now
    assert politeness.borrowed == 2


def test_one_slot_is_borrowed_by_each_host() -> None:
    politeness = crowd("ab", 2, 9)
    assert takes(politeness, 0.0) == "ab"
    politeness.borrow(1.0)
    assert takes(politeness, 1.0) == "a"  # no other host has work: all slots are theirs
    politeness.borrow(3.0)
    assert politeness.borrowed == 2


def test_one_host_gets_as_many_as_the_user_says_and_not_one_more() -> None:
    politeness = Politeness(PolitenessConfig(per_host=99, wait=0.0), slots=Slots(5, 64))
    politeness.enter("a", 0.0, HostThrottle(latency=9.0))
    politeness.offer("a")
    assert takes(politeness, 0.0) == "aaaaa"


def test_slow_hosts_leave_half_of_the_slots_to_the_fast_ones() -> None:
    politeness = crowd("abcdefgh", 4, 2, HostThrottle(latency=2 * SLOW_S))
    politeness.enter("z", 1.0, HostThrottle(latency=0.1))
    politeness.offer("z")
    assert takes(politeness, 0.0) == "abcd"  # two are borrowed, two used
    assert takes(politeness, 1.0) == "zz"
    politeness.withdraw("z")
    answer(politeness, "zz", 0.1, 1.1)
    assert takes(politeness, 1.1) == "ef"  # no other host wants them


def test_new_hosts_leave_half_of_the_slots_if_they_all_may_be_silent() -> None:
    politeness = crowd("abcdefgh", 4, 0)
    assert takes(politeness, 0.0) == "abcd"
    answer(politeness, "ab", 0.1, 0.1)
    assert takes(politeness, 0.1) == "ab"  # c and d may be lost, so only the sure ones
    politeness.withdraw("a")
    politeness.withdraw("b")
    answer(politeness, "ab", 0.1, 0.2)
    assert takes(politeness, 0.2) == "ef"  # no other host wants them


def test_a_host_that_becomes_fast_is_fast() -> None:
    politeness = crowd("a", 1, 1, HostThrottle(latency=9.0))
    assert politeness.start_request(0.0) == "a"
    assert politeness.borrowed == 1
    answer(politeness, "a", 0.1, 0.1)
    assert politeness.start_request(0.1) == "a"
    assert politeness.borrowed == 0


def test_a_host_that_failed_is_slow() -> None:
    politeness = crowd("a", 1, 1, HostThrottle(failures=1))
    assert politeness.start_request(0.0) == "a"
    assert politeness.borrowed == 1


def test_how_many_more_slots_could_be_borrowed() -> None:
    politeness = crowd("abcde", 1, 3, HostThrottle(latency=9.0))
    politeness.enter("z", 0.0, HostThrottle(latency=0.1))
    politeness.offer("z")
    assert politeness.borrow(0.0) == 3
    assert takes(politeness, 0.0) == "zabc"


def test_a_cancelled_request_returns_its_slot() -> None:
    for throttle in (
        HostThrottle(),
        HostThrottle(latency=9.0),
        HostThrottle(latency=0.1),
    ):
        politeness = crowd("a", 1, 1, throttle)
        for _ in range(3):
            assert politeness.start_request(0.0) == "a"
            politeness.cancel_request("a")
        assert (
            politeness.borrowed,
            politeness._slots.used,
            politeness._slots.new,
        ) == (0, 0, 0)


steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "start",
                "start",
                "start",
                "cancel",
                "end",
                "unknown",
                "borrow",
                "withdraw",
            ]
        ),
        st.sampled_from("abcdef"),
        st.floats(0, 1.5),
    ),
    max_size=80,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(steps, st.integers(1, 4), st.integers(0, 4))
def test_the_slots_add_up_whatever_happens(
    steps: list[tuple[str, str, float]], concurrency: int, slow: int
) -> None:
    politeness = crowd("abcdef", concurrency, slow)
    slots, hosts = politeness._slots, politeness._hosts
    flying: dict[str, deque[float]] = {name: deque() for name in "abcdef"}
    now = 0.0
    for step, name, value in steps:
        now += value
        if step in ("start", "cancel"):
            used = politeness.start_request(now)
            if used is None:  # a host could be asked if no request were under way
                assert any(flying.values()) or not politeness.with_work
            elif step == "cancel":
                politeness.cancel_request(used)
            else:
                flying[used].append(now)
        elif step in ("end", "unknown") and flying[name]:
            sent_at = flying[name].popleft()
            politeness.end_request(
                *((name, now, sent_at) if step == "end" else (name,))
            )
        elif step == "borrow":
            more = politeness.borrow(now)
            assert 0 <= more <= slots.left_to_borrow
        elif step == "withdraw":
            (politeness.withdraw if hosts[name].has_work else politeness.offer)(name)
        under_way = sum(map(len, flying.values()))
        assert slots.used + slots.borrowed == under_way
        assert slots.used <= concurrency
        assert slots.borrowed == sum(host.borrowed for host in hosts.values()) <= slow
        new_hosts = [host for host in hosts.values() if host.host_class == 1]
        assert slots.new == sum(host.in_flight - host.borrowed for host in new_hosts)
        assert politeness._with_work == [
            sum(
                host.has_work and host.host_class == host_class
                for host in hosts.values()
            )
            for host_class in range(3)
        ]
