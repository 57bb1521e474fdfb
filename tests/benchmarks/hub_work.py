"""What the hub's benchmark measures: the same work on the hub and on gevent.

    python -m tests.benchmarks.hub_work LIBRARY [NAME ...]

prints one JSON object: for every work the CPU time of one operation in microseconds.
LIBRARY is ``hub`` or ``gevent``. ``NAME=COUNT`` does COUNT operations, for counting
system calls.

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
from ssl import PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER
from types import SimpleNamespace
from typing import Any

import trustme

Library = Any
Work = Callable[[Library, int], None]

WORKS: dict[str, tuple[Work, int]] = {}
"""Name: what to do, and how many operations one measurement has."""

ROUND = 64  # bytes in a ping
REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def library(name: str) -> Library:
    """The names that both libraries have, from one of them."""
    package = import_module(name)
    modules = {
        part: import_module(f"{name}.{part}")
        for part in [
            "event",
            "local",
            "lock",
            "pool",
            "queue",
            "select",
            "socket",
            "ssl",
        ]
    }
    names = ("spawn", "sleep", "joinall", "Timeout")
    return SimpleNamespace(
        **modules, **{each: getattr(package, each) for each in names}
    )


def work(count: int) -> Callable[[Work], Work]:
    """Add a function to WORKS."""

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


def _ping_pong(library: Library, pairs: int, count: int) -> None:
    ends = [library.socket.socketpair() for _ in range(pairs)]
    servers = [library.spawn(_echo, ours) for ours, _ in ends]
    clients = [library.spawn(_ping, theirs, count // pairs) for _, theirs in ends]
    library.joinall(clients + servers)


@work(20_000)
def ping_pong_1(library: Library, count: int) -> None:
    """Round trips of 64 bytes over one socketpair."""
    _ping_pong(library, 1, count)


@work(20_000)
def ping_pong_500(library: Library, count: int) -> None:
    """The same over 500 socketpairs at once."""
    _ping_pong(library, 500, count)


@work(200_000)
def sleep_0(library: Library, count: int) -> None:
    """sleep(0) in each of 100 greenlets."""

    def turns() -> None:
        sleep = library.sleep
        for _ in range(count // 100):
            sleep(0)

    library.joinall([library.spawn(turns) for _ in range(100)])


@work(100_000)
def timeout(library: Library, count: int) -> None:
    """A time-out that never fires."""
    Timeout = library.Timeout
    for _ in range(count):
        with Timeout(10):
            pass


def _nothing() -> None:
    pass


@work(20_000)
def spawn_join(library: Library, count: int) -> None:
    """One greenlet after the other."""
    for _ in range(count):
        library.spawn(_nothing).join()


@work(20_000)
def spawn_joinall(library: Library, count: int) -> None:
    """A thousand greenlets at a time."""
    for _ in range(count // 1000):
        library.joinall([library.spawn(_nothing) for _ in range(1000)])


def _serve(listener: Any, count: int, spawn: Callable[..., Any]) -> None:
    for _ in range(count):
        spawn(_respond, listener.accept()[0])


def _respond(sock: Any) -> None:
    sock.recv(4096)
    sock.sendall(RESPONSE)
    sock.close()


@work(1500)
def connect_get(library: Library, count: int) -> None:
    """connect, accept, a GET, its response, close; both ends in this process.

    Twenty clients run at a time.
    """
    listener = library.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    server = library.spawn(_serve, listener, count // 20 * 20, library.spawn)
    _get_by_twenty(library, listener.getsockname(), count)
    server.join()
    listener.close()


def _get_by_twenty(library: Library, address: tuple[str, int], count: int) -> None:
    def client() -> None:
        for _ in range(count // 20):
            sock = library.socket.create_connection(address)
            sock.sendall(REQUEST)
            while sock.recv(4096):
                pass
            sock.close()

    library.joinall([library.spawn(client) for _ in range(20)])


@work(1500)
def get(library: Library, count: int) -> None:
    """The client's part alone; the server is the process at port HUB_WORK_SERVER."""
    _get_by_twenty(library, ("127.0.0.1", int(os.environ["HUB_WORK_SERVER"])), count)


def server() -> None:
    """The server process, on blocking sockets and threads."""
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
def queue_put_get(library: Library, count: int) -> None:
    """Items through a queue of a hundred slots, by two greenlets."""
    queue = library.queue.Queue(100)

    def produce() -> None:
        for item in range(count):
            queue.put(item)

    producer = library.spawn(produce)
    for _ in range(count):
        queue.get()
    producer.join()


@work(50_000)
def queue_hand_over(library: Library, count: int) -> None:
    """Items through two queues, there and back: a switch for each."""
    forth, back = library.queue.Queue(), library.queue.Queue()

    def answer() -> None:
        for _ in range(count):
            back.put(forth.get())

    answerer = library.spawn(answer)
    for item in range(count):
        forth.put(item)
        back.get()
    answerer.join()


@work(50_000)
def event_set(library: Library, count: int) -> None:
    """Two greenlets that wake each other by events."""
    Event = library.event.Event
    forth, back = Event(), Event()

    def answer() -> None:
        for _ in range(count):
            forth.wait()
            forth.clear()
            back.set()

    answerer = library.spawn(answer)
    for _ in range(count):
        forth.set()
        back.wait()
        back.clear()
    answerer.join()


@work(200_000)
def local_attribute(library: Library, count: int) -> None:
    """Reads of an attribute of a `local`."""
    values = library.local.local()

    def read() -> None:
        values.number = 1
        for _ in range(count):
            values.number  # noqa: B018

    library.spawn(read).get()


@work(10_000)
def result_of_greenlet(library: Library, count: int) -> None:
    """An AsyncResult that a new greenlet sets, in a Python function."""
    for _ in range(count):
        result = library.event.AsyncResult()
        library.spawn(lambda result: result.set(1), result)
        result.get()


@work(10_000)
def result_of_c_call(library: Library, count: int) -> None:
    """The same where the greenlet runs compiled code alone.

    In gevent it has no Python frame then, and Python allocates none for it.
    """
    for _ in range(count):
        result = library.event.AsyncResult()
        library.spawn(result.set, 1)
        result.get()


@work(10_000)
def pool_map(library: Library, count: int) -> None:
    """A pool of twenty maps a Python function over a hundred items at a time."""
    pool = library.pool.Pool(20)
    for _ in range(count // 100):
        pool.map(lambda item: item, range(100))


@work(20_000)
def semaphore(library: Library, count: int) -> None:
    """Ten greenlets that take turns with one permit."""
    permit = library.lock.Semaphore(1)

    def take() -> None:
        for _ in range(count // 10):
            permit.acquire()
            library.sleep(0)
            permit.release()

    library.joinall([library.spawn(take) for _ in range(10)])


@work(10_000)
def select_ready(library: Library, count: int) -> None:
    """select on a descriptor that is ready."""
    ours, theirs = library.socket.socketpair()
    theirs.send(b"x")

    def ask() -> None:
        for _ in range(count):
            library.select.select([ours], [], [], 1)

    library.spawn(ask).join()
    ours.close()
    theirs.close()


@work(5_000)
def select_wait(library: Library, count: int) -> None:
    """Round trips of a byte, each end waiting in select."""
    ours, theirs = library.socket.socketpair()

    def turns(sock: Any) -> None:
        for _ in range(count):
            library.select.select([sock], [], [])
            sock.recv(1)
            sock.send(b"x")

    ours.send(b"x")
    library.joinall([library.spawn(turns, ours), library.spawn(turns, theirs)])
    ours.close()
    theirs.close()


def _exchange(library: Library, ours: Any, theirs: Any, size: int, count: int) -> None:
    """Round trips of `ROUND` bytes, read with ``recv(size)``."""
    message = b"x" * ROUND

    def turns(sock: Any) -> None:
        for _ in range(count):
            sock.recv(size)
            sock.sendall(message)

    ours.sendall(message)
    library.joinall([library.spawn(turns, ours), library.spawn(turns, theirs)])
    ours.close()
    theirs.close()


@work(10_000)
def read_short(library: Library, count: int) -> None:
    """Round trips with a read of more than comes: it shows that no more is left."""
    _exchange(library, *library.socket.socketpair(), 4096, count)


@work(10_000)
def read_exact(library: Library, count: int) -> None:
    """Round trips with a read of just as much: the next one must try in vain."""
    _exchange(library, *library.socket.socketpair(), ROUND, count)


@work(5_000)
def tls_ping_pong(library: Library, count: int) -> None:
    """Round trips over TLS, the handshake included."""
    authority = trustme.CA()
    accepting = library.ssl.SSLContext(PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(accepting)
    connecting = library.ssl.SSLContext(PROTOCOL_TLS_CLIENT)
    authority.configure_trust(connecting)
    ours, theirs = library.socket.socketpair()

    def serve() -> None:
        _echo(accepting.wrap_socket(ours, server_side=True))

    def ask() -> None:
        _ping(connecting.wrap_socket(theirs, server_hostname="localhost"), count)

    library.joinall([library.spawn(serve), library.spawn(ask)])


@work(100_000)
def sleepers(library: Library, count: int) -> None:
    """As many greenlets asleep at once."""
    library.joinall(
        [
            library.spawn(library.sleep, 1 + number % 100 / 1000)
            for number in range(count)
        ]
    )


@work(5_000)
def sockets(library: Library, count: int) -> None:
    """As many TCP connections open at once (twice as many sockets), each used once."""
    listener = library.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(512)
    address = listener.getsockname()
    gate = library.event.Event()

    def serve() -> None:
        for _ in range(count):
            library.spawn(_echo, listener.accept()[0])

    def client(number: int) -> None:
        sock = library.socket.create_connection(address)
        connected.append(number)
        if len(connected) == count:
            gate.set()
        gate.wait()
        sock.sendall(b"x")
        sock.recv(1)
        sock.close()

    connected: list[int] = []
    server = library.spawn(serve)
    library.joinall([library.spawn(client, number) for number in range(count)])
    server.join()
    listener.close()


def measure(name: str, chosen: Library, count: int | None = None) -> float:
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
    chosen = library(arguments[0])
    results = {}
    for argument in arguments[1:] or WORKS:
        name, _, count = argument.partition("=")
        results[name] = measure(name, chosen, int(count) if count else None)
    results["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
