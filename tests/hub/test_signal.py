"""Signals, and Ctrl-C while the hub sleeps."""

import os
import signal
import subprocess
import sys
import time

import pytest

import hub


def test_a_callback_in_a_greenlet_that_may_wait() -> None:
    got: list[object] = []
    done = hub.event.Event()

    def on_signal(*args: object, **kwargs: object) -> None:
        hub.sleep(0.001)
        got.append((args, kwargs))
        done.set()

    handler = hub.signal_handler(signal.SIGUSR1, on_signal, 1, key=2)
    assert "SIGUSR1" in repr(handler)
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        assert done.wait(timeout=60)
        assert got == [((1,), {"key": 2})]
    finally:
        handler.cancel()
        handler.cancel()


def test_cancel_puts_the_former_handling_back() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    outer = hub.signal_handler(signal.SIGUSR1, lambda: None)
    mine = signal.getsignal(signal.SIGUSR1)
    inner = hub.signal_handler(signal.SIGUSR1, lambda: None)
    inner.cancel()
    assert signal.getsignal(signal.SIGUSR1) == mine
    outer.cancel()
    assert signal.getsignal(signal.SIGUSR1) == before


def test_keeps_the_hub_alive_only_if_asked() -> None:
    handler = hub.signal_handler(signal.SIGUSR1, lambda: None)
    assert handler.ref is False
    assert hub.get_hub().join(timeout=60)
    handler.ref = True
    assert hub.get_hub().join(timeout=0.001) is False
    handler.cancel()


def test_not_callable() -> None:
    with pytest.raises(TypeError):
        hub.signal_handler(signal.SIGUSR1, 5)


def test_an_error_in_a_callback_reaches_the_main_greenlet(own_hub: hub.Hub) -> None:
    handler = hub.signal_handler(signal.SIGUSR1, lambda: 1 / 0)
    os.kill(os.getpid(), signal.SIGUSR1)
    with pytest.raises(ZeroDivisionError):
        hub.sleep(60)
    handler.cancel()


# All modules are loaded before: a KeyboardInterrupt while a module runs exec() on a
# string (as in namedtuple and enum) makes CPython exit as if uncaught, even if it is
# caught.
PROGRAM = """
import hub, hub.socket, hub.threadpool
try:
    print("ready", flush=True)
    {wait}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    "wait",
    [
        "hub.sleep(1000)",
        "(pair := hub.socket.socketpair())[0].recv(1)",
        "hub.threadpool.ThreadPool(1).apply(__import__('time').sleep, (1000,))",
        "[hub.spawn(hub.sleep, 1000), hub.sleep(1000)]",
        "hub.spawn(lambda: [hub.sleep(0) for _ in iter(int, 1)]).join()",
        "hub.spawn(hub.sleep, 1000).join()",
    ],
)
def test_ctrl_c_always_works(wait: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(wait=wait)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.03)  # on its way to sleep, or asleep: either must do
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        assert process.wait(timeout=60) == 0
