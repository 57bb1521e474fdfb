"""The cooperative socket: the standard library's calls and errors.

A call that would block parks its greenlet instead. `recv` as the example:

1. If the socket's read flag is clear ("not ready"), go to 3 (poller.py has the flags).
2. Try the real call; if it works, return. On EAGAIN go to 3.
3. `Hub.wait_for_watcher` parks this greenlet until the poller reports the descriptor.
   Then 1.

A fast peer may let each call work at once. So that such a loop does not keep the others
from running, a greenlet gives way after a hundred calls without a wait, or when its
turn has lasted a millisecond (`_give_way`).

A socket's own time-out is for each wait, for the whole call in `sendall`, and raises
TimeoutError. It does not cover the name look-up of `connect`. An enclosing ``Timeout``
is independent of it; whichever ends first is raised.

The real socket is an attribute and not a base class: the network of the hub makes it,
and the simulated network makes another kind. The waits are in socketwait.py, and calls
that never wait in socketbase.py.
"""

import errno
import os
import socket as _standard
from collections.abc import Callable, Iterable
from socket import socket as StandardSocket  # the original, also while it is patched
from typing import TYPE_CHECKING, Any

from hub.current import get_hub
from hub.resolver import is_numeric, network_of
from hub.socketbase import Address
from hub.socketfile import open_file, send_by_kernel
from hub.socketwait import DONT_WAIT, WaitingSocket

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["OWN_TIMEOUT", "Address", "closed_socket", "socket", "wrap_socket"]

OWN_TIMEOUT: Any = object()
"""In place of a time-out: the socket's own."""
_NAMED = (_standard.AF_INET, _standard.AF_INET6)


class socket(WaitingSocket):
    """A socket whose calls wait cooperatively, as the standard library's otherwise."""

    __slots__ = ("__weakref__",)

    def __init__(
        self,
        family: int = -1,
        type: int = -1,
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        if fileno is None:
            family = _standard.AF_INET if family == -1 else family
            type = _standard.SOCK_STREAM if type == -1 else type
            proto = 0 if proto == -1 else proto
        self._adopt(network_of(get_hub()).socket(family, type, proto, fileno))
        if type != -1 and type & _standard.SOCK_NONBLOCK:
            self._timeout = 0.0

    # -- receiving ---------------------------------------------------------------------

    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """Receive at most ``bufsize`` bytes; b"" at the end of the stream."""
        while True:
            direction = self._reading
            if direction is None or direction.ready or flags or self._timeout == 0.0:
                if self._calls:
                    self._give_way(flags)
                try:
                    data: bytes = self._sock.recv(bufsize, flags)
                except BlockingIOError:
                    if self._timeout == 0.0 or flags & DONT_WAIT:
                        raise
                else:
                    if direction is not None and 0 < len(data) < bufsize:
                        direction.ready = not self._drains(flags)
                    if direction is None or direction.ready:
                        self._calls += 1
                    return data
            self._wait_readable()

    def recv_into(
        self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0
    ) -> int:
        """Receive into ``buffer``; return the number of bytes."""
        while True:
            direction = self._reading
            if direction is None or direction.ready or flags or self._timeout == 0.0:
                if self._calls:
                    self._give_way(flags)
                try:
                    count: int = self._sock.recv_into(buffer, nbytes, flags)
                except BlockingIOError:
                    if self._timeout == 0.0 or flags & DONT_WAIT:
                        raise
                else:
                    if direction is not None and count and self._drains(flags):
                        size = nbytes or memoryview(buffer).nbytes
                        direction.ready = count >= size
                    if direction is None or direction.ready:
                        self._calls += 1
                    return count
            self._wait_readable()

    def _drains(self, flags: int) -> bool:
        """Whether a short read means that nothing is left."""
        return (
            self._stream
            and not flags
            and self._registration is not None
            and not self._registration.sticky
        )

    def recvfrom(self, bufsize: int, flags: int = 0) -> tuple[bytes, Address]:
        """Receive (data, the sender's address)."""
        received: tuple[bytes, Address] = self._read(
            self._sock.recvfrom, bufsize, flags, flags=flags
        )
        return received

    def recvfrom_into(
        self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0
    ) -> tuple[int, Address]:
        """As `recvfrom`, into ``buffer``; return (number of bytes, address)."""
        received: tuple[int, Address] = self._read(
            self._sock.recvfrom_into, buffer, nbytes, flags, flags=flags
        )
        return received

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0) -> Any:
        """Receive (data, ancillary data, flags, address)."""
        return self._read(self._sock.recvmsg, bufsize, ancbufsize, flags, flags=flags)

    def recvmsg_into(
        self, buffers: Iterable["WriteableBuffer"], ancbufsize: int = 0, flags: int = 0
    ) -> Any:
        """As `recvmsg`, into several buffers."""
        return self._read(
            self._sock.recvmsg_into, buffers, ancbufsize, flags, flags=flags
        )

    # -- sending -----------------------------------------------------------------------

    def send(
        self,
        data: "ReadableBuffer",
        flags: int = 0,
        timeout: float | None = OWN_TIMEOUT,
    ) -> int:
        """Send some of ``data``; return how many bytes.

        ``timeout``: seconds, None for no limit; if absent, the socket's own.
        """
        while True:
            direction = self._writing
            if direction is None or direction.ready or flags or self._timeout == 0.0:
                if self._calls:
                    self._give_way(flags)
                try:
                    count: int = self._sock.send(data, flags)
                except BlockingIOError:
                    if self._timeout == 0.0 or flags & DONT_WAIT:
                        raise
                else:
                    self._calls += 1
                    return count
            self._wait_writable(self._timeout if timeout is OWN_TIMEOUT else timeout)

    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        """Send all of ``data``. After an error it is unknown how much was sent."""
        size = len(data) if type(data) is bytes else memoryview(data).nbytes
        if size == 0:
            return
        sent = self.send(data, flags)
        if sent < size:
            self._send_rest(memoryview(data).cast("B"), sent, flags)

    def _send_rest(self, view: memoryview, sent: int, flags: int) -> None:
        clock = get_hub().loop.now
        deadline = None if self._timeout is None else clock() + self._timeout
        while sent < len(view):
            if self._calls:
                self._give_way(flags)
            try:
                sent += self._sock.send(view[sent:], flags)
                self._calls += 1
            except BlockingIOError:
                if self._timeout == 0.0 or flags & DONT_WAIT:
                    raise
                rest = None if deadline is None else max(0.0, deadline - clock())
                self._wait_writable(rest)

    def sendto(self, data: "ReadableBuffer", *args: Any) -> int:
        """``sendto(data[, flags], address)``; returns how many bytes."""
        if args and self.family in _NAMED:
            args = (*args[:-1], self._resolved(args[-1]))
        flags = args[0] if len(args) > 1 else 0
        return int(self._write(self._sock.sendto, data, *args, flags=flags))

    def sendmsg(self, buffers: Iterable["ReadableBuffer"], *args: Any) -> int:
        """``sendmsg(buffers[, ancdata[, flags[, address]]])``.

        Returns how many bytes.
        """
        flags = args[1] if len(args) > 1 else 0
        return int(self._write(self._sock.sendmsg, buffers, *args, flags=flags))

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send ``file`` from ``offset``, by os.sendfile where possible.

        Returns the number of bytes sent. Raises ValueError for a datagram or
        non-blocking socket, a text file, or a ``count`` below 1.
        """
        if not self._stream:
            raise ValueError("only SOCK_STREAM sockets can send a file")
        if self._timeout == 0.0:
            raise ValueError("non-blocking sockets are not supported")
        if "b" not in getattr(file, "mode", "b"):
            raise ValueError("the file must be opened in binary mode")
        if count is not None and not isinstance(count, int):
            raise TypeError(f"count must be a positive integer, not {count!r}")
        if count is not None and count <= 0:
            raise ValueError(f"count must be a positive integer, not {count!r}")
        return send_by_kernel(self, file, offset, count)

    def wait_and_call(self, call: Callable[..., Any], *args: Any) -> Any:
        """Repeat ``call(*args)`` until it works; wait until writable at each EAGAIN."""
        return self._write(call, *args)

    # -- connecting --------------------------------------------------------------------

    def _resolved(self, address: Address) -> Address:
        """Replace the host name in ``address`` by its first address of the family."""
        if (
            not isinstance(address, tuple)
            or not address
            or not isinstance(address[0], str | bytes)
        ):
            return address
        host = address[0]
        if not host or is_numeric(host) or host == "<broadcast>":
            return address
        found = network_of(get_hub()).resolver.getaddrinfo(
            host, None, self.family, self.type, self.proto
        )
        return (found[0][4][0], *address[1:])

    def connect(self, address: Address) -> None:
        """Connect to ``address``; raises OSError, TimeoutError."""
        self._connect(address)

    def _connect(self, address: Address) -> None:
        if self.family in _NAMED:
            address = self._resolved(address)
        try:
            self._sock.connect(address)
        except BlockingIOError as error:
            if self._timeout == 0.0 or error.errno == errno.EAGAIN:
                raise
            self._finish_connect()

    def _finish_connect(self) -> None:
        self._wait_writable(self._timeout)
        registration = self._registration
        if registration is not None and registration.failed:
            code = self._sock.getsockopt(_standard.SOL_SOCKET, _standard.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))

    def connect_ex(self, address: Address) -> int:
        """As `connect`; return the error number instead, 0 for success."""
        try:
            self._connect(address)
        except TimeoutError as error:  # ours has no number; the kernel's has ETIMEDOUT
            return error.errno or errno.EAGAIN
        except _standard.gaierror:
            raise
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def accept(self) -> tuple["socket", Address]:
        """Return (the next connection, its peer's address)."""
        sock, address = self._read(self._sock.accept)
        return wrap_socket(sock), address

    def bind(self, address: Address) -> None:
        """Bind to ``address``."""
        if self.family in _NAMED:
            address = self._resolved(address)
        self._sock.bind(address)

    def listen(self, *backlog: int) -> None:
        """Accept connections from now on."""
        self._sock.listen(*backlog)

    def shutdown(self, how: int) -> None:
        """Close one direction or both."""
        self._sock.shutdown(how)

    # -- closing -----------------------------------------------------------------------

    def close(self) -> None:
        """Close, once all files made from it are closed.

        Greenlets that wait get EBADF.
        """
        self._closed = True
        if self._files <= 0:
            self._really_close()

    def _really_close(self) -> None:
        self._forget(still_open=self._shared)
        self._sock.close()

    def _forget(self, still_open: bool) -> None:
        """Leave the poller: the number of the descriptor may be reused from now on."""
        registration = self._registration
        if registration is not None:
            self._registration = self._reading = self._writing = None
            registration.poller.unregister(registration, still_open)
            for direction in (registration.reading, registration.writing):
                if direction.callback is not None:
                    error = OSError(errno.EBADF, os.strerror(errno.EBADF))
                    get_hub().cancel_wait(direction, error)

    def detach(self) -> int:
        """Return the descriptor and give it up; the socket counts as closed."""
        self._closed = True
        self._forget(still_open=True)
        descriptor: int = self._sock.detach()
        return descriptor

    def dup(self) -> "socket":
        """Make a second socket for the same connection."""
        self._shared = True  # the kernel keeps our registration while either is open
        duplicate = wrap_socket(self._sock.dup())
        duplicate._shared = True
        duplicate._timeout = self._timeout
        return duplicate

    def file_opened(self) -> None:
        """Count a file that was made from this socket."""
        self._files += 1

    def file_closed(self) -> None:
        """Count a file as closed."""
        self._files -= 1
        if self._closed and self._files <= 0:
            self._really_close()

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Any:
        """Make a file object on this socket."""
        return open_file(self, mode, buffering, encoding, errors, newline)

    def __enter__(self) -> "socket":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def wrap_socket(sock: Any) -> socket:
    """Make a cooperative socket from one of the standard library.

    That is made non-blocking. While ``socket`` is patched the standard library's own
    functions make cooperative ones, which are returned as they are.
    """
    if isinstance(sock, socket):
        return sock
    sock.setblocking(False)
    wrapped = socket.__new__(socket)
    wrapped._adopt(sock)
    return wrapped


def closed_socket() -> Any:
    """Make a real socket that is closed: every call on it fails with EBADF."""
    closed = StandardSocket()
    closed.close()
    return closed
