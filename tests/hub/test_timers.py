"""Timers against a sorted list."""

from hypothesis import given
from hypothesis import strategies as st

from hub.timers import Timer, Timers

Op = tuple[str, int]
operations = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 30)),
        st.tuples(st.just("cancel"), st.integers(0, 200)),
        st.tuples(st.just("pass"), st.integers(0, 5)),
    ),
    max_size=120,
)


@given(operations)
def test_equals_a_sorted_list(ops: list[Op]) -> None:
    timers, now, fired, expected = Timers(), 0, [], []
    model: list[tuple[int, int]] = []
    handles: list[tuple[Timer, tuple[int, int]]] = []
    for number, (op, amount) in enumerate(ops):
        if op == "add":
            key = (now + amount, number)
            handles.append(
                (timers.add(now + amount, lambda key=key: fired.append(key)), key)
            )
            model.append(key)
        elif op == "cancel" and handles:
            timer, key = handles[amount % len(handles)]
            timers.cancel(timer)
            if key in model:
                model.remove(key)
        elif op == "pass":
            now += amount
            before = timers.ticket
            while (callback := timers.pop_due(now, before)) is not None:
                callback()
            expected += sorted(key for key in model if key[0] <= now)
            model = [key for key in model if key[0] > now]
        assert fired == expected
        assert len(timers) == len(model)


def test_cancelled_ones_do_not_pile_up() -> None:
    timers = Timers()
    timers.add(1e9, lambda: None)
    for number in range(10_000):
        timers.cancel(timers.add(1000 + number, lambda: None))
    assert len(timers) == 1
    assert len(timers.heap) < 200


def test_cancel_frees_what_would_have_been_called() -> None:
    timers = Timers()
    called: list[int] = []
    timer = timers.add(1, lambda: called.append(1))
    timers.cancel(timer)
    assert timer.callback is None
    assert timers.pop_due(10, timers.ticket) is None


def test_one_may_cancel_the_next_of_the_same_moment() -> None:
    timers = Timers()
    called = []
    timers.add(1, lambda: timers.cancel(second))
    second = timers.add(1, lambda: called.append("second"))
    while (callback := timers.pop_due(1, timers.ticket)) is not None:
        callback()
    assert called == []


def test_a_timer_for_now_set_by_a_timer_waits_for_the_next_round() -> None:
    timers = Timers()
    rounds = []

    def again() -> None:
        rounds.append(timers.add(1, again))

    timers.add(1, again)
    before = timers.ticket
    while (callback := timers.pop_due(1, before)) is not None:
        callback()
    assert len(rounds) == 1
