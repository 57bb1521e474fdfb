"""Virtual time, steady time, and the simulated network."""

import errno
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hub
from hub import socket, ssl
from hub.testing import (
    SimulatedNetwork,
    assert_no_switch,
    count_resources,
    no_leaks,
    simulated_network,
    steady_time,
    virtual_time,
)
from hub.testing.clock import MAX_STEP, SteadyClock

SERVER = "10.0.0.1"


def serve(handle: object, address: str = SERVER, port: int = 80) -> hub.Greenlet:
    """A server greenlet: ``handle(connection)`` in a greenlet for each connection."""
    listener = socket.create_server((address, port))

    def loop() -> None:
        with listener:
            while True:
                hub.spawn(run, listener.accept()[0])

    def run(connection: socket.socket) -> None:
        with connection:
            handle(connection)  # type: ignore[operator]

    return hub.spawn(loop)


def echo(connection: socket.socket) -> None:
    while data := connection.recv(10_000):
        connection.sendall(data)


# -- time ------------------------------------------------------------------------------


def test_an_hour_takes_no_time() -> None:
    began = time.monotonic()
    with virtual_time(start=100) as clock:
        woken = []
        for seconds in (3600, 60, 1800):
            hub.spawn_later(seconds, lambda: woken.append(clock.time))
        hub.get_hub().join()
        assert woken == [160, 1900, 3700]
        assert clock.jumps == 3
    assert time.monotonic() - began < 600


def test_the_former_hub_comes_back() -> None:
    before = hub.get_hub()
    with virtual_time():
        assert hub.get_hub() is not before
    assert hub.get_hub() is before


def test_a_steady_clock_leaves_out_stalls() -> None:
    moments = iter([100.0, 100.0, 100.01, 400.0, 400.0 + MAX_STEP / 2])
    clock = SteadyClock(lambda: next(moments))
    assert clock.time == 100
    readings = [clock() for _ in range(4)]
    assert readings == pytest.approx(
        [100, 100.01, 100.01 + MAX_STEP, 100.01 + MAX_STEP * 1.5]
    )


def test_a_stall_trips_no_timeout_and_silence_does() -> None:
    left, right = socket.socketpair()
    with steady_time() as clock:
        real, stalls = clock._real, 0.0
        clock._real = lambda: real() + stalls
        with left, right, hub.Timeout(20):
            reading = hub.spawn(left.recv, 1)
            hub.sleep(0)
            stalls = 3600.0
            hub.sleep(MAX_STEP / 2)
            right.sendall(b"x")
            assert reading.get() == b"x"
            with pytest.raises(hub.Timeout), hub.Timeout(3 * MAX_STEP):
                left.recv(1)


# -- the network -----------------------------------------------------------------------


def test_echo_by_name_takes_two_round_trips_and_a_look_up() -> None:
    with simulated_network() as network:
        network.host("a.example", SERVER, latency=0.1)
        network.names.latency = 0.5
        server = serve(echo)
        with socket.create_connection(("a.example", 80)) as client:
            assert client.getpeername() == (SERVER, 80)
            assert network.loop.now() == pytest.approx(0.7)
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
            assert network.loop.now() == pytest.approx(0.9)
        server.kill()


def test_bandwidth() -> None:
    with simulated_network() as network:
        network.host("a.example", SERVER, bandwidth=100_000)
        server = serve(lambda connection: connection.sendall(bytes(500_000)))
        with socket.create_connection((SERVER, 80)) as client:
            received = 0
            while data := client.recv(65536):
                received += len(data)
        assert received == 500_000
        assert network.loop.now() == pytest.approx(5, rel=0.05)
        server.kill()


def test_a_slow_reader_holds_the_sender_back() -> None:
    with simulated_network() as network:
        network.host("a.example", SERVER)
        sent = []

        def pour(connection: socket.socket) -> None:
            for _ in range(100):
                connection.sendall(bytes(10_000))
                sent.append(1)

        server = serve(pour)
        with socket.create_connection((SERVER, 80)) as client:
            hub.sleep(1)
            assert len(sent) == 6
            while len(sent) < 100:
                client.recv(10_000)
            rest = sum(map(len, iter(lambda: client.recv(65536), b"")))
            assert rest <= 65536
        server.kill()


def test_loss_delays_and_loses_nothing() -> None:
    with simulated_network(seed=1) as network:
        network.host("a.example", SERVER, latency=0.01, loss=0.3)
        server = serve(echo)
        with socket.create_connection((SERVER, 80)) as client:
            for number in range(50):
                client.sendall(b"%03d" % number)
                assert client.recv(3) == b"%03d" % number
        assert network.loop.now() > 50 * 0.02 + 1
        server.kill()


def test_resets() -> None:
    with simulated_network(seed=2) as network:
        network.host("a.example", SERVER, reset=0.2)
        server = serve(echo)
        hub.get_hub().handle_error = lambda *args: None

        def ask(client: socket.socket) -> None:
            while client.recv(1):
                client.sendall(b"x")

        with socket.create_connection((SERVER, 80)) as client:
            client.sendall(b"x")
            with pytest.raises(ConnectionError):
                ask(client)
        server.kill()


def test_refused_unreachable_and_silent() -> None:
    with simulated_network() as network:
        network.host("a.example", SERVER, latency=0.05)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((SERVER, 81))
        assert network.loop.now() == pytest.approx(0.1)
        with pytest.raises(OSError, match="No route"):
            socket.create_connection(("10.9.9.9", 80))
        network.host("dead.example", "10.0.0.2", unreachable=True)
        began = network.loop.now()
        with pytest.raises(TimeoutError):
            socket.create_connection(("dead.example", 80), timeout=3)
        assert network.loop.now() - began == pytest.approx(3)
        with socket.socket() as sock:
            assert sock.connect_ex(("10.0.0.2", 80)) == errno.ETIMEDOUT
        with pytest.raises(socket.gaierror):
            socket.create_connection(("unknown.example", 80))
        network.names.table["broken.example"] = socket.gaierror(
            socket.EAI_AGAIN, "try again"
        )
        with pytest.raises(socket.gaierror, match="try again"):
            socket.getaddrinfo("broken.example", 80)
        with pytest.raises(socket.gaierror, match="not simulated"):
            socket.gethostbyaddr(SERVER)


def test_a_partition_heals() -> None:
    with simulated_network() as network:
        network.host("a.example", SERVER)
        server = serve(echo)
        with socket.create_connection((SERVER, 80)) as client:
            network.partition(SERVER)
            client.sendall(b"one")
            client.sendall(b"two")
            client.settimeout(10)
            with pytest.raises(TimeoutError):
                client.recv(100)
            network.heal(SERVER)
            client.sendall(b"three")
            received = b""
            while len(received) < 11:
                received += client.recv(100)
            assert received == b"onetwothree"
        network.partition(SERVER)
        connecting = hub.spawn(socket.create_connection, (SERVER, 80))
        hub.sleep(5)
        assert not connecting.dead
        network.heal(SERVER)
        connecting.get().close()
        server.kill()


def test_ends_of_streams() -> None:
    with simulated_network() as network:
        network.host("a.example", SERVER, latency=0.01)

        def half(connection: socket.socket) -> None:
            assert connection.recv(100) == b"question"
            assert connection.recv(100) == b""
            connection.sendall(b"answer")

        server = serve(half)
        with socket.create_connection((SERVER, 80)) as client:
            client.sendall(b"question")
            client.shutdown(socket.SHUT_WR)
            with pytest.raises(BrokenPipeError):
                client.send(b"more")
            assert client.recv(100, socket.MSG_PEEK) == b"answer"
            assert client.recv(100) == b"answer"
            assert client.recv(100) == b""
        server.kill()


def test_closing_with_unread_data_is_a_reset() -> None:
    with simulated_network() as network:
        network.host("a.example", SERVER)
        server = serve(lambda connection: hub.sleep(1))
        with socket.create_connection((SERVER, 80)) as client:
            client.sendall(b"never read")
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        server.kill()


def test_close_wakes_who_waits() -> None:
    with simulated_network() as network:
        network.host("a.example", SERVER)
        server = serve(echo)
        client = socket.create_connection((SERVER, 80))
        reading = hub.spawn(client.recv, 1)
        hub.sleep(0)
        client.close()
        with pytest.raises(OSError, match="Bad file"):
            reading.get()
        with pytest.raises(OSError, match="Bad file"):
            client.recv(1)
        server.kill()


def test_datagrams() -> None:
    with simulated_network(seed=3) as network:
        network.host("dns.example", "10.0.0.53", latency=0.01, loss=0.3)
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("10.0.0.53", 53))

        def answer() -> None:
            while True:
                query, address = server.recvfrom(512)
                server.sendto(query.upper(), address)

        answering = hub.spawn(answer)
        answers = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(1)
            client.connect(("10.0.0.53", 53))
            for _ in range(100):
                client.send(b"query")
                try:
                    answers += client.recv(512) == b"QUERY"
                except TimeoutError:
                    continue
        assert 25 < answers < 75
        answering.kill()
        server.close()


def test_tls_runs_over_it() -> None:
    trustme = pytest.importorskip("trustme")
    ca = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("a.example").configure_cert(server_context)
    context = ssl.create_default_context()
    ca.configure_trust(context)
    with simulated_network() as network:
        network.host("a.example", SERVER, latency=0.02)

        def secure_echo(connection: socket.socket) -> None:
            with server_context.wrap_socket(connection, server_side=True) as tls:
                echo(tls)

        server = serve(secure_echo, port=443)
        plain = socket.create_connection(("a.example", 443))
        with context.wrap_socket(plain, server_hostname="a.example") as client:
            sending = hub.spawn(client.sendall, bytes(300_000))
            received = 0
            while received < 300_000:
                received += len(client.recv(65536))
            sending.get()
        server.kill()


def test_addresses_in_use_and_options() -> None:
    with simulated_network() as network:
        network.host("a.example", SERVER)
        with socket.create_server((SERVER, 80)) as server:
            assert server.getsockname() == (SERVER, 80)
            with pytest.raises(OSError, match="in use"):
                socket.create_server((SERVER, 80))
            with pytest.raises(OSError, match="not connected"):
                server.getpeername()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 5)
            assert server.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 5
        socket.create_server((SERVER, 80)).close()
        with pytest.raises(OSError, match="no real descriptors"):
            socket.socket(fileno=0)


def fetch_all(seed: int) -> list[tuple[str, str, float]]:
    """A little crawl with every fault there is; what happened, and when."""
    log: list[tuple[str, str, float]] = []
    with simulated_network(seed) as network:
        hub.get_hub().handle_error = lambda *args: None
        names = [f"host{number}.example" for number in range(20)]
        for number, name in enumerate(names):
            network.host(
                name, f"10.1.0.{number}", latency=0.01 * number, loss=0.1, reset=0.02,
                bandwidth=100_000, unreachable=number % 7 == 6,
            )  # fmt: skip
            if number % 5:
                serve(lambda c: c.sendall(c.recv(100) * 1000), f"10.1.0.{number}")

        def fetch(name: str) -> None:
            outcome = "ok"
            try:
                with hub.Timeout(4), socket.create_connection((name, 80)) as client:
                    client.sendall(b"x" * 50)
                    while client.recv(4096):
                        pass
            except (OSError, hub.Timeout) as error:
                outcome = type(error).__name__
            log.append((name, outcome, network.loop.now()))

        hub.pool.Pool(5).map(fetch, names * 3)
    return log


def test_the_same_seed_gives_the_same_run() -> None:
    first, again, other = fetch_all(7), fetch_all(7), fetch_all(8)
    assert first == again
    assert first != other
    assert {outcome for _, outcome, _ in first} >= {
        "ok",
        "ConnectionRefusedError",
        "Timeout",
    }


@settings(max_examples=40)
@given(
    st.lists(st.binary(min_size=1, max_size=30_000), max_size=8),
    st.floats(0, 0.4),
    st.floats(0, 0.5),
    st.integers(1, 20_000),
    st.integers(0, 1000),
)
def test_streams_keep_every_byte_in_order(
    pieces: list[bytes], loss: float, latency: float, size: int, seed: int
) -> None:
    with simulated_network(seed) as network:
        network.host("a.example", SERVER, latency=latency, loss=loss, bandwidth=1e6)

        def send(connection: socket.socket) -> None:
            for piece in pieces:
                connection.sendall(piece)
                hub.sleep(latency / 3)

        server = serve(send)
        with socket.create_connection((SERVER, 80)) as client:
            received = b"".join(iter(lambda: client.recv(size), b""))
        assert received == b"".join(pieces)
        server.kill()


# -- checks ----------------------------------------------------------------------------


def test_assert_no_switch() -> None:
    queue: hub.queue.Queue[int] = hub.queue.Queue()
    with assert_no_switch():
        queue.put(1)
    with pytest.raises(AssertionError, match="waited"), assert_no_switch():
        hub.sleep(0)


def test_no_leaks() -> None:
    with no_leaks():
        hub.spawn(hub.sleep, 0.001).join()
    kept = []

    def leak() -> None:
        with no_leaks():
            kept.append(hub.spawn(hub.sleep, 100))
            hub.sleep(0)

    with pytest.raises(AssertionError, match="left over"):
        leak()
    kept.pop().kill()
    with pytest.raises(AssertionError, match="left over"), no_leaks():
        kept.append(socket.socket())
    kept.pop().close()
    assert count_resources().timers == 0


def test_network_in_use_is_reported_by_type() -> None:
    with simulated_network() as network:
        assert isinstance(network, SimulatedNetwork)
        sock = socket.socket()
        assert "fd=" in repr(sock)
        sock.close()
