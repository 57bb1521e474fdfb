"""Cancel scopes, nurseries, and blocks that must not wait."""

import contextvars
import gc
import weakref
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hub
from hub import Cancelled, CancelScope, Nursery
from hub.testing import VirtualClock, virtual_time


def fail(error: BaseException | None = None) -> None:
    raise ValueError("failed") if error is None else error


def fail_later(seconds: float, error: BaseException | None = None) -> None:
    hub.sleep(seconds)
    fail(error)


# -- scopes ----------------------------------------------------------------------------


def test_deadline_ends_the_block(clock: VirtualClock) -> None:
    with CancelScope(3) as scope:
        hub.sleep(10)
    assert clock.time == 3
    assert scope.cancel_called
    assert scope.cancelled_caught
    with CancelScope(3) as scope:
        hub.sleep(1)
    hub.sleep(10)
    assert not scope.cancel_called
    assert not scope.cancelled_caught


def test_none_and_infinity_are_no_deadline(clock: VirtualClock) -> None:
    for seconds in (None, float("inf")):
        with CancelScope(seconds):
            hub.sleep(1000)
    with pytest.raises(ValueError, match="negative"):
        CancelScope(-1)


def test_is_level_triggered_and_not_edge_triggered(clock: VirtualClock) -> None:
    """A bare except can't swallow it: the next wait raises again."""
    raised = 0
    with CancelScope(1) as scope:
        for _ in range(5):
            try:
                hub.sleep(10)
            except BaseException:
                raised += 1
        hub.sleep(0)
        pytest.fail("a cancelled scope let a wait through")
    assert raised == 5
    assert clock.time == 1
    assert scope.cancelled_caught
    hub.sleep(1)  # outside, waiting is fine again


def test_covers_the_children_of_nurseries_and_not_what_is_spawned_inside(
    clock: VirtualClock,
) -> None:
    """A library may start a worker inside of somebody's deadline."""
    ended = []

    def child(name: str, seconds: float) -> None:
        try:
            hub.sleep(seconds)
        finally:
            ended.append((name, clock.time))

    with CancelScope(2), Nursery() as nursery:
        children = [nursery.spawn(child, "child", 100)]
        hub.sleep(0)
        own = hub.spawn(child, "worker", 5)
        later = hub.spawn_later(1, child, "later", 5)
        own.join()
    assert ended == [("child", 2)]
    hub.joinall([own, later], raise_error=True)
    assert ended == [("child", 2), ("worker", 5), ("later", 6)]
    assert isinstance(children[0].exception, Cancelled)
    assert not children[0].successful()
    with pytest.raises(Cancelled):
        children[0].get()


def test_cancel_from_outside_reaches_who_waits(clock: VirtualClock) -> None:
    scope = CancelScope()
    log: list[str] = []

    def worker() -> None:
        with scope:
            hub.event.Event().wait()
            log.append("not reached")
        log.append("left")

    greenlet = hub.spawn(worker)
    hub.sleep(1)
    assert "parked=1" in repr(scope)
    scope.cancel()
    scope.cancel()
    assert log == [], "waking is not running"
    greenlet.join()
    assert log == ["left"]


def test_cancelled_before_any_wait() -> None:
    with CancelScope() as scope:
        scope.cancel()
        reached = True
        hub.sleep(0)
        reached = False
    assert reached
    assert scope.cancelled_caught


def test_nested_scopes_end_their_own_blocks(clock: VirtualClock) -> None:
    with CancelScope(5) as outer:
        with CancelScope(2) as inner:
            hub.sleep(10)
        assert (clock.time, inner.cancelled_caught) == (2, True)
        with CancelScope(100) as second:
            hub.sleep(10)
        pytest.fail("the outer scope was cancelled in there")
    assert clock.time == 5
    assert outer.cancelled_caught
    assert not second.cancelled_caught


def test_inner_does_not_swallow_what_the_outer_needs(clock: VirtualClock) -> None:
    with CancelScope() as outer:
        with CancelScope() as inner:
            outer.cancel()
            inner.cancel()
            hub.sleep(1)
        pytest.fail("must not go on inside the outer one")
    assert not inner.cancelled_caught
    assert outer.cancelled_caught


def test_shield(clock: VirtualClock) -> None:
    with CancelScope(1):
        try:
            hub.sleep(10)
        finally:
            with CancelScope(shield=True):
                hub.sleep(3)
            with suppress(Cancelled):
                hub.sleep(10)
    assert clock.time == 4
    with CancelScope(1), CancelScope(2, shield=True) as shielded:
        hub.sleep(10)
    assert clock.time == 6
    assert shielded.cancelled_caught


def test_other_errors_pass(clock: VirtualClock) -> None:
    scope = CancelScope()

    def block() -> None:
        with scope:
            scope.cancel()
            raise KeyError

    with pytest.raises(KeyError):
        block()
    assert not scope.cancelled_caught
    with pytest.raises(hub.Timeout), CancelScope(5), hub.Timeout(1):
        hub.sleep(10)


def test_timeout_inside_a_cancelled_scope(clock: VirtualClock) -> None:
    """Both in one turn: the scope is left, and the budget does not fire later."""
    with CancelScope(1) as scope, suppress(hub.Timeout), hub.Timeout(1):
        hub.sleep(10)
    hub.sleep(5)
    assert scope.cancel_called


def test_a_promise_to_a_cancelled_waiter_goes_to_the_next(clock: VirtualClock) -> None:
    queue: hub.queue.Queue[int] = hub.queue.Queue()
    scope = CancelScope()

    def get() -> None:
        with scope:
            queue.get()

    first = hub.spawn(get)
    hub.sleep(0)
    second = hub.spawn(queue.get)
    hub.sleep(0)
    queue.put(1)
    scope.cancel()
    assert second.get(timeout=5) == 1
    first.join()


def test_condition_takes_its_lock_back_in_a_cancelled_scope(
    clock: VirtualClock,
) -> None:
    condition, log = hub.lock.Condition(), []

    def hold() -> None:
        with condition:
            hub.sleep(5)

    with CancelScope(1):
        with condition:
            hub.spawn_later(0.5, hold)
            condition.wait()
        log.append("not reached")
    hub.sleep(10)
    assert log == []


def test_entered_once_at_a_time() -> None:
    scope = CancelScope()
    with scope, pytest.raises(RuntimeError, match="once"):
        scope.__enter__()
    with scope:  # again, after it was left
        pass


def test_nothing_is_kept(clock: VirtualClock) -> None:
    gc.collect()
    gc.disable()
    try:
        scope = CancelScope(100)
        gone = weakref.ref(scope)
        with CancelScope(), scope:
            hub.sleep(0)
        del scope
        assert gone() is None
    finally:
        gc.enable()


def test_a_scope_that_was_left_reaches_nobody(clock: VirtualClock) -> None:
    with CancelScope(3) as scope, Nursery() as nursery:
        nursery.spawn(hub.sleep, 1)
        left_behind = hub.spawn(hub.sleep, 100)
        context = contextvars.copy_context()
    scope.cancel()
    nursery.scope.cancel()
    context.run(hub.sleep, 1)
    left_behind.get()
    assert clock.time == 100


# -- nurseries -------------------------------------------------------------------------


def test_ends_when_its_children_have_ended(clock: VirtualClock) -> None:
    with Nursery() as nursery:
        children = [nursery.spawn(hub.sleep, seconds) for seconds in (3, 1, 2)]
        assert len(nursery) == 3
        assert bool(nursery)
        assert "children=3" in repr(nursery)
    assert clock.time == 3
    assert all(child.dead for child in children)
    with pytest.raises(RuntimeError, match="closed"):
        nursery.spawn(hub.sleep, 1)


def test_without_children_it_does_not_wait(clock: VirtualClock) -> None:
    with hub.testing.assert_no_switch(), Nursery():
        pass


def test_limit_is_back_pressure(clock: VirtualClock) -> None:
    with Nursery(limit=2) as nursery:
        for _ in range(6):
            nursery.spawn(hub.sleep, 1)
        assert clock.time == 2
        assert nursery.statistics() == {"children": 2, "free": 0}
    assert clock.time == 3


def test_children_may_spawn_siblings(clock: VirtualClock) -> None:
    def grow(depth: int) -> None:
        hub.sleep(1)
        if depth:
            nursery.spawn(grow, depth - 1)

    with Nursery() as nursery:
        nursery.spawn(grow, 3)
    assert clock.time == 4


def test_the_first_failure_cancels_the_siblings(clock: VirtualClock) -> None:
    siblings = []

    def block() -> None:
        with Nursery() as nursery:
            siblings.append(nursery.spawn(hub.sleep, 100))
            nursery.spawn(fail_later, 1)
            hub.sleep(50)

    with pytest.raises(ExceptionGroup) as caught:
        block()
    assert [type(error) for error in caught.value.exceptions] == [ValueError]
    assert clock.time == 1
    assert isinstance(siblings[0].value, Cancelled)
    assert siblings[0].exception is siblings[0].value


def test_all_errors_come_out(clock: VirtualClock) -> None:
    def stubborn() -> None:
        try:
            hub.sleep(100)
        except Cancelled:
            raise KeyError("while cleaning up") from None

    def block() -> None:
        with Nursery() as nursery:
            nursery.spawn(fail_later, 1)
            nursery.spawn(stubborn)
            nursery.spawn(fail_later, 1, OSError("same turn"))

    with pytest.raises(ExceptionGroup) as caught:
        block()
    kinds = sorted(type(error).__name__ for error in caught.value.exceptions)
    assert kinds == ["KeyError", "OSError", "ValueError"]


def test_an_error_of_the_block_is_one_of_the_group(clock: VirtualClock) -> None:
    children = []

    def block() -> None:
        with Nursery() as nursery:
            children.append(nursery.spawn(hub.sleep, 100))
            hub.sleep(1)
            raise KeyError("the block")

    with pytest.raises(ExceptionGroup) as caught:
        block()
    assert [type(error) for error in caught.value.exceptions] == [KeyError]
    assert children[0].dead
    assert clock.time == 1


def test_errors_of_children_are_not_reported(own_hub: hub.Hub) -> None:
    seen: list[object] = []
    own_hub.handle_error = lambda *args: seen.append(args)
    with pytest.raises(ExceptionGroup), Nursery() as nursery:
        nursery.spawn(fail)
    assert seen == []


def test_supervised_reports_and_goes_on(clock: VirtualClock) -> None:
    seen: list[object] = []
    hub.get_hub().handle_error = lambda context, kind, value, trace: seen.append(kind)
    with Nursery(supervised=True) as nursery:
        nursery.spawn(fail)
        nursery.spawn(hub.sleep, 3)
    assert clock.time == 3
    assert seen == [ValueError]


def test_a_timeout_comes_out_as_it_is(clock: VirtualClock) -> None:
    with (
        pytest.raises(hub.Timeout) as caught,
        hub.Timeout(2) as timeout,
        Nursery() as nursery,
    ):
        child = nursery.spawn(hub.sleep, 100)
    assert caught.value is timeout
    assert child.dead
    assert clock.time == 2


def test_a_kill_during_the_wait_for_children(clock: VirtualClock) -> None:
    cleaned = []

    def child() -> None:
        try:
            hub.sleep(100)
        finally:
            with CancelScope(shield=True):
                hub.sleep(2)
            cleaned.append(clock.time)

    def parent() -> None:
        with Nursery() as nursery:
            nursery.spawn(child)

    greenlet = hub.spawn(parent)
    hub.sleep(1)
    greenlet.kill()
    assert cleaned == [3]
    assert clock.time == 3
    assert isinstance(greenlet.value, hub.GreenletExit)


def test_an_interrupt_carries_the_errors(clock: VirtualClock) -> None:
    def child() -> None:
        try:
            hub.sleep(100)
        except Cancelled:
            raise KeyError from None

    with pytest.raises(hub.Timeout) as caught, hub.Timeout(1), Nursery() as nursery:
        nursery.spawn(child)
    assert isinstance(caught.value.__cause__, ExceptionGroup)


def test_cancelling_a_nursery(clock: VirtualClock) -> None:
    with Nursery() as nursery:
        children = [nursery.spawn(hub.sleep, 100) for _ in range(3)]
        hub.sleep(1)
        nursery.scope.cancel()
        hub.sleep(1)
        pytest.fail("the block is in the scope, too")
    assert clock.time == 1
    assert all(child.dead for child in children)


def test_a_scope_around_cancels_the_children(clock: VirtualClock) -> None:
    with CancelScope(2) as scope, Nursery() as nursery:
        child = nursery.spawn(hub.sleep, 100)
    assert clock.time == 2
    assert scope.cancelled_caught
    assert child.dead


def test_a_child_spawned_from_elsewhere_belongs_to_the_nursery(
    clock: VirtualClock,
) -> None:
    """A child runs in the nursery's scope, not in the one of the caller of spawn."""
    ready = hub.event.AsyncResult()

    def other_greenlet() -> None:
        with CancelScope() as mine:
            ready.get().spawn(hub.sleep, 5)
            mine.cancel()

    hub.spawn(other_greenlet)
    with Nursery() as nursery:
        ready.set(nursery)
        hub.sleep(1)
    assert clock.time == 5


@settings(max_examples=150)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.sampled_from(["ends", "fails", "cleans up", "spawns"])
        ),
        max_size=6,
    ),
    st.sampled_from(["", "fails", "cancels", "is timed out", "is cancelled"]),
    st.integers(0, 3),
)
def test_whatever_happens_no_child_is_left(
    children: list[tuple[int, str]], block: str, when: int
) -> None:
    with virtual_time():
        alive: set[int] = set()

        def run(number: int, seconds: int, kind: str) -> None:
            alive.add(number)
            try:
                hub.sleep(seconds)
                if kind == "fails":
                    raise ValueError
                if kind == "spawns":
                    nursery.spawn(run, number + 100, seconds, "ends")
            finally:
                if kind == "cleans up":
                    with CancelScope(shield=True):
                        hub.sleep(1)
                alive.discard(number)

        with suppress(ExceptionGroup, hub.Timeout), CancelScope() as scope:
            if block == "is cancelled":
                hub.get_hub().loop.call_later(when, scope.cancel)
            with (
                hub.Timeout(when if block == "is timed out" else None),
                Nursery() as nursery,
            ):
                for number, (seconds, kind) in enumerate(children):
                    nursery.spawn(run, number, seconds, kind)
                if block in ("fails", "cancels"):
                    hub.sleep(when)
                if block == "fails":
                    raise ValueError
                if block == "cancels":
                    nursery.scope.cancel()
        assert alive == set()
        assert len(nursery) == 0
        assert hub.get_hub().join(timeout=100)


# -- no_switch -------------------------------------------------------------------------


def test_no_switch_forbids_waiting() -> None:
    queue: hub.queue.Queue[int] = hub.queue.Queue(items=[1])
    with hub.no_switch():
        queue.get()  # does not wait
        with pytest.raises(hub.NoSwitchError):
            queue.get()
        with pytest.raises(hub.NoSwitchError):
            hub.sleep(0)
        child = hub.spawn(hub.sleep, 0)
    child.get()
    hub.sleep(0)


def test_no_switch_and_scopes_together(clock: VirtualClock) -> None:
    """The children of a nursery pass it, and the scope covers them."""
    with CancelScope(1) as scope, Nursery() as nursery:
        child = nursery.spawn(hub.sleep, 10)
        with hub.no_switch(), CancelScope():
            with pytest.raises(hub.NoSwitchError):
                hub.sleep(0)
            with CancelScope(), pytest.raises(hub.NoSwitchError):
                hub.sleep(0)
            nursery.spawn(hub.sleep, 10)
        hub.sleep(0)
    assert scope.cancelled_caught
    assert isinstance(child.exception, Cancelled)
    assert clock.time == 1


def test_no_switch_nested() -> None:
    with hub.no_switch():
        with hub.no_switch(), pytest.raises(hub.NoSwitchError):
            hub.sleep(0)
        with pytest.raises(hub.NoSwitchError):
            hub.sleep(0)
        with CancelScope(), pytest.raises(hub.NoSwitchError):
            hub.sleep(0)
