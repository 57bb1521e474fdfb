"""Greenlets that compute, or read without ever waiting, delay the others by little.

The time that a greenlet computes is simulated: it moves the virtual clock. One test
computes for real, beside gevent.
"""

import socket as standard
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

import hub
from hub.event import Event
from hub.loop import MAX_CALLBACKS, QUICK_TURNS, SLICE
from hub.queue import Queue
from hub.testing import VirtualClock

ENTRY = 0.005
"""How long a greenlet computes between two waits (s)."""


@pytest.fixture
def computing(
    clock: VirtualClock,
) -> Iterator[Callable[[int, Callable[[], Any]], None]]:
    """``computing(count, wait)`` starts greenlets that compute and wait in turns."""
    started: list[hub.Greenlet] = []

    def work(wait: Callable[[], object]) -> None:
        while True:
            clock.time += ENTRY
            wait()

    def start(count: int, wait: Callable[[], object]) -> None:
        started.extend(hub.spawn(work, wait) for _ in range(count))

    yield start
    hub.killall(started)


def _sleep(clock: VirtualClock) -> float:
    hub.sleep(0.01)
    return clock.time


def _wait_with_a_limit(clock: VirtualClock) -> float:
    Event().wait(0.01)
    return clock.time


def _wait_within_a_timeout(clock: VirtualClock) -> float:
    with hub.Timeout(0.01, False):
        Event().wait()
    return clock.time


def _spawn_later(clock: VirtualClock) -> float:
    started = hub.spawn_later(0.01, lambda: clock.time).get()
    assert isinstance(started, float)
    return started


@pytest.mark.parametrize(
    "wait", [_sleep, _wait_with_a_limit, _wait_within_a_timeout, _spawn_later]
)
@pytest.mark.parametrize("count", [1, 20, 150])
def test_a_timer_is_late_by_two_entries_at_most(
    clock: VirtualClock,
    computing: Callable[[int, Callable[[], object]], None],
    count: int,
    wait: Callable[[VirtualClock], float],
) -> None:
    computing(count, lambda: hub.sleep(0))
    late = []
    for _ in range(5):
        began = clock.time
        late.append(wait(clock) - began - 0.01)
    assert max(late) <= 2 * ENTRY + 1e-9


def test_workers_that_were_woken_together_do_not_delay_a_timer(
    clock: VirtualClock, computing: Callable[[int, Callable[[], object]], None]
) -> None:
    queue: Queue[int] = Queue()
    late: list[float] = []

    def tick() -> None:
        for _ in range(30):
            began = clock.time
            hub.sleep(0.01)
            late.append(clock.time - began - 0.01)

    computing(30, queue.get)
    ticker = hub.spawn(tick)
    for _ in range(5):
        hub.sleep(0.2)
        for number in range(30):
            queue.put(number)
    ticker.join()
    assert max(late) <= 2 * ENTRY + 1e-9


def test_a_descriptor_waits_for_two_entries_at_most(
    clock: VirtualClock, computing: Callable[[int, Callable[[], object]], None]
) -> None:
    left, right = hub.socket.socketpair()
    computing(50, lambda: hub.sleep(0))
    reading = hub.spawn(lambda: (left.recv(1), clock.time))
    hub.sleep(0.02)
    sent = clock.time
    right.sendall(b"x")
    # What epoll reports joins the end of the list: each of the 50 has its turn before.
    assert reading.get()[1] - sent <= 52 * ENTRY
    left.close()
    right.close()


def test_quick_callbacks_are_trusted_and_lose_the_trust_at_once(
    clock: VirtualClock,
) -> None:
    loop = hub.get_hub().loop
    for _ in range((QUICK_TURNS + 1) * MAX_CALLBACKS):
        hub.sleep(0)
    assert loop.part > 1
    clock.time += 4 * ENTRY
    hub.sleep(0)
    hub.sleep(0.001)
    assert loop.part == 1


def test_due_timers_that_compute_let_descriptors_in_between(
    clock: VirtualClock,
) -> None:
    left, right = hub.socket.socketpair()
    order: list[object] = []

    def compute(number: int) -> None:
        clock.time += ENTRY
        order.append(number)

    for number in range(20):
        hub.get_hub().loop.call_later(0.001, lambda number=number: compute(number))
    reading = hub.spawn(lambda: order.append(left.recv(1)))
    hub.sleep(0)
    right.sendall(b"x")
    hub.sleep(1)
    assert order.index(b"x") < 4
    assert [entry for entry in order if entry != b"x"] == list(range(20))
    reading.join()
    left.close()
    right.close()


def test_a_timeout_spares_a_wait_that_was_answered_and_ends_the_next(
    clock: VirtualClock,
) -> None:
    """The answer and the time-out come while another greenlet computes."""
    event, log = Event(), []

    def wait() -> None:
        with hub.Timeout(1, False):
            log.append(event.wait())
            event.clear()
            log.append(event.wait(timeout=100))

    waiting = hub.spawn(wait)
    hub.sleep(0)
    for _ in range(MAX_CALLBACKS):
        hub.spawn(lambda: None)
    event.set()
    clock.time += 2
    waiting.join()
    assert log == [True]
    assert clock.time == 2


def _lateness(sleep: Callable[[float], object], spawn: Callable[..., Any]) -> float:
    """How late a timer of 10 ms is beside a greenlet that computes 5 ms a turn (s)."""
    over: list[bool] = []

    def compute() -> None:
        while not over:
            end = time.thread_time() + ENTRY
            while time.thread_time() < end:
                pass
            sleep(0)

    busy = spawn(compute)
    sleep(0)
    began = time.thread_time()
    sleep(0.01)
    late = time.thread_time() - began - 0.01
    over.append(True)
    busy.join()
    return late


def test_a_timer_beside_a_computing_greenlet_is_less_late_than_with_gevent() -> None:
    gevent = pytest.importorskip("gevent")
    ours = min(_lateness(hub.sleep, hub.spawn) for _ in range(3))
    theirs = _lateness(gevent.sleep, gevent.spawn)
    assert ours <= theirs
    assert ours <= 0.03


# -- calls that need not wait ----------------------------------------------------------


CALL = 0.0001
"""How long one call and what follows it takes (s)."""


def receive(ends: "Ends") -> None:
    assert ends.left.recv(1)


def receive_into(ends: "Ends") -> None:
    assert ends.left.recv_into(bytearray(1))


def receive_message(ends: "Ends") -> None:
    assert ends.left.recvmsg(1)


def receive_datagram(ends: "Ends") -> None:
    ends.datagrams[0].send(b"x")
    assert ends.datagrams[1].recv(10) == b"x"


def send(ends: "Ends") -> None:
    assert ends.left.send(b"x")
    ends.right.recv(1)


def send_all(ends: "Ends") -> None:
    ends.left.sendall(b"x")
    ends.right.recv(1)


def accept(ends: "Ends") -> None:
    real = standard.socket()
    real.connect(ends.listener.getsockname())
    accepted, _ = ends.listener.accept()
    accepted.close()
    real.close()


def select_one(ends: "Ends") -> None:
    assert hub.select.select([ends.left.fileno()], [], [])[0]


def read_line(ends: "Ends") -> None:
    assert ends.file.read(1)


class Ends:
    """Sockets whose calls need not wait for a long time."""

    def __init__(self) -> None:
        self.left, self.right = hub.socket.socketpair()
        self.datagrams = hub.socket.socketpair(type=hub.socket.SOCK_DGRAM)
        self.listener = hub.socket.create_server(("127.0.0.1", 0), backlog=10)
        self.right.settimeout(0)
        with suppress(BlockingIOError):
            while True:
                self.right.send(bytes(65536))
        self.file = self.left.makefile("rb", buffering=0)

    def close(self) -> None:
        self.file.close()
        for each in (self.left, self.right, self.listener, *self.datagrams):
            each.close()


@pytest.mark.parametrize(
    "call",
    [
        receive,
        receive_into,
        receive_message,
        receive_datagram,
        send,
        send_all,
        accept,
        select_one,
        read_line,
    ],
)
@pytest.mark.parametrize("seconds", [CALL, 0.005])
def test_who_never_has_to_wait_gives_way(
    clock: VirtualClock, call: Callable[[Ends], None], seconds: float
) -> None:
    """After a slice of a turn, or one call that takes longer, and one more."""
    ends, late = Ends(), []

    def tick() -> None:
        while True:
            began = clock.time
            hub.sleep(0.01)
            late.append(clock.time - began - 0.01)

    ticker = hub.spawn(tick)
    hub.sleep(0)
    for _ in range(1000):
        call(ends)
        clock.time += seconds
        if len(late) > 5:
            break
    ticker.kill()
    ends.close()
    assert len(late) > 5
    assert max(late) <= 2 * max(SLICE + CALL, seconds) + 1e-9


def test_a_hundred_calls_that_take_no_time_are_enough(clock: VirtualClock) -> None:
    ends, ran = Ends(), []
    other = hub.spawn(lambda: ran.append(1))
    for _ in range(MAX_CALLBACKS + 1):
        ends.left.recv(1)
    assert ran == [1]
    other.join()
    ends.close()


def test_giving_way_loses_nothing_when_it_is_interrupted(clock: VirtualClock) -> None:
    ends = Ends()
    ends.left.recv(1000)
    received: list[bytes] = []
    ends.datagrams[0].setblocking(True)
    for number in range(150):
        ends.datagrams[0].send(b"%d" % number)

    def read() -> None:
        while True:
            received.append(ends.datagrams[1].recv(10))

    for _ in range(3):
        with hub.Timeout(0.001, False), hub.CancelScope(0.002):
            clock.time += 0.001
            read()
    assert received == [b"%d" % number for number in range(150)]
    ends.close()


def test_sockets_that_may_not_wait_never_give_way(clock: VirtualClock) -> None:
    ends = Ends()
    with hub.testing.assert_no_switch():
        for _ in range(3 * MAX_CALLBACKS):
            ends.left.recv(1)
    ends.left.settimeout(0)
    ran: list[int] = []
    other = hub.spawn(ran.append, 1)
    for _ in range(3 * MAX_CALLBACKS):
        ends.left.recv(1)
        clock.time += 0.01
    assert ran == []
    ends.left.settimeout(None)
    hub.get_hub().loop.call_soon(lambda: [ends.left.recv(1) for _ in range(300)])
    other.join()
    hub.sleep(0)
    ends.close()


def test_a_tls_reader_that_has_the_data_gives_way(clock: VirtualClock) -> None:
    ours, theirs = hub.socket.socketpair()
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    server = hub.ssl.SSLContext(hub.ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = hub.ssl.SSLContext(hub.ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    serving = hub.spawn(server.wrap_socket, theirs, server_side=True)
    sock = client.wrap_socket(ours, server_hostname="localhost")
    peer = serving.get()
    peer.sendall(bytes(60_000))
    late: list[float] = []

    def tick() -> None:
        while True:
            began = clock.time
            hub.sleep(0.01)
            late.append(clock.time - began - 0.01)

    ticker = hub.spawn(tick)
    hub.sleep(0)
    for _ in range(1000):
        assert sock.recv(1)
        clock.time += CALL
    ticker.kill()
    assert len(late) >= 8
    assert max(late) <= 2 * (SLICE + CALL) + 1e-9
    sock.close()
    peer.close()
