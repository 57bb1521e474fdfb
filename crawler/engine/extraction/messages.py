"""What passes between the crawl and its extraction process.

Each message is a frame on a socket pair: its length in eight bytes (big-endian), then
that many bytes of MessagePack. The process sends one Answer when it is ready, and then
one for each Order; it never has more than one Order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct
from msgspec.msgpack import Encoder

from crawler.model.reasons import ErrorCode

_HEADER_BYTES = 8
MAX_ANSWER = 64 * 2**20
"""Bytes of an answer. The process is not trusted: it has read a stranger's bytes. An
order has no bound but the one of `http.max_body`, and the process's memory."""
_PART = 2**20
"""Bytes received at once."""

OUT_OF_MEMORY = 71
"""The exit status of a process that reached its memory limit."""


class ChildSettings(Struct, frozen=True):
    """The command line of the process."""

    path: list[str]
    """`sys.path` of the crawl, so that both find the same modules."""
    fd: int
    """Descriptor of its end of the socket pair."""
    parent: int
    """Process id of the crawl."""
    memory_bytes: int
    cpu_s: float
    tasks: Mapping[str, str]
    """Where each task is found, `module:function`, by the task's name."""


class Order(Struct, frozen=True, array_like=True):
    """Run the task of that name."""

    task: str
    payload: bytes


class Answer(Struct, frozen=True, array_like=True):
    """What came of an order: the task's result, or a failure's code and message."""

    result: bytes = b""
    code: ErrorCode | None = None
    message: str = ""


_encode = Encoder().encode


def frame(message: Order | Answer) -> bytes:
    """The bytes of the message on the stream."""
    content = _encode(message)
    return len(content).to_bytes(_HEADER_BYTES, "big") + content


def read_frame(recv: Callable[[int], bytes], limit: int | None = None) -> bytes:
    """The content of the next frame.

    Raises EOFError at the end of the stream, ValueError for more than `limit` bytes.
    """
    length = int.from_bytes(_read(recv, _HEADER_BYTES), "big")
    if limit is not None and length > limit:
        raise ValueError(f"a message of {length} bytes, more than {limit}")
    return _read(recv, length)


def _read(recv: Callable[[int], bytes], length: int) -> bytes:
    content = bytearray()
    while len(content) < length:
        part = recv(min(length - len(content), _PART))
        if not part:
            raise EOFError
        content += part
    return bytes(content)
