"""The hub and its loop: ends, errors, fairness, watchers, other threads, fork."""

import gc
import os
import select
import subprocess
import sys
import threading
import time

import pytest

import hub
from hub.hub import Hub
from hub.loop import MAX_CALLBACKS, READ, WRITE, Loop
from hub.poller import EpollPoller
from hub.testing import VirtualClock, fresh_hub


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


# -- the end ---------------------------------------------------------------------------


def test_loop_exit_lists_who_waits_for_what() -> None:
    gc.freeze()  # hides what is there from the collector: the main greenlet is known
    queue: hub.queue.Queue[int] = hub.queue.Queue()
    left, right = hub.socket.socketpair()
    stuck = [
        hub.spawn(queue.get),
        hub.spawn(hub.lock.Semaphore(0).acquire),
        hub.spawn(hub.event.AsyncResult().get),
        hub.spawn(hub.queue.Channel().put, 1),
    ]
    stuck.append(hub.spawn(stuck[0].join))
    with pytest.raises(hub.LoopExit) as caught:
        hub.event.Event().wait()
    text = str(caught.value)
    for part in (
        "main",
        "Event",
        "Queue",
        "Semaphore",
        "AsyncResult",
        "Channel",
        "test_hub.py:",
    ):
        assert part in text, text
    assert text.count("waits for") == 6
    hub.killall(stuck)
    left.close()
    right.close()


def test_the_hub_goes_on_after_loop_exit() -> None:
    for _ in range(2):
        with pytest.raises(hub.LoopExit):
            hub.event.Event().wait()
    hub.sleep(0.001)


def test_join(clock: VirtualClock) -> None:
    hub.spawn(hub.sleep, 5)
    assert hub.get_hub().join(timeout=2) is False
    assert hub.get_hub().join() is True
    assert clock.time == 5
    assert hub.get_hub().join(timeout=2) is True
    assert clock.time == 5


def test_sleep_without_ref_does_not_keep_the_hub(clock: VirtualClock) -> None:
    daemon = hub.spawn(hub.sleep, 100, ref=False)
    hub.sleep(0)
    assert hub.get_hub().join() is True
    assert clock.time == 0
    daemon.kill()


# -- errors ----------------------------------------------------------------------------


def test_an_error_in_a_callback_does_not_stop_the_loop(own_hub: Hub) -> None:
    seen: list[type[BaseException]] = []
    own_hub.handle_error = lambda context, kind, value, trace: seen.append(kind)
    loop, ran = own_hub.loop, []
    loop.run_callback(lambda: 1 / 0)
    loop.run_callback(ran.append, 1)
    loop.call_later(0, lambda: [][0])
    loop.call_later(0, lambda: ran.append(2))
    hub.sleep(0.001)
    assert seen == [ZeroDivisionError, IndexError]
    assert ran == [1, 2]


def test_system_errors_from_callbacks_reach_main(own_hub: Hub) -> None:
    own_hub.loop.run_callback(sys.exit, 7)
    with pytest.raises(SystemExit) as caught:
        hub.sleep(1)
    assert caught.value.code == 7


def test_a_callback_without_memory_reaches_main(own_hub: Hub) -> None:
    def fail() -> None:
        raise MemoryError

    own_hub.loop.run_callback(fail)
    with pytest.raises(MemoryError):
        hub.sleep(1)


def test_a_greenlet_without_memory_reaches_main_unless_that_is_handled(
    own_hub: Hub,
) -> None:
    def fail() -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        hub.spawn(fail).get()
    hub.spawn(fail)
    with pytest.raises(MemoryError):
        hub.sleep(1)


def test_the_default_report_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    hub.get_hub().loop.run_callback(lambda: 1 / 0)
    hub.sleep(0)
    assert "ZeroDivisionError" in capsys.readouterr().err


# -- fairness --------------------------------------------------------------------------


def test_sleep_zero_lets_everyone_ready_run() -> None:
    ran: list[int] = []
    for number in range(3 * MAX_CALLBACKS):
        hub.spawn(ran.append, number)
    hub.sleep(0)
    assert ran == list(range(3 * MAX_CALLBACKS))


def test_ready_work_starves_neither_descriptors_nor_timers() -> None:
    left, right = hub.socket.socketpair()
    got: list[str] = []
    spins = 0

    def spin() -> None:
        nonlocal spins
        while len(got) < 2:
            spins += 1
            hub.sleep(0)

    def read() -> None:
        left.recv(1)
        got.append("data")

    hub.spawn(read)
    hub.sleep(0)
    right.sendall(b"x")
    hub.get_hub().loop.call_later(0, lambda: got.append("timer"))
    with hub.Timeout(60):
        hub.joinall([hub.spawn(spin) for _ in range(3)])
    assert sorted(got) == ["data", "timer"]
    assert spins < 20 * MAX_CALLBACKS
    left.close()
    right.close()


def test_what_came_in_time_is_not_late_because_the_process_stood_still() -> None:
    """After a stall, answers that are there come before time-outs.

    However many greenlets wait for them.
    """
    moment = 0.0
    with fresh_hub(Hub(Loop(lambda: moment, EpollPoller()))):
        pairs = [hub.socket.socketpair() for _ in range(2 * MAX_CALLBACKS)]

        def read(sock: hub.socket.socket) -> bytes:
            with hub.Timeout(60):
                return sock.recv(1)

        reading = [hub.spawn(read, left) for left, _ in pairs]
        hub.sleep(0)
        for _, right in pairs:
            right.sendall(b"x")
        moment = 3600.0
        hub.joinall(reading)
        assert [job.value for job in reading] == [b"x"] * len(pairs)
        for pair in pairs:
            for end in pair:
                end.close()


def test_callbacks_that_add_callbacks_do_not_starve_timers(own_hub: Hub) -> None:
    fired: list[int] = []

    def again() -> None:
        if not fired:
            own_hub.loop.call_soon(again)

    again()
    own_hub.loop.call_later(0, lambda: fired.append(1))
    hub.sleep(0.001)
    assert fired == [1]


def test_idle_waits_until_no_greenlet_is_ready() -> None:
    ran: list[int] = []

    def some(number: int) -> None:
        for _ in range(number):
            hub.sleep(0)
        ran.append(number)

    for number in (3, 1, 2):
        hub.spawn(some, number)
    hub.idle()
    assert ran == [1, 2, 3]


# -- watchers --------------------------------------------------------------------------


def test_timer_watcher(clock: VirtualClock) -> None:
    loop, calls = hub.get_hub().loop, []
    with loop.timer(1, repeat=2) as timer:
        timer.start(lambda name: calls.append((name, clock.time)), "tick")
        assert timer.active
        assert timer.args == ("tick",)
        hub.sleep(6)
        timer.stop()
        hub.sleep(10)
        assert calls == [("tick", 1), ("tick", 3), ("tick", 5)]
        timer.again(calls.append, "once more")
        hub.sleep(2)
        assert calls[-1] == "once more"
    assert not timer.active
    assert timer.callback is None
    once = loop.timer(1)
    once.start(calls.append, "once")
    hub.sleep(5)
    assert not once.active
    with pytest.raises(ValueError, match="negative"):
        loop.timer(1, repeat=-1)
    with pytest.raises(TypeError):
        once.start(5)


def test_timer_ref(clock: VirtualClock) -> None:
    timer = hub.get_hub().loop.timer(5, ref=False)
    timer.start(lambda: None)
    assert hub.get_hub().join() is True
    assert clock.time == 0
    timer.ref = True
    assert hub.get_hub().join() is True
    assert clock.time == 5
    assert not timer.active


def test_io_watcher_is_called_as_long_as_it_is_ready() -> None:
    read, write = os.pipe()
    calls: list[int] = []
    watcher = hub.get_hub().loop.io(read, READ)
    watcher.start(calls.append, 1)
    hub.sleep(0.001)
    assert calls == []
    os.write(write, b"x")
    hub.sleep(0.001)
    hub.sleep(0.001)
    assert len(calls) > 1
    watcher.stop()
    before = len(calls)
    hub.sleep(0.001)
    assert len(calls) == before
    with hub.get_hub().loop.io(write, WRITE) as writable:
        hub.get_hub().wait_for_watcher(writable)
    os.close(read)
    os.close(write)
    with pytest.raises(ValueError, match="-1"):
        hub.get_hub().loop.io(-1, READ)
    with pytest.raises(ValueError, match="nothing"):
        hub.get_hub().loop.io(0, 0)


def test_io_watchers_on_one_of_our_sockets_are_called_repeatedly() -> None:
    left, right = hub.socket.socketpair()
    left.settimeout(0.001)
    with pytest.raises(TimeoutError):
        left.recv(1)
    right.sendall(b"x")
    calls: list[int] = []
    with hub.get_hub().loop.io(left.fileno(), READ) as watcher:
        watcher.start(calls.append, 1)
        for _ in range(3):
            hub.sleep(0.001)
    assert len(calls) >= 3
    assert left.recv(1) == b"x"
    left.close()
    right.close()


def test_two_watchers_of_one_direction() -> None:
    read, write = os.pipe()
    first, second = (hub.get_hub().loop.io(read, READ) for _ in range(2))
    first.start(lambda: None)
    with pytest.raises(hub.ConcurrentObjectUseError, match="already waits to read"):
        second.start(lambda: None)
    assert not second.active
    first.stop()
    second.start(lambda: None)
    second.close()
    os.close(read)
    os.close(write)


def test_a_watcher_serves_one_greenlet() -> None:
    read, write = os.pipe()
    watcher = hub.get_hub().loop.io(read, READ)
    waiting = hub.spawn(hub.get_hub().wait_for_watcher, watcher)
    hub.sleep(0)
    with pytest.raises(hub.ConcurrentObjectUseError):
        hub.get_hub().wait_for_watcher(hub.get_hub().loop.io(read, READ))
    os.write(write, b"x")
    waiting.get()
    os.close(read)
    os.close(write)


def test_closed_descriptor_is_an_error() -> None:
    read, write = os.pipe()
    os.close(read)
    os.close(write)
    with pytest.raises(OSError, match="Bad file descriptor"):
        hub.socket.wait_read(read)


def test_async_watcher() -> None:
    calls: list[int] = []
    watcher = hub.get_hub().loop.async_()
    watcher.start(calls.append, 1)
    assert hub.get_hub().join(timeout=0.001) is False, "it keeps the hub alive"
    for _ in range(3):
        watcher.send()
    hub.sleep(0.001)
    assert calls == [1]
    thread = threading.Thread(target=watcher.send_ignoring_arg, args=(None,))
    thread.start()
    thread.join()
    hub.sleep(0.001)
    assert calls == [1, 1]
    watcher.send()
    watcher.close()
    hub.sleep(0.001)
    assert calls == [1, 1]


def test_callbacks_can_be_taken_back() -> None:
    calls: list[int] = []
    callback = hub.get_hub().loop.run_callback(calls.append, 1)
    assert callback.pending
    callback.stop()
    assert not callback
    hub.sleep(0)
    assert calls == []
    hub.get_hub().loop.update_now()


def test_wait_for_any_watcher_with_timeout(clock: VirtualClock) -> None:
    timer = hub.get_hub().loop.timer(5)
    assert hub.get_hub().wait_for_watcher(timer, timeout=1) is False
    with pytest.raises(KeyError):
        hub.get_hub().wait_for_watcher(timer, timeout=1, error=KeyError())
    assert hub.get_hub().wait_for_watcher(timer) is True
    assert clock.time == 7


# -- other threads ---------------------------------------------------------------------


def test_a_callback_from_a_thread_wakes_the_hub_at_once(own_hub: Hub) -> None:
    """And not when it wakes for another reason: the next would be a minute later."""
    woken = hub.event.Event()

    def post() -> None:
        while not own_hub.loop.asleep:
            time.sleep(0.001)
        own_hub.loop.run_callback_threadsafe(woken.set)

    thread = threading.Thread(target=post)
    began = time.monotonic()
    thread.start()
    assert woken.wait(timeout=60)
    assert time.monotonic() - began < 50
    thread.join()


def test_many_posts_from_many_threads() -> None:
    """No wake-up may be lost between the loop's last look and its sleep."""
    loop, got = hub.get_hub().loop, []
    done = hub.event.Event()

    def post() -> None:
        for _ in range(200):
            loop.run_callback_threadsafe(count)
            time.sleep(0)

    def count() -> None:
        got.append(1)
        if len(got) == 800:
            done.set()

    threads = [threading.Thread(target=post) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert done.wait(timeout=60)
    for thread in threads:
        thread.join()


def test_one_hub_a_thread() -> None:
    seen: list[object] = []

    def other() -> None:
        seen.append(hub.get_hub())
        hub.sleep(0.001)
        hub.get_hub().destroy()

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(timeout=60)
    assert seen
    assert seen[0] is not hub.get_hub()


def test_a_hub_that_the_collector_is_kept_from_outlives_its_thread() -> None:
    """greenlet would free the thread's main greenlet, which the hub refers to."""
    done = run_python(
        "import gc, threading, weakref, hub\n"
        "made, go, hubs = threading.Event(), threading.Event(), []\n"
        "def other():\n"
        "    hubs.append(hub.get_hub())\n"
        "    made.set()\n"
        "    go.wait()\n"
        "thread = threading.Thread(target=other)\n"
        "thread.start()\n"
        "made.wait()\n"
        "parent = weakref.ref(hubs[0].parent)\n"
        "gc.freeze()\n"
        "go.set()\n"
        "thread.join()\n"
        "for _ in range(60):\n"  # the thread's end is noticed a little later
        "    hub.sleep(0.005)\n"
        "print(parent() is not None)"
    )
    assert (done.stdout, done.returncode) == ("True\n", 0), done.stderr


# -- fork ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        "hub.sleep(0)",
        "hub.sleep(1)",
        "hub.spawn(print)",
        "event.wait()",
        "left.recv(1)",
    ],
)
def test_a_forked_child_is_refused(use: str) -> None:
    code = f"""
import hub, os, sys
event = hub.event.Event()
left, right = hub.socket.socketpair()
left.settimeout(0.001)
try:
    left.recv(1)
except TimeoutError:
    left.settimeout(None)
child = os.fork()
if child == 0:
    try:
        {use}
    except hub.ForkError as error:
        print(error, flush=True)
        os._exit(5)
    os._exit(6)
hub.sleep(0.01)
right.sendall(b"x")
print(left.recv(1), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = run_python(code)
    assert "b'x' 5" in done.stdout, (done.stdout, done.stderr)
    assert "fork" in done.stdout


def test_subprocesses_are_fine() -> None:
    done = run_python(
        "import hub, subprocess, sys\n"
        "hub.sleep(0)\n"
        "print(subprocess.run([sys.executable, '-c', 'print(1)']).returncode)\n"
        "hub.sleep(0)\n"
    )
    assert done.stdout == "1\n0\n", done.stderr


# -- the poller ------------------------------------------------------------------------


def test_a_socket_is_registered_once() -> None:
    """At the first wait, and not before: a call that works needs no epoll."""
    calls: list[str] = []

    class Counting:
        def __init__(self, real: select.epoll) -> None:
            self._real = real

        def __getattr__(self, name: str) -> object:
            calls.append(name)
            return getattr(self._real, name)

    poller = hub.get_hub().loop.poller
    poller._epoll = Counting(poller._epoll)  # type: ignore[attr-defined]
    left, right = hub.socket.socketpair()
    right.sendall(b"x")
    left.recv(1)
    assert calls == []
    for _ in range(5):
        reading = hub.spawn(left.recv, 1)
        hub.sleep(0)
        right.sendall(b"x")
        reading.get()
    left.close()
    right.close()
    assert calls.count("register") == 1
    assert {*calls} == {"register", "poll"}


def test_ping_pong_needs_six_system_calls(own_hub: Hub) -> None:
    """Counted where they are made: 2 send, 2 recv, 2 epoll_wait a round trip."""
    left, right = hub.socket.socketpair()
    polls = 0
    real_poll = own_hub.loop.poller.poll

    class Poller:
        def __getattr__(self, name: str) -> object:
            return getattr(poller, name)

        def poll(self, *args: object) -> None:
            nonlocal polls
            polls += 1
            real_poll(*args)  # type: ignore[arg-type]

    poller = own_hub.loop.poller
    calls: list[str] = []

    class Raw:
        def __init__(self, real: object) -> None:
            self._real = real

        def __getattr__(self, name: str) -> object:
            if name in ("recv", "send"):
                calls.append(name)
            return getattr(self._real, name)

    left._sock, right._sock = Raw(left._sock), Raw(right._sock)

    def pong() -> None:
        while data := right.recv(4096):
            right.sendall(data)

    echoing = hub.spawn(pong)
    hub.sleep(0)
    left.sendall(b"warm up")
    left.recv(4096)
    own_hub.loop.poller = Poller()  # type: ignore[assignment]
    calls.clear()
    for _ in range(100):
        left.sendall(b"x" * 64)
        left.recv(4096)
    assert calls.count("send") == 200
    assert calls.count("recv") <= 202
    assert polls <= 202
    own_hub.loop.poller = poller
    left.close()
    echoing.join()
    right.close()
