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
from ssl import MemoryBIO, SSLError, SSLObject, SSLWantReadError, SSLWantWriteError
from typing import TYPE_CHECKING, Any, TypeVar, cast

from hub.lock import Semaphore
from hub.socketfile import send_by_reading
from hub.socketobject import OWN_TIMEOUT, Address, closed_socket, socket

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


__all__ = ["SSLSocket"]

T = TypeVar("T")

# Bytes to receive at once: several records of at most 16 KiB.
_RECV_SIZE = 65536
_MAX_WRITE = 65536  # bytes encrypted before they are sent


class SSLSocket(socket):
    """A TLS connection, made by `SSLContext.wrap_socket`.

    Without TLS a plain socket.
    """

    __slots__ = (
        "_context",
        "_incoming",
        "_outgoing",
        "_sending",
        "_session",
        "_tls",
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
    _session: Any
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
        self._tls: SSLObject | None = None
        self._incoming = MemoryBIO()
        self._outgoing = MemoryBIO()
        self._unsent = b""
        self._sending = Semaphore(1)

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

    @property
    def _object(self) -> SSLObject:
        if self._tls is None:
            raise ValueError(
                "no TLS on this socket: it was unwrapped, or TLS has not begun"
            )
        return self._tls

    def _check_connected(self) -> None:
        if self._tls is None:
            self.getpeername()  # which raises ENOTCONN

    # -- moving bytes ------------------------------------------------------------------

    def _run(self, call: Callable[..., T], *args: Any) -> T:
        """Call OpenSSL until it can answer, receiving for it; send what it wrote."""
        while True:
            try:
                result = call(*args)
            except SSLWantReadError:
                self._flush()
                self._feed()
            except BaseException:
                self._flush_at_once()
                raise
            else:
                if self._outgoing.pending:
                    self._flush()
                return result

    def _run_read(self, call: Callable[..., T], *args: Any) -> T:
        """As `_run`, but a reader never waits until it can send.

        If it did while both ends have full buffers, neither would read: a deadlock.
        What it leaves unsent (rare: a key update) goes out with the next write.
        """
        while True:
            try:
                return call(*args)
            except SSLWantReadError:
                if self._unsent or self._outgoing.pending:
                    self._flush_at_once()
                self._feed()
            except SSLError:
                self._flush_at_once()  # the alert that says what is wrong
                raise

    def _feed(self) -> None:
        try:
            data = super().recv(_RECV_SIZE)
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
        with self._sending:
            while self._unsent or self._outgoing.pending:
                self._unsent = self._unsent or self._outgoing.read()
                try:
                    sent = super().send(self._unsent, 0, timeout)
                except BlockingIOError:
                    raise SSLWantWriteError(
                        _standard.SSL_ERROR_WANT_WRITE,
                        "The operation did not complete (write)",
                    ) from None
                self._unsent = self._unsent[sent:]

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
        tls = self._object
        if self._calls and (self._incoming.pending or tls.pending()):
            self._give_way()
        try:
            if buffer is None:
                data = self._run_read(tls.read, len)
            else:
                data = self._run_read(tls.read, len, buffer)
            self._calls += 1
            return data
        except SSLError as error:
            if error.args[0] == _standard.SSL_ERROR_EOF and self.suppress_ragged_eofs:
                return b"" if buffer is None else 0
            raise

    def write(self, data: "ReadableBuffer") -> int:
        """Encrypt and send some of ``data``; return how many bytes."""
        return self._write_some(data, OWN_TIMEOUT)

    def _write_some(self, data: "ReadableBuffer", timeout: float | None) -> int:
        view = memoryview(data).cast("B")[:_MAX_WRITE]
        if self._unsent:
            self._flush(timeout)  # the rest of a non-blocking write goes first
        try:
            count = self._object.write(view) if view else 0
        except SSLError:
            self._flush_at_once()
            raise
        with suppress(SSLWantWriteError):  # to the caller these bytes count as sent
            self._flush(timeout)
        return count

    def recv(self, bufsize: int = 1024, flags: int = 0) -> bytes:
        """Receive at most ``bufsize`` bytes; b"" at the end of the stream."""
        if self._tls is None:
            return super().recv(bufsize, flags)
        _refuse_flags(flags)
        return b"" if bufsize == 0 else cast(bytes, self.read(bufsize))

    def recv_into(
        self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0
    ) -> int:
        """Receive into ``buffer``; return the number of bytes."""
        if self._tls is None:
            return super().recv_into(buffer, nbytes, flags)
        _refuse_flags(flags)
        size = nbytes or memoryview(buffer).nbytes
        return cast(int, self.read(size, buffer)) if size else 0

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
        _refuse_flags(flags)
        view = memoryview(data).cast("B")
        while view:
            view = view[self.write(view) :]

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

    def pending(self) -> int:
        """How many decrypted bytes can be read without the network."""
        return 0 if self._tls is None else self._tls.pending()

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

    # -- what was agreed on ------------------------------------------------------------

    @property
    def context(self) -> _standard.SSLContext:
        """The context; a server-name callback may set another one."""
        return self._context

    @context.setter
    def context(self, value: _standard.SSLContext) -> None:
        self._context = value
        self._object.context = value

    @property
    def session(self) -> Any:
        """The session, which `SSLContext.wrap_socket` takes for a later connection."""
        return self._session if self._tls is None else self._tls.session

    @session.setter
    def session(self, value: Any) -> None:
        if self._tls is None:
            self._session = value
        else:
            self._tls.session = value

    @property
    def session_reused(self) -> bool | None:
        """Whether the handshake was shortened by a session."""
        return None if self._tls is None else self._tls.session_reused

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the peer's certificate, as a dict or in DER."""
        self._check_connected()
        return self._object.getpeercert(binary_form)

    def cipher(self) -> tuple[str, str, int] | None:
        """Return (name, protocol, secret bits) of the cipher; None without TLS."""
        return None if self._tls is None else self._tls.cipher()

    def version(self) -> str | None:
        """Return "TLSv1.3" or the like; None without TLS."""
        return None if self._tls is None else self._tls.version()

    def __getattr__(self, name: str) -> Any:
        """What OpenSSL knows about the connection, such as ``compression``."""
        if name.startswith("_") or not hasattr(SSLObject, name):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            )
        return _nothing if self._tls is None else getattr(self._tls, name)


def _nothing(*args: object, **kwargs: object) -> None:
    """Stands for a method of a TLS object that does not exist yet."""


def _refuse_flags(flags: int) -> None:
    if flags:
        raise ValueError("non-zero flags are not allowed on a TLS socket")
