"""The sockets of the simulated network, with the calls of a non-blocking socket."""

import errno
import os
import socket as _standard
from collections import deque
from collections.abc import Callable
from functools import partial
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

    from hub.testing.network import SimulatedNetwork

__all__ = ["CLIENT", "WINDOW", "SimulatedSocket"]

Endpoint = tuple[str, int]

CLIENT = "198.51.100.1"
"""The address of sockets that are bound to no host (from RFC 5737)."""

WINDOW = 65536
"""Bytes that may be in flight or unread in one direction."""

_RETRY_INTERVAL = 1.0  # seconds between two connection requests
_CONNECT_TIMEOUT = 127.0  # seconds, as on Linux


def _os_error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


class SimulatedSocket:
    """One end of a simulated connection; its calls and errors are a real socket's."""

    def __init__(
        self, network: "SimulatedNetwork", family: int, type: int, proto: int
    ) -> None:
        self.network = network
        self.family = family
        self.type = type & ~(_standard.SOCK_NONBLOCK | _standard.SOCK_CLOEXEC)
        self.proto = proto
        self._fd = network.poller.new_descriptor()
        self._name: Endpoint | None = None
        self._peer_name: Endpoint | None = None
        self._peer: SimulatedSocket | None = None
        self._received: deque[bytes] = deque()
        self._unread = 0  # bytes received and not read
        self._in_flight = 0  # bytes sent to the peer that have not arrived
        self._arrivals: deque[Callable[[], object]] = deque()
        """What is called at each arrival to come, in order."""
        self._free_at = 0.0  # when the last byte sent has left
        self._last_arrival = 0.0
        self._backlog: deque[SimulatedSocket] | None = None
        self._datagrams: deque[tuple[bytes, Endpoint]] = deque()
        self._end_of_stream = False
        self._shut_down = False
        self._error = 0
        self._options: dict[tuple[int, int], Any] = {}

    # -- names -------------------------------------------------------------------------

    def bind(self, address: Any) -> None:
        """Take a local address (port 0: any free port).

        OSError EADDRINUSE if it is taken.
        """
        host, port = address[:2]
        port = port or self.network.free_port()
        if self.network.bound.setdefault((self.type, host, port), self) is not self:
            raise _os_error(errno.EADDRINUSE)
        self._name = (host or "0.0.0.0", port)

    def _bind_if_needed(self) -> Endpoint:
        if self._name is None:
            self.bind((CLIENT, 0))
        assert self._name is not None
        return self._name

    def getsockname(self) -> Endpoint:
        """Return our own address."""
        return self._name or ("0.0.0.0", 0)

    def getpeername(self) -> Endpoint:
        """Return the peer's address; OSError ENOTCONN without a peer."""
        if self._peer_name is None or self._peer is None:
            raise _os_error(errno.ENOTCONN)
        return self._peer_name

    # -- connecting --------------------------------------------------------------------

    def listen(self, backlog: int = 128) -> None:
        """Accept connections from now on."""
        self._backlog = deque()

    def connect(self, address: Any) -> None:
        """Start to connect; always raises OSError: EINPROGRESS, or EISCONN."""
        self._check_open()
        if self._peer is not None:
            raise _os_error(errno.EISCONN)
        name, target = self._bind_if_needed(), (address[0], int(address[1]))
        self._peer_name = target
        if self.type == _standard.SOCK_DGRAM:
            return
        self._request_connection(
            target, name, deadline=self.network.loop.now() + _CONNECT_TIMEOUT
        )
        raise _os_error(errno.EINPROGRESS)

    def _request_connection(
        self, target: Endpoint, name: Endpoint, deadline: float
    ) -> None:
        """Send a connection request; repeat it while the hosts are partitioned."""
        network = self.network
        if self._fd < 0:
            return
        if network.loop.now() >= deadline:
            self._fail(errno.ETIMEDOUT)
        elif (
            not network.reachable(name[0], target[0]) and target[0] not in network.hosts
        ):
            network.loop.call_later(0, partial(self._fail, errno.EHOSTUNREACH))
        elif network.cut(name[0], target[0]) or not network.reachable(
            name[0], target[0]
        ):
            network.loop.call_later(
                _RETRY_INTERVAL,
                partial(self._request_connection, target, name, deadline),
            )
        else:
            there = network.delay(name[0], target[0])
            network.loop.call_later(
                there, partial(self._connection_requested, target, name)
            )

    def _connection_requested(self, target: Endpoint, name: Endpoint) -> None:
        """The request is at the other host: make a socket there, or refuse."""
        network = self.network
        back = network.delay(target[0], name[0])
        listener = network.listener(_standard.SOCK_STREAM, target)
        if listener is None or listener._backlog is None:
            network.loop.call_later(back, partial(self._fail, errno.ECONNREFUSED))
            return
        if self._fd < 0:
            return
        accepted = SimulatedSocket(network, self.family, self.type, self.proto)
        accepted._name, accepted._peer_name, accepted._peer = target, name, self
        listener._backlog.append(accepted)
        listener._report(EPOLLIN)
        network.loop.call_later(back, partial(self._connected, accepted))

    def _connected(self, accepted: "SimulatedSocket") -> None:
        if self._fd >= 0 and not self._error:
            self._peer = accepted
            self._report(EPOLLOUT)

    def accept(self) -> tuple["SimulatedSocket", Endpoint]:
        """Return (the next connection, its peer's address).

        OSError EAGAIN without one.
        """
        self._check_open()
        if self._backlog is None:
            raise _os_error(errno.EINVAL)
        if not self._backlog:
            raise _os_error(errno.EAGAIN)
        accepted = self._backlog.popleft()
        assert accepted._peer_name is not None
        return accepted, accepted._peer_name

    def _fail(self, code: int) -> None:
        """Break the connection: both directions end with an error."""
        if self._fd >= 0 and not self._error:
            self._error = code
            self._report(EPOLLERR | EPOLLHUP | EPOLLIN | EPOLLOUT)

    # -- sending -----------------------------------------------------------------------

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        """Send some of ``data``; OSError EAGAIN while the peer's window is full."""
        self._check_open()
        self._raise_error()
        peer = self._peer
        if self.type == _standard.SOCK_DGRAM:
            return self.sendto(data, self._peer_name)
        if self._shut_down:
            raise _os_error(errno.EPIPE)
        if peer is None:
            raise _os_error(errno.ENOTCONN)
        space = WINDOW - peer._unread - self._in_flight
        if space <= 0:
            raise _os_error(errno.EAGAIN)
        segment = bytes(memoryview(data).cast("B")[:space])
        self._in_flight += len(segment)
        self._transmit(partial(self._deliver, segment), len(segment))
        return len(segment)

    def _transmit(self, arrival: Callable[[], object], size: int) -> None:
        """Call ``arrival`` at the other end, after all that was sent before."""
        network, (here, there) = self.network, self._ends()
        rates = [end.bandwidth for end in network.path(here, there) if end.bandwidth]
        now = network.loop.now()
        self._free_at = max(self._free_at, now) + (size / min(rates) if rates else 0.0)
        arrives = max(self._free_at + network.delay(here, there), self._last_arrival)
        self._last_arrival = arrives
        self._arrivals.append(arrival)
        network.loop.call_later(arrives - now, self._advance)

    def _ends(self) -> tuple[str, str]:
        assert self._name is not None
        assert self._peer_name is not None
        return self._name[0], self._peer_name[0]

    def _advance(self) -> None:
        """Let the first arrival happen, unless it is delayed or reset."""
        network, (here, there) = self.network, self._ends()
        if network.cut(here, there):
            network.loop.call_later(_RETRY_INTERVAL, self._advance)
            return
        arrival = self._arrivals.popleft()
        resets = [end.reset for end in network.path(here, there) if end.reset]
        if any(network.random.random() < reset for reset in resets):
            self._reset()
        else:
            arrival()

    def _deliver(self, segment: bytes) -> None:
        self._in_flight -= len(segment)
        peer = self._peer
        if peer is None or peer._fd < 0:
            self._fail(errno.ECONNRESET)  # closed: the answer is a reset
            return
        peer._received.append(segment)
        peer._unread += len(segment)
        peer._report(EPOLLIN)

    def _reset(self) -> None:
        for end in (self, self._peer):
            if end is not None:
                end._fail(errno.ECONNRESET)

    def sendto(self, data: "ReadableBuffer", *args: Any) -> int:
        """Send a datagram, which may be lost; return its size."""
        self._check_open()
        network, name = self.network, self._bind_if_needed()
        payload, target = bytes(data), args[-1][:2]
        ends = network.path(name[0], target[0])
        lost = network.cut(name[0], target[0]) or any(
            end.unreachable or (end.loss and network.random.random() < end.loss)
            for end in ends
        )
        if not lost:
            latency = sum(end.latency for end in ends)
            network.loop.call_later(
                latency, partial(self._deliver_datagram, payload, name, target)
            )
        return len(payload)

    def _deliver_datagram(
        self, payload: bytes, name: Endpoint, target: Endpoint
    ) -> None:
        receiver = self.network.listener(_standard.SOCK_DGRAM, target)
        if receiver is not None and receiver._fd >= 0:
            receiver._datagrams.append((payload, name))
            receiver._report(EPOLLIN)

    # -- receiving ---------------------------------------------------------------------

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive at most ``bufsize`` bytes; b"" at the end of the stream."""
        self._check_open()
        if self.type == _standard.SOCK_DGRAM:
            return self.recvfrom(bufsize, flags)[0]
        taken = self._take(bufsize, peek=bool(flags & _standard.MSG_PEEK))
        if taken or bufsize == 0 or self._end_of_stream:
            return taken
        self._raise_error()
        if self._peer is None:
            raise _os_error(errno.ENOTCONN)
        raise _os_error(errno.EAGAIN)

    def _take(self, size: int, peek: bool) -> bytes:
        taken = bytearray()
        while self._received and len(taken) < size:
            segment = self._received.popleft()
            space = size - len(taken)
            taken += segment[:space]
            if len(segment) > space:
                self._received.appendleft(segment[space:])
        if peek and taken:
            self._received.appendleft(bytes(taken))
        elif taken:
            self._unread -= len(taken)
            if self._peer is not None:
                self._peer._report(EPOLLOUT)  # there is space again
        return bytes(taken)

    def recv_into(
        self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0
    ) -> int:
        """Receive into ``buffer``; return the number of bytes."""
        view = memoryview(buffer).cast("B")
        data = self.recv(nbytes or len(view), flags)
        view[: len(data)] = data
        return len(data)

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """Return (a datagram, its sender), or (bytes of the stream, None)."""
        self._check_open()
        if self.type != _standard.SOCK_DGRAM:
            return self.recv(bufsize, flags), None
        if not self._datagrams:
            raise _os_error(errno.EAGAIN)
        payload, sender = self._datagrams.popleft()
        return payload[:bufsize], sender

    # -- the end -----------------------------------------------------------------------

    def shutdown(self, how: int) -> None:
        """Close one direction or both."""
        if self._peer is None:
            raise _os_error(errno.ENOTCONN)
        if how in (_standard.SHUT_RD, _standard.SHUT_RDWR):
            self._end_of_stream = True
            self._report(EPOLLIN | EPOLLRDHUP)
        if how in (_standard.SHUT_WR, _standard.SHUT_RDWR) and not self._shut_down:
            self._shut_down = True
            self._transmit(partial(_finish, self._peer), 0)

    def close(self) -> None:
        """Close; with unread data the peer gets a reset, as from a real socket."""
        if self._fd < 0:
            return
        self._fd = -1
        if (
            self._name is not None
            and self.network.bound.get((self.type, *self._name)) is self
        ):
            del self.network.bound[(self.type, *self._name)]
        for waiting in self._backlog or ():
            waiting.close()
        peer = self._peer
        if peer is not None and not self._error:
            if self._unread:
                self._transmit(partial(peer._fail, errno.ECONNRESET), 0)
            elif not self._shut_down:
                self._transmit(partial(_finish, peer), 0)

    def detach(self) -> int:
        """Not possible: the descriptor exists in no kernel."""
        raise _os_error(errno.EOPNOTSUPP)

    dup = detach

    # -- the rest ----------------------------------------------------------------------

    def _check_open(self) -> None:
        if self._fd < 0:
            raise _os_error(errno.EBADF)

    def _raise_error(self) -> None:
        if self._error:
            raise _os_error(self._error)

    def _report(self, mask: int) -> None:
        if self._fd >= 0:
            self.network.poller.report(self._fd, mask)

    def fileno(self) -> int:
        """Return a descriptor that exists in no kernel; -1 once closed."""
        return self._fd

    def getsockopt(self, level: int, option: int, *buflen: int) -> Any:
        """Return SO_ERROR, or the value that was set."""
        if (level, option) == (_standard.SOL_SOCKET, _standard.SO_ERROR):
            return self._error
        return self._options.get((level, option), 0)

    def setsockopt(self, level: int, option: int, value: Any, *optlen: int) -> None:
        """Keep the value, without effect."""
        self._options[(level, option)] = value

    def setblocking(self, flag: bool) -> None:
        """Does nothing: the socket never blocks."""

    def __repr__(self) -> str:
        return f"<SimulatedSocket fd={self._fd}, {self._name} -> {self._peer_name}>"


def _finish(peer: SimulatedSocket) -> None:
    """The end of the stream has arrived at ``peer``."""
    peer._end_of_stream = True
    peer._report(EPOLLIN | EPOLLRDHUP)
