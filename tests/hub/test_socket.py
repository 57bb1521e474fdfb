"""Cooperative sockets with plain ones on threads, and with each other."""

import errno
import gc
import io
import math
import os
import pickle
import socket as plain
import struct
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import hub
from hub import socket

HOST = "127.0.0.1"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    yield left, right
    left.close()
    right.close()


@pytest.fixture
def tcp() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a TCP connection, both ours."""
    with socket.create_server((HOST, 0)) as server:
        accepting = hub.spawn(server.accept)
        client = socket.create_connection(server.getsockname())
        peer, address = accepting.get()
        assert address == client.getsockname()
    yield client, peer
    client.close()
    peer.close()


@pytest.fixture
def plain_server() -> Iterator[
    Callable[[Callable[[plain.socket], object]], tuple[str, int]]
]:
    """Starts a thread that handles one connection with blocking sockets."""
    threads = []
    server = plain.create_server((HOST, 0))

    def start(handle: Callable[[plain.socket], object]) -> tuple[str, int]:
        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                handle(connection)

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        address: tuple[str, int] = server.getsockname()
        return address

    yield start
    for thread in threads:
        thread.join(timeout=60)
    server.close()


def test_recv_waits_and_others_run(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    order = []

    def read() -> None:
        order.append(left.recv(100))

    reading = hub.spawn(read)
    hub.sleep(0)
    order.append("others ran")
    right.sendall(b"data")
    reading.join()
    assert order == ["others ran", b"data"]


def test_echo_with_a_plain_server(plain_server: Callable[..., tuple[str, int]]) -> None:
    def echo(connection: plain.socket) -> None:
        while data := connection.recv(10_000):
            connection.sendall(data)

    sent = os.urandom(3_000_000)
    with socket.create_connection(plain_server(echo)) as client:

        def send() -> None:
            client.sendall(memoryview(sent))
            client.shutdown(plain.SHUT_WR)

        sending = hub.spawn(send)
        received = bytearray()
        while data := client.recv(65536):
            received += data
        sending.get()
    assert received == sent


def test_end_of_stream_right_behind_a_short_read(
    plain_server: Callable[..., tuple[str, int]],
) -> None:
    """The peer's close comes with the data: the short read must not hide it."""
    for pause in (0, 0.01):

        def close_at_once(connection: plain.socket, pause: float = pause) -> None:
            connection.sendall(b"bye")
            time.sleep(pause)

        with (
            socket.create_connection(plain_server(close_at_once)) as client,
            hub.Timeout(60),
        ):
            assert client.recv(100) == b"bye"
            assert client.recv(100) == b""
            assert client.recv(100) == b""


@pytest.mark.parametrize("length", [1, 7, 100])
def test_any_read_size_gets_every_byte(
    pair: tuple[socket.socket, socket.socket], length: int
) -> None:
    left, right = pair
    data = bytes(range(256)) * 2

    def send() -> None:
        for start in range(0, len(data), 50):
            right.sendall(data[start : start + 50])
            hub.sleep(0)
        right.close()

    sending = hub.spawn(send)
    received = b""
    with hub.Timeout(60):
        while piece := left.recv(length):
            received += piece
    sending.join()
    assert received == data


def test_recv_into_and_friends(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    buffer = bytearray(10)
    filling = hub.spawn(left.recv_into, buffer)
    hub.sleep(0)
    right.sendall(b"abc")
    assert filling.get() == 3
    assert buffer[:3] == b"abc"
    right.sendall(b"defgh")
    assert left.recv_into(memoryview(buffer), 2) == 2
    assert left.recv(10) == b"fgh"
    right.sendall(b"x")
    assert left.recv(1, socket.MSG_PEEK) == b"x"
    assert left.recv(5) == b"x"
    reading = hub.spawn(left.recvmsg, 10)
    hub.sleep(0)
    right.sendmsg([b"m", b"sg"])
    assert reading.get()[0] == b"msg"
    right.sendall(b"into")
    assert left.recvmsg_into([buffer])[0] == 4
    right.sendall(b"from")
    assert left.recvfrom(10)[0] == b"from"
    right.sendall(b"from")
    assert left.recvfrom_into(buffer)[0] == 4


def test_urgent_data_does_not_hide_what_comes_after(
    tcp: tuple[socket.socket, socket.socket],
) -> None:
    client, peer = tcp
    reading = hub.spawn(client.recv, 100)
    hub.sleep(0)
    peer.sendall(b"one")
    assert reading.get() == b"one"
    peer.sendall(b"two")
    peer.send(b"!", socket.MSG_OOB)
    peer.sendall(b"three")
    received = b""
    with hub.Timeout(60):
        while len(received) < 8:
            received += client.recv(100)
    assert received == b"twothree"


def test_udp() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
    ):
        one.bind((HOST, 0))
        two.bind((HOST, 0))
        reading = hub.spawn(two.recvfrom, 100)
        hub.sleep(0)
        for number in range(3):
            one.sendto(b"%d" % number, two.getsockname())
        assert reading.get() == (b"0", one.getsockname())
        assert two.recv(100) == b"1"
        assert two.recv(100) == b"2"
        two.settimeout(0.001)
        with pytest.raises(TimeoutError):
            two.recv(100)


# -- time-outs -------------------------------------------------------------------------


def test_own_timeout(pair: tuple[socket.socket, socket.socket]) -> None:
    left, _ = pair
    left.settimeout(0.01)
    assert left.gettimeout() == left.timeout == 0.01
    for call in (lambda: left.recv(1), lambda: left.recv_into(bytearray(1))):
        with pytest.raises(TimeoutError, match="timed out"):
            call()
    with pytest.raises(ValueError, match="-1"):
        left.settimeout(-1)


def test_own_timeout_and_timeout_block_are_two_things(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    left, _ = pair
    left.settimeout(0.005)
    with pytest.raises(TimeoutError), hub.Timeout(60):
        left.recv(1)
    left.settimeout(60)
    with pytest.raises(hub.Timeout), hub.Timeout(0.005):
        left.recv(1)
    assert hub.spawn(left.recv, 1).join(0) is False  # the slot is free again
    left.close()
    hub.sleep(0)


def test_sendall_timeout_covers_the_whole_call(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    left, right = pair
    left.settimeout(0.05)

    def drain_slowly() -> None:
        while True:
            right.recv(1000)
            hub.sleep(0.01)

    draining = hub.spawn(drain_slowly)
    with pytest.raises(TimeoutError):
        left.sendall(bytes(10_000_000))
    draining.kill()


def test_non_blocking(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    left.setblocking(False)
    assert not left.getblocking()
    assert left.gettimeout() == 0.0
    with pytest.raises(BlockingIOError):
        left.recv(1)
    right.sendall(b"now")
    assert left.recv(10) == b"now"
    with pytest.raises(BlockingIOError):
        left.sendall(bytes(10_000_000))
    left.setblocking(True)
    assert left.getblocking()


def test_default_timeout() -> None:
    plain.setdefaulttimeout(3)
    try:
        with socket.socket() as sock:
            assert sock.gettimeout() == 3
    finally:
        plain.setdefaulttimeout(None)


# -- closing ---------------------------------------------------------------------------


def test_close_wakes_who_reads_with_ebadf(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    left, _ = pair
    reading = hub.spawn(left.recv, 1)
    hub.sleep(0)
    left.close()
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        reading.get()
    assert caught.value.errno == errno.EBADF
    with pytest.raises(OSError, match="Bad file descriptor"):
        left.recv(1)
    assert left.fileno() == -1
    left.close()


def test_close_wakes_who_writes(pair: tuple[socket.socket, socket.socket]) -> None:
    left, _ = pair
    writing = hub.spawn(left.sendall, bytes(10_000_000))
    hub.sleep(0)
    left.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        writing.get()


def test_a_reused_descriptor_never_reaches_the_old_waiter() -> None:
    left, right = socket.socketpair()
    number = left.fileno()
    reading = hub.spawn(left.recv, 100)
    hub.sleep(0)
    left.close()
    fresh = [socket.socketpair() for _ in range(3)]
    reused = [end for two in fresh for end in two if end.fileno() == number]
    assert reused
    other = next(two[1 - two.index(reused[0])] for two in fresh if reused[0] in two)
    other.sendall(b"for the new one")
    with pytest.raises(OSError, match="Bad file"):
        reading.get()
    assert reused[0].recv(100) == b"for the new one"
    for end in (right, *(end for two in fresh for end in two)):
        end.close()


def test_data_and_close_in_one_turn(pair: tuple[socket.socket, socket.socket]) -> None:
    """Woken by data, then closed before it runs: an error, and nothing hangs."""
    left, right = pair
    reading = hub.spawn(left.recv, 100)
    hub.sleep(0)
    right.sendall(b"late")
    hub.get_hub().loop.poller.poll(0, hub.get_hub().loop.call_soon)
    left.close()
    with pytest.raises(OSError, match="Bad file"):
        reading.get()


def test_two_readers_are_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    reading = hub.spawn(left.recv, 1)
    hub.sleep(0)
    with pytest.raises(hub.ConcurrentObjectUseError, match="already waits to read"):
        left.recv(1)
    writing = hub.spawn(left.sendall, bytes(3_000_000))  # the other direction is free
    hub.sleep(0)
    assert not writing.dead
    while len(right.recv(1_000_000)) and not writing.dead:
        hub.sleep(0)
    right.sendall(b"x")
    assert reading.get() == b"x"


def test_detach_gives_the_descriptor_away(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    left, right = pair
    left.settimeout(0.001)
    with pytest.raises(TimeoutError):
        left.recv(1)
    descriptor = left.detach()
    assert left.fileno() == -1
    with plain.socket(fileno=descriptor) as given:
        given.setblocking(True)
        right.sendall(b"x")
        assert given.recv(1) == b"x"
        adopted = socket.socket(fileno=given.detach())
    right.sendall(b"y")
    assert adopted.recv(1) == b"y"
    adopted.close()


def test_dup_outlives_the_original(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    left.settimeout(5)
    duplicate = left.dup()
    assert duplicate.gettimeout() == 5
    reading = hub.spawn(left.recv, 1)
    hub.sleep(0)
    right.sendall(b"1")
    reading.join()
    left.close()
    reading = hub.spawn(duplicate.recv, 1)
    hub.sleep(0)
    right.sendall(b"2")
    assert reading.get() == b"2"
    duplicate.close()


def test_shutdown_wakes_who_reads(tcp: tuple[socket.socket, socket.socket]) -> None:
    client, _ = tcp
    reading = hub.spawn(client.recv, 1)
    hub.sleep(0)
    client.shutdown(socket.SHUT_RDWR)
    assert reading.get() == b""


def test_nothing_keeps_a_forgotten_socket() -> None:
    left, right = socket.socketpair()
    reading = hub.spawn(left.recv, 1)
    hub.sleep(0)
    right.sendall(b"x")
    reading.join()
    gone = weakref.ref(left)
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            del left, reading
            hub.sleep(0)
            assert gone() is None
    finally:
        gc.enable()
    right.close()


# -- connecting ------------------------------------------------------------------------


def test_refused() -> None:
    with plain.socket() as bound:  # not listening, so no other process gets its port
        bound.bind((HOST, 0))
        address = bound.getsockname()
        with socket.socket() as sock, pytest.raises(ConnectionRefusedError):
            sock.connect(address)
        with socket.socket() as sock:
            assert sock.connect_ex(address) == errno.ECONNREFUSED
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        with pytest.raises(ExceptionGroup):
            socket.create_connection(address, all_errors=True)


@pytest.fixture
def deaf() -> Iterator[tuple[str, int]]:
    """The address of a server whose queue is full: connecting to it takes for ever."""
    with plain.socket() as server:
        server.bind((HOST, 0))
        server.listen(0)
        fillers = []
        for _ in range(4):
            filler = plain.socket()
            filler.setblocking(False)
            filler.connect_ex(server.getsockname())
            fillers.append(filler)
        yield server.getsockname()
        for filler in fillers:
            filler.close()


def test_connect_timeout(deaf: tuple[str, int]) -> None:
    with pytest.raises(TimeoutError):
        socket.create_connection(deaf, timeout=0.02)
    with socket.socket() as sock, pytest.raises(hub.Timeout), hub.Timeout(0.02):
        sock.connect(deaf)
    with socket.socket() as sock:
        sock.settimeout(0.02)
        assert sock.connect_ex(deaf) == errno.EAGAIN


def test_close_while_connecting(deaf: tuple[str, int]) -> None:
    sock = socket.socket()
    connecting = hub.spawn(sock.connect, deaf)
    hub.sleep(0)
    sock.close()
    with pytest.raises(OSError, match="Bad file"):
        connecting.get()


def test_reset(tcp: tuple[socket.socket, socket.socket]) -> None:
    client, peer = tcp
    reading = hub.spawn(client.recv, 1)
    hub.sleep(0)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    with pytest.raises(ConnectionResetError):
        reading.get()


def test_connect_by_name_and_dual_stack() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]
        accepting = hub.spawn(server.accept)
        with socket.create_connection(("localhost", port), timeout=60) as client:
            assert client.getpeername()[1] == port
            accepting.get()[0].close()
    if socket.has_dualstack_ipv6():
        with socket.create_server(
            ("::", 0), family=socket.AF_INET6, dualstack_ipv6=True
        ) as server:
            port = server.getsockname()[1]
            for host in ("127.0.0.1", "::1"):
                accepting = hub.spawn(server.accept)
                with socket.create_connection((host, port), source_address=None):
                    accepting.get()[0].close()


def test_unix_sockets(tmp_path: Path) -> None:
    with (
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX) as client,
    ):
        server.bind(str(tmp_path / "s"))
        server.listen()
        accepting = hub.spawn(server.accept)
        client.connect(str(tmp_path / "s"))
        peer, _ = accepting.get()
        peer.sendall(b"x")
        assert client.recv(1) == b"x"
        peer.close()


def test_many_connections_at_once() -> None:
    def handle(connection: socket.socket) -> None:
        with connection:
            connection.sendall(connection.recv(100).upper())

    def serve() -> None:
        while True:
            hub.spawn(handle, server.accept()[0])

    def ask(number: int) -> bool:
        with socket.create_connection(server.getsockname()) as client:
            client.sendall(b"q%d" % number)
            return client.recv(100) == b"Q%d" % number

    with socket.create_server((HOST, 0), backlog=500) as server:
        serving = hub.spawn(serve)
        with hub.Timeout(60):
            assert all(hub.pool.Pool(100).map(ask, range(500)))
        serving.kill()


# -- files -----------------------------------------------------------------------------


def test_makefile(pair: tuple[socket.socket, socket.socket]) -> None:
    left, right = pair
    with right.makefile("w", encoding="utf-8") as writer, left.makefile("rb") as reader:
        reading = hub.spawn(reader.readline)
        hub.sleep(0)
        writer.write("grüße\n")
        writer.flush()
        assert reading.get() == "grüße\n".encode()
        assert writer.mode == "w"
        assert not reader.writable()
        assert reader.fileno() == left.fileno()
    with right.makefile("rwb", buffering=0) as raw:
        assert raw.readable()
        assert raw.writable()
        assert not raw.seekable()
        raw.write(b"raw")
        assert raw.name == right.fileno()
    assert raw.name == -1
    assert left.recv(10) == b"raw"
    with pytest.raises(ValueError, match="invalid mode"):
        left.makefile("x")
    with pytest.raises(ValueError, match="unbuffered"):
        left.makefile("r", buffering=0)


def test_the_socket_closes_with_its_last_file() -> None:
    left, right = socket.socketpair()
    reader = left.makefile("rb")
    left.close()
    right.sendall(b"x")
    assert reader.read(1) == b"x"
    reader.close()
    assert left.fileno() == -1
    with pytest.raises(BrokenPipeError):
        right.sendall(b"x")
    right.close()


def test_a_file_is_no_use_after_a_timeout(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    left, right = pair
    left.settimeout(0.001)
    with left.makefile("rb") as reader:
        with pytest.raises(TimeoutError):
            reader.read(1)
        right.sendall(b"x")
        with pytest.raises(OSError, match="timed out object"):
            reader.read(1)


def test_a_file_on_a_non_blocking_socket(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    left, _ = pair
    left.setblocking(False)
    with left.makefile("rb", buffering=0) as reader:
        assert reader.read(1) is None


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize(
    ("offset", "count"), [(0, None), (5, None), (0, 100_000), (7, 3)]
)
def test_sendfile(
    pair: tuple[socket.socket, socket.socket],
    real: bool,
    offset: int,
    count: int | None,
) -> None:
    left, right = pair
    data = os.urandom(300_000)
    expected = data[offset:] if count is None else data[offset : offset + count]
    if real:
        file = tempfile.TemporaryFile()  # noqa: SIM115
        file.write(data)
        file.flush()
    else:
        file = io.BytesIO(data)  # type: ignore[assignment]
    with file:
        sending = hub.spawn(left.sendfile, file, offset, count)
        received = bytearray()
        while len(received) < len(expected):
            received += right.recv(65536)
        assert sending.get() == len(expected)
        assert received == expected
        assert file.tell() == offset + len(expected)


# -- other descriptors -----------------------------------------------------------------


def test_wait_read_on_any_descriptor() -> None:
    read, write = os.pipe()
    try:
        waiting = hub.spawn(socket.wait_read, read)
        hub.sleep(0)
        assert not waiting.dead
        os.write(write, b"x")
        waiting.get()
        for _ in range(3):  # unread, so it is still readable
            socket.wait_read(read, timeout=60)
        socket.wait_write(write)
        os.read(read, 1)
        with pytest.raises(TimeoutError):
            socket.wait_read(read, timeout=0.001)
        with pytest.raises(KeyError):
            socket.wait_read(read, timeout=0.001, timeout_exc=KeyError("mine"))
    finally:
        os.close(read)
        os.close(write)


def test_wait_read_on_one_of_our_sockets(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    left, right = pair
    right.sendall(b"x")
    left.settimeout(0.001)
    left.recv(1)
    with pytest.raises(TimeoutError):
        left.recv(1)  # registered from now on
    right.sendall(b"y")
    for _ in range(3):
        socket.wait_read(left.fileno(), timeout=60)
    socket.wait_readwrite(left.fileno(), timeout=60)
    assert left.recv(1) == b"y"
    with pytest.raises(TimeoutError):
        socket.wait_read(left.fileno(), timeout=0.001)


def test_recv_beside_a_wait_for_writing(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """A socket that is first waited for by number, then used as one of ours."""
    left, right = pair
    filler = hub.spawn(socket.wait_read, left.fileno())
    hub.sleep(0)
    with pytest.raises(hub.ConcurrentObjectUseError):
        left.recv(1)
    socket.wait_write(left.fileno())
    right.sendall(b"x")
    filler.get()
    assert left.recv(1) == b"x"


def test_cancel_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    left, _ = pair
    watcher = hub.get_hub().loop.io(left.fileno(), 1)
    waiting = hub.spawn(hub.get_hub().wait_for_watcher, watcher)
    hub.sleep(0)
    socket.cancel_wait(watcher)
    with pytest.raises(OSError, match="another greenlet"):
        waiting.get()


def test_the_standard_names_are_there() -> None:
    assert socket.AF_INET is plain.AF_INET
    assert socket.error is OSError
    assert socket.timeout is TimeoutError
    assert set(plain.__all__) <= set(dir(socket))
    with pytest.raises(AttributeError):
        socket.no_such_thing  # noqa: B018
    namespace: dict[str, object] = {}
    exec("from hub.socket import *", namespace)
    assert namespace["socket"] is socket.socket
    assert namespace["SOCK_STREAM"] is plain.SOCK_STREAM


def test_a_socket_moves_to_another_thread() -> None:
    """One hub a thread: a socket used in a second one registers there."""
    left, right = socket.socketpair()
    left.settimeout(0.001)
    with pytest.raises(TimeoutError):
        left.recv(1)
    left.settimeout(60)
    got = []
    thread = threading.Thread(
        target=lambda: [got.append(left.recv(1)), hub.get_hub().destroy()]
    )
    thread.start()
    right.sendall(b"x")
    thread.join(timeout=60)
    assert got == [b"x"]
    left.close()
    right.close()


def test_it_cannot_be_pickled(pair: tuple[socket.socket, socket.socket]) -> None:
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(pair[0])


class _Index:
    def __index__(self) -> int:
        return 3


@pytest.mark.parametrize(
    "value",
    ["1", b"1", [], 1, True, 1.5, _Index(), Decimal(1), Fraction(1, 2), math.nan,
     math.inf, -math.inf, -1, -0.0, -1e-12, 1e10, 10**20, 9223372036.0, None, 1j],
)  # fmt: skip
def test_settimeout_takes_and_refuses_what_the_standard_library_does(
    value: Any,
) -> None:
    def outcome(sock: Any) -> object:
        try:
            sock.settimeout(value)
        except Exception as error:
            return type(error)
        return sock.gettimeout()

    with plain.socket() as theirs, socket.socket() as ours:
        assert outcome(ours) == outcome(theirs)
        assert type(ours.gettimeout()) is type(theirs.gettimeout())


def test_a_refused_timeout_changes_nothing() -> None:
    with socket.socket() as sock:
        sock.settimeout(3)
        with pytest.raises(TypeError, match="'str' object cannot be interpreted"):
            sock.settimeout("1")
        assert sock.gettimeout() == 3.0


def test_a_timeout_of_the_wrong_type_ends_create_connection_at_once() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(TypeError, match="'str' object"),
    ):
        socket.create_connection(server.getsockname(), timeout="1")  # type: ignore[arg-type]


def test_send_with_a_time_out_of_its_own(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    left, _ = pair

    def fill() -> None:
        while left.send(bytes(1_000_000), timeout=0.001):
            pass

    left.settimeout(1000)
    with pytest.raises(TimeoutError):
        fill()
    left.settimeout(0.001)
    with pytest.raises(hub.Timeout), hub.Timeout(0.01):
        left.send(b"x", timeout=None)


def test_the_time_out_of_wait_covers_the_start_of_the_watcher() -> None:
    class Slow:
        callback = None

        def start(self, *args: object) -> None:
            hub.sleep(1000)

        def stop(self) -> None:
            pass

    with pytest.raises(TimeoutError, match="timed out"):
        socket.wait(Slow(), timeout=0.001)
    with pytest.raises(KeyError):
        socket.wait(Slow(), 0.001, KeyError("mine"))
