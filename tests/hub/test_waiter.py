"""The wait: which greenlet may switch to which."""

import pytest
from greenlet import getcurrent
from greenlet import greenlet as RawGreenlet

import hub
from hub.waiter import Waiter


def test_a_value_kept_before_get() -> None:
    waiter = Waiter()
    waiter.resume("kept")
    assert waiter.ready()
    assert waiter.get() == "kept"


def test_an_error_kept_before_get() -> None:
    waiter = Waiter()
    waiter.throw(ValueError("kept"))
    with pytest.raises(ValueError, match="kept"):
        waiter.get()


def test_a_value_while_waiting() -> None:
    waiter = Waiter()
    hub.get_hub().loop.run_callback(waiter.resume, "hello")
    assert waiter.get() == "hello"


def test_an_error_while_waiting() -> None:
    waiter = Waiter()
    hub.get_hub().loop.run_callback(waiter.throw, KeyError("x"))
    with pytest.raises(KeyError):
        waiter.get()


def test_two_greenlets_in_one_waiter() -> None:
    waiter = Waiter()
    first = hub.spawn(waiter.get)
    hub.sleep(0)
    with pytest.raises(hub.ConcurrentObjectUseError):
        waiter.get()
    waiter.resume(1)
    assert first.get() == 1


def test_a_foreign_switch() -> None:
    waiting = hub.spawn(hub.event.Event().wait)
    hub.sleep(0)
    hub.get_hub().loop.run_callback(waiting.switch, "strange")
    with pytest.raises(hub.InvalidSwitchError, match="strange"):
        waiting.get()


def test_switch_from_another_greenlet_only_schedules() -> None:
    order = []
    waiter = Waiter()

    def wait() -> None:
        order.append(waiter.get())

    waiting = hub.spawn(wait)
    hub.sleep(0)
    waiter.resume("woken")
    order.append("still running")
    waiting.join()
    assert order == ["still running", "woken"]


def test_the_hub_itself_must_not_wait() -> None:
    errors: list[object] = []
    hub.get_hub().handle_error = lambda context, kind, value, trace: errors.append(kind)
    hub.get_hub().loop.run_callback(hub.sleep, 1)
    hub.sleep(0)
    hub.sleep(0)
    assert errors == [hub.BlockingSwitchOutError]


def test_a_stale_wake_up_does_not_reach_a_later_wait(clock: object) -> None:
    """Woken and interrupted in one turn: the wake-up must not end the next wait."""
    first, second = Waiter(), Waiter()
    got: list[object] = []

    def run() -> None:
        try:
            first.get()
        except RuntimeError:
            got.append("interrupted")
        got.append(second.get())

    greenlet = hub.spawn(run)
    hub.sleep(0)
    greenlet.kill(RuntimeError(), block=False)
    first.wake_soon()
    hub.sleep(0)
    hub.sleep(0)
    assert got == ["interrupted"]
    second.resume("second")
    greenlet.join()
    assert got == ["interrupted", "second"]


def test_get_within() -> None:
    assert Waiter().wait(0.001) is False
    waiter = Waiter()
    hub.get_hub().loop.run_callback(waiter.resume, None)
    assert waiter.wait(10) is True


def test_raw_greenlets_can_wait_too() -> None:
    main = getcurrent()
    log = []

    def body() -> None:
        hub.sleep(0.001)
        log.append("slept")

    raw = RawGreenlet(body, parent=hub.get_hub())
    hub.get_hub().loop.run_callback(raw.switch)
    hub.sleep(0.01)
    assert log == ["slept"]
    assert getcurrent() is main


def test_repr_says_the_state() -> None:
    waiter = Waiter()
    assert "idle" in repr(waiter)
    waiter.resume(1)
    assert "done" in repr(waiter)
