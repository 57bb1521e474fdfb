"""TLS alerts reach the peer when a read, a write, a handshake or `unwrap` fails.

RFC 8446, 6.2: an end that detects an error sends an alert and closes the connection.
The peer here is a thread with the standard library's blocking sockets, which sees each
record as it comes.
"""

import socket as plain_socket
import ssl as plain_ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from ssl import TLSVersion
from typing import Any

import pytest

import hub
from hub import socket, ssl

trustme = pytest.importorskip("trustme")

CA = trustme.CA()
CERTIFICATE = CA.issue_cert("localhost")
GARBAGE = bytes([23, 3, 3, 0, 32]) + bytes(32)  # its MAC is wrong
VERSIONS = [TLSVersion.TLSv1_2, TLSVersion.TLSv1_3]


class Peer:
    """TLS on memory buffers, so that records can be broken and looked at."""

    def __init__(
        self, sock: plain_socket.socket, context: plain_ssl.SSLContext
    ) -> None:
        self.sock = sock
        self.incoming, self.outgoing = plain_ssl.MemoryBIO(), plain_ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def record(self) -> bytes:
        """The next record on the wire; b"" at the end."""
        head = self.exactly(5)
        return head + self.exactly(int.from_bytes(head[3:5]))

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count and (more := self.sock.recv(count - len(data))):
            data += more
        return data

    def handshake(self) -> None:
        while True:
            try:
                self.tls.do_handshake()
            except plain_ssl.SSLWantReadError:
                self.sock.sendall(self.outgoing.read())
                self.incoming.write(self.record())
            else:
                self.sock.sendall(self.outgoing.read())
                return

    def read_to_the_end(self) -> str:
        """What TLS makes of the rest: a text of the alert, or "close_notify"."""
        while record := self.record():
            self.incoming.write(record)
            try:
                if self.tls.read(100) == b"":
                    return "close_notify"
            except plain_ssl.SSLWantReadError:
                continue
            except plain_ssl.SSLError as error:
                return str(error.reason)
        return "nothing"


@pytest.fixture
def peer() -> Any:
    """Starts a peer in a thread; its result is the value of the queue."""
    threads = []

    def start(
        act: Callable[[Peer], object], version: TLSVersion
    ) -> tuple[socket.socket, list[Any]]:
        ours, theirs = socket.socketpair()
        plain = plain_socket.socket(fileno=theirs.detach())
        plain.settimeout(60)
        results: list[Any] = []
        context = plain_ssl.SSLContext(plain_ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = context.maximum_version = version
        CERTIFICATE.configure_cert(context)

        def run() -> None:
            with plain:
                results.append(act(Peer(plain, context)))

        threads.append(threading.Thread(target=run))
        threads[-1].start()

        def finish() -> list[Any]:
            threads[-1].join(timeout=60)
            return results

        return ours, finish

    yield start
    for thread in threads:
        thread.join(timeout=60)


def connect(sock: socket.socket, trusting: bool = True) -> ssl.SSLSocket:
    context = ssl.SSLContext(plain_ssl.PROTOCOL_TLS_CLIENT)
    if trusting:
        CA.configure_trust(context)
    return context.wrap_socket(sock, server_hostname="localhost")


def send_garbage(peer: Peer) -> str:
    peer.handshake()
    peer.sock.sendall(GARBAGE)
    return peer.read_to_the_end()


def send_garbage_and_end(peer: Peer) -> str:
    peer.handshake()
    peer.sock.sendall(GARBAGE)
    peer.sock.shutdown(plain_socket.SHUT_WR)
    return peer.read_to_the_end()


def receive(sock: ssl.SSLSocket) -> object:
    return sock.recv(100)


def receive_into(sock: ssl.SSLSocket) -> object:
    return sock.recv_into(bytearray(100))


def receive_by_file(sock: ssl.SSLSocket) -> object:
    with sock.makefile("rb") as file:
        return file.read(100)


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
@pytest.mark.parametrize("act", [send_garbage, send_garbage_and_end])
@pytest.mark.parametrize("read", [receive, receive_into, receive_by_file])
def test_a_failing_read_sends_its_alert(
    peer: Any, version: TLSVersion, act: Callable[[Peer], str], read: Any
) -> None:
    sock, finish = peer(act, version)
    with connect(sock) as client, hub.Timeout(60), pytest.raises(plain_ssl.SSLError):
        read(client)
    assert "BAD_RECORD_MAC" in finish()[0]


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_a_failing_handshake_sends_its_alert(peer: Any, version: TLSVersion) -> None:
    def act(peer: Peer) -> str:
        try:
            peer.handshake()
        except plain_ssl.SSLError as error:
            return str(error.reason)
        return peer.read_to_the_end()

    sock, finish = peer(act, version)
    with pytest.raises(plain_ssl.SSLCertVerificationError), hub.Timeout(60):
        connect(sock, trusting=False)
    sock.close()
    assert "UNKNOWN_CA" in finish()[0]


def end_without_close_notify(peer: Peer) -> str:
    peer.handshake()
    peer.sock.shutdown(plain_socket.SHUT_WR)
    return peer.read_to_the_end()


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
@pytest.mark.parametrize("ragged", [True, False])
def test_an_end_without_close_notify_is_answered_by_an_alert(
    peer: Any, version: TLSVersion, ragged: bool
) -> None:
    """As OpenSSL on a descriptor does; the caller may have asked not to hear of it."""
    sock, finish = peer(end_without_close_notify, version)
    with connect(sock) as client, hub.Timeout(60):
        client.suppress_ragged_eofs = ragged
        if ragged:
            assert client.recv(100) == b""
        else:
            with pytest.raises(plain_ssl.SSLEOFError):
                client.recv(100)
    assert "DECODE_ERROR" in finish()[0]


@pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])
def test_unwrap_that_fails_has_sent_its_close_notify(
    peer: Any, version: TLSVersion
) -> None:
    """It waits for the peer's close_notify, and finds a broken record instead."""
    sock, finish = peer(send_garbage, version)
    with connect(sock) as client, hub.Timeout(60), pytest.raises(plain_ssl.SSLError):
        client.unwrap()
    assert finish()[0] == "close_notify"


def test_the_alert_of_a_read_goes_behind_what_is_being_sent(peer: Any) -> None:
    """A writer that waits sends the alert after its own bytes: records keep order."""
    size = 4_000_000

    def act(peer: Peer) -> tuple[int, str]:
        peer.handshake()
        go.wait(60)
        peer.sock.sendall(GARBAGE)
        received = 0
        while record := peer.record():
            peer.incoming.write(record)
            try:
                while data := peer.tls.read(100_000):
                    received += len(data)
            except plain_ssl.SSLWantReadError:
                continue
            except plain_ssl.SSLError as error:
                return received, str(error.reason)
        return received, "nothing"

    go = threading.Event()
    sock, finish = peer(act, TLSVersion.TLSv1_3)
    with connect(sock) as client, hub.Timeout(60):
        writing = hub.spawn(client.sendall, bytes(size))
        hub.sleep(0)
        go.set()
        with pytest.raises(plain_ssl.SSLError):
            client.recv(100)
        with suppress(plain_ssl.SSLError):
            writing.get()
    received, text = finish()[0]
    assert 0 < received <= size
    assert "BAD_RECORD_MAC" in text
