"""Dumps, statistics, the watchdog."""

import io
import os
import signal
import threading
import time
from collections.abc import Callable

import pytest

import hub
from hub import debug
from hub.hub import Hub
from hub.loop import Loop
from hub.poller import EpollPoller
from hub.testing import VirtualClock, fresh_hub


def test_dump_says_who_waits_for_what_where_and_since_when(clock: VirtualClock) -> None:
    queue: hub.queue.Queue[int] = hub.queue.Queue()
    left, right = hub.socket.socketpair()
    fetcher = hub.spawn(queue.get)
    fetcher.name = "fetcher"
    hub.sleep(0)
    reader = hub.spawn(left.recv, 1)
    sleeper = hub.spawn(hub.sleep, 60)
    raw = hub.spawn_raw(hub.event.Event().wait)
    hub.sleep(5)
    out = io.StringIO()
    debug.dump(out)
    text = out.getvalue()
    assert "main: runs" in text
    assert "fetcher, 5.000 s old: waits" in text
    assert "Queue.get of <Queue" in text
    assert "for 5.000 s" in text
    assert f"socket.recv of <hub.socket.socket fd={left.fileno()}," in text
    assert "sleep of 60 s" in text
    assert "Event.wait" in text
    assert "queue.py" in text, "the stack"
    states = {state.name: state for state in debug.snapshot()}
    assert states["fetcher"].waiting_for == 5
    assert states["main"].wait is None
    hub.killall([fetcher, reader, sleeper])
    hub.kill(raw)
    hub.sleep(0)
    left.close()
    right.close()


def test_dump_on_signal() -> None:
    out = io.StringIO()
    handler = debug.dump_on_signal(file=out)
    waiting = hub.spawn(hub.event.Event().wait)
    os.kill(os.getpid(), signal.SIGUSR1)
    with hub.Timeout(60):
        while not out.getvalue():
            hub.sleep(0.001)
    handler.cancel()
    assert "Event.wait" in out.getvalue()
    waiting.kill()


def test_statistics(clock: VirtualClock) -> None:
    sleeping = [hub.spawn(hub.sleep, 5) for _ in range(3)]
    hub.sleep(0)
    counted = debug.statistics()
    assert (counted.greenlets, counted.timers, counted.external) == (4, 3, 0)
    hub.killall(sleeping)
    assert debug.statistics().timers == 0


def test_a_greenlet_that_switched_away_by_itself() -> None:
    import greenlet

    partner = greenlet.greenlet(lambda: greenlet.getcurrent().parent.switch())  # type: ignore[union-attr]
    partner.switch()
    assert any(state.state == "has switched away" for state in debug.snapshot())
    partner.switch()


def spin(seen: Callable[[], bool]) -> None:
    """Block the loop until the watchdog has seen it."""
    end = time.monotonic() + 60
    while not seen():
        assert time.monotonic() < end


def test_the_watchdog_names_who_blocks_once() -> None:
    reports: list[str] = []

    def of_spin() -> list[str]:
        return [report for report in reports if "in spin" in report]

    def block() -> None:
        spin(lambda: bool(of_spin()))
        time.sleep(4 * watchdog.threshold)  # long enough to be reported again

    with debug.Watchdog(threshold=0.02, report=reports.append) as watchdog:
        hub.spawn(block).join()
    assert watchdog.reports == len(reports)
    assert len([report for report in reports if "in block" in report]) == 1


class WatchedClock:
    """A clock that a test moves, and that counts the watchdog's readings."""

    def __init__(self) -> None:
        self.time, self.readings = 0.0, 0

    def __call__(self) -> float:
        self.readings += threading.current_thread().name == "hub-watchdog"
        return self.time


def test_the_watchdog_is_quiet_while_the_loop_sleeps() -> None:
    clock, reports = WatchedClock(), list[str]()
    with fresh_hub(Hub(Loop(clock, EpollPoller()))) as own:
        watchdog = debug.Watchdog(threshold=0.004, report=reports.append)
        watchdog.start()
        morning = own.loop.async_()

        def await_looks(count: int) -> None:
            until = clock.readings + count
            while clock.readings < until:
                time.sleep(0.001)

        def night() -> None:
            while not own.loop.asleep:
                time.sleep(0.001)
            clock.time += 3600
            await_looks(3)
            # As `wake` does: the loop itself has not noticed yet that it is awake.
            own.loop.asleep = False
            await_looks(3)
            own.loop.asleep = True
            morning.send()

        sleeping = threading.Thread(target=night)
        sleeping.start()
        own.wait(morning)
        sleeping.join()
        watchdog.stop()
        watchdog.stop()
    assert reports == []


def test_the_watchdog_prints_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    with debug.Watchdog(threshold=0.02) as watchdog:
        spin(lambda: watchdog.reports > 0)
    assert "has not polled" in capsys.readouterr().err
