"""Dumps, statistics, the watchdog."""

import io
import os
import signal
import time

import pytest

import hub
from hub import debug
from hub.testing import VirtualClock


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
    hub.sleep(0.01)
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


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_the_watchdog_names_who_blocks_once() -> None:
    reports: list[str] = []
    with debug.Watchdog(threshold=0.02, report=reports.append) as watchdog:
        hub.spawn(spin, 0.12).join()
        hub.sleep(0.001)
    assert watchdog.reports == len(reports) == 1
    assert "in spin" in reports[0]


def test_the_watchdog_is_quiet_when_all_is_well() -> None:
    reports: list[str] = []
    watchdog = debug.Watchdog(threshold=0.05, report=reports.append)
    watchdog.start()
    hub.sleep(0.15)  # asleep for longer than the threshold
    watchdog.stop()
    watchdog.stop()
    assert reports == []


def test_the_watchdog_prints_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    with debug.Watchdog(threshold=0.02):
        spin(0.08)
    assert "has not polled" in capsys.readouterr().err
