"""TLS sockets of the hub with plain ones on threads, and with each other."""

import socket as plain_socket
import ssl as plain_ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest

import hub
from hub import socket, ssl
from hub.event import Event

trustme = pytest.importorskip("trustme")

HOST = "127.0.0.1"
CA = trustme.CA()
CERTIFICATE = CA.issue_cert("localhost", "other.example")


def server_context(
    kind: type[plain_ssl.SSLContext] = ssl.SSLContext,
) -> plain_ssl.SSLContext:
    context = kind(plain_ssl.PROTOCOL_TLS_SERVER)
    CERTIFICATE.configure_cert(context)
    return context


def client_context(
    kind: type[plain_ssl.SSLContext] = ssl.SSLContext,
) -> plain_ssl.SSLContext:
    context = kind(plain_ssl.PROTOCOL_TLS_CLIENT)
    CA.configure_trust(context)
    return context


def connect(
    address: tuple[str, int], context: ssl.SSLContext | None = None, **kw: object
):  # type: ignore[no-untyped-def]
    context = client_context() if context is None else context
    kw.setdefault("server_hostname", "localhost")
    return context.wrap_socket(socket.create_connection(address), **kw)


@pytest.fixture
def ours() -> Iterator[Callable[..., tuple[str, int]]]:
    """Starts a greenlet that handles connections by our own server side."""
    serving, servers = [], []

    def start(
        handle: Callable[[ssl.SSLSocket], object],
        context: plain_ssl.SSLContext | None = None,
    ) -> tuple[str, int]:
        tls = context or server_context()
        server = socket.create_server((HOST, 0))
        servers.append(server)

        def one(connection: socket.socket) -> None:
            try:
                with tls.wrap_socket(connection, server_side=True) as secure:
                    handle(secure)
            except OSError:
                return  # what the client sees is what is tested

        def serve() -> None:
            while True:
                hub.spawn(one, server.accept()[0])

        serving.append(hub.spawn(serve))
        address: tuple[str, int] = server.getsockname()
        return address

    yield start
    hub.killall(serving)
    for server in servers:
        server.close()


@pytest.fixture
def plain_server() -> Iterator[
    Callable[[Callable[[plain_ssl.SSLSocket], object]], object]
]:
    """Starts a thread that handles one TLS connection with the standard library."""
    server = plain_socket.create_server((HOST, 0))
    threads = []

    def start(handle: Callable[[plain_ssl.SSLSocket], object]) -> object:
        def serve() -> None:
            connection, _ = server.accept()
            context = server_context(plain_ssl.SSLContext)
            try:
                with context.wrap_socket(connection, server_side=True) as secure:
                    handle(secure)
            except OSError:
                return

        threads.append(threading.Thread(target=serve))
        threads[-1].start()
        return server.getsockname()

    yield start
    for thread in threads:
        thread.join(timeout=60)
    server.close()


def echo(connection: ssl.SSLSocket | plain_ssl.SSLSocket) -> None:
    while data := connection.recv(20_000):
        connection.sendall(data)


DATA = bytes(range(256)) * 8000  # 2 MB: more than all buffers on the way


def exchange(client: ssl.SSLSocket) -> None:
    sending = hub.spawn(client.sendall, DATA)
    received = bytearray()
    with hub.Timeout(60):
        while len(received) < len(DATA):
            received += client.recv(100_000)
    sending.get()
    assert received == DATA


def test_echo_both_ways_at_once(ours: Callable[..., tuple[str, int]]) -> None:
    with connect(ours(echo)) as client:
        exchange(client)


def test_echo_with_the_standard_library(
    plain_server: Callable[..., tuple[str, int]],
) -> None:
    with connect(plain_server(echo)) as client:
        exchange(client)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_versions_and_what_was_agreed_on(
    ours: Callable[..., tuple[str, int]], version: str
) -> None:
    context = client_context()
    context.maximum_version = ssl.TLSVersion[version]
    context.minimum_version = ssl.TLSVersion[version]
    server = server_context()
    server.set_alpn_protocols(["h2", "http/1.1"])
    context.set_alpn_protocols(["http/1.1"])
    with connect(ours(echo, server), context) as client:
        assert client.version() == version.replace("_", ".")
        assert client.cipher()[1].startswith("TLS")
        assert ("DNS", "localhost") in client.getpeercert()["subjectAltName"]
        assert isinstance(client.getpeercert(True), bytes)
        assert client.selected_alpn_protocol() == "http/1.1"
        assert client.compression() is None
        assert client.context is context
        assert client.server_hostname == "localhost"
        assert not client.server_side
        assert isinstance(client, socket.socket)
        with pytest.raises(AttributeError):
            client.no_such_thing  # noqa: B018
        exchange(client)


def test_verification_fails(ours: Callable[..., tuple[str, int]]) -> None:
    address = ours(echo)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(address, server_hostname="wrong.example")
    with pytest.raises(
        ssl.SSLCertVerificationError, match=r"self-signed|unable to get local"
    ):
        connect(address, ssl.create_default_context())


def test_default_context_is_the_standard_one_with_our_wrap() -> None:
    context, standard = ssl.create_default_context(), plain_ssl.create_default_context()
    assert type(context) is ssl.SSLContext
    assert context.verify_mode == standard.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    # Python 3.11.2 sets this option, which hides an end without close_notify.
    assert context.options == standard.options & ~ssl.OP_IGNORE_UNEXPECTED_EOF
    assert not ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).options & (
        ssl.OP_IGNORE_UNEXPECTED_EOF
    )
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    assert server.verify_mode == ssl.CERT_NONE


def test_handshake_timeout_and_timeout_block() -> None:
    """A server that accepts and then says nothing."""
    with plain_socket.create_server((HOST, 0)) as mute:
        plain = socket.create_connection(mute.getsockname())
        plain.settimeout(0.01)
        with pytest.raises(TimeoutError):
            client_context().wrap_socket(plain, server_hostname="localhost")
        assert plain.fileno() == -1, "the descriptor is closed, not leaked"
        with pytest.raises(hub.Timeout), hub.Timeout(0.01):
            connect(mute.getsockname())


def test_a_peer_that_breaks_off_the_handshake(plain_server: object) -> None:
    with plain_socket.create_server((HOST, 0)) as server:
        plain = socket.create_connection(server.getsockname())
        server.accept()[0].close()
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            client_context().wrap_socket(plain, server_hostname="localhost")


def test_read_timeout(ours: Callable[..., tuple[str, int]]) -> None:
    with connect(ours(echo)) as client:
        client.settimeout(0.01)
        with pytest.raises(TimeoutError):
            client.recv(10)
        client.settimeout(60)
        client.sendall(b"still fine")
        assert client.recv(100) == b"still fine"


def test_an_interrupted_send_keeps_the_stream_whole(
    ours: Callable[..., tuple[str, int]],
) -> None:
    """A Timeout ends a send inside a record.

    The rest of the stream must still decrypt.
    """
    gate = hub.event.Event()
    received = bytearray()

    def slow(connection: ssl.SSLSocket) -> None:
        gate.wait()
        while data := connection.recv(65536):
            received.extend(data)
        connection.unwrap()

    with connect(ours(slow)) as client:
        sent = 0
        with hub.Timeout(0.05, False):
            while True:
                sent += client.send(bytes(50_000))
        gate.set()
        client.sendall(b"the end")
        client.unwrap()
    hub.sleep(0.01)
    assert received.endswith(b"the end")
    assert len(received) - 7 in (sent, sent + 50_000)


def test_non_blocking(ours: Callable[..., tuple[str, int]]) -> None:
    context = client_context()
    plain = socket.create_connection(ours(echo))
    plain.setblocking(False)
    with pytest.raises(ValueError, match="non-blocking"):
        context.wrap_socket(plain.dup(), server_hostname="localhost")
    client = context.wrap_socket(
        plain, server_hostname="localhost", do_handshake_on_connect=False
    )
    waits = 0
    while True:
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            waits += 1
            socket.wait_read(client.fileno(), timeout=60)
    assert waits
    with pytest.raises(ssl.SSLWantReadError):
        client.recv(1)
    with pytest.raises(ssl.SSLWantWriteError):
        client.sendall(bytes(10_000_000))
    client.close()


def test_end_of_stream(ours: Callable[..., tuple[str, int]]) -> None:
    def polite(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"bye")
        connection.unwrap()

    def rude(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"bye")

    with connect(ours(polite)) as client:
        assert client.recv(10) == b"bye"
        assert client.recv(10) == b""
    for suppressed in (True, False):
        with connect(ours(rude), suppress_ragged_eofs=suppressed) as client:
            assert client.recv(10) == b"bye"
            if suppressed:
                assert client.recv(10) == b""
            else:
                with pytest.raises(ssl.SSLEOFError):
                    client.recv(10)


def test_unwrap_goes_on_without_tls(ours: Callable[..., tuple[str, int]]) -> None:
    def back_to_plain(connection: ssl.SSLSocket) -> None:
        connection.sendall(b"secret")
        bare = connection.unwrap()
        bare.sendall(b"open")
        assert bare.recv(10) == b"answer"

    with connect(ours(back_to_plain)) as client:
        assert client.recv(10) == b"secret"
        bare = client.unwrap()
        assert client.version() is None
        assert bare.recv(10) == b"open"
        bare.sendall(b"answer")


def test_server_name_callback(ours: Callable[..., tuple[str, int]]) -> None:
    asked = []
    context, second = server_context(), server_context()

    def choose(connection: object, name: str, initial: object) -> None:
        asked.append((type(connection), name, initial is context))
        connection.context = second  # type: ignore[attr-defined]

    context.sni_callback = choose
    with connect(ours(echo, context), server_hostname="other.example") as client:
        exchange(client)
    assert asked == [(ssl.SSLSocket, "other.example", True)]
    context.sni_callback = None
    assert context.sni_callback is None


def test_session_reuse(ours: Callable[..., tuple[str, int]]) -> None:
    context, address = client_context(), ours(echo)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with connect(address, context) as first:
        assert not first.session_reused
        session = first.session
    with connect(address, context, session=session) as second:
        assert second.session_reused


def test_client_certificate(ours: Callable[..., tuple[str, int]]) -> None:
    server = server_context()
    server.verify_mode = ssl.CERT_REQUIRED
    CA.configure_trust(server)
    context = client_context()
    CA.issue_cert("client@example").configure_cert(context)
    names = []
    with connect(
        ours(lambda tls: names.append(tls.getpeercert()), server), context
    ) as client:
        assert client.recv(1) == b""
    assert names[0]["subjectAltName"]


def test_accept_of_a_wrapped_listener() -> None:
    listener = server_context().wrap_socket(
        socket.create_server((HOST, 0)), server_side=True
    )
    accepting = hub.spawn(listener.accept)
    with connect(listener.getsockname()) as client:
        peer, address = accepting.get()
        assert address == client.getsockname()
        peer.sendall(b"x")
        assert client.recv(1) == b"x"
        with pytest.raises(ValueError, match="server-side"):
            listener.connect((HOST, 1))
        peer.close()
    listener.close()


def test_wrap_before_connect(ours: Callable[..., tuple[str, int]]) -> None:
    client = client_context().wrap_socket(socket.socket(), server_hostname="localhost")
    with pytest.raises(ValueError, match="no TLS"):
        client.read()
    client.connect(ours(echo))
    with pytest.raises(ValueError, match="already"):
        client.connect((HOST, 1))
    client.sendall(b"x")
    assert client.recv(1) == b"x"
    client.close()


def test_two_readers_are_refused(ours: Callable[..., tuple[str, int]]) -> None:
    with connect(ours(echo)) as client:
        reading = hub.spawn(client.recv, 1)
        hub.sleep(0.01)
        with pytest.raises(hub.ConcurrentObjectUseError):
            client.recv(1)
        client.sendall(b"x")
        assert reading.get() == b"x"


def test_close_wakes_who_reads(ours: Callable[..., tuple[str, int]]) -> None:
    client = connect(ours(echo))
    reading = hub.spawn(client.recv, 1)
    hub.sleep(0.01)
    client.close()
    with pytest.raises(OSError, match="Bad file"):
        reading.get()


def test_makefile_and_sendfile(
    ours: Callable[..., tuple[str, int]], tmp_path: Path
) -> None:
    (tmp_path / "f").write_bytes(b"line one\nline two\n")
    with connect(ours(echo)) as client, client.makefile("rwb") as stream:
        stream.write(b"hello\n")
        stream.flush()
        assert stream.readline() == b"hello\n"
        with (tmp_path / "f").open("rb") as file:
            assert client.sendfile(file) == 18
        assert stream.readline() == b"line one\n"
        assert client.pending() >= 0


@pytest.mark.parametrize("name", ["ä..b", b"k\xf6nig.example"])
def test_a_name_that_cannot_be_sent_leaves_the_socket_to_its_owner(
    name: str | bytes,
) -> None:
    ours, peer = socket.socketpair()
    with ours, peer:
        with pytest.raises(UnicodeError):
            client_context().wrap_socket(ours, server_hostname=name)  # type: ignore[arg-type]
        assert ours.fileno() >= 0
        peer.sendall(b"plain")
        assert ours.recv(10) == b"plain"


def test_misuse(ours: Callable[..., tuple[str, int]]) -> None:
    context = client_context()
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with datagrams, pytest.raises(NotImplementedError):
        context.wrap_socket(datagrams, server_hostname="x")
    with (
        plain_socket.socket() as plain,
        pytest.raises(TypeError, match="hub's sockets"),
    ):
        context.wrap_socket(plain, server_hostname="x")  # type: ignore[arg-type]
    with socket.socket() as sock, pytest.raises(ValueError, match="check_hostname"):
        context.wrap_socket(sock)
    with socket.socket() as sock, pytest.raises(ValueError, match="client's side"):
        context.wrap_socket(sock, server_side=True, server_hostname="x")
    with pytest.raises(TypeError, match="wrap_socket"):
        ssl.SSLSocket()
    with connect(ours(echo)) as client:
        calls: list[Callable[[], object]] = [
            lambda: client.recv(1, 1),
            lambda: client.recvfrom(1),
            lambda: client.sendto(b"", (HOST, 1)),
        ]
        for call in calls:
            with pytest.raises(ValueError, match="TLS"):
                call()
        with pytest.raises(NotImplementedError):
            client.dup()
        with pytest.raises(NotImplementedError):
            client.sendmsg([b""])
        assert client.recv(0) == b""
        assert client.recv_into(bytearray(0)) == 0


def test_get_server_certificate(ours: Callable[..., tuple[str, int]]) -> None:
    pem = ssl.get_server_certificate(ours(echo), timeout=60)
    assert pem.startswith("-----BEGIN CERTIFICATE-----")


def test_the_standard_names_are_there() -> None:
    assert ssl.SSLError is plain_ssl.SSLError
    assert ssl.HAS_SNI
    assert "PROTOCOL_TLS_CLIENT" in dir(ssl)
    with pytest.raises(AttributeError):
        ssl.no_such_thing  # noqa: B018


def test_send_with_a_time_out_of_its_own(
    ours: Callable[..., tuple[str, int]],
) -> None:
    finished = hub.event.Event()
    with connect(ours(lambda secure: finished.wait())) as client:
        client.settimeout(1000)

        def fill() -> None:
            while client.send(bytes(100_000), timeout=0.001):
                pass

        with pytest.raises(TimeoutError):
            fill()
        finished.set()


def test_what_a_connection_without_tls_says(
    ours: Callable[..., tuple[str, int]],
) -> None:
    """The same as the standard library's, before TLS and after its end."""
    missing = {
        name
        for name in dir(plain_ssl.SSLSocket)
        if not name.startswith("_") and not hasattr(ssl.SSLSocket, name)
    }
    assert missing == {"sendmsg_afalg"}  # messages to the kernel's cryptography
    standard = client_context(plain_ssl.SSLContext).wrap_socket(
        plain_socket.socket(), server_hostname="localhost"
    )
    sock = client_context().wrap_socket(socket.socket(), server_hostname="localhost")
    with standard, sock:
        for name in (
            "cipher",
            "compression",
            "get_channel_binding",
            "pending",
            "selected_alpn_protocol",
            "shared_ciphers",
            "version",
        ):
            assert getattr(sock, name)() == getattr(standard, name)(), name
        for tls in (standard, sock):
            with pytest.raises(ValueError, match="channel binding type"):
                tls.get_channel_binding("tls-nothing")
            with pytest.raises(ValueError, match=r"no TLS|No SSL"):
                tls.verify_client_post_handshake()
            assert not hasattr(tls, "a_name_of_no_use")


def test_nothing_that_openssl_has_waits_for_the_network(
    ours: Callable[..., tuple[str, int]],
) -> None:
    """Rests of records, records that came together, and the end, however often."""
    over = Event()

    def answer(connection: ssl.SSLSocket) -> None:
        connection.recv(10)
        for size in (7, 300, 5, 16_384, 1):
            connection.sendall(bytes(size))
        with suppress(OSError):  # the peer reads no more, and says nothing
            connection.settimeout(0.001)
            connection.unwrap()
        over.wait()

    for read in (7, 100, 16_384, 100_000):
        over.clear()
        with connect(ours(answer)) as client, hub.Timeout(60):
            client.sendall(b"go")
            left = 7 + 300 + 5 + 16_384 + 1
            while left:
                hub.sleep(0)
                data = client.recv(min(read, left))
                assert data
                left -= len(data)
            assert [client.recv(read) for _ in range(3)] == [b""] * 3
            assert client.recv_into(bytearray(read)) == 0
            over.set()


def test_a_first_read_does_the_handshake(
    ours: Callable[..., tuple[str, int]],
) -> None:
    address = ours(lambda connection: connection.sendall(b"hello"))
    with connect(address, do_handshake_on_connect=False) as client, hub.Timeout(60):
        assert client.version() is None
        assert client.recv(10) == b"hello"
        assert client.version() == "TLSv1.3"


def test_a_round_trip_is_few_calls(ours: Callable[..., tuple[str, int]]) -> None:
    """Both ends call few Python functions, and ask OpenSSL for nothing in vain."""
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            calls[frame.f_code.co_qualname] += 1
        elif event == "c_exception":
            calls["error of " + argument.__name__] += 1  # type: ignore[attr-defined]

    with connect(ours(echo)) as client, hub.Timeout(60):
        client.sendall(b"x")
        assert client.recv(10) == b"x"
        sys.setprofile(count)
        try:
            for _ in range(100):
                client.sendall(b"x")
                assert client.recv(10) == b"x"
        finally:
            sys.setprofile(None)
    assert calls["error of read"] == 0, calls
    assert "__getattr__" not in "".join(calls)
    assert calls.total() <= 100 * 60, calls
