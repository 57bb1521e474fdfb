"""What the hub's benchmark measures: the same work on the hub and on gevent, in one
process each.

    python -m tests.benchmarks.hub_work SIDE [NAME ...]

prints one JSON object: for every work the CPU time of one operation in microseconds.
SIDE is ``hub`` or ``gevent``. ``NAME=COUNT`` does COUNT operations, for counting system
calls.

    python -m tests.benchmarks.hub_work server

is the server of `get`: it prints its port and answers until its standard input ends.
"""

import json
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

Side = Any
Work = Callable[[Side, int], None]

WORKS: dict[str, tuple[Work, int]] = {}
"""Name: what to do, and how many operations one measurement has."""

ROUND = 64  # bytes in a ping
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def side(name: str) -> Side:
    """The names that both have, from one of them."""
    package = import_module(name)
    modules = {
        part: import_module(f"{name}.{part}") for part in ("event", "queue", "socket")
    }
    names = ("spawn", "sleep", "joinall", "Timeout")
    return SimpleNamespace(
        **modules, **{each: getattr(package, each) for each in names}
    )


def work(count: int) -> Callable[[Work], Work]:
    """Enter a function into WORKS."""

    def enter(function: Work) -> Work:
        WORKS[function.__name__] = (function, count)
        return function

    return enter


def _echo(sock: Any) -> None:
    while data := sock.recv(4096):
        sock.sendall(data)
    sock.close()


def _ping(sock: Any, times: int) -> None:
    message = b"x" * ROUND
    for _ in range(times):
        sock.sendall(message)
        sock.recv(4096)
    sock.close()


def _ping_pong(side: Side, pairs: int, count: int) -> None:
    ends = [side.socket.socketpair() for _ in range(pairs)]
    servers = [side.spawn(_echo, ours) for ours, _ in ends]
    clients = [side.spawn(_ping, theirs, count // pairs) for _, theirs in ends]
    side.joinall(clients + servers)


@work(20_000)
def ping_pong_1(side: Side, count: int) -> None:
    """Round trips of 64 bytes over one socketpair."""
    _ping_pong(side, 1, count)


@work(20_000)
def ping_pong_500(side: Side, count: int) -> None:
    """The same over 500 socketpairs at once."""
    _ping_pong(side, 500, count)


@work(200_000)
def sleep_0(side: Side, count: int) -> None:
    """sleep(0) in each of 100 greenlets."""

    def turns() -> None:
        sleep = side.sleep
        for _ in range(count // 100):
            sleep(0)

    side.joinall([side.spawn(turns) for _ in range(100)])


@work(100_000)
def timeout(side: Side, count: int) -> None:
    """A time-out that never fires."""
    Timeout = side.Timeout
    for _ in range(count):
        with Timeout(10):
            pass


def _nothing() -> None:
    pass


@work(20_000)
def spawn_join(side: Side, count: int) -> None:
    """One greenlet after the other."""
    for _ in range(count):
        side.spawn(_nothing).join()


@work(20_000)
def spawn_joinall(side: Side, count: int) -> None:
    """A thousand greenlets at a time."""
    for _ in range(count // 1000):
        side.joinall([side.spawn(_nothing) for _ in range(1000)])


def _serve(listener: Any, count: int, spawn: Callable[..., Any]) -> None:
    for _ in range(count):
        spawn(_respond, listener.accept()[0])


def _respond(sock: Any) -> None:
    sock.recv(4096)
    sock.sendall(RESPONSE)
    sock.close()


@work(1500)
def connect_get(side: Side, count: int) -> None:
    """connect, accept, a GET, its response, close; 20 at a time. Both ends in this
    process."""
    listener = side.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    server = side.spawn(_serve, listener, count // 20 * 20, side.spawn)
    _get_by_twenty(side, listener.getsockname(), count)
    server.join()
    listener.close()


def _get_by_twenty(side: Side, address: tuple[str, int], count: int) -> None:
    def client() -> None:
        for _ in range(count // 20):
            sock = side.socket.create_connection(address)
            sock.sendall(REQUEST)
            while sock.recv(4096):
                pass
            sock.close()

    side.joinall([side.spawn(client) for _ in range(20)])


@work(1500)
def get(side: Side, count: int) -> None:
    """The client's part alone: the server is another process, its port in
    HUB_WORK_SERVER."""
    _get_by_twenty(side, ("127.0.0.1", int(os.environ["HUB_WORK_SERVER"])), count)


def server() -> None:
    """The other process, on blocking sockets and threads."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    print(listener.getsockname()[1], flush=True)

    def accept() -> None:
        while True:
            threading.Thread(
                target=_respond, args=[listener.accept()[0]], daemon=True
            ).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


@work(100_000)
def queue_put_get(side: Side, count: int) -> None:
    """Items through a queue of a hundred places, by two greenlets."""
    queue = side.queue.Queue(100)

    def produce() -> None:
        for item in range(count):
            queue.put(item)

    producer = side.spawn(produce)
    for _ in range(count):
        queue.get()
    producer.join()


@work(50_000)
def queue_hand_over(side: Side, count: int) -> None:
    """Items through two queues, forth and back: a switch for each."""
    forth, back = side.queue.Queue(), side.queue.Queue()

    def answer() -> None:
        for _ in range(count):
            back.put(forth.get())

    answerer = side.spawn(answer)
    for item in range(count):
        forth.put(item)
        back.get()
    answerer.join()


@work(50_000)
def event_set(side: Side, count: int) -> None:
    """Two greenlets wake each other by events."""
    Event = side.event.Event
    forth, back = Event(), Event()

    def answer() -> None:
        for _ in range(count):
            forth.wait()
            forth.clear()
            back.set()

    answerer = side.spawn(answer)
    for _ in range(count):
        forth.set()
        back.wait()
        back.clear()
    answerer.join()


@work(100_000)
def sleepers(side: Side, count: int) -> None:
    """As many greenlets asleep at once."""
    side.joinall(
        [side.spawn(side.sleep, 1 + number % 100 / 1000) for number in range(count)]
    )


@work(5_000)
def sockets(side: Side, count: int) -> None:
    """As many TCP connections open at once (so, twice as many sockets), each used
    once."""
    listener = side.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    address = listener.getsockname()
    gate = side.event.Event()

    def serve() -> None:
        for _ in range(count):
            side.spawn(_echo, listener.accept()[0])

    def client(number: int) -> None:
        sock = side.socket.create_connection(address)
        connected.append(number)
        if len(connected) == count:
            gate.set()
        gate.wait()
        sock.sendall(b"x")
        sock.recv(1)
        sock.close()

    connected: list[int] = []
    server = side.spawn(serve)
    side.joinall([side.spawn(client, number) for number in range(count)])
    server.join()
    listener.close()


def measure(name: str, chosen: Side, count: int | None = None) -> float:
    """CPU microseconds of one operation."""
    function, usual = WORKS[name]
    operations = usual if count is None else count
    start = time.process_time()
    function(chosen, operations)
    return (time.process_time() - start) / operations * 1e6


def main(arguments: list[str]) -> None:
    """See the module's docstring."""
    if arguments == ["server"]:
        server()
        return
    # One core, always the same: what moves between two finds their caches cold.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16384)), hard))
    chosen = side(arguments[0])
    results = {}
    for argument in arguments[1:] or WORKS:
        name, _, count = argument.partition("=")
        results[name] = measure(name, chosen, int(count) if count else None)
    results["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
