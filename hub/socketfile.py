"""Sockets as files: what ``makefile`` returns, and how ``sendfile`` works.

The standard library's ``SocketIO`` uses private parts of its socket. This one needs
only the methods of `FileSource`.
"""

import errno
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["FileSource", "SocketFile", "open_file", "send_by_kernel", "send_by_reading"]


class FileSource(Protocol):
    """The methods of a socket that a file uses."""

    def recv_into(
        self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0
    ) -> int: ...

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int: ...

    def fileno(self) -> int: ...

    def file_opened(self) -> None: ...

    def file_closed(self) -> None: ...


class SocketFile(io.RawIOBase):
    """An unbuffered file on a socket; the socket stays open as long as the file."""

    def __init__(self, sock: FileSource, mode: str) -> None:
        super().__init__()
        if mode not in ("r", "w", "rw", "rb", "wb", "rwb"):
            raise ValueError(f"invalid mode: {mode!r}")
        self._sock: FileSource | None = sock
        self._reads = "r" in mode
        self._writes = "w" in mode
        self._timed_out = False
        self.mode = mode if "b" in mode else mode + "b"
        sock.file_opened()

    def _source(self) -> FileSource:
        if self._sock is None:
            raise ValueError("I/O operation on closed file")
        return self._sock

    def readinto(self, buffer: "WriteableBuffer") -> int | None:
        """Read into ``buffer``; None if the socket is non-blocking and has nothing.

        Returns the number of bytes. Raises OSError once a read has timed out.
        """
        self._check(self._reads, "readable")
        if self._timed_out:
            raise OSError("cannot read from timed out object")
        try:
            return self._source().recv_into(buffer)
        except TimeoutError:
            self._timed_out = True  # a buffered reader may have lost data
            raise
        except BlockingIOError:
            return None

    def write(self, data: "ReadableBuffer") -> int | None:
        """Write some of ``data`` and return how many bytes.

        None if the socket is non-blocking and accepts nothing.
        """
        self._check(self._writes, "writable")
        try:
            return self._source().send(data)
        except BlockingIOError:
            return None

    def _check(self, allowed: bool, what: str) -> None:
        self._source()
        if not allowed:
            raise io.UnsupportedOperation(f"file is not {what}")

    def readable(self) -> bool:
        """Whether the mode allows reading."""
        self._source()
        return self._reads

    def writable(self) -> bool:
        """Whether the mode allows writing."""
        self._source()
        return self._writes

    def seekable(self) -> bool:
        """Return False."""
        self._source()
        return False

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._source().fileno()

    @property
    def name(self) -> int:
        """The socket's descriptor; -1 once closed."""
        return -1 if self._sock is None else self._sock.fileno()

    def close(self) -> None:
        """Close the file.

        Closes the socket, if that was closed and had no other file.
        """
        if not self.closed:
            super().close()
            if self._sock is not None:
                self._sock.file_closed()
                self._sock = None


def open_file(
    sock: FileSource,
    mode: str,
    buffering: int | None,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> Any:
    """Make the file object that ``socket.makefile`` documents."""
    if not set(mode) <= {"r", "w", "b"}:
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    reading = "r" in mode or "w" not in mode
    raw = SocketFile(sock, ("r" if reading else "") + ("w" if "w" in mode else ""))
    size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
    if size == 0:
        if "b" not in mode:
            raise ValueError("unbuffered streams must be binary")
        return raw
    buffered: Any
    if reading and "w" in mode:
        buffered = io.BufferedRWPair(raw, raw, size)
    elif reading:
        buffered = io.BufferedReader(raw, size)
    else:
        buffered = io.BufferedWriter(raw, size)
    if "b" in mode:
        return buffered
    text = io.TextIOWrapper(buffered, encoding, errors, newline)
    text.mode = mode  # type: ignore[misc]
    return text


class FileTarget(Protocol):
    """The methods of a socket that sendfile uses."""

    def sendall(self, data: "ReadableBuffer") -> None: ...

    def fileno(self) -> int: ...

    def wait_and_call(self, call: Callable[..., Any], *args: Any) -> Any: ...


def send_by_kernel(sock: FileTarget, file: Any, offset: int, count: int | None) -> int:
    """Send ``file`` by os.sendfile, or by reading it where that is impossible.

    Returns the number of bytes sent.
    """
    try:
        source = file.fileno()
        if os.fstat(source).st_size == 0:
            return 0
    except (AttributeError, OSError):
        return send_by_reading(sock, file, offset, count)
    sent = 0
    try:
        while count is None or sent < count:
            block = 1 << 30 if count is None else count - sent
            done = sock.wait_and_call(
                os.sendfile, sock.fileno(), source, offset + sent, block
            )
            if done == 0:
                break
            sent += done
    except OSError as error:
        if sent or error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSOCK):
            raise
        return send_by_reading(sock, file, offset, count)
    finally:
        _seek_past(file, offset, sent)
    return sent


def send_by_reading(sock: FileTarget, file: Any, offset: int, count: int | None) -> int:
    """Send ``file`` block by block; return the number of bytes sent."""
    if offset:
        file.seek(offset)
    sent = 0
    while count is None or sent < count:
        block = file.read(65536 if count is None else min(65536, count - sent))
        if not block:
            break
        sock.sendall(block)
        sent += len(block)
    _seek_past(file, offset, sent)
    return sent


def _seek_past(file: Any, offset: int, sent: int) -> None:
    """Move the file's position past the bytes sent, as the standard library does."""
    if sent and hasattr(file, "seek"):
        file.seek(offset + sent)
