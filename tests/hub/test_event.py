"""Event and AsyncResult."""

import threading

import pytest

import hub
from hub.event import AsyncResult, Event
from hub.testing import VirtualClock


def test_event_wakes_all_in_order() -> None:
    event, order = Event(), []

    def wait(number: int) -> None:
        assert event.wait() is True
        order.append(number)

    greenlets = [hub.spawn(wait, number) for number in range(5)]
    hub.sleep(0)
    event.set()
    hub.joinall(greenlets)
    assert order == [0, 1, 2, 3, 4]


def test_event_flag() -> None:
    event = Event()
    assert not event.is_set()
    assert not event.ready()
    event.set()
    assert event.is_set()
    assert event.wait() is True
    event.clear()
    assert event.wait(timeout=0) is False


def test_event_wait_with_timeout(clock: VirtualClock) -> None:
    event = Event()
    assert event.wait(timeout=2) is False
    assert clock.time == 2
    hub.get_hub().loop.call_later(1, event.set)
    assert event.wait(timeout=2) is True
    assert clock.time == 3


def test_set_and_clear_in_one_turn_wakes_who_waited() -> None:
    event = Event()
    waiting = hub.spawn(event.wait)
    hub.sleep(0)
    event.set()
    event.clear()
    assert waiting.get() is True


def test_set_in_the_turn_of_the_timeout(clock: VirtualClock) -> None:
    """Whichever comes first in the turn counts, and the other does no harm later."""
    for setter_first in (True, False):
        event = Event()
        if setter_first:
            hub.get_hub().loop.call_later(1, event.set)
        waiting = hub.spawn(event.wait, 1)
        hub.sleep(0)
        if not setter_first:
            hub.get_hub().loop.call_later(1, event.set)
        assert waiting.get() is setter_first
        hub.sleep(5)


def test_event_links() -> None:
    event, calls = Event(), []
    event.rawlink(calls.append)
    hub.sleep(0)
    assert calls == []
    event.set()
    assert calls == []
    hub.sleep(0)
    assert calls == [event]
    event.rawlink(calls.append)
    hub.sleep(0)
    assert calls == [event, event]
    event.clear()
    event.rawlink(calls.append)
    event.unlink(calls.append)
    event.set()
    hub.sleep(0)
    assert len(calls) == 2
    with pytest.raises(TypeError):
        event.rawlink(5)


def test_an_interrupted_waiter_leaves_no_link() -> None:
    event = Event()
    waiting = hub.spawn(event.wait)
    hub.sleep(0)
    waiting.kill()
    assert event.wait(0) is False
    assert "links[0]" in repr(event)


def test_event_set_from_a_thread_wakes_the_hub() -> None:
    event = Event()
    thread = threading.Timer(0.02, event.set)
    thread.start()
    assert event.wait(timeout=10) is True
    thread.join()


def test_async_result_value() -> None:
    result: AsyncResult[int] = AsyncResult()
    assert not result.ready()
    assert result.value is None
    with pytest.raises(hub.Timeout):
        result.get_nowait()
    waiting = [hub.spawn(result.get) for _ in range(3)]
    hub.sleep(0)
    result.set(5)
    assert [greenlet.get() for greenlet in waiting] == [5, 5, 5]
    assert result.successful()
    assert result.get() == result.value == result.wait() == result.result() == 5
    assert result.done()
    assert not result.cancel()
    assert not result.cancelled()


def test_async_result_of_none_is_ready() -> None:
    result: AsyncResult[None] = AsyncResult()
    result.set()
    assert result.ready()
    assert result.get() is None


def test_async_result_error() -> None:
    result: AsyncResult[int] = AsyncResult()
    result.set_exception(KeyError("no"))
    assert result.ready()
    assert not result.successful()
    assert result.wait() is None
    assert isinstance(result.exception, KeyError)
    assert result.exc_info[0] is KeyError
    for _ in range(2):
        with pytest.raises(KeyError):
            result.get()


def test_async_result_with_timeout(clock: VirtualClock) -> None:
    result: AsyncResult[int] = AsyncResult()
    with pytest.raises(hub.Timeout):
        result.get(timeout=2)
    assert result.wait(timeout=2) is None
    assert clock.time == 4


def test_async_result_can_be_set_again() -> None:
    result: AsyncResult[int] = AsyncResult()
    result.set_exception(KeyError())
    result.set(2)
    assert result.get() == 2
    assert result.exception is None


def test_repr() -> None:
    event, result = Event(), AsyncResult()
    assert "clear" in repr(event)
    event.set()
    assert "set" in repr(event)
    assert "pending" in repr(result)
    result.set(1)
    assert "value=1" in repr(result)
