"""StreamServer: a listener, a greenlet for each connection, and its end."""

import errno
import resource
import socket as plain_socket
import ssl as plain_ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import hub
from hub import socket, ssl
from hub.pool import Pool
from hub.server import StreamServer
from hub.testing import virtual_time

HOST = "127.0.0.1"


def echo(connection: socket.socket, address: object) -> None:
    while data := connection.recv(4096):
        connection.sendall(data)


def ask(address: Any, data: bytes = b"hello") -> bytes:
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(data)
        return client.recv(100)


def test_it_serves_many_at_once() -> None:
    with StreamServer((HOST, 0), echo) as server:
        jobs = [hub.spawn(ask, server.address, b"%d" % n) for n in range(20)]
        assert [job.get() for job in jobs] == [b"%d" % n for n in range(20)]
        while server.statistics()["connections"]:
            hub.sleep(0.001)
        assert server.statistics() == {"connections": 0, "accepted": 20, "failed": 0}


def test_the_handler_gets_socket_and_address() -> None:
    got: list[object] = []

    def handle(connection: socket.socket, address: object) -> None:
        connection.recv(10)
        got.extend([connection.getpeername() == address, connection.fileno() > 0])

    with StreamServer((HOST, 0), handle) as server:
        assert ask(server.address) == b"", "closed when the handler returns"
    assert got == [True, True]


def test_listeners_of_every_kind(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with plain_socket.create_server((HOST, 0)) as plain:
        copy = plain.dup()
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unix.bind(path)
    unix.listen()
    for listener in (socket.create_server((HOST, 0)), copy, unix):
        with StreamServer(listener, echo) as server:
            family = getattr(server, "family", listener.family)
            with socket.socket(family, socket.SOCK_STREAM) as client:
                client.connect(server.address)
                client.sendall(b"x")
                assert client.recv(1) == b"x"
    with StreamServer(("::1", 0), echo) as server:
        assert ask(server.address[:2]) == b"hello"


def test_a_failing_handler_is_reported_and_ends_its_connection_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def handle(connection: socket.socket, address: object) -> None:
        if connection.recv(10) == b"bad":
            raise KeyError("in the handler")
        connection.sendall(b"fine")

    with StreamServer((HOST, 0), handle) as server:
        assert ask(server.address, b"bad") == b""
        assert ask(server.address, b"good") == b"fine"
        assert server.statistics()["failed"] == 1
    assert "KeyError: 'in the handler'" in capsys.readouterr().err


def test_a_peer_that_goes_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A reset is what a server on the internet sees all the time."""

    def handle(connection: socket.socket, address: object) -> None:
        while True:
            connection.recv(10)
            connection.sendall(b"x" * 100_000)

    with StreamServer((HOST, 0), handle) as server:
        client = socket.create_connection(server.address)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(b"x")
        client.close()
        with hub.Timeout(60):
            while not server.statistics()["failed"]:
                hub.sleep(0.001)
    assert capsys.readouterr().err == ""


class Listener:
    """A listener whose `accept` fails as told, and then works."""

    def __init__(self, real: socket.socket, errors: list[int]) -> None:
        self._real = real
        self.errors = errors
        self.calls: list[float] = []

    def accept(self) -> Any:
        self.calls.append(hub.get_hub().loop.now())
        if self.errors:
            number = self.errors.pop(0)
            raise OSError(number, errno.errorcode[number])
        return self._real.accept()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.mark.parametrize(
    "number",
    [errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN, errno.EHOSTUNREACH],
)
def test_an_error_of_one_connection_is_passed_over_at_once(number: int) -> None:
    listener = Listener(socket.create_server((HOST, 0)), [number] * 3)
    with StreamServer(listener, echo) as server:
        assert ask(server.address) == b"hello"
    assert listener.calls[3] - listener.calls[0] < 0.5


@pytest.mark.parametrize(
    "number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM]
)
def test_without_resources_it_waits_longer_each_time(number: int) -> None:
    with virtual_time():
        real = socket.create_server((HOST, 0))
        listener = Listener(real, [number] * 12)
        with StreamServer(listener, echo):
            hub.sleep(60)
        waits = [round(b - a, 3) for a, b in pairwise(listener.calls)]
    assert len(waits) == 12
    assert waits == [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, *[1.0] * 5]


@contextmanager
def few_descriptors() -> Iterator[None]:
    """Leave no descriptor free."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as taken:
        probe = taken.enter_context(plain_socket.socket())
        resource.setrlimit(resource.RLIMIT_NOFILE, (probe.fileno() + 1, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_survives_real_emfile() -> None:
    with StreamServer((HOST, 0), echo) as server:
        client = socket.socket()
        client.settimeout(60)
        with few_descriptors():
            client.connect(server.address)
            client.sendall(b"hello")
            hub.sleep(0.05)
            assert server.statistics()["accepted"] == 0
            assert server.started
        with client:
            assert client.recv(100) == b"hello"


def test_a_broken_listener_ends_it() -> None:
    listener = Listener(socket.create_server((HOST, 0)), [errno.EBADF])
    server = StreamServer(listener, echo)
    with pytest.raises(OSError, match="EBADF"):
        server.serve_forever()
    assert not server.started


def test_a_pool_bounds_the_connections() -> None:
    """A connection above the bound waits in the kernel's queue."""
    at_once, most = [0], [0]

    def handle(connection: socket.socket, address: object) -> None:
        connection.recv(10)
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        hub.sleep(0.005)
        at_once[0] -= 1

    for spawn in (3, Pool(3)):
        with StreamServer((HOST, 0), handle, spawn=spawn) as server:
            jobs = [hub.spawn(ask, server.address) for _ in range(10)]
            assert [job.get() for job in jobs] == [b""] * 10
        assert most == [3]
    with pytest.raises(ValueError, match="0"):
        StreamServer((HOST, 0), handle, spawn=0)


def test_stop_lets_connections_end() -> None:
    server = StreamServer((HOST, 0), echo)
    server.start()
    client = socket.create_connection(server.address)
    client.sendall(b"a")
    assert client.recv(1) == b"a"
    stopping = hub.spawn(server.stop, 60)
    hub.sleep(0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(server.address)
    client.sendall(b"b")
    assert client.recv(1) == b"b", "within the grace"
    assert not stopping.dead
    client.close()
    stopping.get(timeout=60)
    server.stop()
    assert server.closed


def test_stop_ends_connections_after_the_grace() -> None:
    ended: list[str] = []

    def handle(connection: socket.socket, address: object) -> None:
        try:
            connection.recv(1)
        finally:
            ended.append("ended")

    server = StreamServer((HOST, 0), handle)
    server.start()
    with socket.create_connection(server.address) as client:
        while not server.statistics()["connections"]:
            hub.sleep(0.001)
        server.stop(0.01)
        assert ended == ["ended"]
        assert client.recv(1) == b""


def test_serve_forever_is_ended_by_stop_and_by_a_kill() -> None:
    for end in (
        lambda server, job: server.stop(),
        lambda server, job: job.kill(),
    ):
        server = StreamServer((HOST, 0), echo)
        job = hub.spawn(server.serve_forever)
        hub.sleep(0)
        assert ask(server.address) == b"hello"
        end(server, job)
        job.join(60)
        assert job.dead
        assert server.closed


def test_a_stopped_server_does_not_start_again() -> None:
    server = StreamServer((HOST, 0), echo)
    server.start()
    server.start()
    server.stop()
    with pytest.raises(RuntimeError):
        server.start()


# -- TLS -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Any:
    return pytest.importorskip("trustme").CA()


def contexts(authority: Any) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    there = ssl.SSLContext(plain_ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(there)
    here = ssl.create_default_context()
    authority.configure_trust(here)
    return there, here


def test_tls(authority: Any) -> None:
    there, here = contexts(authority)
    with StreamServer((HOST, 0), echo, ssl_context=there) as server:
        plain = socket.create_connection(server.address)
        with here.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"


def test_a_silent_peer_holds_up_no_handshake_of_another(authority: Any) -> None:
    there, here = contexts(authority)
    server = StreamServer((HOST, 0), echo, ssl_context=there, handshake_timeout=0.05)
    with server, socket.create_connection(server.address) as silent:
        plain = socket.create_connection(server.address)
        with here.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
        assert silent.recv(1) == b"", "its time was up"
        assert server.statistics()["failed"] == 1


def test_a_failed_handshake_is_no_report(
    authority: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    there, here = contexts(authority)
    with StreamServer((HOST, 0), echo, ssl_context=there) as server:
        assert not ask(server.address, b"GET / HTTP/1.1\r\n\r\n").startswith(b"GET")
        plain = socket.create_connection(server.address)
        with here.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
        assert server.statistics()["failed"] == 1
    assert capsys.readouterr().err == ""
