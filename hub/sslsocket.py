"""A TLS connection on two memory buffers.

OpenSSL works on two memory buffers (``SSLContext.wrap_bio``), and this file moves bytes
between them and our socket. The alternative is an SSL object on the descriptor itself.
The buffers are better in three ways:

* Nothing here depends on a descriptor, so TLS runs on the simulated network as well.
* Only our plain `recv` and `send` block, so there is one place for readiness, time-outs
  and ConcurrentObjectUseError, and the TLS layer holds no data that epoll misses.
* One ``recv`` brings many records, where OpenSSL on a descriptor makes two calls for
  each.

Encrypted bytes must be sent, in order, whatever happens to the greenlet that sends
them: `_flush` keeps the rest of an interrupted send in ``_unsent``, and the next
`_flush` sends that first.
"""

import ssl as _standard
from collections.abc import Callable
from contextlib import suppress
from ssl import MemoryBIO, SSLEOFError, SSLError, SSLWantReadError, SSLWantWriteError
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hub.lock import Semaphore
from hub.socketfile import send_by_reading
from hub.socketobject import OWN_TIMEOUT, Address, closed_socket, socket
from hub.sslstate import SSLState

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


__all__ = ["SSLSocket"]

T = TypeVar("T")

# Bytes to receive at once: several records of at most 16 KiB.
_RECV_SIZE = 65536
_MAX_WRITE = 65536  # bytes encrypted before they are sent


class SSLSocket(SSLState):
    """A TLS connection, made by `SSLContext.wrap_socket`.

    Without TLS a plain socket.
    """

    __slots__ = (
        "_exhausted",
        "_incoming",
        "_outgoing",
        "_sending",
        "_unsent",
        "_wrap",
        "do_handshake_on_connect",
        "server_hostname",
        "server_side",
        "suppress_ragged_eofs",
    )

    do_handshake_on_connect: bool
    server_hostname: str | None
    server_side: bool
    suppress_ragged_eofs: bool
    _wrap: "Callable[..., SSLSocket]"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError(
            "an SSLSocket has no public constructor: "
            "it is made by SSLContext.wrap_socket()"
        )

    def _take_over(self, plain: socket, context: _standard.SSLContext) -> None:
        """Become the owner of the descriptor.

        ``plain`` is a closed socket from now on.
        """
        self._adopt(plain._sock)
        self._timeout = plain._timeout
        self._registration, self._reading, self._writing = (
            plain._registration,
            plain._reading,
            plain._writing,
        )
        self._shared = plain._shared
        plain._sock = closed_socket()
        plain._registration = plain._reading = plain._writing = None
        plain._closed = True
        self._context = context
        self._tls = None
        self._incoming = MemoryBIO()
        self._outgoing = MemoryBIO()
        self._unsent = b""
        self._sending = Semaphore(1)
        self._exhausted = False
        """The last read took data, and all that OpenSSL had of them."""

    def _begin_tls(self) -> None:
        self._make_tls()
        if self.do_handshake_on_connect:
            if self._timeout == 0.0:
                raise ValueError(
                    "do_handshake_on_connect is no use on a non-blocking socket"
                )
            self.do_handshake()

    def _make_tls(self) -> None:
        self._tls = self._context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=self.server_side,
            server_hostname=self.server_hostname,
            session=self._session,
        )
        owners = getattr(self._context, "owners", None)
        if owners is not None:  # a context of the standard library has none
            owners[self._tls] = self

    # -- moving bytes ------------------------------------------------------------------

    def _run(self, call: Callable[..., T], *args: Any) -> T:
        """Call OpenSSL until it can answer, receiving for it; send what it wrote."""
        while True:
            try:
                result = call(*args)
            except SSLWantReadError:
                self._flush()
                self._feed()
            except SSLError as error:
                self._flush_at_once()
                _raise_eof(error)
                raise
            except BaseException:
                self._flush_at_once()
                raise
            else:
                if self._outgoing.pending:
                    self._flush()
                return result

    def _receive(self) -> None:
        """Give OpenSSL more of what came, or the end; waits if nothing has come.

        For readers, which never wait until they can send. If one did while both ends
        have full buffers, neither would read: a deadlock. What it leaves unsent (rare:
        a key update) goes out with the next write.
        """
        if self._unsent or self._outgoing.pending:
            self._flush_at_once()
        self._feed()

    def _feed(self) -> None:
        try:
            data = socket.recv(self, _RECV_SIZE)
        except BlockingIOError:
            raise SSLWantReadError(
                _standard.SSL_ERROR_WANT_READ, "The operation did not complete (read)"
            ) from None
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _flush(self, timeout: float | None = OWN_TIMEOUT) -> None:
        """Send all that has been encrypted; ``timeout`` for each wait."""
        if self._calls:
            self._give_way()
        if self._unsent or self._sending.locked() or not self._sent_at_once():
            with self._sending:
                while self._unsent or self._outgoing.pending:
                    self._unsent = self._unsent or self._outgoing.read()
                    try:
                        sent = socket.send(self, self._unsent, 0, timeout)
                    except BlockingIOError:
                        raise SSLWantWriteError(
                            _standard.SSL_ERROR_WANT_WRITE,
                            "The operation did not complete (write)",
                        ) from None
                    self._unsent = self._unsent[sent:]

    def _sent_at_once(self) -> bool:
        """Send what has been encrypted by one call, in most cases; False: not all."""
        direction = self._writing
        if direction is not None and not direction.ready:
            return False
        self._unsent = data = self._outgoing.read()
        try:
            sent = self._sock.send(data) if data else 0
        except BlockingIOError:
            return False
        self._unsent = data[sent:]
        self._calls += 1
        return sent == len(data)

    def _flush_at_once(self) -> None:
        """Send what the kernel accepts without waiting.

        The next write gets any error.
        """
        if self._sending.locked():
            return  # the greenlet that sends will send this too
        with suppress(OSError):
            while self._unsent or self._outgoing.pending:
                self._unsent = self._unsent or self._outgoing.read()
                self._unsent = self._unsent[self._sock.send(self._unsent) :]

    # -- reading and writing -----------------------------------------------------------

    def do_handshake(self, block: bool = False) -> None:
        """Agree on keys and check the peer's certificate; raises SSLError."""
        self._check_connected()
        self._run(self._object.do_handshake)

    def read(self, len: int = 1024, buffer: "WriteableBuffer | None" = None) -> Any:
        """Return up to ``len`` decrypted bytes, or how many went into ``buffer``."""
        return self._read_tls(len, buffer)

    def _read_tls(self, size: int, buffer: "WriteableBuffer | None") -> Any:
        """Ask OpenSSL until it can answer, and receive for it."""
        tls = self._tls or self._object
        if self._exhausted and not self._incoming.pending and not tls.pending():
            self._receive()  # OpenSSL would ask for more, by an error
        elif self._calls and (self._incoming.pending or tls.pending()):
            self._give_way()
        self._exhausted = False
        while True:
            try:
                data = tls.read(size) if buffer is None else tls.read(size, buffer)
            except SSLWantReadError:
                self._receive()
            except SSLError as error:
                self._flush_at_once()  # the alert that says what is wrong
                if self.suppress_ragged_eofs and _is_eof(error):
                    return b"" if buffer is None else 0
                _raise_eof(error)
                raise
            else:
                self._exhausted = bool(data)
                self._calls += 1
                return data

    def write(self, data: "ReadableBuffer") -> int:
        """Encrypt and send some of ``data``; return how many bytes."""
        return self._write_some(data, OWN_TIMEOUT)

    def _write_some(self, data: "ReadableBuffer", timeout: float | None) -> int:
        if type(data) is not bytes or len(data) > _MAX_WRITE:
            data = memoryview(data).cast("B")[:_MAX_WRITE]
        if self._unsent:
            self._flush(timeout)  # the rest of a non-blocking write goes first
        try:
            count = (self._tls or self._object).write(data) if data else 0
        except SSLError:
            self._flush_at_once()
            raise
        try:
            self._flush(timeout)
        except SSLWantWriteError:
            return count  # to the caller these bytes count as sent
        return count

    def recv(self, bufsize: int = 1024, flags: int = 0) -> bytes:
        """Receive at most ``bufsize`` bytes; b"" at the end of the stream."""
        if self._tls is None:
            return super().recv(bufsize, flags)
        if flags:
            _refuse_flags(flags)
        return cast(bytes, self._read_tls(bufsize, None)) if bufsize else b""

    def recv_into(
        self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0
    ) -> int:
        """Receive into ``buffer``; return the number of bytes."""
        if self._tls is None:
            return super().recv_into(buffer, nbytes, flags)
        _refuse_flags(flags)
        size = nbytes or memoryview(buffer).nbytes
        return cast(int, self._read_tls(size, buffer)) if size else 0

    def send(
        self,
        data: "ReadableBuffer",
        flags: int = 0,
        timeout: float | None = OWN_TIMEOUT,
    ) -> int:
        """Send some of ``data``; return how many bytes. See `socket.send`."""
        if self._tls is None:
            return super().send(data, flags, timeout)
        _refuse_flags(flags)
        return self._write_some(data, timeout)

    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        """Send all of ``data``."""
        if self._tls is None:
            super().sendall(data, flags)
            return
        if flags:
            _refuse_flags(flags)
        rest = data if type(data) is bytes else memoryview(data).cast("B")
        if len(rest) > _MAX_WRITE:
            rest = memoryview(rest)
        while rest:
            rest = rest[self._write_some(rest, OWN_TIMEOUT) :]

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send ``file`` by reading it, because the kernel can't encrypt."""
        if self._tls is None:
            return super().sendfile(file, offset, count)
        return send_by_reading(self, file, offset, count)

    def sendmsg(self, buffers: object, *args: object) -> int:
        """Not possible: messages bypass TLS."""
        raise NotImplementedError("sendmsg not allowed on a TLS socket")

    def recvmsg(self, *args: object) -> Any:
        """Not possible: messages bypass TLS."""
        raise NotImplementedError("recvmsg not allowed on a TLS socket")

    def recvmsg_into(self, *args: object) -> Any:
        """Not possible: messages bypass TLS."""
        raise NotImplementedError("recvmsg_into not allowed on a TLS socket")

    def _read(self, call: Callable[..., Any], *args: Any, flags: int = 0) -> Any:
        if self._tls is not None:
            raise ValueError(
                f"{call.__name__} not allowed on a TLS socket: it would bypass TLS"
            )
        return super()._read(call, *args, flags=flags)

    def _write(self, call: Callable[..., Any], *args: Any, flags: int = 0) -> Any:
        if self._tls is not None:
            raise ValueError(
                f"{call.__name__} not allowed on a TLS socket: it would bypass TLS"
            )
        return super()._write(call, *args, flags=flags)

    def _really_close(self) -> None:
        self._tls = None
        super()._really_close()

    # -- connecting and ending ---------------------------------------------------------

    def _connect(self, address: Address) -> None:
        """Connect, and do the handshake."""
        if self.server_side:
            raise ValueError("can't connect in server-side mode")
        if self._tls is not None:
            raise ValueError("attempt to connect already-connected SSLSocket!")
        try:
            super()._connect(address)
        except BlockingIOError:
            self._make_tls()  # a non-blocking connect: `do_handshake` finishes it
            raise
        self._begin_tls()

    def accept(self) -> tuple["SSLSocket", Address]:
        """Return (the next connection after its handshake, its peer's address)."""
        plain, address = super().accept()
        return self._wrap(
            self._context,
            plain,
            server_side=True,
            do_handshake_on_connect=self.do_handshake_on_connect,
            suppress_ragged_eofs=self.suppress_ragged_eofs,
        ), address

    def unwrap(self) -> socket:
        """End TLS on both sides; the socket goes on without it."""
        self._exhausted = False
        self._run(self._object.unwrap)
        self._tls = None
        return self

    def shutdown(self, how: int) -> None:
        """Close the connection below TLS."""
        self._tls = None
        super().shutdown(how)

    def __enter__(self) -> "SSLSocket":
        return self

    def dup(self) -> socket:
        """Not possible: two sockets can't share one TLS state."""
        raise NotImplementedError("can't dup() an SSLSocket")


def _is_eof(error: SSLError) -> bool:
    """Whether the peer has ended without close_notify."""
    return (
        error.args[0] == _standard.SSL_ERROR_EOF
        or error.reason == "UNEXPECTED_EOF_WHILE_READING"
    )


def _raise_eof(error: SSLError) -> None:
    """Raise an SSLEOFError for an ``error`` that is one.

    On OpenSSL 3, older versions of Python 3.11 have no class for it (CPython's issue
    95494).
    """
    if _is_eof(error) and not isinstance(error, SSLEOFError):
        eof = SSLEOFError(_standard.SSL_ERROR_EOF, error.args[1])
        eof.reason, eof.library = error.reason, error.library
        raise eof from None


def _refuse_flags(flags: int) -> None:
    if flags:
        raise ValueError("non-zero flags are not allowed on a TLS socket")
