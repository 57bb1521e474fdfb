"""Time limits for blocks."""

import gc
import weakref
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hub
from hub.testing import VirtualClock, virtual_time


def test_raises_itself(clock: VirtualClock) -> None:
    with pytest.raises(hub.Timeout) as caught, hub.Timeout(2) as timeout:
        hub.sleep(10)
    assert caught.value is timeout
    assert clock.time == 2


def test_is_a_base_exception(clock: VirtualClock) -> None:
    with pytest.raises(hub.Timeout), hub.Timeout(1), suppress(Exception):
        hub.sleep(10)


def test_none_never_fires(clock: VirtualClock) -> None:
    with hub.Timeout(None) as timeout:
        assert not timeout.pending
        hub.sleep(1e6)


def test_infinite_never_fires(clock: VirtualClock) -> None:
    with hub.Timeout(float("inf")):
        hub.sleep(1e6)


def test_zero_fires_at_the_next_wait(clock: VirtualClock) -> None:
    with pytest.raises(hub.Timeout), hub.Timeout(0):
        hub.sleep(1)
    assert clock.time == 0


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan")])
def test_negative_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="negative"):
        hub.Timeout(seconds)


def test_false_is_swallowed_by_its_own_block_only(clock: VirtualClock) -> None:
    with hub.Timeout(1, False):
        hub.sleep(10)
    assert clock.time == 1
    with (
        pytest.raises(hub.Timeout) as caught,
        hub.Timeout(1) as outer,
        hub.Timeout(5, False),
    ):
        hub.sleep(10)
    assert caught.value is outer


@pytest.mark.parametrize("error", [KeyError("mine"), KeyError])
def test_raises_what_it_was_given(clock: VirtualClock, error: object) -> None:
    with pytest.raises(KeyError), hub.Timeout(1, error):
        hub.sleep(10)


@pytest.mark.parametrize("error", [object(), int, print])
def test_what_is_no_exception_is_a_type_error_when_it_is_due(
    clock: VirtualClock, error: Any
) -> None:
    """The text is the interpreter's, as in gevent."""
    with (
        pytest.raises(TypeError, match="exceptions must derive from BaseException"),
        hub.Timeout(1, error),
    ):
        hub.sleep(10)


def test_a_string_is_part_of_the_message(clock: VirtualClock) -> None:
    with (
        pytest.raises(hub.Timeout, match="1 second: too slow"),
        hub.Timeout(1, "too slow"),
    ):
        hub.sleep(10)


@pytest.mark.parametrize(
    ("seconds", "exception", "text"),
    [(None, None, ""), (1, None, "1 second"), (5, None, "5 seconds"),
     (0.1, None, "0.1 seconds"), (5, False, "5 seconds (silent)"),
     (5, "x", "5 seconds: x")],
)  # fmt: skip
def test_str(seconds: float | None, exception: object, text: str) -> None:
    assert str(hub.Timeout(seconds, exception)) == text


def test_nested_ones_end_their_own_blocks(clock: VirtualClock) -> None:
    ended = []
    with hub.Timeout(5) as outer:
        with pytest.raises(hub.Timeout) as first, hub.Timeout(2) as inner:
            hub.sleep(10)
        ended.append((first.value is inner, clock.time))
        with pytest.raises(hub.Timeout) as second:
            hub.sleep(10)
        ended.append((second.value is outer, clock.time))
    assert ended == [(True, 2), (True, 5)]


def test_cancel_is_idempotent_and_final(clock: VirtualClock) -> None:
    timeout = hub.Timeout(1)
    timeout.start()
    timeout.cancel()
    timeout.cancel()
    timeout.close()
    hub.sleep(5)
    assert not timeout.pending


def test_cancelled_in_the_turn_in_which_it_is_due(clock: VirtualClock) -> None:
    """The canceller runs first in the same turn, so the Timeout must not fire."""
    slept = []

    def victim() -> None:
        timeout.start()
        hub.sleep(3)
        slept.append(clock.time)

    timeout = hub.Timeout(1)
    hub.get_hub().loop.call_later(1, timeout.cancel)
    greenlet = hub.spawn(victim)
    greenlet.get()
    assert slept == [3]


def test_can_be_started_again(clock: VirtualClock) -> None:
    timeout = hub.Timeout(1)
    for round_ in (1, 2):
        timeout.start()
        with pytest.raises(RuntimeError, match="started already"):
            timeout.start()
        with pytest.raises(hub.Timeout):
            hub.sleep(10)
        assert clock.time == round_


def test_start_new(clock: VirtualClock) -> None:
    timeout = hub.Timeout.start_new(1)
    assert timeout.pending
    assert hub.Timeout.start_new(timeout) is timeout
    timeout.cancel()
    assert hub.Timeout.start_new(timeout).pending
    timeout.cancel()


def test_a_dead_greenlet_is_left_alone(clock: VirtualClock) -> None:
    hub.spawn(lambda: hub.Timeout(1).start()).join()
    hub.sleep(2)


def test_fires_in_the_greenlet_that_started_it(clock: VirtualClock) -> None:
    def other() -> float:
        hub.sleep(5)
        return clock.time

    busy = hub.spawn(other)
    with pytest.raises(hub.Timeout), hub.Timeout(1):
        hub.sleep(9)
    assert busy.get() == 5


def test_with_timeout(clock: VirtualClock) -> None:
    assert hub.with_timeout(1, lambda a, b: a + b, 1, b=2) == 3
    assert hub.with_timeout(1, hub.sleep, 10, timeout_value="late") == "late"
    with pytest.raises(hub.Timeout):
        hub.with_timeout(1, hub.sleep, 10)
    with pytest.raises(hub.Timeout) as caught, hub.Timeout(1) as outer:
        hub.with_timeout(5, hub.sleep, 10, timeout_value="late")
    assert caught.value is outer


def test_does_not_keep_anything_alive(clock: VirtualClock) -> None:
    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    timeout = hub.Timeout(1000)
    timeout.exception = RuntimeError(thing)
    with timeout:
        hub.sleep(0)
    gc.disable()
    try:
        del timeout, thing
        assert gone() is None
    finally:
        gc.enable()


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), st.integers(0, 8))
def test_any_nesting_ends_the_block_that_is_due_first(
    limits: list[int], work: int
) -> None:
    """The earliest of nested Timeouts fires; the outermost of equal ones."""
    with virtual_time() as clock:
        entered: list[hub.Timeout] = []

        def nest(rest: list[int]) -> None:
            if not rest:
                hub.sleep(work)
                return
            with hub.Timeout(rest[0]) as timeout:
                entered.append(timeout)
                nest(rest[1:])

        earliest = min(limits)
        if work < earliest:
            nest(limits)
            assert clock.time == work
        elif work > earliest:
            with pytest.raises(hub.Timeout) as caught:
                nest(limits)
            assert caught.value is entered[limits.index(earliest)]
            assert clock.time == earliest
        assert len(hub.get_hub().loop.timers) == 0 or work == earliest
