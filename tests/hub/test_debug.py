"""Dumps, statistics, the watchdog."""

import io
import os
import queue
import re
import select as plain_select
import selectors
import signal
import socket as plain_socket
import ssl as plain_ssl
import subprocess
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

    def of_block() -> list[str]:
        return [report for report in reports if "in block" in report]

    def block() -> None:
        hub.sleep(0.001)  # a new turn: the one before may have been reported already
        spin(lambda: bool(of_block()))
        time.sleep(4 * watchdog.threshold)  # long enough to be reported again

    with debug.Watchdog(threshold=0.02, report=reports.append) as watchdog:
        hub.spawn(block).join()
    assert watchdog.reports == len(reports)
    assert len(of_block()) == 1
    assert "in spin" in of_block()[0]


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
        own.wait_for_watcher(morning)
        sleeping.join()
        watchdog.stop()
        watchdog.stop()
    assert reports == []


def test_the_watchdog_prints_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    with debug.Watchdog(threshold=0.02) as watchdog:
        spin(lambda: watchdog.reports > 0)
    assert "has not polled" in capsys.readouterr().err


class Client:
    """Keeps a plain socket as an attribute, as clients do."""

    def __init__(self, sock: plain_socket.socket) -> None:
        self.sock = sock

    def read(self) -> bytes:
        return self.sock.recv(1)


def blocked(call: Callable[[], object], end: Callable[[], object]) -> str:
    """The report on a call that blocks until ``end`` is called."""
    reports: list[str] = []

    def report(text: str) -> None:
        reports.append(text)
        end()

    with debug.Watchdog(threshold=0.02, report=report):
        hub.sleep(0)  # polls, so that no stall before the call is reported
        call()
    return reports[0]


def cases(sock: plain_socket.socket) -> dict[str, Callable[[], object]]:
    def by_select() -> object:
        return plain_select.select([sock], [], [])

    def by_selector() -> object:
        with selectors.DefaultSelector() as selector:
            selector.register(sock, selectors.EVENT_READ)
            return selector.select()

    def by_makefile() -> object:
        with sock.makefile("rb") as file:
            return file.read(1)

    return {
        '`self.sock.recv.1.` at .* in read; .*hub.patched."socket".': Client(sock).read,
        '`plain_select.select.*` at .*hub.patched."select".': by_select,
        "called by `selector.select..` at .* in by_selector": by_selector,
        'called by `file.read.1.` at .* in by_makefile.*"socket"': by_makefile,
    }


@pytest.mark.parametrize("number", range(4))
def test_the_watchdog_names_the_call_on_a_socket(number: int) -> None:
    left, right = plain_socket.socketpair()
    with left, right:
        text, call = list(cases(left).items())[number]
        assert re.search(text, blocked(call, lambda: right.sendall(b"x")))


def test_the_watchdog_names_what_waits_for_another_thread() -> None:
    event, items = threading.Event(), queue.Queue[int]()
    lock, simple = threading.Lock(), queue.SimpleQueue[int]()
    lock.acquire()
    found = [
        blocked(event.wait, event.set),
        blocked(lambda: items.get(), lambda: items.put(1)),
        blocked(lambda: lock.acquire(), lock.release),
        blocked(lambda: simple.get(), lambda: simple.put(1)),
    ]
    names = [re.findall(r"hub\.patched\((.*?)\)", text) for text in found]
    assert names == [['"threading"'], ['"queue"'], ['"threading"'], ['"queue"']]


def test_the_watchdog_names_sleep_and_a_child_process() -> None:
    asleep = blocked(lambda: time.sleep(0.1), lambda: None)
    assert "it is in `time.sleep(0.1)` at" in asleep
    assert 'hub.patched("time")' in asleep
    child = subprocess.Popen(["sleep", "60"])
    assert 'hub.patched("subprocess")' in blocked(child.wait, child.kill)


def test_the_watchdog_names_tls() -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    there = plain_ssl.SSLContext(plain_ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(there)
    here = plain_ssl.create_default_context()
    authority.configure_trust(here)
    left, right = plain_socket.socketpair()
    secure: list[plain_ssl.SSLSocket] = []
    accepting = threading.Thread(
        target=lambda: secure.append(there.wrap_socket(right, server_side=True))
    )
    accepting.start()
    with here.wrap_socket(left, server_hostname="localhost") as client:
        accepting.join()
        with secure[0] as server:
            text = blocked(lambda: client.recv(1), lambda: server.sendall(b"x"))
    assert 'hub.patched("socket", "ssl")' in text


def test_the_watchdog_says_what_to_do_with_code_that_computes() -> None:
    seen: list[bool] = []
    text = blocked(lambda: spin(lambda: bool(seen)), lambda: seen.append(True))
    assert "; work that computes or blocks belongs in a hub.threadpool" in text
