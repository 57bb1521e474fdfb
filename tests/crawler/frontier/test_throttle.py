"""One host's controller: what each reply teaches, and what follows from it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from crawler.frontier.throttle import (
    ROBOTS,
    UNTRIED,
    Controller,
    HostFeedback,
    HostThrottle,
    check,
    feedback_of,
    feedback_of_failure,
)
from crawler.model.crawl import Skip
from crawler.model.errors import (
    BlockedAddress,
    ConnectionReset,
    ConnectRefused,
    Failure,
    HostParked,
    NameNotFound,
    NameServerFailure,
    ReadTimeout,
    TotalTimeout,
)
from crawler.model.http import Response, Timings
from crawler.model.policy_config import PolitenessConfig

CONFIG = PolitenessConfig(
    wait=1.0, park_after=3, park_time=100.0, max_parkings=2, host_backoff=2.0
)
OVERLOADED = HostFeedback(0.0, "overloaded", failure_code="rate_limited")
FAILED = HostFeedback(0.0, "failed", failure_code="connect_refused")


def served(latency: float = 0.1) -> HostFeedback:
    return HostFeedback(0.0, "served", latency)


def after(
    *replies: HostFeedback,
    config: PolitenessConfig = CONFIG,
    throttle: HostThrottle = UNTRIED,
) -> HostThrottle:
    controller = Controller(config)
    for reply in replies:
        throttle = controller.after(throttle, reply, recent=True)
    return throttle


def interval(
    *replies: HostFeedback,
    config: PolitenessConfig = CONFIG,
    throttle: HostThrottle = UNTRIED,
) -> float:
    return Controller(config).interval(
        after(*replies, config=config, throttle=throttle)
    )


def test_the_longest_of_all_delays_counts() -> None:
    assert interval() == 1.0
    assert interval(throttle=HostThrottle(crawl_delay=3.0)) == 3.0
    assert interval(throttle=HostThrottle(crawl_delay=3.0, latency=5.0)) == 5.0
    assert (
        interval(throttle=HostThrottle(crawl_delay=3.0, latency=5.0, slowdown=7.0))
        == 7.0
    )


def test_what_adapts_has_an_end_and_a_crawl_delay_has_none() -> None:
    assert interval(throttle=HostThrottle(latency=500.0)) == CONFIG.max_adaptive_wait
    never = PolitenessConfig(wait=1.0, max_parkings=99)  # given up
    assert interval(*[OVERLOADED] * 50, config=never) == CONFIG.max_adaptive_wait
    assert interval(throttle=HostThrottle(crawl_delay=500.0)) == 500.0


def test_a_429_halves_the_rate_and_answers_add_to_it() -> None:
    assert interval(OVERLOADED) == 2.0
    assert interval(OVERLOADED, OVERLOADED) == 4.0
    rates = [1 / interval(OVERLOADED, *[served()] * n) for n in range(9)]
    assert rates == pytest.approx([0.5 + n / 16 for n in range(9)])


def test_without_a_wait_a_429_still_slows_down_and_latency_does_not() -> None:
    hasty = PolitenessConfig(wait=0.0)
    assert interval(served(9.0), config=hasty) == 0.0
    assert interval(OVERLOADED, config=hasty) == 1.0
    assert interval(OVERLOADED, *[served()] * 20, config=hasty) == 0.0
    assert after(served(9.0), config=hasty) is UNTRIED


def test_latency_is_smoothed() -> None:
    assert after(served(8.0)).latency == 8.0
    assert after(served(8.0), served(0.0)).latency == 7.0


def test_off_means_the_wait_and_the_crawl_delay_alone() -> None:
    off = PolitenessConfig(wait=1.0, adaptive=False)
    assert interval(OVERLOADED, served(9.0), config=off) == 1.0


def test_what_was_under_way_together_counts_once() -> None:
    controller = Controller(CONFIG)
    for reply in (OVERLOADED, FAILED):
        throttle = after(reply)
        assert controller.after(throttle, reply, recent=False) == throttle
    slow = after(OVERLOADED)
    assert controller.after(slow, served(), recent=False).slowdown == slow.slowdown


def test_pauses_grow_until_the_host_is_parked_and_then_given_up() -> None:
    controller = Controller(CONFIG)
    paces = [after(*[FAILED] * n) for n in range(6)]
    assert [controller.backoff(throttle) for throttle in paces] == [
        0,
        2,
        4,
        100,
        200,
        0,
    ]
    assert [controller.parked(throttle) for throttle in paces] == [False] * 3 + [
        True
    ] * 2 + [False]
    assert [controller.given_up(throttle) for throttle in paces] == [False] * 5 + [True]
    assert controller.interval(paces[5]) == 0.0
    with pytest.raises(HostParked, match="parked 2 times"):
        check(paces[5])


def test_a_pause_has_an_end() -> None:
    patient = PolitenessConfig(park_after=1, max_parkings=99)
    assert (
        Controller(patient).backoff(after(*[FAILED] * 60, config=patient)) == 86_400.0
    )
    slow = PolitenessConfig(park_after=99)
    assert (
        Controller(slow).backoff(after(*[FAILED] * 60, config=slow)) == slow.park_time
    )


def test_who_answers_is_forgiven() -> None:
    for last in (FAILED, OVERLOADED):
        throttle = after(*[last] * 4, served())
        assert (throttle.failures, throttle.parkings, throttle.failure_code) == (
            0,
            0,
            "",
        )


def test_a_refusal_is_another_row_and_no_answer() -> None:
    throttle = after(*[FAILED] * 3, OVERLOADED)
    assert (throttle.failures, throttle.parkings) == (1, 1)
    assert throttle.failure_code == "rate_limited"
    assert after(FAILED, throttle=throttle).failures == 1


def test_a_host_that_keeps_refusing_is_parked_from_its_longest_slowdown_on() -> None:
    config = PolitenessConfig(wait=0.5)
    controller = Controller(config)
    throttles = [after(*[OVERLOADED] * n, config=config) for n in range(9)]
    slowdowns = [throttle.slowdown for throttle in throttles]
    assert slowdowns == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert [controller.parked(throttle) for throttle in throttles] == (
        [False] * 7 + [True] * 2
    )
    assert [controller.backoff(throttle) for throttle in throttles] == (
        [0.0] * 7 + [60.0, 120.0]
    )
    assert not controller.given_up(after(*[OVERLOADED] * 18, config=config))
    assert controller.given_up(after(*[OVERLOADED] * 19, config=config))


def test_who_refuses_after_a_long_retry_after_is_parked() -> None:
    long = replace(OVERLOADED, retry_after_s=CONFIG.max_adaptive_wait)
    short = replace(OVERLOADED, retry_after_s=CONFIG.max_adaptive_wait - 1)
    controller = Controller(CONFIG)
    assert not controller.parked(after(long))
    assert controller.parked(after(long, OVERLOADED))
    assert controller.parked(after(long, short))
    assert not controller.parked(after(short, short))
    assert not controller.parked(after(long, served(), OVERLOADED))


def test_without_adaptive_refusals_count_like_failures() -> None:
    off = PolitenessConfig(wait=1.0, adaptive=False)
    controller = Controller(off)
    throttles = [after(*[OVERLOADED] * n, config=off) for n in range(5)]
    assert [controller.parked(one) for one in throttles] == [False] * 3 + [True] * 2
    assert [controller.backoff(one) for one in throttles] == [0, 1, 2, 5, 10]


def test_a_robots_txt_that_never_came_is_a_skip() -> None:
    skip = check(HostThrottle(failures=5, parkings=3, failure_code=ROBOTS))
    assert isinstance(skip, Skip)
    assert skip.reason == "robots_unavailable"


@pytest.mark.parametrize(
    ("failure", "failure_code"),
    [
        (ConnectRefused("x"), "connect_refused"),
        (NameServerFailure("x"), "dns_servfail"),
        (ReadTimeout("x"), "read_timeout"),
        (TotalTimeout("x"), "total_timeout"),
        (TotalTimeout("x", stage="body"), None),
        (ConnectionReset("x"), None),
        (ConnectionReset("x", stage="connect"), "reset"),
        (NameNotFound("x"), None),
        (BlockedAddress("x"), None),
    ],
)
def test_which_failures_speak_of_their_host(
    failure: Failure, failure_code: str | None
) -> None:
    reply = feedback_of_failure(failure, 5.0)
    assert reply == (
        None
        if failure_code is None
        else HostFeedback(5.0, "failed", failure_code=failure_code)
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, "served"),
        (404, "served"),
        (500, "served"),
        (429, "overloaded"),
        (503, "overloaded"),
    ],
)
def test_which_answers_ask_for_less(status: int, kind: str) -> None:
    response = Response(
        "http://a/",
        status,
        "",
        "1.1",
        (),
        b"",
        0,
        Timings(700, ttfb_ms=300),
        None,
        False,
    )
    reply = feedback_of(response, 5.0)
    assert (reply.sent_at, reply.kind) == (5.0, kind)
    assert reply.latency == (0.3 if kind == "served" else 0.0)


replies = st.builds(
    HostFeedback,
    st.just(0.0),
    st.sampled_from(["served", "overloaded", "failed"]),
    st.floats(0, 1e6),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(replies, max_size=60), st.floats(0, 100), st.floats(0, 100))
def test_no_history_makes_a_host_asked_faster_than_the_wait(
    history: list[HostFeedback], wait: float, crawl_delay: float
) -> None:
    config = PolitenessConfig(wait=wait, max_parkings=1000)
    controller = Controller(config)
    throttle = HostThrottle(crawl_delay=crawl_delay)
    for reply in history:
        throttle = controller.after(throttle, reply, recent=True)
        least = max(wait, crawl_delay)
        assert (
            least
            <= controller.interval(throttle)
            <= max(least, config.max_adaptive_wait)
        )
        assert controller.backoff(throttle) <= 86_400.0
