"""Spawn, join, get, kill, links."""

import contextvars
import gc
import io
import weakref

import pytest

import hub
from hub.greenlet import AnyGreenlet, Greenlet
from hub.hub import Hub
from hub.testing import VirtualClock


def fail(error: BaseException | None = None) -> None:
    raise ValueError("failed") if error is None else error


@pytest.fixture
def reports(own_hub: Hub) -> list[tuple[object, BaseException]]:
    """The errors that were reported because nothing handled them."""
    seen: list[tuple[object, BaseException]] = []
    own_hub.handle_error = lambda context, kind, value, trace: seen.append(
        (context, value)
    )
    return seen


def test_starts_in_the_next_turn_in_spawn_order() -> None:
    order: list[int] = []
    for number in range(5):
        hub.spawn(order.append, number)
    assert order == []
    hub.sleep(0)
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("count", range(6))
def test_arguments(count: int) -> None:
    values = tuple(range(count))
    assert hub.spawn(lambda *args: args, *values).get() == values
    assert hub.spawn(lambda *args, **kw: (args, kw), *values, key=1).get() == (
        values,
        {"key": 1},
    )


def test_value_and_state() -> None:
    greenlet = hub.spawn(lambda: 5)
    assert not greenlet.dead
    assert not greenlet.ready()
    assert greenlet.started
    assert bool(greenlet)
    assert greenlet.join()
    assert greenlet.value == 5
    assert greenlet.get() == 5
    assert greenlet.dead
    assert greenlet.ready()
    assert greenlet.successful()
    assert greenlet.exception is None
    assert greenlet.exc_info is None
    assert not greenlet


def test_error_and_state(reports: object) -> None:
    greenlet = hub.spawn(fail)
    greenlet.join()
    assert not greenlet.successful()
    assert isinstance(greenlet.exception, ValueError)
    assert greenlet.exc_info[0] is ValueError
    with pytest.raises(ValueError, match="failed"):
        greenlet.get()


def test_get_does_not_pile_up_tracebacks(reports: object) -> None:
    """Raising one stored instance repeatedly must not lengthen its traceback.

    (gevent issue 2159.)
    """
    greenlet = hub.spawn(fail)
    lengths = []
    for _ in range(4):
        try:
            greenlet.get()
        except ValueError as error:
            length, trace = 0, error.__traceback__
            while trace is not None:
                length, trace = length + 1, trace.tb_next
            lengths.append(length)
    assert len(set(lengths)) == 1


def test_a_subclass_overrides_run() -> None:
    class Doubler(Greenlet):
        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

        def _run(self) -> int:
            return self.number * 2

    assert Doubler.spawn(4).get() == 8


def test_not_callable() -> None:
    with pytest.raises(TypeError):
        hub.spawn(5)


def test_spawn_later(clock: VirtualClock) -> None:
    greenlet = hub.spawn_later(5, lambda: clock.time)
    assert greenlet.get() == 5
    with pytest.raises(ValueError, match="negative"):
        hub.spawn_later(-1, fail)


def test_start_twice_runs_once() -> None:
    runs: list[int] = []
    greenlet = Greenlet(runs.append, 1)
    greenlet.start()
    greenlet.start()
    greenlet.start_later(0)
    greenlet.join()
    hub.sleep(0)
    assert runs == [1]


# -- waiting for the end ---------------------------------------------------------------


def test_join_with_timeout(clock: VirtualClock) -> None:
    greenlet = hub.spawn(hub.sleep, 5)
    assert greenlet.join(timeout=1) is False
    assert clock.time == 1
    assert greenlet.join(timeout=10) is True
    assert clock.time == 5


def test_get_with_timeout(clock: VirtualClock) -> None:
    greenlet = hub.spawn(hub.sleep, 5)
    with pytest.raises(hub.Timeout):
        greenlet.get(timeout=1)
    with pytest.raises(hub.Timeout):
        greenlet.get(block=False)
    greenlet.join()


def test_join_itself_is_an_error(reports: list[tuple[object, BaseException]]) -> None:
    greenlet = hub.spawn(lambda: hub.getcurrent().join())
    with pytest.raises(RuntimeError, match="its own end"):
        greenlet.get()


def test_many_join_one() -> None:
    greenlet = hub.spawn(hub.sleep, 0.001)
    joiners = [hub.spawn(greenlet.join) for _ in range(5)]
    hub.joinall(joiners)
    assert [joiner.value for joiner in joiners] == [True] * 5


def test_joinall(clock: VirtualClock, reports: object) -> None:
    fast, slow = hub.spawn(hub.sleep, 1), hub.spawn(hub.sleep, 9)
    assert hub.joinall([slow, fast], timeout=2) == [fast]
    assert hub.joinall([slow, fast], count=1) == [fast]
    assert hub.joinall([]) == []
    bad = hub.spawn(fail)
    with pytest.raises(ValueError, match="failed"):
        hub.joinall([bad, slow], raise_error=True)
    assert clock.time == 2
    slow.kill()


def test_iwait_and_wait(clock: VirtualClock) -> None:
    event = hub.event.Event()
    greenlets = [hub.spawn(hub.sleep, seconds) for seconds in (3, 1, 2)]
    assert list(hub.iwait([*greenlets, event], timeout=10)) == [
        greenlets[1],
        greenlets[2],
        greenlets[0],
    ]
    assert clock.time == 10
    event.set()
    assert hub.wait([event, event]) == [event, event]
    assert hub.wait([event, hub.event.Event()], count=1) == [event]


def test_wait_without_objects_waits_for_the_end_of_all(clock: VirtualClock) -> None:
    greenlet = hub.spawn(hub.sleep, 7)
    assert hub.wait(timeout=1) is False
    assert hub.wait() is True
    assert greenlet.dead
    assert clock.time == 7


# -- killing ---------------------------------------------------------------------------


def test_killed_before_the_start_never_runs() -> None:
    runs: list[int] = []
    greenlet = hub.spawn(runs.append, 1)
    greenlet.kill()
    hub.sleep(0)
    assert runs == []
    assert greenlet.dead
    assert greenlet.successful()
    assert isinstance(greenlet.value, hub.GreenletExit)


def test_killed_before_a_late_start(clock: VirtualClock) -> None:
    runs: list[int] = []
    greenlet = hub.spawn_later(5, runs.append, 1)
    greenlet.kill()
    hub.sleep(10)
    assert runs == []


def test_kill_waits_for_the_end(clock: VirtualClock) -> None:
    log = []

    def stubborn() -> None:
        try:
            hub.sleep(100)
        finally:
            hub.sleep(3)
            log.append(clock.time)

    greenlet = hub.spawn(stubborn)
    hub.sleep(1)
    greenlet.kill()
    assert log == [4]
    greenlet.kill()  # dead already: nothing happens


def test_kill_with_timeout(clock: VirtualClock) -> None:
    def stubborn() -> None:
        try:
            hub.sleep(100)
        except hub.GreenletExit:
            hub.sleep(10)

    greenlet = hub.spawn(stubborn)
    hub.sleep(0)
    greenlet.kill(timeout=2)
    assert clock.time == 2
    assert not greenlet.dead
    greenlet.join()


def test_kill_without_block() -> None:
    greenlet = hub.spawn(hub.sleep, 10)
    hub.sleep(0)
    greenlet.kill(block=False)
    assert not greenlet.dead
    hub.sleep(0)
    assert greenlet.dead


def test_kill_with_an_error(reports: list[tuple[object, BaseException]]) -> None:
    greenlet = hub.spawn(hub.sleep, 10)
    hub.sleep(0)
    greenlet.kill(ValueError("killed"))
    assert isinstance(greenlet.exception, ValueError)
    before_start = hub.spawn(fail)
    before_start.kill(KeyError)
    assert isinstance(before_start.exception, KeyError)


def test_killing_the_current_greenlet() -> None:
    after = []

    def suicide() -> None:
        hub.getcurrent().kill()
        after.append(1)

    greenlet = hub.spawn(suicide)
    assert isinstance(greenlet.get(), hub.GreenletExit)
    assert after == []


def test_killing_the_current_greenlet_later() -> None:
    after = []

    def suicide() -> None:
        hub.getcurrent().kill(block=False)
        after.append(1)
        hub.sleep(10)
        after.append(2)

    hub.spawn(suicide).join()
    assert after == [1]


def test_two_kills_in_one_turn(clock: VirtualClock) -> None:
    """The second must not interrupt the clean-up after the first twice."""
    seen: list[str] = []

    def victim() -> None:
        try:
            hub.sleep(100)
        except hub.GreenletExit:
            seen.append("first")
        try:
            hub.sleep(100)
        except hub.GreenletExit:
            seen.append("second")

    greenlet = hub.spawn(victim)
    hub.sleep(0)
    greenlet.kill(block=False)
    greenlet.kill(block=False)
    greenlet.join()
    assert seen == ["first", "second"]


def test_killall(clock: VirtualClock) -> None:
    greenlets = [hub.spawn(hub.sleep, 100) for _ in range(5)]
    hub.sleep(0)
    greenlets.append(hub.spawn(hub.sleep, 100))
    hub.killall(greenlets)
    assert all(greenlet.dead for greenlet in greenlets)


def test_killall_with_timeout(clock: VirtualClock) -> None:
    def stubborn() -> None:
        try:
            hub.sleep(100)
        finally:
            hub.sleep(10)

    greenlets = [hub.spawn(stubborn) for _ in range(2)]
    hub.sleep(0)
    with pytest.raises(hub.Timeout):
        hub.killall(greenlets, timeout=1)
    hub.joinall(greenlets)


def test_kill_a_raw_greenlet() -> None:
    raw = hub.spawn_raw(hub.sleep, 100)
    hub.sleep(0)
    hub.kill(raw)
    hub.sleep(0)
    assert raw.dead
    hub.kill(raw)
    hub.sleep(0)


def test_greenlet_exit_is_success() -> None:
    greenlet = hub.spawn(fail, hub.GreenletExit("bye"))
    assert str(greenlet.get()) == "bye"
    assert greenlet.successful()


# -- links -----------------------------------------------------------------------------


def test_links_are_called_once_also_when_linked_after_death() -> None:
    calls: list[object] = []
    greenlet = hub.spawn(lambda: 1)
    greenlet.rawlink(calls.append)
    greenlet.join()
    hub.sleep(0)
    assert calls == [greenlet]
    greenlet.rawlink(calls.append)
    greenlet.link(calls.append)
    hub.sleep(0)
    hub.sleep(0)
    assert calls == [greenlet] * 3
    hub.sleep(0)
    assert calls == [greenlet] * 3


def test_link_kinds(reports: object) -> None:
    called: list[str] = []
    good, bad = hub.spawn(lambda: 1), hub.spawn(fail)
    for name, greenlet in (("good", good), ("bad", bad)):
        greenlet.link(lambda source, name=name: called.append(f"{name} link"))
        greenlet.link_value(lambda source, name=name: called.append(f"{name} value"))
        greenlet.link_exception(
            lambda source, name=name: called.append(f"{name} exception")
        )
    hub.get_hub().join()
    assert sorted(called) == ["bad exception", "bad link", "good link", "good value"]


def test_a_link_may_wait(clock: VirtualClock) -> None:
    done = []

    def slow(source: Greenlet) -> None:
        hub.sleep(3)
        done.append(clock.time)

    hub.spawn(lambda: 1).link(slow)
    hub.get_hub().join()
    assert done == [3]


def test_unlink() -> None:
    calls: list[object] = []
    greenlet = hub.spawn(lambda: 1)
    greenlet.rawlink(calls.append)
    greenlet.link(calls.append)
    greenlet.unlink(calls.append)
    greenlet.unlink(calls.append)
    greenlet.unlink(calls.append)
    hub.get_hub().join()
    assert calls == []


def test_an_error_in_a_link_does_not_stop_the_others(
    reports: list[tuple[object, BaseException]],
) -> None:
    calls: list[object] = []
    greenlet = hub.spawn(lambda: 1)
    greenlet.rawlink(fail)
    greenlet.rawlink(calls.append)
    hub.get_hub().join()
    assert calls == [greenlet]
    assert len(reports) == 1


def test_link_to_an_async_result(reports: object) -> None:
    good: hub.event.AsyncResult[int] = hub.event.AsyncResult()
    hub.spawn(lambda: 7).link(good)
    assert good.get() == 7
    bad: hub.event.AsyncResult[int] = hub.event.AsyncResult()
    hub.spawn(fail).link(bad)
    with pytest.raises(ValueError, match="failed"):
        bad.get()


# -- errors and handlers ---------------------------------------------------------------


def test_an_unhandled_error_is_reported_once(
    reports: list[tuple[object, BaseException]],
) -> None:
    greenlet = hub.spawn(fail)
    hub.get_hub().join()
    assert [context for context, _ in reports] == [greenlet]
    greenlet.join()
    assert len(reports) == 1


@pytest.mark.parametrize(
    "handler", ["join", "get", "link", "rawlink", "link_exception"]
)
def test_a_handled_error_is_not_reported(
    reports: list[tuple[object, BaseException]], handler: str
) -> None:
    greenlet = hub.spawn(fail)
    if handler in ("join", "get"):
        waiting = hub.spawn(getattr(greenlet, handler))
        waiting.rawlink(lambda source: None)
        hub.get_hub().loop.ready.rotate(1)  # the joiner runs before the one that fails
    else:
        getattr(greenlet, handler)(lambda source: None)
    hub.get_hub().join()
    assert reports == []


def test_the_report_names_greenlet_and_spawn_place(own_hub: Hub) -> None:
    own_hub.exception_stream = io.StringIO()
    greenlet = hub.spawn(fail)
    greenlet.name = "the fetcher"
    hub.get_hub().join()
    text = own_hub.exception_stream.getvalue()
    assert text.count("Traceback") == 1
    assert "the fetcher" in text
    assert "ValueError: failed" in text
    assert "test_greenlet.py:" in text.rpartition("ValueError in")[2]


def test_greenlet_exit_is_not_reported(
    reports: list[tuple[object, BaseException]],
) -> None:
    hub.spawn(fail, hub.GreenletExit())
    hub.get_hub().join()
    assert reports == []


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_errors_that_end_the_program_reach_the_main_greenlet(
    error: BaseException,
) -> None:
    hub.spawn(fail, error)
    with pytest.raises(type(error)):
        hub.sleep(1)
    hub.sleep(0)


# -- names, contexts, memory -----------------------------------------------------------


def test_repr_and_name() -> None:
    greenlet = hub.spawn(hub.sleep, 1)
    assert "sleep(1)" in repr(greenlet)
    assert greenlet.name.startswith("Greenlet-")
    greenlet.name = "mine"
    assert "mine" in repr(greenlet)
    greenlet.kill()
    assert "ended" in repr(greenlet)


def test_context_variables_are_inherited_and_separate() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")
    variable.set(1)
    seen = []

    def body(value: int) -> None:
        seen.append(variable.get())
        variable.set(value)
        hub.sleep(0)
        seen.append(variable.get())

    hub.joinall([hub.spawn(body, 10), hub.spawn(body, 20)])
    assert seen == [1, 1, 10, 20]
    assert variable.get() == 1


@pytest.mark.parametrize("ending", ["returns", "fails", "is killed"])
def test_a_dead_greenlet_is_freed_without_the_collector(
    reports: object, ending: str
) -> None:
    gc.collect()
    gc.disable()
    try:

        class Argument:
            pass

        argument = Argument()

        def body(argument: object) -> None:
            hub.sleep(0)
            if ending == "fails":
                raise ValueError
            if ending == "is killed":
                hub.sleep(100)

        greenlet = hub.spawn(body, argument)
        gone, argument_gone = weakref.ref(greenlet), weakref.ref(argument)
        del argument
        hub.sleep(0)
        hub.sleep(0)
        if ending == "is killed":
            greenlet.kill()
        del greenlet
        if ending == "fails":
            reports.clear()  # type: ignore[attr-defined]
        hub.sleep(0)
        assert gone() is None
        assert argument_gone() is None
    finally:
        gc.enable()


def test_as_context_manager(clock: VirtualClock) -> None:
    with hub.spawn(hub.sleep, 3) as greenlet:
        pass
    assert greenlet.dead
    assert clock.time == 3
    with pytest.raises(KeyError), hub.spawn(hub.sleep, 100) as greenlet:
        raise KeyError
    assert greenlet.dead
    assert clock.time == 3


def test_spawn_raw() -> None:
    got: list[object] = []
    hub.spawn_raw(lambda *args, **kw: got.append((args, kw)), 1, 2, key=3)
    hub.spawn_raw(got.append, "bare")
    assert got == []
    hub.sleep(0)
    assert got == [((1, 2), {"key": 3}), "bare"]


def test_spawn_callbacks() -> None:
    started: list[object] = []

    def note(greenlet: AnyGreenlet) -> None:
        assert not greenlet.dead
        started.append(greenlet)

    hub.Greenlet.add_spawn_callback(note)
    try:
        late = hub.Greenlet(abs, 1)
        assert started == []
        late.start()
        late.start()
        expected = [
            late,
            hub.spawn(abs, 2),
            hub.spawn_later(0, abs, 3),
            hub.pool.Group().spawn(abs, 4),
        ]
        hub.joinall(expected)
        assert started == expected
    finally:
        hub.Greenlet.remove_spawn_callback(note)
    hub.Greenlet.remove_spawn_callback(note)
    hub.spawn(abs, 5).join()
    assert started == expected


def test_small_numbers_are_used_again() -> None:
    own = hub.get_hub()
    base = len(own.ident_registry)
    living = [hub.spawn(abs, number) for number in range(3)]
    numbers = [each.minimal_ident for each in living]
    assert numbers == [each.minimal_ident for each in living]
    assert len(set(numbers)) == 3
    hub.joinall(living)
    del living[1]
    assert len(own.ident_registry) == base + 2
    assert hub.Greenlet(abs, 4).minimal_ident == numbers[1]
    assert own.minimal_ident >= 0
    elsewhere = hub.threadpool.ThreadPool(1).apply(lambda: hub.get_hub().minimal_ident)
    assert elsewhere != own.minimal_ident
