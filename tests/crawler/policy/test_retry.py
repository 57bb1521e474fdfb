"""Which failures are tried again, and when."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from crawler.model import errors
from crawler.model.errors import Failure
from crawler.model.http import Response, Timings
from crawler.model.policy_config import RetryConfig
from crawler.policy import retry
from crawler.policy.response_status import failure_of, is_redirect
from crawler.policy.retry import GiveUp, Retry, decide_retry, retry_after

CONFIG = RetryConfig(tries=3, backoff=1.0, max_backoff=10.0)
NOW = 1_000_000.0


def no_jitter() -> float:
    return 1.0


def answer(status: int, **headers: str) -> Response:
    fields = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(
        "u", status, "Reason", "1.1", fields, b"", 0, Timings(1), None, False
    )


def leaves(kind: type[Failure]) -> list[type[Failure]]:
    below = [leaf for sub in kind.__subclasses__() for leaf in leaves(sub)]
    return below or [kind]


def table() -> dict[str, str]:
    """The table at the top of retry.py: code to decision."""
    rows = re.findall(
        r"^    ([a-z0-9_, ]+?)  +(retry if|retry|give up)", retry.__doc__ or "", re.M
    )
    return {code: decision for codes, decision in rows for code in codes.split(", ")}


def test_the_table_says_what_is_done() -> None:
    documented = table()
    assert set(documented) == {leaf.code for leaf in leaves(Failure)}
    for leaf in leaves(Failure):
        if documented[leaf.code] != "retry if":
            decision = decide_retry(leaf("broken"), 1, CONFIG, NOW, no_jitter)
            assert isinstance(
                decision, Retry if documented[leaf.code] == "retry" else GiveUp
            ), leaf


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (404, False),
        (408, True),
        (425, True),
        (429, True),
        (500, True),
        (503, True),
        (403, False),
    ],
)
def test_statuses_by_default(status: int, again: bool) -> None:
    failure = failure_of(answer(status), NOW)
    assert failure is not None
    assert isinstance(decide_retry(failure, 1, CONFIG, NOW), Retry) == again


@pytest.mark.parametrize("status", [600, 799, 999])
def test_a_status_of_no_class_is_treated_as_5xx(status: int) -> None:
    failure = failure_of(answer(status, retry_after="7"), NOW)
    assert isinstance(failure, errors.OtherStatus)
    assert (failure.code, failure.status) == ("status_other", status)
    assert isinstance(decide_retry(failure, 1, CONFIG, NOW), Retry)
    for statuses, again in (((), False), ((str(status),), True), (("4xx",), False)):
        config = RetryConfig(statuses=statuses)
        assert isinstance(decide_retry(failure, 1, config, NOW), Retry) == again


def test_statuses_are_the_users_choice() -> None:
    config = RetryConfig(statuses=("404",))
    for status, again in ((404, True), (500, False), (429, False)):
        failure = failure_of(answer(status), NOW)
        assert failure is not None
        assert isinstance(decide_retry(failure, 1, config, NOW), Retry) == again


def test_back_off_doubles_up_to_its_limit() -> None:
    config = RetryConfig(tries=2000, backoff=1.0, max_backoff=10.0)
    waits = []
    for attempts in (1, 2, 3, 4, 5, 1500):
        decision = decide_retry(
            errors.ConnectionReset("x"), attempts, config, NOW, no_jitter
        )
        assert isinstance(decision, Retry)
        waits.append(decision.not_before - NOW)
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_half_of_the_wait_is_chance() -> None:
    decision = decide_retry(errors.ConnectionReset("x"), 2, CONFIG, NOW, lambda: 0.0)
    assert decision == Retry(NOW + 1.0)


def test_the_last_attempt_is_final() -> None:
    assert isinstance(decide_retry(errors.ConnectionReset("x"), 2, CONFIG, NOW), Retry)
    assert decide_retry(errors.ConnectionReset("x"), 3, CONFIG, NOW) == GiveUp()


def test_a_retry_after_means_the_whole_host_also_when_the_failure_is_final() -> None:
    for status in (429, 503):
        failure = failure_of(answer(status, retry_after="30"), NOW)
        assert failure is not None
        assert failure.retry_after_s == 30.0
        assert decide_retry(failure, 1, CONFIG, NOW, no_jitter) == Retry(
            NOW + 1.0, NOW + 30.0
        )
        assert decide_retry(failure, 3, CONFIG, NOW, no_jitter) == GiveUp(NOW + 30.0)


def test_a_429_without_a_time_rests_the_host_for_the_back_off() -> None:
    failure = failure_of(answer(429), NOW)
    assert failure is not None
    assert decide_retry(failure, 2, CONFIG, NOW, no_jitter) == Retry(
        NOW + 2.0, NOW + 2.0
    )


def test_other_answers_leave_the_host_alone() -> None:
    for status in (404, 500):
        failure = failure_of(answer(status, retry_after="30"), NOW)
        assert failure is not None
        assert decide_retry(failure, 1, CONFIG, NOW).host_until is None


def test_refusal() -> None:
    assert failure_of(answer(200), NOW) is None
    codes = {
        status: failure_of(answer(status), NOW) for status in (400, 429, 499, 500, 599)
    }
    assert [failure.code for failure in codes.values() if failure] == [
        "status_4xx", "rate_limited", "status_4xx", "status_5xx", "status_5xx",
    ]  # fmt: skip
    assert str(codes[400]) == "400 Reason"
    assert codes[400] is not None
    assert codes[400].status == 400


# Status, Locations -> a redirect to follow, content, or an error (RFC 9110 section
# 15.4).
ANSWERS = {
    (200, ()): "content",
    (200, ("/a",)): "content",
    (201, ("/a",)): "content",
    (203, ()): "content",
    (204, ()): "content",
    (206, ()): "error",
    (300, ()): "content",
    (300, ("/a",)): "redirect",
    (301, ("/a",)): "redirect",
    (301, ("",)): "redirect",
    (301, ()): "error",
    (302, ("/a",)): "redirect",
    (302, ("/a", "/a")): "redirect",
    (302, ("/a", "/b")): "error",
    (302, ()): "error",
    (303, ("/a",)): "redirect",
    (303, ()): "error",
    (304, ()): "error",
    (304, ("/a",)): "error",
    (305, ()): "error",
    (305, ("http://proxy.example/",)): "error",
    (306, ("/a",)): "error",
    (307, ("/a",)): "redirect",
    (307, ()): "error",
    (308, ("/a",)): "redirect",
    (308, ()): "error",
    (310, ("/a",)): "redirect",
    (399, ()): "content",
    (399, ("/a", "/b")): "error",
}


@pytest.mark.parametrize(("status", "locations"), ANSWERS)
def test_what_a_redirection_stands_for(status: int, locations: tuple[str, ...]) -> None:
    fields = tuple(("location", where) for where in locations)
    response = replace(answer(status), headers=fields)
    failure = failure_of(response, NOW)
    kind = "error" if failure else "redirect" if is_redirect(response) else "content"
    assert kind == ANSWERS[status, locations]
    if failure is not None:
        assert (failure.code, failure.status, failure.retry) == (
            "protocol",
            status,
            False,
        )
        assert str(failure).startswith(f"{status} Reason: ")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Mon, 12 Jan 1970 13:47:40 GMT", 60.0),
        ("Monday, 12-Jan-70 13:47:40 GMT", 60.0),
        ("Mon Jan 12 13:47:40 1970", 60.0),
        ("Mon, 12 Jan 1970 14:47:40 +0100", 60.0),
        ("Mon, 12 Jan 1970 00:00:00 GMT", 0.0),
        ("-5", None),
        ("1.5", None),
        ("\u0661\u0662", None),
        ("soon", None),
        ("", None),
        ("Mon, 99 Jan 1970 13:47:40 GMT", None),
        ("9" * 65, None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.text(max_size=70))
def test_no_retry_after_is_an_error(value: str) -> None:
    seconds = retry_after(value, NOW)
    assert seconds is None or seconds >= 0


def test_a_date_is_measured_by_the_clock_that_made_it() -> None:
    """The server's Date tells how long it means, however wrong our clock is."""
    until = "Fri, 15 Jan 2027 08:00:40 GMT"
    sent = "Fri, 15 Jan 2027 08:00:10 GMT"
    for now in (0.0, NOW, 1_800_000_000.0, 1e10):
        assert (
            retry.retry_after_of(answer(503, retry_after=until, date=sent), now) == 30
        )
        failure = failure_of(answer(503, retry_after=until, date=sent), now)
        assert failure is not None
        assert failure.retry_after_s == 30
    at = 1_800_000_000.0  # 08:00:00
    for date in ({}, {"date": "yesterday"}, {"date": "x" * 1000}):
        assert retry.retry_after_of(answer(503, retry_after=until, **date), at) == 40
    assert retry.retry_after_of(answer(503, retry_after="7", date=sent), at) == 7
    assert retry.retry_after_of(answer(503, date=sent), at) is None
